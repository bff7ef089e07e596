// api/write_points.h: the way of every ingest endpoint: body -> points -> events -> durable -> answer.
//
// Flow     inflate, parse, validate (on the loop; large bodies on a worker), append; the answer is made after the
//          fsync. With an Idempotency-Key (idempotency.h) the answer is stored too, and given again to whoever repeats.
// Limits   `body_bytes_max` after inflation.
// Thread   loop
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "api/context.h"
#include "ingest/validator.h"

namespace millstream::api {

struct WritePoints {
  model::Grants grants;
  size_t body_bytes_max = 0;
  std::function<Result<codec::ParsedPoints>(std::string_view body)> parse;
  // Adds to rejected points what they look like in the body; not needed.
  void (*quote)(std::string_view body, std::vector<codec::Rejected>& rejected) = nullptr;
  ingest::Validator::Keep keep = ingest::Validator::Keep::good_points;
  // Answers for: everything that could be stored is stored (some points may be rejected); nothing was stored.
  std::function<http::Response(const ingest::Validated&)> stored;
  std::function<http::Response(const Error&, const ingest::Validated*)> failed;
};

// The credential or its account has sent too much of late: the answer, before the body is read. `failed` as above.
std::optional<http::Response> refuse_over_quota(Context& context, const model::Grants& grants,
                                                const std::function<http::Response(const Error&)>& failed);

void write_points(Context& context, http::ExchangePtr exchange, WritePoints request);

}  // namespace millstream::api
