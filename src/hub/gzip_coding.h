// hub/gzip_coding.h: runs as gzip, compressed once for a whole group of viewers.
//
// Flow     A group has one compressor. Its viewers that are "in step" have read all it wrote since its last renewal,
//          and get its next bytes as they are. Who joins, or was told something of its own (a heartbeat), is out of
//          step: bytes that refer to nothing before are right for everyone, so it gets those until the compressor is
//          renewed, from when on they are all in step again.
// Shapes   runs in and out are whole HTTP/1.1 chunks; a compressed run is one chunk that ends at a byte (sync flush),
//          so that a viewer can read it all at once. The trailer never comes: streams are cut.
// Limits   a group's state is about 12 KB, 270 KB when many share it; no viewer has one.
// Thread   loop
// Source   RFC 1951, RFC 1952; zlib's Z_SYNC_FLUSH and Z_FULL_FLUSH
#pragma once

#include <cstdint>
#include <memory>

#include "hub/run.h"

struct z_stream_s;

namespace millstream::hub {

class Deflater {
 public:
  enum class Size { small, large };
  explicit Deflater(Size size);
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // What follows refers to nothing before.
  void reset();
  // `begins`: with the header of a gzip stream before it. `renew`: the next run refers to nothing up to this one's end.
  RunPtr compress(const Run& run, bool begins, bool renew);

 private:
  void append(std::string_view bytes, int flush, std::string& out);

  const std::unique_ptr<z_stream_s> stream_;
};

// The two forms of one run that the viewers of a group need.
class GroupGzip {
 public:
  static constexpr int64_t kRenewalMs = 1000;

  struct Forms {
    RunPtr in_step;        // null: nobody is
    RunPtr alone;          // null: nobody is out of step
    bool renewed = false;  // after this run all of them are in step
  };
  // `by_itself`: a compressor of the shard's, for bytes that refer to nothing before.
  Forms compress(const Run& run, size_t in_step, size_t out_of_step, int64_t now_ms, Deflater& by_itself);

 private:
  std::unique_ptr<Deflater> deflater_;  // made when it is first needed
  int64_t renewed_at_ms_ = INT64_MIN / 2;
};

}  // namespace millstream::hub
