#include "log/hour_files.h"

#include <utility>

#include "log/hour_file.h"

namespace millstream::log {

void HourFiles::add(const HourSpan& span, bool sealed) {
  std::lock_guard lock(mu_);
  entries_[span.hour] = Entry{.span = span, .serial = next_serial_++, .sealed = sealed, .lent_with_wal = 0, .idle = {}};
}

void HourFiles::extend(int64_t hour, model::EventId first, model::EventId last) {
  std::lock_guard lock(mu_);
  const auto found = entries_.find(hour);
  if (found == entries_.end()) return;
  HourSpan& span = found->second.span;
  if (span.first.is_zero()) span.first = first;
  span.last = last;
}

void HourFiles::seal(int64_t hour) {
  std::vector<std::unique_ptr<HourReader>> closing;  // outside the lock
  std::lock_guard lock(mu_);
  const auto found = entries_.find(hour);
  if (found == entries_.end()) return;
  found->second.sealed = true;
  closing.swap(found->second.idle);
}

void HourFiles::remove(int64_t hour) {
  std::map<int64_t, Entry>::node_type closing;  // outside the lock
  std::lock_guard lock(mu_);
  closing = entries_.extract(hour);
}

void HourFiles::drop_idle() {
  std::vector<std::unique_ptr<HourReader>> closing;  // outside the lock
  std::lock_guard lock(mu_);
  for (auto& [hour, entry] : entries_) {
    for (auto& reader : entry.idle) closing.push_back(std::move(reader));
    entry.idle.clear();
  }
}

bool HourFiles::unread_since_seal(int64_t hour) const {
  std::lock_guard lock(mu_);
  const auto found = entries_.find(hour);
  return found == entries_.end() || found->second.lent_with_wal == 0;
}

std::vector<HourSpan> HourFiles::spans() const {
  std::lock_guard lock(mu_);
  std::vector<HourSpan> spans;
  spans.reserve(entries_.size());
  for (const auto& [hour, entry] : entries_) spans.push_back(entry.span);
  return spans;
}

std::vector<int64_t> HourFiles::hours_between(model::EventId low, model::EventId high) const {
  std::vector<int64_t> hours;
  for (const HourSpan& span : spans()) {
    if (!span.first.is_zero() && span.first <= high && span.last >= low) hours.push_back(span.hour);
  }
  return hours;
}

HourFiles::Entry* HourFiles::find(int64_t hour, uint64_t serial) {
  const auto found = entries_.find(hour);
  return found == entries_.end() || found->second.serial != serial ? nullptr : &found->second;
}

std::optional<HourFiles::Loan> HourFiles::borrow(int64_t hour) {
  std::lock_guard lock(mu_);
  const auto found = entries_.find(hour);
  if (found == entries_.end()) return std::nullopt;
  Entry& entry = found->second;
  Loan loan{.reader = nullptr, .serial = entry.serial, .sealed = entry.sealed};
  if (!entry.sealed) ++entry.lent_with_wal;
  if (!entry.idle.empty()) {
    loan.reader = std::move(entry.idle.back());
    entry.idle.pop_back();
  }
  return loan;
}

Result<std::unique_ptr<HourReader>> HourFiles::open(int64_t hour, const Loan& loan) {
  return HourReader::open(hour_file_path(directory_, hour),
                          loan.sealed ? OpenMode::read_immutable : OpenMode::read_only,
                          {.cache = windows_, .file = loan.serial});
}

bool HourFiles::give_back(int64_t hour, Loan loan) {
  {
    std::lock_guard lock(mu_);
    Entry* entry = find(hour, loan.serial);
    if (entry && loan.reader && entry->sealed == loan.sealed && entry->idle.size() < kIdleReadersMax) {
      entry->idle.push_back(std::move(loan.reader));
    }
  }
  loan.reader.reset();  // closes outside the lock, and before it counts as out of the WAL
  std::lock_guard lock(mu_);
  Entry* entry = find(hour, loan.serial);
  if (entry && !loan.sealed) --entry->lent_with_wal;
  return entry != nullptr;
}

Status HourFiles::read(int64_t hour, const std::function<Status(HourReader&)>& work) {
  std::optional<Loan> loan = borrow(hour);
  if (!loan) return {};
  Status done;
  if (!loan->reader) {
    Result<std::unique_ptr<HourReader>> opened = open(hour, *loan);
    if (opened) {
      loan->reader = std::move(*opened);
    } else {
      done = opened.error();
    }
  }
  if (loan->reader) done = work(*loan->reader);
  if (!done) loan->reader.reset();  // what failed once is opened anew
  const bool exists = give_back(hour, std::move(*loan));
  return exists ? done : Status();
}

}  // namespace millstream::log
