#include "influx/influx_client.h"

#include <libdeflate.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "influx/influxql.h"
#include "influx/query_result.h"

namespace millstream::influx {
namespace {

constexpr int kCompressionLevel = 2;  // repeated tags and names compress well at any; the time is the event thread's

std::string seconds_text(int64_t ms) { return std::to_string(ms / 1000) + "s"; }

// An hour a shard for a day: whole shards are deleted, so that hardly more than what was asked for is kept.
int64_t shard_ms(int64_t retention_ms) {
  if (retention_ms <= 2 * kDayMs) return kHourMs;
  return retention_ms <= 180 * kDayMs ? kDayMs : 7 * kDayMs;
}

std::string policy_durations(int64_t retention_ms, bool with_replication) {
  const int64_t kept_ms = std::max(retention_ms, kHourMs);  // InfluxDB takes no less
  return " DURATION " + seconds_text(kept_ms) + (with_replication ? " REPLICATION 1" : "") + " SHARD DURATION " +
         seconds_text(shard_ms(kept_ms));
}

}  // namespace

void InfluxClient::CompressorFree::operator()(libdeflate_compressor* compressor) const {
  libdeflate_free_compressor(compressor);
}

InfluxClient::InfluxClient(ClientOptions options, std::unique_ptr<Transport> transport)
    : options_(std::move(options)),
      transport_(std::move(transport)),
      compressor_(libdeflate_alloc_compressor(kCompressionLevel)) {
  MS_CHECK(compressor_ != nullptr);
}

InfluxClient::~InfluxClient() = default;

std::string InfluxClient::compress(std::string_view bytes) const {
  std::string out(libdeflate_gzip_compress_bound(compressor_.get(), bytes.size()), '\0');
  out.resize(libdeflate_gzip_compress(compressor_.get(), bytes.data(), bytes.size(), out.data(), out.size()));
  return out;
}

HttpPost InfluxClient::write_request() const {
  HttpPost request;
  if (options_.version == ClientOptions::Version::v1) {
    request.path = "/write";
    request.query = {{"db", options_.database}, {"rp", std::string(kRetentionPolicy)}, {"precision", "ms"}};
  } else {
    request.path = "/api/v2/write";
    request.query = {{"org", options_.organization}, {"bucket", options_.bucket}, {"precision", "ms"}};
  }
  request.headers = {"Content-Type: text/plain; charset=utf-8", "Content-Encoding: gzip"};
  request.timeout_ms = options_.timeout_ms;
  return request;
}

WriteOutcome InfluxClient::write(std::string_view lines, const std::function<bool()>& keep_going) {
  HttpPost request = write_request();
  request.body = compress(lines);
  return outcome_of(transport_->post(request, keep_going));
}

Result<std::string> InfluxClient::query(std::string_view statements, const std::function<bool()>& keep_going) {
  HttpPost request;
  request.path = "/query";
  request.query = {{"db", options_.database}, {"epoch", "ms"}};
  request.headers = {"Content-Type: application/x-www-form-urlencoded"};
  request.body = "q=" + form_encoded(statements);
  request.timeout_ms = options_.timeout_ms;
  request.answer_bytes_max = options_.query_bytes_max;
  Result<HttpReply> reply = transport_->post(request, keep_going);
  if (!reply) return reply.error();
  if (reply->status == 200 && reply->body.size() > options_.query_bytes_max) {
    return Error{Code::too_large,
                 "InfluxDB's answer is larger than " + std::to_string(options_.query_bytes_max) + " bytes"};
  }
  if (reply->status == 200) return std::move(reply->body);
  const std::string why = "InfluxDB: HTTP " + std::to_string(reply->status) + ": " + error_text(reply->body);
  if (reply->status == 400 || reply->status == 422) return Error{Code::unprocessable, why};
  return Error{reply->status == 401 || reply->status == 403 ? Code::forbidden : Code::unavailable, why};
}

Status InfluxClient::command(const std::string& statement, const std::function<bool()>& keep_going) {
  const Result<std::string> answer = query(statement, keep_going);
  if (!answer) return answer.error();
  const Result<std::vector<Statement>> results = parse_query_result(*answer);
  if (results) return {};
  const std::string& words = results.error().detail;
  const bool is_there = words.find("conflicts with an existing policy") != std::string::npos ||
                        words.find("policy already exists") != std::string::npos;
  return Error{is_there ? Code::conflict : results.error().code, words};
}

Status InfluxClient::prepare(const std::function<bool()>& keep_going) {
  if (options_.version == ClientOptions::Version::v2) return {};
  const std::string database = quoted_name(options_.database);
  const std::string policy = quoted_name(kRetentionPolicy);
  const auto durations = [this](bool with_replication) {
    return policy_durations(options_.retention_ms, with_replication);
  };
  // The first makes both, or finds both as they should be. Then the database was there, perhaps without our policy;
  // then with one of another duration.
  const Status made =
      command("CREATE DATABASE " + database + " WITH" + durations(true) + " NAME " + policy, keep_going);
  if (made || made.error().code != Code::conflict) return made;
  const Status added = command("CREATE RETENTION POLICY " + policy + " ON " + database + durations(true), keep_going);
  if (added || added.error().code != Code::conflict) return added;
  return command("ALTER RETENTION POLICY " + policy + " ON " + database + durations(false), keep_going);
}

}  // namespace millstream::influx
