#include "log/hour_reader.h"

#include <algorithm>

#include "base/check.h"

namespace millstream::log {
namespace {

constexpr std::string_view kSelect =
    "SELECT id, topic, type, ts, conclusion, crc, data FROM event WHERE id BETWEEN ?1 AND ?2";
constexpr std::string_view kWhere[] = {"", " AND topic = ?3", " AND type = ?3 AND type > 0"};
constexpr std::string_view kOrder[] = {" ORDER BY id", " ORDER BY id DESC"};

std::vector<int64_t> rare_types(model::EventTypes types) {
  std::vector<int64_t> rare;
  for (int i = 1; i < model::kEventTypes; ++i) {
    if (types.has(static_cast<model::EventType>(i))) rare.push_back(i);
  }
  return rare;
}

}  // namespace

Result<std::unique_ptr<HourReader>> HourReader::open(const std::string& path, OpenMode mode,
                                                     WindowRows::Place windows) {
  MS_DCHECK(mode != OpenMode::read_write);
  Result<Database> database = Database::open(path, mode);
  if (!database) return database.error();
  if (Status s = database->execute("PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-512"); !s) return s.error();
  const Result<int64_t> version = database->number("PRAGMA user_version");
  if (!version) return version.error();
  std::unique_ptr<HourReader> reader(new HourReader(std::move(*database), windows));
  reader->has_chunks_ = *version > 1;
  return reader;
}

Status HourReader::in_transaction(const std::function<Status()>& work) {
  if (Status s = database_.execute("BEGIN"); !s) return s;
  const Status done = work();
  const Status ended = database_.execute("COMMIT");
  return done ? ended : done;
}

Status HourReader::scan(Scan& scan) {
  // One snapshot for the topics and all rows.
  return in_transaction([&] { return scan_in_transaction(scan, Telemetry::all); });
}

Status HourReader::scan_loose(Scan& scan) { return scan_in_transaction(scan, Telemetry::loose); }

Status HourReader::scan_in_transaction(Scan& scan, Telemetry telemetry) {
  const TopicSet* topics = nullptr;
  if (!scan.request.patterns.empty()) {
    const Result<const TopicSet*> found = filters_.find(database_, scan.request.patterns);
    if (!found) return found.error();
    if ((*found)->numbers().empty()) return {};
    topics = *found;
  }
  Status scanned = open_rows(scan, topics, telemetry);
  if (scanned) scanned = merge(scan, topics);
  rows_.clear();
  return scanned;
}

Result<SealedSoFar> HourReader::sealed_so_far() {
  if (!has_chunks_) return SealedSoFar{};
  const Result<int64_t> through = database_.number("SELECT max(through) FROM sealed");
  if (!through) return through.error();
  const Result<int64_t> chunk_last = database_.number("SELECT max(chunk_last) FROM sealed");
  if (!chunk_last) return chunk_last.error();
  return SealedSoFar{*through, *chunk_last};
}

Status HourReader::open_rows(Scan& scan, const TopicSet* topics, Telemetry telemetry) {
  Way way = Way::all;
  std::vector<int64_t> keys = {0};
  const bool has_telemetry = scan.request.types.has(model::EventType::telemetry);
  if (!has_telemetry) {
    way = Way::type;
    keys = rare_types(scan.request.types);
  } else if (topics && topics->numbers().size() <= kTopicsReadApartMax) {
    way = Way::topic;
    keys = topics->numbers();
  }
  for (const int64_t key : keys) {
    if (Status s = open_event_rows(scan, way, key); !s) return s;
  }
  return has_telemetry && has_chunks_ ? open_telemetry(scan, topics, way, telemetry) : Status();
}

Status HourReader::open_telemetry(Scan& scan, const TopicSet* topics, Way way, Telemetry telemetry) {
  const Result<SealedSoFar> sealed = sealed_so_far();
  if (!sealed) return sealed.error();
  std::vector<Result<std::unique_ptr<Rows>>> opened;
  opened.push_back(BlockRows::open(database_, names_, scan, sealed->through, way == Way::topic ? topics : nullptr));
  const bool chunks = telemetry == Telemetry::all && scan.low <= sealed->through;
  if (way == Way::all && chunks) {
    opened.push_back(WindowRows::open(database_, names_, scan, windows_));
  }
  if (way == Way::topic && chunks) {
    for (const int64_t topic : topics->numbers()) {
      opened.push_back(ChunkRows::open(database_, names_, scan, sealed->chunk_last, topic));
    }
  }
  for (Result<std::unique_ptr<Rows>>& rows : opened) {
    if (!rows) return rows.error();
    rows_.push_back(std::move(*rows));
  }
  return {};
}

Status HourReader::open_event_rows(const Scan& scan, Way way, int64_t key) {
  std::string sql(kSelect);
  sql += kWhere[static_cast<size_t>(way)];
  sql += kOrder[static_cast<size_t>(scan.request.order)];
  Result<Statement> statement = database_.prepare(sql);
  if (!statement) return statement.error();
  statement->bind(1, scan.low);
  statement->bind(2, scan.high);
  if (way != Way::all) statement->bind(3, key);
  rows_.push_back(std::make_unique<EventRows>(std::move(*statement), names_));
  return {};
}

Status HourReader::merge(Scan& scan, const TopicSet* topics) {
  std::vector<Rows*> heap;
  for (const std::unique_ptr<Rows>& rows : rows_) {
    if (Status s = rows->next(scan); !s) return s;
    if (!rows->at_end()) heap.push_back(rows.get());
  }
  // std::*_heap keeps the greatest in front; what comes first in the order asked must be that.
  const bool ascending = scan.ascending();
  const auto later = [ascending](const Rows* a, const Rows* b) {
    return ascending ? a->id() > b->id() : a->id() < b->id();
  };
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    if (Status s = take_row(scan, topics, *heap.front()); !s) return s;
    if (scan.stopped) return {};
    std::pop_heap(heap.begin(), heap.end(), later);
    if (Status s = heap.back()->next(scan); !s) return s;
    if (heap.back()->at_end()) {
      heap.pop_back();
    } else {
      std::push_heap(heap.begin(), heap.end(), later);
    }
  }
  return {};
}

Status HourReader::take_row(Scan& scan, const TopicSet* topics, Rows& row) {
  const int64_t type = row.type();
  const bool type_wanted = type < 0 || type >= model::kEventTypes ||  // damaged: take() will say so
                           scan.request.types.has(static_cast<model::EventType>(type));
  const bool wanted = type_wanted && (!topics || topics->has(row.topic()));
  if (scan.rows_left == 0 || (wanted && scan.events.size() >= scan.request.events_max)) {
    scan.stopped = true;
    return {};
  }
  --scan.rows_left;
  if (wanted) {
    if (Status s = row.take(scan); !s) return s;
  }
  scan.scanned_to = model::EventId::from_packed(row.id());
  return {};
}

}  // namespace millstream::log
