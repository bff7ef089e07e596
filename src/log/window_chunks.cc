#include "log/window_chunks.h"

#include <deque>
#include <map>

#include "log/hour_file.h"

namespace millstream::log {
namespace {

struct Block {
  model::EventId first;
  model::EventId last;
  uint32_t crc = 0;
  std::string bytes;
};

Status read_blocks(HourReader& reader, const WindowLimits& limits, std::deque<Block>& out) {
  const Result<SealedSoFar> sealed = reader.sealed_so_far();
  if (!sealed) return sealed.error();
  Result<Statement> blocks =
      reader.database().prepare("SELECT first, span, crc, data FROM block WHERE first > ?1 ORDER BY first");
  if (!blocks) return blocks.error();
  blocks->bind(1, sealed->through);
  size_t events = 0;
  size_t bytes = 0;
  while (true) {
    const Result<bool> row = blocks->step();
    if (!row) return row.error();
    if (!*row) return {};
    events += static_cast<size_t>(blocks->number(1)) + 1;
    bytes += blocks->bytes(3).size();
    if (!out.empty() && (events > limits.events_max || bytes > limits.bytes_max)) return {};
    out.push_back({.first = model::EventId::from_packed(blocks->number(0)),
                   .last = model::EventId::from_packed(blocks->number(0) + blocks->number(1)),
                   .crc = static_cast<uint32_t>(blocks->number(2)),
                   .bytes = std::string(blocks->bytes(3))});
  }
}

class WindowBuilder {
 public:
  explicit WindowBuilder(HourNames& names) : names_(names) {}

  Status add(const Block& block) {
    events_.clear();
    const bool sound =
        block.crc == block_crc(block.first, block.last, block.bytes) && read_block(block.first, block.bytes, events_);
    if (!sound) return damaged(block.first);
    for (const PackedEvent& event : events_) {
      const Result<std::shared_ptr<const Shape>> shape = names_.shape_of(event.shape);
      if (!shape) return shape.error();
      ChunkBuilder& chunk = chunks_[event.topic];
      if (chunk.is_full()) {
        if (Status s = finish(event.topic, chunk); !s) return s;
        chunk = ChunkBuilder();
      }
      if (!*shape || !chunk.add(event, *shape)) return damaged(event.id);
    }
    count_ += events_.size();
    return {};
  }

  Status finish(WindowChunks& out) {
    for (const auto& [number, chunk] : chunks_) {
      if (Status s = finish(number, chunk); !s) return s;
    }
    out.events = count_;
    out.rows = std::move(rows_);
    return {};
  }

 private:
  Status finish(int64_t number, const ChunkBuilder& chunk) {
    const Result<const NumberedTopic*> topic = names_.topic_of(number);
    if (!topic) return topic.error();
    ChunkRow row = chunk.finish(number);
    if (!*topic || !(*topic)->checked) return damaged(row.first);
    row.crc = chunk_crc(row, (*topic)->text);
    rows_.push_back(std::move(row));
    return {};
  }

  static Error damaged(model::EventId at) { return {Code::corrupt, "a block at " + at.text() + " fails its check"}; }

  HourNames& names_;
  std::vector<PackedEvent> events_;
  std::map<int64_t, ChunkBuilder> chunks_;  // by topic
  std::vector<ChunkRow> rows_;
  size_t count_ = 0;
};

}  // namespace

Result<WindowChunks> make_window_chunks(HourReader& reader, const WindowLimits& limits) {
  std::deque<Block> blocks;  // the chunks' texts point into them until they are encoded
  WindowChunks window;
  // Encoding takes a while: it must not hold the file's write-ahead log open. Names are never changed.
  if (Status s = reader.in_transaction([&] { return read_blocks(reader, limits, blocks); }); !s) return s.error();
  if (blocks.empty()) return window;
  window.first = blocks.front().first;
  window.through = blocks.back().last;
  WindowBuilder builder(reader.names());
  for (const Block& block : blocks) {
    if (Status s = builder.add(block); !s) return s.error();
  }
  if (Status s = builder.finish(window); !s) return s.error();
  return window;
}

}  // namespace millstream::log
