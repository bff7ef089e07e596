// influx/testing.h: an InfluxDB to test against: it takes lines as the real one does, and fails as a test says.
//
// Thread   one thread at a time
#pragma once

#include <gtest/gtest.h>
#include <libdeflate.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/event_json.h"
#include "codec/line_protocol.h"
#include "influx/influx_client.h"
#include "influx/transport.h"

namespace millstream::influx::testing {

inline std::string inflated(std::string_view gzip) {
  const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  // The last four bytes say how large it was.
  uint32_t bytes = 0;
  for (size_t i = 0; i < 4; ++i) bytes |= uint32_t{static_cast<unsigned char>(gzip[gzip.size() - 4 + i])} << (8 * i);
  std::string out(bytes, '\0');
  size_t size = 0;
  const libdeflate_result result =
      libdeflate_gzip_decompress(decompressor.get(), gzip.data(), gzip.size(), out.data(), out.size(), &size);
  EXPECT_EQ(result, LIBDEFLATE_SUCCESS);
  out.resize(size);
  return out;
}

// What the server holds, and what was asked of it.
struct Database {
  using Key = std::pair<std::string, int64_t>;  // site/device, time
  std::map<Key, model::Fields> points;
  std::vector<HttpPost> requests;
  size_t lines_taken = 0;
  // What it answers to the next requests; when there is nothing left, it stores.
  std::deque<Result<HttpReply>> answers;
  // Instead of storing a line: why it refuses it; empty: it does not.
  std::function<std::string(const model::Point&)> refuse;
  bool refuses_whole_batch = false;  // as version 2 does for what it cannot parse

  size_t writes() const {
    return static_cast<size_t>(
        std::count_if(requests.begin(), requests.end(), [](const HttpPost& r) { return r.path != "/query"; }));
  }
};

class DatabaseTransport final : public Transport {
 public:
  explicit DatabaseTransport(Database& database) : database_(database) {}

  Result<HttpReply> post(const HttpPost& request, const std::function<bool()>&) override {
    database_.requests.push_back(request);
    if (!database_.answers.empty()) {
      Result<HttpReply> answer = std::move(database_.answers.front());
      database_.answers.pop_front();
      return answer;
    }
    if (request.path == "/query") return HttpReply{.status = 200, .body = R"({"results":[{"statement_id":0}]})"};
    return store(inflated(request.body));
  }

 private:
  HttpReply store(const std::string& lines) {
    const codec::ParsedPoints parsed = codec::parse_line_protocol(lines, codec::Precision::milliseconds);
    EXPECT_EQ(parsed.rejected_count, 0u) << lines.substr(0, 200);
    std::string why;
    size_t dropped = 0;
    std::vector<const model::Point*> good;
    for (const model::Point& point : parsed.points) {
      const std::string reason = database_.refuse ? database_.refuse(point) : "";
      if (reason.empty()) {
        good.push_back(&point);
      } else {
        ++dropped;
        if (why.empty()) why = reason;
      }
    }
    if (dropped > 0 && database_.refuses_whole_batch) return {.status = 400, .body = R"({"message":")" + why + "\"}"};
    for (const model::Point* point : good) {
      ++database_.lines_taken;
      database_.points[{point->site + "/" + point->device, point->ts_ms.value_or(0)}] = point->fields;
    }
    if (dropped == 0) return {.status = 204};
    std::string body = R"({"error":)";
    codec::append_json_string("partial write: " + why + " dropped=" + std::to_string(dropped), body);
    return {.status = 400, .body = body + '}'};
  }

  Database& database_;
};

inline std::unique_ptr<Transport> transport_to(Database& database) {
  return std::make_unique<DatabaseTransport>(database);
}

// A directory of its own, gone at the end.
class TempDirectory {
 public:
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "millstream-influx-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TempDirectory() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline model::Event telemetry(int64_t n, model::Fields fields = {{"T1", 21.5}}, const std::string& device = "d") {
  model::Event event;
  event.id = {1'000'000 + n, 0};
  event.ts_ms = event.id.ms;
  event.topic = *model::Topic::parse("account:a/site:s/device:" + device);
  event.fields = std::move(fields);
  event.data = codec::encode_telemetry_data(event.topic.device, event.fields, {});
  return event;
}

}  // namespace millstream::influx::testing
