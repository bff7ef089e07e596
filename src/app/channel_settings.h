// app/channel_settings.h: what the configuration says about channels: the [[channels]].
//
// Errors   Code::invalid naming the place: an address that is none or leads to this machine or an inner network where
//          allow_private is not set, a secret that is short or in a file others can read, an e-mail address that is
//          none, a password that would go in the clear, two channels of one name. Nobody is asked over the network.
// Thread   startup; checking reads files
#pragma once

#include <vector>

#include "app/channel_options.h"
#include "app/toml_file.h"
#include "base/result.h"
#include "model/rule.h"
#include "notify/channels.h"

namespace millstream::app {

inline constexpr size_t kChannelsMax = 64;  // each has a thread of its own
inline constexpr size_t kChannelSecretBytesMin = 16;

Result<std::vector<ChannelOptions>> read_channels(const std::vector<TomlFile::Entry>& entries);
// That the files of certificates can be read, and that the rules name no channel that is not there.
Status check_channels(const std::vector<ChannelOptions>& channels, const std::vector<model::Rule>& rules);
// The second alone.
Status check_channels_of(const std::vector<model::Rule>& rules, const std::vector<ChannelOptions>& channels);
notify::Channels channel_names(const std::vector<ChannelOptions>& channels);

}  // namespace millstream::app
