#include "influx/spool.h"

#include <fcntl.h>
#include <libdeflate.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/log_line.h"

namespace millstream::influx {
namespace {

constexpr std::string_view kSuffix = ".spool";
constexpr size_t kNameDigits = 20;
constexpr size_t kHeadBytes = 8;                // size, CRC
constexpr size_t kFixedBytes = 8 + 8 + 8 + 4;   // time, after, to, number of lines
constexpr uint32_t kBodyBytesMax = 256u << 20;  // far above any batch

template <class N>
void append_number(N value, std::string& out) {
  for (size_t i = 0; i < sizeof(N); ++i) out += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
}

// Takes a number off `bytes`, which has that many.
template <class N>
N take_number(std::string_view& bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(N); ++i) value |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  bytes.remove_prefix(sizeof(N));
  return static_cast<N>(value);
}

uint32_t crc_of(std::string_view body) { return libdeflate_crc32(0, body.data(), body.size()); }

Error corrupt(std::string_view what) { return Error{Code::corrupt, "spool record: " + std::string(what)}; }

Error system_error(const std::string& path) {
  const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
  return Error{full ? Code::storage_full : Code::internal, path + ": " + std::strerror(errno)};
}

Status write_all(int fd, std::string_view bytes, int64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(fd, bytes.data(), bytes.size(), offset);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return system_error(path);
    bytes.remove_prefix(static_cast<size_t>(wrote));
    offset += wrote;
  }
  return {};
}

Result<std::string> read_span(const std::string& path, int64_t offset, int64_t size) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error(path);
  std::string bytes(static_cast<size_t>(size), '\0');
  size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t n = ::pread(fd.get(), bytes.data() + got, bytes.size() - got, offset + static_cast<int64_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path);
    if (n == 0) break;
    got += static_cast<size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

std::string file_name(uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kNameDigits - digits.size(), '0') + digits + std::string(kSuffix);
}

std::optional<uint64_t> number_of(std::string_view name) {
  if (name.size() != kNameDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  uint64_t number = 0;
  const auto read = std::from_chars(name.data(), name.data() + kNameDigits, number);
  if (read.ec != std::errc() || read.ptr != name.data() + kNameDigits) return std::nullopt;
  return number;
}

SpoolOptions with_file_size(SpoolOptions options) {
  options.file_bytes_max = std::max<int64_t>(1, std::min(options.file_bytes_max, options.bytes_max / 8));
  return options;
}

void join(Batch&& next, Batch& all) {
  if (all.empty()) all.after = next.after;
  all.lines += next.lines;
  all.sizes.insert(all.sizes.end(), next.sizes.begin(), next.sizes.end());
  all.to = std::max(all.to, next.to);
}

}  // namespace

void append_record(const SpoolRecord& record, std::string& out) {
  const Batch& batch = record.batch;
  std::string body;
  body.reserve(kFixedBytes + 4 * batch.sizes.size() + batch.lines.size());
  append_number(record.spooled_at_ms, body);
  append_number(batch.after.packed(), body);
  append_number(batch.to.packed(), body);
  append_number(static_cast<uint32_t>(batch.sizes.size()), body);
  for (const uint32_t size : batch.sizes) append_number(size, body);
  body += batch.lines;
  append_number(static_cast<uint32_t>(body.size()), out);
  append_number(crc_of(body), out);
  out += body;
}

Result<SpoolRecord> take_record(std::string_view& bytes) {
  if (bytes.size() < kHeadBytes) return corrupt("cut off");
  std::string_view rest = bytes;
  const auto size = take_number<uint32_t>(rest);
  const auto crc = take_number<uint32_t>(rest);
  if (size < kFixedBytes || size > kBodyBytesMax) return corrupt("no such size");
  if (rest.size() < size) return corrupt("cut off");
  std::string_view body = rest.substr(0, size);
  if (crc_of(body) != crc) return corrupt("damaged");
  SpoolRecord record;
  record.spooled_at_ms = take_number<int64_t>(body);
  record.batch.after = model::EventId::from_packed(take_number<int64_t>(body));
  record.batch.to = model::EventId::from_packed(take_number<int64_t>(body));
  const auto lines = take_number<uint32_t>(body);
  if (body.size() / 4 < lines) return corrupt("more lines than bytes");
  uint64_t sum = 0;
  record.batch.sizes.reserve(lines);
  for (uint32_t i = 0; i < lines; ++i) sum += record.batch.sizes.emplace_back(take_number<uint32_t>(body));
  if (sum != body.size()) return corrupt("lines of other sizes");
  record.batch.lines = body;
  bytes = rest.substr(size);
  return record;
}

Spool::Spool(SpoolOptions options, OnDropped on_dropped)
    : options_(with_file_size(std::move(options))), on_dropped_(std::move(on_dropped)) {}

Status Spool::open() {
  if (::mkdir(options_.directory.c_str(), 0700) != 0 && errno != EEXIST) return system_error(options_.directory);
  directory_ = UniqueFd(::open(options_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_) return system_error(options_.directory);
  std::vector<uint64_t> numbers;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory, error)) {
    if (const auto number = number_of(entry.path().filename().string())) numbers.push_back(*number);
  }
  if (error) return Error{Code::internal, options_.directory + ": " + error.message()};
  std::sort(numbers.begin(), numbers.end());
  for (const uint64_t number : numbers) {
    next_number_ = number + 1;
    File file;
    file.path = options_.directory + "/" + file_name(number);
    if (Status s = scan(file); !s) return s;
    if (file.batches > 0) {
      if (cut_off_ && last_id_ < file.after) {
        on_dropped_({.lines = 0, .after = last_id_, .to = file.after, .why = "damaged"});
      }
      cut_off_ = false;
      last_id_ = std::max(last_id_, file.to);
      files_.push_back(std::move(file));
    } else if (::unlink(file.path.c_str()) != 0) {
      return system_error(file.path);
    }
  }
  count();
  return {};
}

