#include "app/mqtt_settings.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "app/certificate.h"
#include "app/entry_readers.h"
#include "app/entry_rows.h"

namespace millstream::app {
namespace {

using connect::FeedOptions;
using connect::TopicTemplate;

constexpr size_t kTextBytesMax = 2048;
constexpr size_t kTopicsMax = 64;
constexpr uint16_t kPort = 1883;
constexpr uint16_t kTlsPort = 8883;

struct Draft {
  FeedOptions feed;
  std::optional<Setting> password_file;
};

// A list of 1 to kTopicsMax texts, each read by `read`.
template <class T, class Read>
Status read_each(const Setting& s, std::vector<T>& target, Read read) {
  const Result<std::vector<std::string>> texts = read_list(s);
  if (!texts) return texts.error();
  if (texts->empty() || texts->size() > kTopicsMax) {
    return s.wrong("must name 1 to " + std::to_string(kTopicsMax));
  }
  target.clear();
  for (const std::string& text : *texts) {
    Result<T> each = read(text);
    if (!each) return s.wrong("\"" + text + "\": " + each.error().detail);
    target.push_back(std::move(*each));
  }
  return {};
}

Result<std::string> payload_word(const std::string& text) {
  if (text.empty()) return Error{Code::invalid, "an empty payload clears what the broker retains, and says nothing"};
  return text;
}

Result<std::string> group_name(const std::string& text) {
  const Result<model::SiteId> site = model::SiteId::parse(text);
  return site ? Result<std::string>(text) : Result<std::string>(site.error());
}

// mqtt://host[:port], mqtts://host[:port]; an IPv6 address in brackets. Whatever else a URL may hold has a key of its
// own.
Status read_url(const Setting& s, connect::BrokerOptions& broker) {
  const Result<std::string> text = read_text(s);
  if (!text) return text.error();
  const Status wrong = s.wrong("must be mqtt://host:port or mqtts://host:port, and nothing more");
  std::string_view rest = *text;
  broker.tls = rest.starts_with("mqtts://");
  if (!broker.tls && !rest.starts_with("mqtt://")) return wrong;
  rest.remove_prefix(rest.find("//") + 2);
  const bool bracketed = rest.starts_with('[');
  const size_t host_end = bracketed ? rest.find(']') : rest.find(':');
  if (bracketed && host_end == std::string_view::npos) return wrong;
  broker.host = bracketed ? rest.substr(1, host_end - 1) : rest.substr(0, host_end);
  const bool plain =
      broker.host.find_first_of("/@?# ") == std::string::npos && broker.host.find('\0') == std::string::npos;
  if (broker.host.empty() || !plain) return wrong;
  rest = host_end == std::string_view::npos ? std::string_view() : rest.substr(host_end + (bracketed ? 1 : 0));
  broker.port = broker.tls ? kTlsPort : kPort;
  if (rest.empty()) return {};
  const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), broker.port);
  const bool number = rest.front() == ':' && error == std::errc() && end == rest.data() + rest.size();
  return number && broker.port != 0 ? Status() : wrong;
}

Status read_payload(const Setting& s, connect::PayloadFormat& target) {
  const Result<std::string> text = read_text(s);
  if (!text) return text.error();
  if (*text == "auto")
    target = connect::PayloadFormat::automatic;
  else if (*text == "json")
    target = connect::PayloadFormat::json;
  else if (*text == "line_protocol")
    target = connect::PayloadFormat::line_protocol;
  else
    return s.wrong("must be auto, json or line_protocol");
  return {};
}

Status read_version(const Setting& s, bool& version_5) {
  const Result<std::string> text = read_text(s);
  if (!text) return text.error();
  version_5 = *text == "5";
  return version_5 || *text == "3.1.1" ? Status() : Status(s.wrong("must be \"5\" or \"3.1.1\""));
}

EntryRow<Draft> broker_row(std::string key, std::string connect::BrokerOptions::*member) {
  return {std::move(key),
          [member](const Setting& s, Draft& d) { return read_given_text(s, kTextBytesMax, d.feed.broker.*member); }};
}

const std::vector<EntryRow<Draft>>& rows() {
  using Broker = connect::BrokerOptions;
  static const std::vector<EntryRow<Draft>> table = {
      {"mqtt.name", [](const Setting& s, Draft& d) { return read_name(s, d.feed.name); }, true},
      {"mqtt.url", [](const Setting& s, Draft& d) { return read_url(s, d.feed.broker); }, true},
      broker_row("mqtt.ca_file", &Broker::ca_file),
      broker_row("mqtt.certificate_file", &Broker::certificate_file),
      broker_row("mqtt.key_file", &Broker::key_file),
      broker_row("mqtt.username", &Broker::username),
      broker_row("mqtt.password", &Broker::password),
      {"mqtt.password_file",
       [](const Setting& s, Draft& d) {
         d.password_file = s;
         return Status();
       }},
      broker_row("mqtt.client_id", &Broker::client_id),
      {"mqtt.version", [](const Setting& s, Draft& d) { return read_version(s, d.feed.broker.version_5); }},
      {"mqtt.account", [](const Setting& s, Draft& d) { return read_account(s, d.feed.account); }},
      {"mqtt.accounts",
       [](const Setting& s, Draft& d) { return read_each(s, d.feed.accounts, model::AccountId::parse); }},
      {"mqtt.topics", [](const Setting& s, Draft& d) { return read_each(s, d.feed.topics, TopicTemplate::parse); }},
      {"mqtt.payload", [](const Setting& s, Draft& d) { return read_payload(s, d.feed.payload); }},
      {"mqtt.qos",
       [](const Setting& s, Draft& d) {
         const Result<int64_t> qos = read_whole(s, 0, 1);
         if (qos) d.feed.qos = static_cast<int>(*qos);
         return qos ? Status() : Status(qos.error());
       }},
      {"mqtt.status_topics",
       [](const Setting& s, Draft& d) { return read_each(s, d.feed.status_topics, TopicTemplate::parse); }},
      {"mqtt.online", [](const Setting& s, Draft& d) { return read_each(s, d.feed.online_payloads, payload_word); }},
      {"mqtt.offline", [](const Setting& s, Draft& d) { return read_each(s, d.feed.offline_payloads, payload_word); }},
      {"mqtt.sparkplug_groups",
       [](const Setting& s, Draft& d) { return read_each(s, d.feed.sparkplug_groups, group_name); }},
  };
  return table;
}

