// log/hour_samples.h: one device's numbers out of an hour file, without making events of what is sealed.
//
// Flow     list() says which chunks hold the span and gives what is not sealed; when the chunks of all hours are known,
//          give() reads them one by one: the sums alone where these say enough, else the columns.
// Errors   what fails its check is counted in the scan as damage and passed over.
// Thread   one at a time
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "log/event_log.h"
#include "log/hour_reader.h"

namespace millstream::log {

struct ChunkPlace {
  int64_t id = 0;  // of its row
  int64_t ts_low_ms = 0;
  int64_t ts_high_ms = 0;
  bool has_sums = false;
  bool alone = false;  // nothing of any hour falls between its times
};

struct HourSamples {
  int64_t hour = 0;
  std::vector<ChunkPlace> chunks;                                        // by id; those that touch the span
  std::map<std::string, std::vector<model::Sample>, std::less<>> loose;  // not sealed, later than all chunks
  std::vector<int64_t> loose_ts_ms;
};

Status list_samples(HourReader& reader, const SamplesRequest& request, Scan& scan, HourSamples& out);
// Marks the chunks that overlap with nothing else.
void find_alone(std::vector<HourSamples>& hours);
// The chunks in their order, then what is loose. Ends early when the sink has enough.
Status give_samples(HourReader& reader, const SamplesRequest& request, const HourSamples& samples, Scan& scan,
                    SampleSink& sink);

}  // namespace millstream::log
