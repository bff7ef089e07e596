#include "api/read_series.h"

#include "api/query_fields.h"
#include "base/time_text.h"
#include "codec/event_json.h"

namespace millstream::api {
namespace {

class IntoSeries final : public log::SampleSink {
 public:
  IntoSeries(history::SeriesBuilder& builder, const std::function<bool()>& wants_more)
      : builder_(builder), wants_more_(wants_more) {}
  void add(std::string_view field, std::span<const model::Sample> samples) override { builder_.add(field, samples); }
  void add(std::string_view field, const model::SampleSums& sums) override { builder_.add(field, sums); }
  bool wants_more() override {
    ended_ = ended_ || !wants_more_();
    return !ended_;
  }
  bool ended() const { return ended_; }

 private:
  history::SeriesBuilder& builder_;
  const std::function<bool()>& wants_more_;
  bool ended_ = false;
};

void append_value(std::string_view key, double value, std::string& out) {
  out += ",\"";
  out += key;
  out += "\":";
  codec::append_json_number(value, out);
}

}  // namespace

// Ids are receive times, and what is asked for are the devices' times. A device's clock may be ahead of ours a little,
// so reading begins a little earlier; and a point may come late, up to the retention: it has to be looked for that long
// after the end, which mostly means up to now.
Result<std::vector<log::Missing>> read_series(const Context& context, const model::Topic& topic,
                                              const history::SeriesRequest& series, history::SeriesBuilder& builder,
                                              const std::function<bool()>& wants_more) {
  IntoSeries sink(builder, wants_more);
  const log::SamplesRequest request{.topic = topic,
                                    .fields = series.fields,
                                    .start_ms = series.start_ms,
                                    .end_ms = series.end_ms,
                                    .bucket_ms = series.raw ? 0 : builder.step_ms(),
                                    .ids = {.after = id_before(series.start_ms - kFutureMsMax),
                                            .to = id_before(series.end_ms + context.retention_ms)}};
  Result<std::vector<log::Missing>> missing = context.log.read_samples(request, sink);
  if (missing && sink.ended()) return Error{Code::unavailable, "not read to its end"};
  return missing;
}

void append_bucket(const history::Bucket& bucket, std::string& out) {
  out += "{\"t\":\"";
  append_rfc3339_ms(bucket.t_ms, out);
  out += '"';
  append_value("min", bucket.min, out);
  append_value("max", bucket.max, out);
  append_value("avg", bucket.avg, out);
  append_value("last", bucket.last, out);
  out += ",\"count\":" + std::to_string(bucket.count) + '}';
}

}  // namespace millstream::api
