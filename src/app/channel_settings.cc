#include "app/channel_settings.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "app/certificate.h"
#include "app/destination.h"
#include "app/entry_readers.h"
#include "app/entry_rows.h"
#include "base/limits.h"

namespace millstream::app {
namespace {

constexpr size_t kTextBytesMax = 2048;
constexpr size_t kRecipientsMax = 50;

struct Draft {
  ChannelOptions channel;
  std::optional<Setting> url;
  std::optional<Setting> url_file;
  std::optional<Setting> secret_file;
  std::optional<Setting> password_file;
};

// An address in a header and in SMTP: nothing that could end a line or an address.
Result<std::string> mail_address(const std::string& text) {
  const size_t at = text.find('@');
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 127 && std::string_view("<>()[]\\,;:\"").find(c) == std::string_view::npos;
  });
  if (!plain || at == std::string::npos || at == 0 || at + 1 == text.size() ||
      text.find('@', at + 1) != std::string::npos || text.size() > 254) {
    return Error{Code::invalid, "\"" + text + "\" is no e-mail address such as ops@example.com"};
  }
  return text;
}

Status read_from(const Setting& s, std::string& target) {
  const Result<std::string> text = read_text(s);
  if (!text) return text.error();
  Result<std::string> address = mail_address(*text);
  if (!address) return s.wrong(address.error().detail);
  target = std::move(*address);
  return {};
}

Status read_to(const Setting& s, std::vector<std::string>& target) {
  const Result<std::vector<std::string>> texts = read_list(s);
  if (!texts) return texts.error();
  if (texts->empty() || texts->size() > kRecipientsMax) {
    return s.wrong("must name 1 to " + std::to_string(kRecipientsMax));
  }
  for (const std::string& text : *texts) {
    Result<std::string> address = mail_address(text);
    if (!address) return s.wrong(address.error().detail);
    target.push_back(std::move(*address));
  }
  return {};
}

EntryRow<Draft> later_row(std::string key, std::optional<Setting> Draft::*member) {
  return {std::move(key), [member](const Setting& s, Draft& d) {
            d.*member = s;
            return Status();
          }};
}

EntryRow<Draft> duration_row(std::string key, int64_t min_ms, int64_t max_ms, int64_t ChannelOptions::*member) {
  return {std::move(key),
          [=](const Setting& s, Draft& d) { return assign(read_duration_ms(s, min_ms, max_ms), d.channel.*member); }};
}

EntryRow<Draft> text_row(std::string key, std::string ChannelOptions::*member) {
  return {std::move(key),
          [member](const Setting& s, Draft& d) { return read_given_text(s, kTextBytesMax, d.channel.*member); }};
}

const std::vector<EntryRow<Draft>>& rows() {
  static const std::vector<EntryRow<Draft>> table = {
      {"channels.name", [](const Setting& s, Draft& d) { return read_name(s, d.channel.name); }, true},
      {"channels.account", [](const Setting& s, Draft& d) { return read_account(s, d.channel.account); }},
      {"channels.type", [](const Setting& s, Draft& d) { return read_word(s, 3, &channel_type_name, d.channel.type); },
       true},
      later_row("channels.url", &Draft::url),
      later_row("channels.url_file", &Draft::url_file),
      text_row("channels.ca_file", &ChannelOptions::ca_file),
      {"channels.allow_private",
       [](const Setting& s, Draft& d) { return assign(read_flag(s), d.channel.allow_private); }},
      duration_row("channels.timeout", 100, 60'000, &ChannelOptions::timeout_ms),
      duration_row("channels.retry_min", 10, kHourMs, &ChannelOptions::retry_min_ms),
      duration_row("channels.retry_max", 10, kHourMs, &ChannelOptions::retry_max_ms),
      duration_row("channels.give_up_after", 1000, 7 * kDayMs, &ChannelOptions::give_up_after_ms),
      text_row("channels.secret", &ChannelOptions::secret),
      later_row("channels.secret_file", &Draft::secret_file),
      text_row("channels.username", &ChannelOptions::username),
      text_row("channels.password", &ChannelOptions::password),
      later_row("channels.password_file", &Draft::password_file),
      {"channels.from", [](const Setting& s, Draft& d) { return read_from(s, d.channel.from); }},
      {"channels.to", [](const Setting& s, Draft& d) { return read_to(s, d.channel.to); }},
      {"channels.starttls",
       [](const Setting& s, Draft& d) { return read_word(s, 3, &starttls_name, d.channel.starttls); }},
  };
  return table;
}

struct UrlFree {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string url_part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK || text == nullptr) return {};
  std::string copy = text;
  curl_free(text);
  return copy;
}

