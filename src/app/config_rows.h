// app/config_rows.h: the table of all settings: one row a key, with its reader, its limits, its default and its
// meaning.
//
// Thread   startup
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "app/config.h"
#include "app/setting.h"

namespace millstream::app {

// A configuration in the making.
struct ConfigDraft {
  Config config;
  std::optional<Setting> jwt_secret_file;
  std::optional<Setting> postgres_password_file;
  std::optional<Setting> influx_password_file;
  std::optional<Setting> influx_token_file;
};

struct ConfigRow {
  ConfigKey key;
  std::function<Status(const Setting&, ConfigDraft&)> set;  // reads, checks, stores
};

const std::vector<ConfigRow>& config_rows();

}  // namespace millstream::app
