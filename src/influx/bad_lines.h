// influx/bad_lines.h: finds the lines for which InfluxDB refuses a batch, by sending parts of it.
//
// Flow     write(batch): the whole is sent; a part that is refused for its lines is cut in two, and so on down to
// single
//          lines. InfluxDB knows a point it has had, so the good ones may be sent more than once.
// Rules    As few requests as the answers allow: a part of which all lines were dropped is not cut any more, and where
//          the answer names a field that has another type, the lines that have it go apart from the others.
//          Lines that are only too old are counted and not looked for.
//          An answer that speaks of no line may be meant for all that comes (a wrong bucket, a proxy in between): then
//          some lines are tried alone, and when none of them passes, nothing is set aside.
// Limits   with n lines of which b are bad, less than 2·b·log2(n) + 2 requests, and kProbesMax.
// Errors   An answer that says "not now" ends it; nothing is set aside then, and the batch is to be sent again whole.
// Thread   one thread at a time; blocks
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "influx/batch.h"
#include "influx/write_outcome.h"

namespace millstream::influx {

struct BadLine {
  std::string line;  // with its "\n"
  std::string reason;
};

struct BatchOutcome {
  WriteOutcome last;         // done, or why the batch has to be sent again
  std::vector<BadLine> bad;  // of done: all others are stored, but for
  uint64_t expired = 0;      // so many that are older than the database keeps
  uint64_t requests = 0;
};

inline constexpr size_t kProbesMax = 8;

using WriteLines = std::function<WriteOutcome(std::string_view lines)>;

BatchOutcome write_batch(const Batch& batch, const WriteLines& write);

// Whether a line of ours has the field with a value of that type ("float", "boolean", "string").
bool has_field(std::string_view line, const TypeConflict& conflict);

}  // namespace millstream::influx