// What cannot be read ends the file, as sizes lead from one record to the next. Mostly an append that never returned
// has left it, and its batch was taken from the log again: then the next file goes on where this one ends.
Status Spool::scan(File& file) {
  struct stat info {};
  if (::stat(file.path.c_str(), &info) != 0) return system_error(file.path);
  const Result<std::string> all = read_span(file.path, 0, info.st_size);
  if (!all) return all.error();
  std::string_view rest = *all;
  while (!rest.empty()) {
    const Result<SpoolRecord> record = take_record(rest);
    if (!record) {
      log_warning("the end of a spool file cannot be read and is cut off",
                  {{"file", file.path}, {"bytes", rest.size()}, {"reason", record.error().detail}});
      cut_off_ = true;
      if (::truncate(file.path.c_str(), info.st_size - static_cast<int64_t>(rest.size())) != 0) {
        return system_error(file.path);
      }
      break;
    }
    if (file.batches++ == 0) file.after = record->batch.after;
    file.lines += record->batch.sizes.size();
    file.to = std::max(file.to, record->batch.to);
    file.newest_ms = std::max(file.newest_ms, record->spooled_at_ms);
  }
  file.bytes = static_cast<int64_t>(all->size() - rest.size());
  return {};
}

Status Spool::begin_file() {
  File file;
  file.path = options_.directory + "/" + file_name(next_number_);
  UniqueFd fd(::open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return system_error(file.path);
  ++next_number_;
  if (::fsync(directory_.get()) != 0) return system_error(options_.directory);
  tail_ = std::move(fd);
  files_.push_back(std::move(file));
  return {};
}

Status Spool::append(const Batch& batch, int64_t now_ms) {
  std::string record;
  append_record({now_ms, batch}, record);
  const auto size = static_cast<int64_t>(record.size());
  while (!files_.empty() && bytes() + size > options_.bytes_max) remove_front("size");
  if (!tail_ || files_.back().bytes + size > options_.file_bytes_max) {
    if (Status s = begin_file(); !s) return s;
  }
  File& file = files_.back();
  Status written = write_all(tail_.get(), record, file.bytes, file.path);
  if (written && ::fdatasync(tail_.get()) != 0) written = system_error(file.path);
  if (!written) {
    // The next one begins a file of its own when this one cannot be put right: after a failed sync nobody knows.
    if (::ftruncate(tail_.get(), file.bytes) != 0 || written.error().code != Code::storage_full) tail_.reset();
    return written;
  }
  file.bytes += size;
  if (file.batches++ == 0) file.after = batch.after;
  file.lines += batch.sizes.size();
  file.to = std::max(file.to, batch.to);
  file.newest_ms = now_ms;
  last_id_ = std::max(last_id_, batch.to);
  count();
  return {};
}

Result<std::optional<Batch>> Spool::front(size_t bytes_max) {
  taken_bytes_ = taken_batches_ = 0;
  taken_lines_ = 0;
  while (!files_.empty() && files_.front().batches == 0) remove_front("");
  if (files_.empty()) return std::optional<Batch>();
  const File& file = files_.front();
  // Of a first record that is larger than asked for, all is needed.
  const Result<std::string> bytes = read_span(file.path, file.read_to, file.bytes - file.read_to);
  if (!bytes) return bytes.error();
  std::string_view rest = *bytes;
  Batch all;
  while (!rest.empty()) {
    const size_t before = rest.size();
    Result<SpoolRecord> record = take_record(rest);
    if (!record) {
      log_error("a spool file was damaged while it was in use",
                {{"file", file.path}, {"reason", record.error().detail}});
      if (taken_batches_ == 0) {
        remove_front("damaged");
        return front(bytes_max);
      }
      break;
    }
    if (taken_batches_ > 0 && all.lines.size() + record->batch.lines.size() > bytes_max) break;
    taken_bytes_ += static_cast<int64_t>(before - rest.size());
    ++taken_batches_;
    join(std::move(record->batch), all);
  }
  taken_lines_ = all.sizes.size();
  taken_to_ = all.to;
  return std::optional(std::move(all));
}

void Spool::pop() {
  if (taken_batches_ == 0) return;
  File& file = files_.front();
  file.read_to += std::exchange(taken_bytes_, 0);
  file.batches -= std::exchange(taken_batches_, 0);
  file.lines -= std::exchange(taken_lines_, 0);
  file.after = taken_to_;
  if (file.batches == 0) remove_front("");
  count();
}

void Spool::drop_expired(int64_t now_ms) {
  while (!files_.empty() && files_.front().batches > 0 && files_.front().newest_ms < now_ms - options_.age_ms_max) {
    remove_front("age");
  }
}

// `why` empty: nothing of it is lost.
void Spool::remove_front(std::string_view why) {
  const File file = std::move(files_.front());
  files_.pop_front();
  if (files_.empty()) tail_.reset();
  taken_bytes_ = taken_batches_ = 0;
  taken_lines_ = 0;
  if (::unlink(file.path.c_str()) != 0) {
    log_warning("a spool file cannot be deleted", {{"file", file.path}, {"reason", std::strerror(errno)}});
  }
  count();
  if (!why.empty() && file.lines > 0) {
    on_dropped_({.lines = file.lines, .after = file.after, .to = file.to, .why = why});
  }
}

void Spool::count() {
  int64_t bytes = 0, batches = 0;
  for (const File& file : files_) {
    bytes += file.bytes;
    batches += file.batches;
  }
  bytes_ = bytes;
  batches_ = batches;
}

}  // namespace millstream::influx
