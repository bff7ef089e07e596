#include "app/redis_settings.h"

#include <algorithm>
#include <optional>

#include "app/certificate.h"
#include "app/entry_readers.h"
#include "app/entry_rows.h"
#include "net/tls_client.h"

namespace millstream::app {
namespace {

using connect::RedisFeedOptions;

constexpr size_t kTextBytesMax = 2048;
constexpr std::string_view kMirrorChannel = "millstream-events";

struct Draft {
  RedisFeedOptions feed;
  std::optional<redis::Options> url;
  std::string password;
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
};

Status read_url(const Setting& s, std::optional<redis::Options>& target) {
  const Result<std::string> text = read_text(s);
  if (!text) return text.error();
  Result<redis::Options> url = redis::parse_url(*text);
  if (!url) return s.wrong(url.error().detail);
  target = std::move(*url);
  return {};
}

// true: the channel of the usual name; or a name.
Status read_mirror(const Setting& s, std::string& target) {
  const Result<bool> flag = read_flag(s);
  if (!flag) return read_given_text(s, kTextBytesMax, target);
  target = *flag ? kMirrorChannel : "";
  return {};
}

const std::vector<EntryRow<Draft>>& rows() {
  const auto text = [](std::string Draft::*member) {
    return [member](const Setting& s, Draft& d) { return read_given_text(s, kTextBytesMax, d.*member); };
  };
  static const std::vector<EntryRow<Draft>> table = {
      {"redis_feeds.name", [](const Setting& s, Draft& d) { return read_name(s, d.feed.name); }, true},
      {"redis_feeds.url", [](const Setting& s, Draft& d) { return read_url(s, d.url); }, true},
      {"redis_feeds.password_file", [](const Setting& s, Draft& d) { return read_secret(s, d.password); }},
      {"redis_feeds.ca_file", text(&Draft::ca_file)},
      {"redis_feeds.certificate_file", text(&Draft::certificate_file)},
      {"redis_feeds.key_file", text(&Draft::key_file)},
      {"redis_feeds.channel",
       [](const Setting& s, Draft& d) { return read_given_text(s, kTextBytesMax, d.feed.channel); }},
      {"redis_feeds.account", [](const Setting& s, Draft& d) { return read_account(s, d.feed.account); }, true},
      {"redis_feeds.mirror", [](const Setting& s, Draft& d) { return read_mirror(s, d.feed.mirror_channel); }},
  };
  return table;
}

// The URL, and what has keys of its own.
Status take_redis(Draft& draft) {
  redis::Options& options = draft.feed.redis = std::move(*draft.url);
  const bool files = !draft.ca_file.empty() || !draft.certificate_file.empty() || !draft.key_file.empty();
  if (files && !options.tls) return Error{Code::invalid, "certificates are for rediss:// and rediss+sentinel://"};
  if (draft.certificate_file.empty() != draft.key_file.empty()) {
    return Error{Code::invalid, "redis_feeds.certificate_file and redis_feeds.key_file go together"};
  }
  if (!draft.password.empty() && !options.password.empty()) {
    return Error{Code::invalid, "a password in redis_feeds.url and in redis_feeds.password_file; keep one of them"};
  }
  if (options.password.empty()) options.password = std::move(draft.password);
  options.ca_file = std::move(draft.ca_file);
  options.certificate_file = std::move(draft.certificate_file);
  options.key_file = std::move(draft.key_file);
  return {};
}

Result<RedisFeedOptions> read_redis_feed(const TomlFile::Entry& entry) {
  Draft draft;
  if (Status s = read_entry(entry, rows(), draft); !s) return s.error();
  if (Status s = take_redis(draft); !s) return Error{s.error().code, entry.place + ": " + s.error().detail};
  return std::move(draft.feed);
}

bool is_same_redis(const redis::Options& a, const redis::Options& b) {
  const auto has = [&b](const redis::Address& address) {
    return std::any_of(b.servers.begin(), b.servers.end(),
                       [&](const auto& other) { return address_text(other) == address_text(address); });
  };
  return std::any_of(a.servers.begin(), a.servers.end(), has);
}

// Channels know no databases: what is mirrored onto one that is read would come back, and be mirrored again.
bool comes_back(const RedisFeedOptions& mirror, const RedisFeedOptions& reader) {
  return mirror.mirror_channel == reader.channel && is_same_redis(mirror.redis, reader.redis);
}

Status check_feed(const RedisFeedOptions& feed, const std::vector<RedisFeedOptions>& others) {
  const auto refuse = [](std::string what) { return Error{Code::invalid, std::move(what)}; };
  if (comes_back(feed, feed)) return refuse("redis_feeds.mirror: the feed reads that channel itself");
  for (const RedisFeedOptions& other : others) {
    if (other.name == feed.name) return refuse("redis_feeds.name: there is another feed \"" + feed.name + "\"");
    if (comes_back(feed, other) || comes_back(other, feed)) {
      return refuse("redis_feeds.mirror: feed \"" + other.name + "\" and this one would mirror to each other for ever");
    }
  }
  return {};
}

}  // namespace

Result<std::vector<RedisFeedOptions>> read_redis_feeds(const std::vector<TomlFile::Entry>& entries) {
  std::vector<RedisFeedOptions> feeds;
  for (const TomlFile::Entry& entry : entries) {
    Result<RedisFeedOptions> feed = read_redis_feed(entry);
    if (!feed) return feed.error();
    if (Status s = check_feed(*feed, feeds); !s) return Error{s.error().code, entry.place + ": " + s.error().detail};
    feeds.push_back(std::move(*feed));
    if (feeds.size() > kRedisFeedsMax) {
      return Error{Code::invalid, entry.place + ": more than " + std::to_string(kRedisFeedsMax) + " [[redis_feeds]]"};
    }
  }
  return feeds;
}

Status check_redis_feeds(const std::vector<RedisFeedOptions>& feeds) {
  for (const RedisFeedOptions& feed : feeds) {
    if (!feed.redis.tls) continue;
    if (Status s = check_ca_file(feed.redis.ca_file, "redis_feeds.ca_file"); !s) return s;
    const auto made =
        net::TlsClientContext::make({feed.redis.ca_file, feed.redis.certificate_file, feed.redis.key_file});
    if (!made) return Error{Code::invalid, "redis_feeds \"" + feed.name + "\": " + made.error().detail};
  }
  return {};
}

}  // namespace millstream::app
