#include "log/check_file.h"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "log/block.h"
#include "log/file_snapshot.h"
#include "log/hour_file.h"
#include "log/hour_names.h"
#include "log/hour_rows.h"
#include "log/once_rows.h"
#include "log/sqlite.h"

namespace millstream::log {
namespace {

using model::EventId;

constexpr int kSliceRows = 64;  // of chunks and blocks; of event 64 times as many
constexpr int kSnapshotTries = 50;
constexpr uint64_t kEventsMax = uint64_t{1} << 40;  // a damaged count may say anything

void add_damage(FileCheck& check, Damage damage) {
  ++check.damages_in_all;
  check.damaged_events += damage.events = std::min(damage.events, kEventsMax);
  if (check.damages.size() < kDamagesMax) check.damages.push_back(std::move(damage));
}

void add_pages_damage(FileCheck& check, const std::string& what) {
  add_damage(check, {.place = "pages", .what = what, .first = {}, .last = {}});
}

Status quick_check(Database& database, FileCheck& check) {
  Result<Statement> verdicts = database.prepare("PRAGMA quick_check(" + std::to_string(kDamagesMax) + ")");
  if (!verdicts) return verdicts.error();
  while (true) {
    const Result<bool> row = verdicts->step();
    if (!row) return row.error();
    if (!*row) return {};
    if (verdicts->bytes(0) != "ok") add_pages_damage(check, std::string(verdicts->bytes(0)));
  }
}

// What SQLite says of damaged pages is a finding; everything else is an error.
Status unless_corrupt(const Status& done, FileCheck& check) {
  if (done || done.error().code != Code::corrupt) return done;
  add_pages_damage(check, done.error().detail);
  return {};
}

class HourCheck {
 public:
  // `live`: it is being written to, and what comes after now does not count.
  HourCheck(Database database, int64_t hour, bool live)
      : database_(std::move(database)), names_(database_), range_(ids_of_hour(hour)), live_(live) {}

  Result<FileCheck> run() {
    if (Status s = unless_corrupt(read_version(), check_); !s) return s.error();
    if (live_ && version_ > 0) {
      if (Status s = unless_corrupt(read_end(), check_); !s) return s.error();
    }
    if (!check_.sound()) return std::move(check_);
    using Part = Status (HourCheck::*)();
    constexpr Part kAll[] = {&HourCheck::check_pages,  &HourCheck::check_topics,    &HourCheck::check_shapes,
                             &HourCheck::check_events, &HourCheck::check_telemetry, &HourCheck::check_once};
    for (const Part part : kAll) {
      const bool needs_version_2 =
          part != &HourCheck::check_pages && part != &HourCheck::check_topics && part != &HourCheck::check_events;
      if (version_ == 0 || (needs_version_2 && version_ < 2)) continue;
      if (Status s = unless_corrupt((this->*part)(), check_); !s) return s.error();
    }
    return std::move(check_);
  }

 private:
  struct Window {
    EventId first;
    EventId through;
    int64_t chunk_first = 0;
    int64_t chunk_last = 0;
  };
  struct Block {
    EventId first;
    EventId last;
    uint32_t crc = 0;
    std::string data;
  };

  void damage(std::string place, std::string what, EventId first, EventId last, uint64_t events) {
    add_damage(check_, {std::move(place), std::move(what), first, last, events});
  }
  void damage_at(std::string place, std::string what, EventId id) {
    damage(std::move(place), std::move(what), id, id, 1);
  }
  void count(EventId first, EventId last, uint64_t events) {
    check_.events += events;
    if (check_.first.is_zero() || first < check_.first) check_.first = first;
    check_.last = std::max(check_.last, last);
  }
  bool in_hour(EventId id) const { return id > range_.after && id <= range_.to; }

  Status read_version() {
    const Result<int64_t> application = database_.number("PRAGMA application_id");
    if (!application) return application.error();
    const Result<int64_t> version = database_.number("PRAGMA user_version");
    if (!version) return version.error();
    version_ = *version;
    if (*application == 0 && version_ == 0) return {};  // nothing was ever finished in it
    if (*application != kHourFileApplication) return Error{Code::corrupt, "the header is not that of an hour file"};
    if (version_ <= kHourFileVersion) return {};
    return Error{Code::conflict, "written by a later version (" + std::to_string(version_) + ")"};
  }