// A message goes to the first template that takes it: which one that is must not be a matter of luck.
Status check_topics(const FeedOptions& feed) {
  if (feed.topics.empty() && feed.status_topics.empty() && feed.sparkplug_groups.empty()) {
    return Error{Code::invalid, "nothing is read: mqtt.topics, mqtt.status_topics or mqtt.sparkplug_groups is needed"};
  }
  std::set<std::string> filters;
  for (const auto* templates : {&feed.status_topics, &feed.topics}) {
    for (const TopicTemplate& each : *templates) {
      if (!filters.insert(each.filter()).second) {
        return Error{Code::invalid, "two topics ask the broker for the same, " + each.filter()};
      }
    }
  }
  for (const TopicTemplate& status : feed.status_topics) {
    if (!status.names_device()) return Error{Code::invalid, "mqtt.status_topics: each must have {device}"};
  }
  return {};
}

// The account comes from here, or from a topic that may name it.
Status check_account(const FeedOptions& feed) {
  const auto names = [](const TopicTemplate& each) { return each.names_account(); };
  const bool any = std::any_of(feed.topics.begin(), feed.topics.end(), names) ||
                   std::any_of(feed.status_topics.begin(), feed.status_topics.end(), names);
  const bool all = std::all_of(feed.topics.begin(), feed.topics.end(), names) &&
                   std::all_of(feed.status_topics.begin(), feed.status_topics.end(), names) &&
                   feed.sparkplug_groups.empty();
  if (any && feed.accounts.empty()) return Error{Code::invalid, "{account} in a topic needs mqtt.accounts"};
  if (!any && !feed.accounts.empty()) return Error{Code::invalid, "mqtt.accounts is for topics with {account}"};
  if (!all && feed.account.empty())
    return Error{Code::invalid, "mqtt.account is needed: not every topic has {account}"};
  return {};
}

Status check_broker(const connect::BrokerOptions& broker) {
  const bool files = !broker.ca_file.empty() || !broker.certificate_file.empty() || !broker.key_file.empty();
  if (files && !broker.tls) return Error{Code::invalid, "certificates are for mqtts://"};
  if (broker.certificate_file.empty() != broker.key_file.empty()) {
    return Error{Code::invalid, "mqtt.certificate_file and mqtt.key_file go together"};
  }
  if (!broker.password.empty() && broker.username.empty()) {
    return Error{Code::invalid, "a password needs mqtt.username"};
  }
  return {};
}

bool is_same_client(const connect::BrokerOptions& a, const connect::BrokerOptions& b) {
  return a.host == b.host && a.port == b.port && a.client_id == b.client_id;
}

Status at(const TomlFile::Entry& entry, const Status& status) {
  return status ? Status() : Status(Error{status.error().code, entry.place + ": " + status.error().detail});
}

}  // namespace

Result<FeedOptions> read_feed(const TomlFile::Entry& entry) {
  Draft draft;
  if (Status s = read_entry(entry, rows(), draft); !s) return s.error();
  if (Status s = take_secret_file(draft.password_file, "mqtt.password", draft.feed.broker.password); !s)
    return s.error();
  FeedOptions& feed = draft.feed;
  if (feed.broker.client_id.empty()) feed.broker.client_id = "millstream-" + feed.name;
  if (Status s = at(entry, check_topics(feed)); !s) return s.error();
  if (Status s = at(entry, check_account(feed)); !s) return s.error();
  if (Status s = at(entry, check_broker(feed.broker)); !s) return s.error();
  return std::move(feed);
}

Result<std::vector<FeedOptions>> read_feeds(const std::vector<TomlFile::Entry>& entries) {
  std::vector<FeedOptions> feeds;
  for (const TomlFile::Entry& entry : entries) {
    Result<FeedOptions> feed = read_feed(entry);
    if (!feed) return feed.error();
    for (const FeedOptions& other : feeds) {
      if (other.name == feed->name) {
        return Error{Code::invalid, entry.place + ": mqtt.name: there is another feed \"" + feed->name + "\""};
      }
      if (is_same_client(other.broker, feed->broker)) {
        return Error{Code::invalid, entry.place + ": mqtt.client_id: feed \"" + other.name +
                                        "\" has it too, and the broker would end the one for the other"};
      }
    }
    feeds.push_back(std::move(*feed));
    if (feeds.size() > kFeedsMax) {
      return Error{Code::invalid, entry.place + ": more than " + std::to_string(kFeedsMax) + " [[mqtt]]"};
    }
  }
  return feeds;
}

Status check_feeds(const std::vector<FeedOptions>& feeds) {
  for (const FeedOptions& feed : feeds) {
    if (Status s = check_ca_file(feed.broker.ca_file, "mqtt.ca_file"); !s) return s;
    if (feed.broker.certificate_file.empty()) continue;
    const Config::Tls own{.certificate_file = feed.broker.certificate_file, .key_file = feed.broker.key_file};
    if (const Result<CertificatePem> pem = read_certificate(own); !pem) return pem.error();
  }
  return {};
}

}  // namespace millstream::app
