// app/backup_manifest.h: what a backup says of itself: the first file in it.
//
// Shapes   manifest.json: {"format":1,"version":"0.1.0","createdAt":"…","node":"…","lastId":"…","files":[{"name":
//          "log/events-491520.db","bytes":…,"sha256":"…"},…]}, files in the order they follow in. createdAt: when the
//          backup began; what was acknowledged before is in it. lastId: of the newest event in it, or "0-0".
// Limits   kManifestBytesMax, kBackupFilesMax.
// Errors   Code::invalid names the member; Code::conflict: of a later format.
// Thread   value
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/event_id.h"

namespace millstream::app {

inline constexpr std::string_view kManifestName = "manifest.json";
inline constexpr size_t kManifestBytesMax = 16 << 20;
inline constexpr size_t kBackupFilesMax = 50'000;

struct BackupFile {
  std::string name;  // is_backup_name()
  uint64_t bytes = 0;
  std::string sha256;  // 64 hexadecimal digits

  bool operator==(const BackupFile&) const = default;
};

struct BackupManifest {
  std::string version;  // of the program that made it
  int64_t created_at_ms = 0;
  std::string node;
  model::EventId last_id;
  std::vector<BackupFile> files;

  uint64_t bytes() const;  // of all files
};

// The only names there are in a backup: those of files in a data directory that are kept. No others are ever written.
bool is_backup_name(std::string_view name);

std::string encode_manifest(const BackupManifest& manifest);
Result<BackupManifest> parse_manifest(std::string_view json);

}  // namespace millstream::app