  Status read_end() {
    std::vector<const char*> ends = {"SELECT max(id) FROM event"};
    if (version_ > 1)
      ends.insert(ends.end(), {"SELECT max(through) FROM sealed", "SELECT max(first + span) FROM block"});
    end_ = 0;
    for (const char* sql : ends) {
      const Result<int64_t> end = database_.number(sql);
      if (!end) return Error{Code::corrupt, end.error().detail};
      end_ = std::max(end_, *end);
    }
    return {};
  }

  Status check_pages() { return quick_check(database_, check_); }

  Status each_row(const std::string& sql, std::initializer_list<int64_t> values,
                  const std::function<Status(const Statement&)>& take) {
    Result<Statement> rows = database_.prepare(sql);
    // A column or table that is not there is a file that lost part of itself.
    if (!rows) return Error{Code::corrupt, rows.error().detail};
    int position = 0;
    for (const int64_t value : values) rows->bind(++position, value);
    while (true) {
      const Result<bool> row = rows->step();
      if (!row) return row.error();
      if (!*row) return {};
      if (Status s = take(*rows); !s) return s;
    }
  }

  Status check_topics() {
    return each_row("SELECT * FROM topic ORDER BY id", {}, [&](const Statement& row) -> Status {
      const std::string place = "topic " + std::to_string(row.number(0));
      if (!model::Topic::parse(row.bytes(1)))
        damage(place, "is no topic", {}, {}, 0);
      else if (version_ > 1 && row.number(2) != name_crc(row.number(0), row.bytes(1)))
        damage(place, "fails its check", {}, {}, 0);
      return {};
    });
  }

  Status check_shapes() {
    return each_row("SELECT id, text, crc FROM shape ORDER BY id", {}, [&](const Statement& row) -> Status {
      if (row.number(2) != name_crc(row.number(0), row.bytes(1)))
        damage("shape " + std::to_string(row.number(0)), "fails its check", {}, {}, 0);
      return {};
    });
  }

  Status check_once() {
    const Result<std::vector<Once::Key>> keys = read_once_keys(database_);
    if (!keys) return keys.error();
    for (size_t i = 0; i < keys->size(); ++i) {
      const Result<std::optional<StoredOnce>> stored = read_once(database_, (*keys)[i]);
      if (stored) continue;
      if (stored.error().code != Code::corrupt) return stored.error();
      damage("idempotency key " + std::to_string(i + 1), "fails its check", {}, {}, 0);
    }
    return {};
  }

  // --- rows of event -------------------------------------------------------------------------------------------------

  Status check_events() {
    const std::string sql =
        "SELECT id, topic, type, ts, conclusion, crc, data FROM event WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT " +
        std::to_string(kSliceRows * 64);
    for (std::optional<int64_t> before = std::numeric_limits<int64_t>::min(); before;) {
      const int64_t from = *before;
      before.reset();
      const Status read = each_row(sql, {from, end_}, [&](const Statement& row) {
        before = row.number(0);
        return check_event(row);
      });
      if (!read) return read;
    }
    return {};
  }

  Status check_event(const Statement& row) {
    const Result<const NumberedTopic*> topic = names_.topic_of(row.number(1));
    if (!topic) return topic.error();
    const EventId id = EventId::from_packed(row.number(0));
    RowContent content{.id = row.number(0),
                       .topic = {},
                       .type = row.number(2),
                       .ts_ms = row.number(3),
                       .conclusion = row.number(4),
                       .data = row.bytes(6)};
    if (*topic) content.topic = (*topic)->text;
    const bool sound = *topic && content.type >= 0 && content.type < model::kEventTypes && content.conclusion >= 0 &&
                       row.number(5) == row_crc(content);
    if (!sound) {
      damage_at("row " + id.text(), *topic ? "fails its check" : "has no topic", id);
    } else if (!in_hour(id)) {
      damage_at("row " + id.text(), "is not of this hour", id);
    } else {
      count(id, id, 1);
    }
    return {};
  }

  // --- windows and blocks --------------------------------------------------------------------------------------------

