// app/redis_settings.h: what the configuration says about channels of Redis that are read, and mirrored to: the
// [[redis_feeds]].
//
// Errors   Code::invalid naming the place: a URL that is none (never its password), a password in two places or in a
// file
//          others can read, two feeds of one name, a mirror on a channel that is read from the same Redis. Redis is not
//          asked.
// Thread   startup; checking reads files
#pragma once

#include <vector>

#include "app/toml_file.h"
#include "base/result.h"
#include "connect/redis_feed.h"

namespace millstream::app {

inline constexpr size_t kRedisFeedsMax = 16;  // each has a thread of its own, and one for its mirror

Result<std::vector<connect::RedisFeedOptions>> read_redis_feeds(const std::vector<TomlFile::Entry>& entries);

// That the files of certificates and keys are there and can be read.
Status check_redis_feeds(const std::vector<connect::RedisFeedOptions>& feeds);

}  // namespace millstream::app
