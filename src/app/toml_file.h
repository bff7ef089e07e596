// app/toml_file.h: a TOML file as a flat list of settings.
//
// Shapes   [server] listen = … becomes the key "server.listen"; each [[rules]], [[issuers]], [[mqtt]],
//          [[redis_feeds]], [[sqs]] and [[channels]] becomes a list of its own, keys "rules.…", "issuers.…", "mqtt.…"
//          and so on.
// Errors   Code::invalid naming file, line and what is wrong: syntax, a value of a kind that no key takes.
// Thread   value
#pragma once

#include <string>
#include <vector>

#include "app/setting.h"
#include "base/result.h"

namespace millstream::app {

struct TomlFile {
  struct Entry {
    std::string place;  // of the [[…]] line, for what is missing in it
    std::vector<Setting> settings;
  };
  std::vector<Setting> settings;
  std::vector<Entry> rules;
  std::vector<Entry> issuers;
  std::vector<Entry> mqtt;
  std::vector<Entry> redis_feeds;
  std::vector<Entry> channels;
  std::vector<Entry> sqs;
};

Result<TomlFile> read_toml_file(const std::string& path);

}  // namespace millstream::app