  // A running server may close another window meanwhile: on until there is none, in the transaction that also gives the
  // blocks after the last one.
  Status check_telemetry() {
    while (true) {
      std::vector<Window> windows;
      std::vector<Block> blocks;
      if (Status s = database_.execute("BEGIN"); !s) return s;
      Status read = read_windows(windows);
      if (read && windows.empty()) read = read_blocks(blocks);
      if (Status s = database_.execute("COMMIT"); !s && read) read = s;
      if (!read) return read;
      for (const Window& window : windows) {
        if (Status s = check_window(window); !s) return s;
      }
      if (blocks.empty() && windows.empty()) return {};
      if (Status s = check_blocks(blocks); !s) return s;
    }
  }

  Status read_windows(std::vector<Window>& out) {
    return each_row(
        "SELECT first, through, chunk_first, chunk_last FROM sealed WHERE through > ?1 AND first <= ?2 ORDER BY "
        "through",
        {sealed_through_, end_}, [&](const Statement& row) -> Status {
          out.push_back({.first = EventId::from_packed(row.number(0)),
                         .through = EventId::from_packed(row.number(1)),
                         .chunk_first = row.number(2),
                         .chunk_last = row.number(3)});
          return {};
        });
  }

  Status read_blocks(std::vector<Block>& out) {
    return each_row("SELECT first, span, crc, data FROM block WHERE first > ?1 AND first <= ?2 ORDER BY first LIMIT " +
                        std::to_string(kSliceRows),
                    {std::max(sealed_through_, blocks_through_), end_}, [&](const Statement& row) -> Status {
                      out.push_back({.first = EventId::from_packed(row.number(0)),
                                     .last = EventId::from_packed(row.number(0) + row.number(1)),
                                     .crc = static_cast<uint32_t>(row.number(2)),
                                     .data = std::string(row.bytes(3))});
                      return {};
                    });
  }

  Status check_window(const Window& window) {
    const std::string place = "window to " + window.through.text();
    if (window.first > window.through || window.first.packed() <= sealed_through_ || !in_hour(window.first) ||
        !in_hour(window.through)) {
      damage(place, "overlaps another or is not of this hour", window.first, window.through, 0);
    }
    if (window.chunk_first != next_chunk_ || window.chunk_last < window.chunk_first) {
      damage(place, "does not begin with chunk " + std::to_string(next_chunk_), window.first, window.through, 0);
    }
    sealed_through_ = std::max(sealed_through_, window.through.packed());
    next_chunk_ = window.chunk_last + 1;
    std::vector<int64_t> ids;
    const std::string sql = "SELECT " + std::string(kChunkColumns) +
                            ", id FROM chunk WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT " +
                            std::to_string(kSliceRows);
    int64_t at = window.chunk_first - 1;
    while (at < window.chunk_last) {
      const int64_t from = at;
      const Status read = each_row(sql, {from, window.chunk_last}, [&](const Statement& row) {
        const int64_t number = row.number(9);
        if (number != at + 1) lost_chunks(at + 1, number - 1, window);
        at = number;
        return check_chunk(row, window, ids);
      });
      if (!read) return read;
      if (at == from) break;
    }
    if (at < window.chunk_last) lost_chunks(at + 1, window.chunk_last, window);
    std::sort(ids.begin(), ids.end());
    return check_once(ids, window.first, window.through);
  }

  void lost_chunks(int64_t first, int64_t last, const Window& window) {
    damage("chunks " + std::to_string(first) + " to " + std::to_string(last), "are not there", window.first,
           window.through, 0);
  }

  Status check_chunk(const Statement& row, const Window& window, std::vector<int64_t>& ids) {
    Result<CheckedChunk> checked = read_chunk_row(row, names_);
    if (!checked) return checked.error();
    const ChunkRow& stored = checked->row;
    const Result<const NumberedTopic*> topic = names_.topic_of(stored.topic);
    if (!topic) return topic.error();
    const std::string place =
        "chunk " + std::to_string(row.number(9)) + (*topic ? " of " + (*topic)->text : " of an unknown topic");
    const std::string what = checked->chunk ? fault_of(*checked->chunk, stored, window) : "fails its check";
    if (!what.empty()) {
      damage(place, what, stored.first, stored.last, stored.count);
      return {};
    }
    if (!stored.sums.empty()) {
      const Result<ChunkSums> sums = decode_sums(stored.sums, names_);
      if (!sums && sums.error().code != Code::corrupt) return sums.error();
      if (!sums) damage(place, sums.error().detail, stored.first, stored.last, 0);
    }
    size_t counted = 0;  // as blocks
    for (size_t i = 0; i < checked->chunk->count(); ++i) {
      ids.push_back(checked->chunk->id(i).packed());
      if (ids.back() <= blocks_through_) ++counted;
    }
    count(stored.first, stored.last, stored.count - counted);
    return {};
  }

