#include "app/sqs_settings.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "app/certificate.h"
#include "app/entry_readers.h"
#include "app/entry_rows.h"
#include "app/http_client.h"

namespace millstream::app {
namespace {

using connect::SqsFeedOptions;

constexpr size_t kTextBytesMax = 2048;
constexpr size_t kPoisonWords = 2;
constexpr int64_t kWaitMsMax = 20'000;                // what SQS takes
constexpr int64_t kVisibilityMsMax = 12 * 3'600'000;  // the same

Status read_url(const Setting& s, std::string& target) {
  const Result<std::string> text = read_text(s);
  if (!text) return text.error();
  const Result<std::string> url = make_url(*text, "", {});
  if (!url) return s.wrong(url.error().detail);
  target = *text;  // as SQS names the queue
  return {};
}

// A whole number of seconds, as the protocol has them.
Status read_seconds(const Setting& s, int64_t min_ms, int64_t max_ms, int64_t& target) {
  const Result<int64_t> ms = read_duration_ms(s, min_ms, max_ms);
  if (!ms) return ms.error();
  if (*ms % 1000 != 0) return s.wrong("must be whole seconds");
  target = *ms / 1000;
  return {};
}

const std::vector<EntryRow<SqsSettings>>& rows() {
  using S = SqsSettings;
  const auto access = [](std::string SqsAccess::*member) {
    return [member](const Setting& s, S& d) { return read_given_text(s, kTextBytesMax, d.access.*member); };
  };
  static const std::vector<EntryRow<S>> table = {
      {"sqs.name", [](const Setting& s, S& d) { return read_name(s, d.feed.name); }, true},
      {"sqs.queue_url", [](const Setting& s, S& d) { return read_url(s, d.feed.queue.url); }, true},
      {"sqs.account", [](const Setting& s, S& d) { return read_account(s, d.feed.account); }, true},
      {"sqs.region", access(&SqsAccess::region)},
      {"sqs.endpoint", [](const Setting& s, S& d) { return read_url(s, d.access.endpoint); }},
      {"sqs.ca_file", access(&SqsAccess::ca_file)},
      {"sqs.access_key_id", access(&SqsAccess::access_key_id)},
      {"sqs.secret_key_file", [](const Setting& s, S& d) { return read_secret(s, d.access.secret_key); }},
      {"sqs.wait", [](const Setting& s, S& d) { return read_seconds(s, 0, kWaitMsMax, d.feed.queue.wait_s); }},
      {"sqs.visibility",
       [](const Setting& s, S& d) { return read_seconds(s, 2'000, kVisibilityMsMax, d.feed.queue.visibility_s); }},
      {"sqs.poison",
       [](const Setting& s, S& d) { return read_word(s, kPoisonWords, connect::poison_name, d.feed.poison); }},
  };
  return table;
}

// "https://sqs.eu-west-1.amazonaws.com/123/queue" -> "https://sqs.eu-west-1.amazonaws.com/"
std::string origin_of(const std::string& url) {
  const size_t host = url.find("://") + 3;
  return url.substr(0, url.find('/', host)) + '/';
}

// Of AWS' own hosts: sqs.<region>.amazonaws.com, with another end in China. Of others: empty.
std::string region_of(const std::string& url) {
  std::string_view host = url;
  host.remove_prefix(host.find("://") + 3);
  host = host.substr(0, host.find('/'));
  const size_t end = host.find(".amazonaws.com");
  for (const std::string_view service : {"sqs.", "sqs-fips."}) {
    if (end != std::string_view::npos && host.starts_with(service) && service.size() < end) {
      return std::string(host.substr(service.size(), end - service.size()));
    }
  }
  return "";
}

Status take_credential(const std::map<std::string, std::string>& environment, SqsAccess& access) {
  if (access.access_key_id.empty() != access.secret_key.empty()) {
    return Error{Code::invalid, "sqs.access_key_id and sqs.secret_key_file go together"};
  }
  if (!access.secret_key.empty()) return {};
  const auto variable = [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? "" : found->second;
  };
  access.access_key_id = variable("AWS_ACCESS_KEY_ID");
  access.secret_key = variable("AWS_SECRET_ACCESS_KEY");
  access.session_token = variable("AWS_SESSION_TOKEN");
  return {};
}

// They become a line of a request: a line break in one would begin another.
Status check_visible(const SqsAccess& access) {
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7f; };
  for (const std::string* text : {&access.access_key_id, &access.secret_key, &access.session_token, &access.region}) {
    if (!std::ranges::all_of(*text, is_visible)) {
      return Error{Code::invalid, "the credential and sqs.region are visible ASCII characters, without blanks"};
    }
  }
  return {};
}

Status complete(const std::map<std::string, std::string>& environment, SqsSettings& settings) {
  SqsAccess& access = settings.access;
  if (access.region.empty()) access.region = region_of(settings.feed.queue.url);
  if (access.region.empty())
    return Error{Code::invalid, "sqs.region is missing: it does not follow from sqs.queue_url"};
  if (access.endpoint.empty()) access.endpoint = origin_of(settings.feed.queue.url);
  if (Status s = take_credential(environment, access); !s) return s;
  return check_visible(access);
}

}  // namespace

Result<std::vector<SqsSettings>> read_sqs(const std::vector<TomlFile::Entry>& entries,
                                          const std::map<std::string, std::string>& environment) {
  std::vector<SqsSettings> all;
  for (const TomlFile::Entry& entry : entries) {
    const auto refuse = [&](const std::string& why) { return Error{Code::invalid, entry.place + ": " + why}; };
    SqsSettings settings;
    if (Status s = read_entry(entry, rows(), settings); !s) return s.error();
    if (Status s = complete(environment, settings); !s) return refuse(s.error().detail);
    const std::string& name = settings.feed.name;
    const auto is_same = [&](const SqsSettings& other) { return other.feed.name == name; };
    if (std::ranges::any_of(all, is_same)) return refuse("sqs.name: there is another feed \"" + name + "\"");
    all.push_back(std::move(settings));
    if (all.size() > kSqsFeedsMax) return refuse("more than " + std::to_string(kSqsFeedsMax) + " [[sqs]]");
  }
  return all;
}

Status check_sqs(const std::vector<SqsSettings>& all) {
  for (const SqsSettings& settings : all) {
    const SqsAccess& access = settings.access;
    if (Status s = check_ca_file(access.ca_file, "sqs.ca_file"); !s) return s;
    if (!access.access_key_id.empty() && !access.secret_key.empty()) continue;
    return Error{Code::invalid, "sqs \"" + settings.feed.name +
                                    "\": no credential: set sqs.access_key_id and sqs.secret_key_file, or the "
                                    "variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"};
  }
  return {};
}

}  // namespace millstream::app
