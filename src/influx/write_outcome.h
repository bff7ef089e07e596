// influx/write_outcome.h: what InfluxDB's answer to a write means for the lines that were sent.
//
// Shapes   done: stored. retry: not now; send them again. bad: some of them can never be stored, the others are
//          (version 1 and partial writes) or are not (a batch refused as a whole). too_large: send fewer at once.
//          refused: this database, or this credential, is not ready for us; an operator has to act, nothing is lost.
// Thread   value
// Source   influxdata/influxdb 1.6 to 2.7 services/httpd/handler.go, http/write_handler.go
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "influx/transport.h"

namespace millstream::influx {

// A field that InfluxDB knows with another type.
struct TypeConflict {
  std::string field;
  std::string type;  // of ours: "float", "boolean", "string"
  bool operator==(const TypeConflict&) const = default;
};

struct WriteOutcome {
  enum class Kind { done, retry, bad, too_large, refused };
  Kind kind = Kind::done;
  std::string reason;                     // one line for a person; of bad: InfluxDB's own
  std::optional<int64_t> retry_after_ms;  // of retry: asked for, capped
  // Of bad:
  bool others_stored = false;     // those not dropped are in the database
  bool names_lines = false;       // it speaks of lines, and not of the request
  std::optional<size_t> dropped;  // how many lines were dropped, where it says so
  bool expired = false;           // they are older than the database keeps
  std::optional<TypeConflict> conflict;
  // Of refused: the database or its retention policy is missing, and may be made.
  bool is_missing = false;
};

inline constexpr int64_t kRetryAfterMsMax = 300'000;

WriteOutcome outcome_of(const Result<HttpReply>& reply);

// The words of an answer: {"error":…} of version 1, {"message":…} of version 2, else the text; at most 512 bytes.
std::string error_text(std::string_view body);

}  // namespace millstream::influx
