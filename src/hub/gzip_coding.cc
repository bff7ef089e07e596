#include "hub/gzip_coding.h"

#include <zlib.h>

#include <array>
#include <string>
#include <utility>

#include "base/check.h"
#include "codec/sse_frame.h"

namespace millstream::hub {
namespace {

constexpr int kLevel = 6;
constexpr size_t kManyViewers = 16;
// Method deflate, no name, no time, system unknown.
constexpr std::string_view kHeader("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);

}  // namespace

Deflater::Deflater(Size size) : stream_(new z_stream_s{}) {
  const int window_bits = size == Size::large ? 15 : 10;
  const int memory_level = size == Size::large ? 8 : 2;
  // Negative: raw, as every viewer has a header of its own.
  MS_CHECK(deflateInit2(stream_.get(), kLevel, Z_DEFLATED, -window_bits, memory_level, Z_DEFAULT_STRATEGY) == Z_OK);
}

Deflater::~Deflater() { deflateEnd(stream_.get()); }

void Deflater::reset() { MS_CHECK(deflateReset(stream_.get()) == Z_OK); }

RunPtr Deflater::compress(const Run& run, bool begins, bool renew) {
  std::string bytes;
  if (begins) bytes += kHeader;
  for (const iovec& slice : run.slices()) {
    std::string_view chunks(static_cast<const char*>(slice.iov_base), slice.iov_len);
    while (!chunks.empty()) append(codec::take_chunk(chunks), Z_NO_FLUSH, bytes);
  }
  append({}, renew ? Z_FULL_FLUSH : Z_SYNC_FLUSH, bytes);
  auto text = std::make_shared<std::string>();
  codec::append_chunk(bytes, *text);
  auto out = std::make_shared<Run>();
  out->add(std::move(text), run.events());
  return out;
}

void Deflater::append(std::string_view bytes, int flush, std::string& out) {
  std::array<char, 4096> room;
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib does not write there
  stream_->avail_in = static_cast<uInt>(bytes.size());
  do {
    stream_->next_out = reinterpret_cast<Bytef*>(room.data());
    stream_->avail_out = static_cast<uInt>(room.size());
    const int result = deflate(stream_.get(), flush);
    MS_CHECK(result == Z_OK || result == Z_BUF_ERROR);  // the latter: nothing left to do
    out.append(room.data(), room.size() - stream_->avail_out);
  } while (stream_->avail_out == 0);
}

GroupGzip::Forms GroupGzip::compress(const Run& run, size_t in_step, size_t out_of_step, int64_t now_ms,
                                     Deflater& by_itself) {
  Forms forms;
  forms.renewed = out_of_step > 0 && now_ms - renewed_at_ms_ >= kRenewalMs;
  if (!deflater_ && forms.renewed) {
    const bool many = out_of_step >= kManyViewers;
    deflater_ = std::make_unique<Deflater>(many ? Deflater::Size::large : Deflater::Size::small);
  }
  if (in_step > 0) {
    forms.in_step = deflater_->compress(run, false, forms.renewed);
  } else if (forms.renewed) {
    deflater_->reset();
  }
  if (out_of_step > 0) {
    by_itself.reset();
    forms.alone = by_itself.compress(run, false, false);
  }
  if (forms.renewed) renewed_at_ms_ = now_ms;
  return forms;
}

}  // namespace millstream::hub
