// Any bytes as the records of a spool file: never a crash, and a record that is taken is written the same again.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "influx/spool.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const std::string_view whole(reinterpret_cast<const char*>(bytes), size);
  std::string_view rest = whole;
  while (!rest.empty()) {
    const std::string_view before = rest;
    const auto record = influx::take_record(rest);
    if (!record) break;
    std::string again;
    influx::append_record(*record, again);
    MS_CHECK(again == before.substr(0, before.size() - rest.size()));
  }
  // A valid frame round the bytes, so that the fields behind the CRC are reached.
  std::string framed;
  influx::append_record(
      {1, {.lines = std::string(whole), .sizes = {static_cast<uint32_t>(size)}, .after = {}, .to = {}}}, framed);
  std::string_view all = framed;
  const auto record = influx::take_record(all);
  MS_CHECK(record.ok() && all.empty() && record->batch.lines == whole);
  return 0;
}
