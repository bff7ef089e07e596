// influx/influx_client.h: what we ask of an InfluxDB server, in the words of its version 1 or 2.
//
// Flow     prepare() makes the database and its retention policy (version 1); write() sends lines; query() asks.
// Shapes   Version 1: /write and /query. Version 2: /api/v2/write; /query is its compatibility endpoint and needs a
//          mapping of the database to a bucket.
//          Bodies of lines are gzip. The retention policy has a name of our own, so that one of the operator's is
//          never changed.
// Limits   an answer to query() of at most query_bytes_max.
// Errors   write(): an outcome. query(), prepare(): Code::unavailable for no answer or not now, Code::forbidden,
//          Code::too_large, Code::unprocessable in the server's words.
// Thread   one thread at a time; blocks
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "influx/transport.h"
#include "influx/write_outcome.h"

struct libdeflate_compressor;

namespace millstream::influx {

inline constexpr std::string_view kRetentionPolicy = "millstream";

struct ClientOptions {
  enum class Version { v1, v2 };
  Version version = Version::v1;
  std::string database = "millstream";  // version 2: what the mapping calls the bucket, for query()
  std::string organization;
  std::string bucket;
  int64_t retention_ms = 86'400'000;  // of the retention policy, at least an hour
  int64_t timeout_ms = 10'000;
  size_t query_bytes_max = 64 << 20;
};

class InfluxClient {
 public:
  InfluxClient(ClientOptions options, std::unique_ptr<Transport> transport);
  ~InfluxClient();

  // Version 1: the database and our retention policy exist when it succeeds. Version 2: nothing to do; buckets are the
  // operator's.
  Status prepare(const std::function<bool()>& keep_going);
  WriteOutcome write(std::string_view lines, const std::function<bool()>& keep_going);
  // Of one or more statements of InfluxQL; times come as epoch milliseconds.
  Result<std::string> query(std::string_view statements, const std::function<bool()>& keep_going);

  const ClientOptions& options() const { return options_; }

 private:
  HttpPost write_request() const;
  // Code::conflict: what is to be made is there, and is different.
  Status command(const std::string& statement, const std::function<bool()>& keep_going);
  std::string compress(std::string_view bytes) const;

  struct CompressorFree {
    void operator()(libdeflate_compressor* compressor) const;
  };

  const ClientOptions options_;
  const std::unique_ptr<Transport> transport_;
  const std::unique_ptr<libdeflate_compressor, CompressorFree> compressor_;
};

}  // namespace millstream::influx
