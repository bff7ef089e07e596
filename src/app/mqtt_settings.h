// app/mqtt_settings.h: what the configuration says about the brokers that are read: the [[mqtt]] feeds.
//
// Errors   Code::invalid naming the place: an address that is none, a topic that is no template, a topic that names the
//          account where none are allowed (or names none where no account is given), a password in two places or in a
//          file others can read, two feeds of one name. Brokers are not asked.
// Thread   startup; checking reads files
#pragma once

#include <vector>

#include "app/toml_file.h"
#include "base/result.h"
#include "connect/feed_options.h"

namespace millstream::app {

inline constexpr size_t kFeedsMax = 16;  // each has a thread of its own

Result<connect::FeedOptions> read_feed(const TomlFile::Entry& entry);
Result<std::vector<connect::FeedOptions>> read_feeds(const std::vector<TomlFile::Entry>& entries);

// That the files of certificates and keys are there and can be read.
Status check_feeds(const std::vector<connect::FeedOptions>& feeds);

}  // namespace millstream::app