  // Empty: the chunk is what its row says.
  static std::string fault_of(const Chunk& chunk, const ChunkRow& row, const Window& window) {
    int64_t low = chunk.ts_ms(0);
    int64_t high = low;
    for (size_t i = 1; i < chunk.count(); ++i) {
      if (chunk.id(i) <= chunk.id(i - 1)) return "its ids do not rise";
      low = std::min(low, chunk.ts_ms(i));
      high = std::max(high, chunk.ts_ms(i));
    }
    if (chunk.id(0) != row.first || chunk.id(chunk.count() - 1) != row.last) return "holds other ids than it says";
    if (low != row.ts_low_ms || high != row.ts_high_ms) return "holds other times than it says";
    if (row.first < window.first || row.last > window.through) return "is not of its window";
    return "";
  }

  Status check_blocks(const std::vector<Block>& blocks) {
    std::vector<int64_t> ids;
    for (const Block& block : blocks) {
      if (Status s = check_block(block, ids); !s) return s;
      blocks_through_ = std::max({blocks_through_, block.first.packed(), block.last.packed()});
    }
    if (ids.empty()) return {};
    return check_once(ids, EventId::from_packed(ids.front()), EventId::from_packed(ids.back()));
  }

  Status check_block(const Block& block, std::vector<int64_t>& ids) {
    const std::string place = "block " + block.first.text();
    std::vector<PackedEvent> events;
    const uint64_t span = block.last < block.first ? 1 : block.last.packed() - block.first.packed() + 1;
    if (block.crc != block_crc(block.first, block.last, block.data) || !read_block(block.first, block.data, events) ||
        events.empty()) {
      damage(place, "fails its check", block.first, block.last, span);
      return {};
    }
    for (size_t i = 0; i < events.size(); ++i) {
      const bool rises = i == 0 ? events[i].id.packed() > blocks_through_ : events[i].id > events[i - 1].id;
      const Result<std::string> what =
          rises && in_hour(events[i].id) ? fault_of(events[i]) : std::string("its id is out of order");
      if (!what) return what.error();
      if (!what->empty()) {
        damage_at(place, *what, events[i].id);
        continue;
      }
      ids.push_back(events[i].id.packed());
      count(events[i].id, events[i].id, 1);
    }
    if (events.back().id != block.last) damage(place, "ends elsewhere than it says", block.first, block.last, 0);
    return {};
  }

  Result<std::string> fault_of(const PackedEvent& event) {
    const Result<const NumberedTopic*> topic = names_.topic_of(event.topic);
    if (!topic) return topic.error();
    const Result<std::shared_ptr<const Shape>> shape = names_.shape_of(event.shape);
    if (!shape) return shape.error();
    if (!*topic || !(*topic)->checked) return std::string("an event without a topic");
    if (!*shape) return std::string("an event without a shape");
    text_.clear();
    const bool joined = (*shape)->join(event.values, (*topic)->topic.device.text(), text_);
    return std::string(joined ? "" : "an event's values are not of its shape");
  }

  // `ids`: rising. None of them twice, and none of them a row's as well.
  Status check_once(const std::vector<int64_t>& ids, EventId first, EventId through) {
    for (size_t i = 1; i < ids.size(); ++i) {
      if (ids[i] == ids[i - 1]) damage_at("chunks", "two events have one id", EventId::from_packed(ids[i]));
    }
    const std::string sql =
        "SELECT id FROM event WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT " + std::to_string(kSliceRows * 64);
    for (std::optional<int64_t> before = first.packed() - 1; before;) {
      const int64_t from = *before;
      before.reset();
      const Status read = each_row(sql, {from, through.packed()}, [&](const Statement& row) -> Status {
        before = row.number(0);
        if (std::binary_search(ids.begin(), ids.end(), row.number(0)))
          damage_at("row " + EventId::from_packed(row.number(0)).text(), "has the id of a telemetry event",
                    EventId::from_packed(row.number(0)));
        return {};
      });
      if (!read) return read;
    }
    return {};
  }

