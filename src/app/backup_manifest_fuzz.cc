// Any bytes as a backup's manifest: never a crash, no name that leads out of the data directory, and what was read is
// read again from what is written of it.
#include <cstdint>
#include <string_view>

#include "app/backup_manifest.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const auto manifest = app::parse_manifest({reinterpret_cast<const char*>(bytes), size});
  if (!manifest) return 0;
  for (const app::BackupFile& file : manifest->files) {
    MS_CHECK(file.name.front() != '/' && file.name.find("..") == file.name.npos);
    MS_CHECK(file.name.find('\0') == file.name.npos);
  }
  const auto again = app::parse_manifest(app::encode_manifest(*manifest));
  MS_CHECK(again.ok() && again->files == manifest->files && again->last_id == manifest->last_id);
  return 0;
}