Status check_url(const ChannelOptions& channel) {
  const bool mail = channel.type == ChannelType::email;
  const std::string wanted = mail ? "smtp://host:587 or smtps://host" : "https://… or http://…";
  const std::unique_ptr<CURLU, UrlFree> url(curl_url());
  const std::string_view text = channel.url;
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
  if (!plain || curl_url_set(url.get(), CURLUPART_URL, channel.url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return Error{Code::invalid, "the URL must be " + wanted};
  }
  const std::string scheme = url_part(url.get(), CURLUPART_SCHEME);
  const bool known = mail ? scheme == "smtp" || scheme == "smtps" : scheme == "http" || scheme == "https";
  if (!known) return Error{Code::invalid, "the URL must be " + wanted};
  if (!url_part(url.get(), CURLUPART_USER).empty() || !url_part(url.get(), CURLUPART_PASSWORD).empty()) {
    return Error{Code::invalid, "the URL must hold no user or password"};
  }
  const std::string host = url_part(url.get(), CURLUPART_HOST);
  const std::optional<Reach> reach = reach_of_literal(host);
  if (reach && !may_reach(*reach, channel.allow_private)) {
    return Error{Code::invalid, host + (*reach == Reach::inner ? " is on this machine or an inner network; if that is "
                                                                 "meant, set channels.allow_private = true"
                                                               : " is no address to send to")};
  }
  return {};
}

Status check_mail(const ChannelOptions& channel) {
  if (channel.type != ChannelType::email) {
    const bool any = !channel.from.empty() || !channel.to.empty() || !channel.username.empty();
    return any ? Status(Error{Code::invalid, "channels.from, to and username are for type = \"email\""}) : Status();
  }
  if (channel.from.empty() || channel.to.empty()) {
    return Error{Code::invalid, "channels.from and channels.to are needed for e-mail"};
  }
  if (channel.username.empty() != channel.password.empty()) {
    return Error{Code::invalid, "channels.username and channels.password (or password_file) go together"};
  }
  const bool sure = channel.url.starts_with("smtps://") || channel.starttls == StartTls::required;
  if (!channel.password.empty() && !sure) {
    return Error{Code::invalid,
                 "the password would go over the network in the clear: use smtps:// or starttls = "
                 "\"required\""};
  }
  return {};
}

Status check(const Draft& draft) {
  const ChannelOptions& channel = draft.channel;
  if (channel.url.empty()) return Error{Code::invalid, "channels.url or channels.url_file is missing"};
  if (Status s = check_url(channel); !s) return s;
  if (!channel.secret.empty() && channel.type != ChannelType::webhook) {
    return Error{Code::invalid, "channels.secret is for type = \"webhook\""};
  }
  if (!channel.secret.empty() && channel.secret.size() < kChannelSecretBytesMin) {
    return Error{Code::invalid, "channels.secret must have at least " + std::to_string(kChannelSecretBytesMin) +
                                    " bytes; `openssl rand -hex 32` makes one"};
  }
  if (channel.retry_min_ms > channel.retry_max_ms) {
    return Error{Code::invalid, "channels.retry_min must not be above channels.retry_max"};
  }
  return check_mail(channel);
}

Result<ChannelOptions> read_channel(const TomlFile::Entry& entry) {
  Draft draft;
  if (Status s = read_entry(entry, rows(), draft); !s) return s.error();
  if (draft.url) {
    if (Status s = read_given_text(*draft.url, kTextBytesMax, draft.channel.url); !s) return s.error();
  }
  if (Status s = take_secret_file(draft.url_file, "channels.url", draft.channel.url); !s) return s.error();
  if (Status s = take_secret_file(draft.secret_file, "channels.secret", draft.channel.secret); !s) return s.error();
  if (Status s = take_secret_file(draft.password_file, "channels.password", draft.channel.password); !s)
    return s.error();
  if (Status s = check(draft); !s) return Error{s.error().code, entry.place + ": " + s.error().detail};
  return std::move(draft.channel);
}

}  // namespace

Result<std::vector<ChannelOptions>> read_channels(const std::vector<TomlFile::Entry>& entries) {
  std::vector<ChannelOptions> channels;
  for (const TomlFile::Entry& entry : entries) {
    Result<ChannelOptions> channel = read_channel(entry);
    if (!channel) return channel.error();
    const bool again = std::any_of(channels.begin(), channels.end(), [&](const ChannelOptions& before) {
      return before.name == channel->name && before.account == channel->account;
    });
    if (again) {
      return Error{Code::invalid, entry.place + ": channels.name: there is another channel \"" + channel->name + "\""};
    }
    channels.push_back(std::move(*channel));
    if (channels.size() > kChannelsMax) {
      return Error{Code::invalid, entry.place + ": more than " + std::to_string(kChannelsMax) + " [[channels]]"};
    }
  }
  return channels;
}

Status check_channels(const std::vector<ChannelOptions>& channels, const std::vector<model::Rule>& rules) {
  for (const ChannelOptions& channel : channels) {
    if (Status s = check_ca_file(channel.ca_file, "channels.ca_file"); !s) return s;
  }
  return check_channels_of(rules, channels);
}

Status check_channels_of(const std::vector<model::Rule>& rules, const std::vector<ChannelOptions>& channels) {
  const notify::Channels names = channel_names(channels);
  for (const model::Rule& rule : rules) {
    const std::string_view unknown = notify::unknown_channel(names, rule.scope.account, rule.notify);
    if (unknown.empty()) continue;
    return Error{Code::invalid, "rule \"" + rule.id + "\" of account \"" + rule.scope.account.text() +
                                    "\" notifies the channel \"" + std::string(unknown) +
                                    "\", and there is no [[channels]] of that name for it"};
  }
  return {};
}

notify::Channels channel_names(const std::vector<ChannelOptions>& channels) {
  std::vector<notify::Channel> names;
  for (const ChannelOptions& channel : channels) {
    names.push_back({channel.name, channel.account, std::string(channel_type_name(channel.type))});
  }
  return notify::Channels(std::move(names));
}

}  // namespace millstream::app