  Database database_;
  HourNames names_;
  const IdRange range_;
  const bool live_;
  int64_t end_ = std::numeric_limits<int64_t>::max();  // packed; what comes after is not looked at
  FileCheck check_;
  int64_t version_ = 0;
  int64_t sealed_through_ = 0;  // packed; windows are checked up to here
  int64_t blocks_through_ = 0;  // the same for blocks: a window that is closed later holds them again
  int64_t next_chunk_ = 1;
  std::string text_;
};

Result<FileCheck> verify_once(const std::string& path, int64_t hour, OpenMode mode) {
  Result<Database> database = Database::open(path, mode);
  if (!database) return database.error();
  sqlite3_db_config(database->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (Status s = database->execute("PRAGMA wal_autocheckpoint=0"); !s) return s.error();
  return HourCheck(std::move(*database), hour, mode == OpenMode::read_only).run();
}

// A copy of the file, opened for `work`, and gone afterwards.
Result<FileCheck> check_copy(const std::string& path, const std::string& scratch,
                             const std::function<Status(Database&, FileCheck&)>& work) {
  FileCheck check;
  const Status done = [&]() -> Status {
    if (Status s = snapshot_file(path, scratch, kSnapshotTries); !s) return s;
    Status s = fold_wal(scratch);
    if (!s) return s;
    Result<Database> database = Database::open(scratch, OpenMode::read_immutable);
    if (!database) return database.error();
    s = quick_check(*database, check);
    return s ? work(*database, check) : s;
  }();
  for (const char* end : {"", "-wal", "-shm"}) ::unlink((scratch + end).c_str());
  if (Status s = unless_corrupt(done, check); !s) return s.error();
  return check;
}

}  // namespace

Result<FileCheck> verify_hour_file(const std::string& path, int64_t hour) {
  const FileState before = file_state(path);
  if (before.inode == 0) return Error{Code::not_found, path + ": it is not there"};
  const bool quiet = before.wal_bytes == 0;
  Result<FileCheck> check = verify_once(path, hour, quiet ? OpenMode::read_immutable : OpenMode::read_only);
  const FileState after = file_state(path);
  if (after.inode == 0) return Error{Code::not_found, path + ": it is not there any more"};
  // Somebody began to write to it: what was read without its WAL says nothing.
  if (quiet && before != after) check = verify_once(path, hour, OpenMode::read_only);
  if (!check && check.error().code == Code::corrupt) {
    FileCheck damaged;
    add_pages_damage(damaged, check.error().detail);
    return damaged;
  }
  return check;
}

Result<FileCheck> verify_checkpoint_file(const std::string& path, const std::string& scratch) {
  return check_copy(path, scratch, [](Database& database, FileCheck& check) -> Status {
    Result<Statement> rows = database.prepare("SELECT name, at, crc, state FROM checkpoint ORDER BY name");
    if (!rows) return Error{Code::corrupt, rows.error().detail};
    while (true) {
      const Result<bool> row = rows->step();
      if (!row) return row.error();
      if (!*row) return {};
      // As checkpoint_file.h keeps them.
      const uint32_t crc = row_crc({.id = rows->number(1),
                                    .topic = rows->bytes(0),
                                    .type = 0,
                                    .ts_ms = 0,
                                    .conclusion = 0,
                                    .data = rows->bytes(3)});
      if (rows->number(2) == crc) {
        ++check.events;
        continue;
      }
      add_damage(
          check,
          {.place = "checkpoint " + std::string(rows->bytes(0)), .what = "fails its check", .first = {}, .last = {}});
    }
  });
}

Result<FileCheck> verify_pages(const std::string& path, const std::string& scratch) {
  return check_copy(path, scratch, [](Database&, FileCheck&) { return Status(); });
}

}  // namespace millstream::log
