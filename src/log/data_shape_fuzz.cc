// Any bytes as an event's data: parted and put together again they are the same, alone and in a chunk. Any bytes as a
// chunk: never a crash, and nothing is read past their end.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "log/chunk.h"

namespace {

using namespace millstream;

class OneShape final : public log::ShapeSource {
 public:
  explicit OneShape(std::string_view text) : shape(std::make_shared<const log::Shape>(log::Shape::parse(text))) {}
  Result<std::shared_ptr<const log::Shape>> shape_of(int64_t) override { return shape; }
  std::shared_ptr<const log::Shape> shape;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view data(reinterpret_cast<const char*>(bytes), size);
  log::SplitData split;
  log::split_data(data, "d1", split);
  OneShape shapes(split.shape);
  std::string joined;
  MS_CHECK(shapes.shape->join(split.values, "d1", joined) && joined == data);

  log::ChunkBuilder builder;
  for (int64_t id = 1; id < 4; ++id) {
    MS_CHECK(
        builder.add({.id = {1, static_cast<uint32_t>(id)}, .ts_ms = 7, .topic = 1, .shape = 1, .values = split.values},
                    shapes.shape));
  }
  const log::ChunkRow row = builder.finish(1);
  const auto chunk = log::Chunk::decode(row.data, shapes);
  MS_CHECK(chunk.ok() && (*chunk)->count() == 3);
  joined.clear();
  (*chunk)->append_data(2, "d1", joined);
  MS_CHECK(joined == data);

  const auto hostile = log::Chunk::decode(data, shapes);
  joined.clear();
  for (size_t i = 0; hostile && i < (*hostile)->count(); ++i) (*hostile)->append_data(i, "d1", joined);
  (void)log::decode_sums(data, shapes);
  std::vector<log::PackedEvent> events;
  (void)log::read_block({1, 1}, data, events);
  return 0;
}
