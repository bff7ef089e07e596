// api/read_series.h: one device's numbers out of the log, as buckets, and these as JSON.
//
// Errors   Code::unavailable: reading was ended early.
// Thread   reader threads; blocking
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/context.h"
#include "history/series.h"

namespace millstream::api {

// Adds what is stored of the span. `wants_more`: false ends it early. Gives the parts in which something may be
// missing.
Result<std::vector<log::Missing>> read_series(const Context& context, const model::Topic& topic,
                                              const history::SeriesRequest& series, history::SeriesBuilder& builder,
                                              const std::function<bool()>& wants_more);

void append_bucket(const history::Bucket& bucket, std::string& out);  // {"t":…,"min":…,"max":…,…}

}  // namespace millstream::api
