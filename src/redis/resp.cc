#include "redis/resp.h"

#include <algorithm>
#include <charconv>

namespace millstream::redis {

namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr size_t kItemsReservedMax = 1024;
constexpr size_t kReadKeptMax = 64 << 10;

void append_header(std::string& out, char kind, size_t number) {
  out += kind;
  out += std::to_string(number);
  out += kLineEnd;
}

std::optional<int64_t> number_of(std::string_view digits) {
  int64_t number = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (failed != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace

Commands& Commands::add(std::span<const std::string_view> args) {
  append_header(bytes_, '*', args.size());
  for (const std::string_view arg : args) {
    append_header(bytes_, '$', arg.size());
    bytes_ += arg;
    bytes_ += kLineEnd;
  }
  ++count_;
  return *this;
}

void Commands::clear() {
  bytes_.clear();
  count_ = 0;
}

Result<std::optional<Reply>> ReplyReader::next() {
  while (!broken_ && !whole_) {
    const Result<bool> moved = step();
    if (!moved) broken_ = moved.error();
    if (moved && !*moved) break;
  }
  drop_read();
  if (broken_) return *broken_;
  return std::exchange(whole_, std::nullopt);
}

// One line or one string, if it is here as a whole; false: more bytes are needed.
Result<bool> ReplyReader::step() {
  if (bulk_bytes_) return take_bulk();
  const size_t end = unread_.find('\n', at_ + scanned_);
  const size_t size = (end == std::string::npos ? unread_.size() : end) - at_;
  if (size > kLineBytesMax) return wrong("a line of more than " + std::to_string(kLineBytesMax) + " bytes");
  if (end == std::string::npos) {
    scanned_ = size;
    return false;
  }
  scanned_ = 0;
  const std::string_view line = std::string_view(unread_).substr(at_, size);
  if (line.empty() || line.back() != '\r') return wrong("a line that does not end in CR LF");
  if (Status s = take_line(line.substr(0, size - 1)); !s) return s.error();
  at_ += size + 1;
  return true;
}

Status ReplyReader::take_line(std::string_view line) {
  reply_bytes_ += line.size();
  if (line.empty()) return wrong("an empty line");
  const std::string_view rest = line.substr(1);
  if (rest.find('\r') != rest.npos) return wrong("a CR inside a line");
  switch (line.front()) {
    case '+': return put({Reply::Kind::status, 0, std::string(rest), {}});
    case '-': return put({Reply::Kind::error, 0, std::string(rest), {}});
    case '$': return begin_bulk(rest);
    case '*': return begin_array(rest);
    case ':': break;
    default: return wrong("no reply begins like this");
  }
  const std::optional<int64_t> number = number_of(rest);
  if (!number) return wrong("not a number of 64 bits");
  return put({Reply::Kind::number, *number, "", {}});
}

Status ReplyReader::begin_bulk(std::string_view digits) {
  const std::optional<int64_t> size = number_of(digits);
  if (!size || *size < -1) return wrong("not the length of a string");
  if (*size == -1) return put({});
  if (static_cast<uint64_t>(*size) > limits_.bulk_bytes_max) {
    return wrong("a string of more than " + std::to_string(limits_.bulk_bytes_max) + " bytes");
  }
  bulk_bytes_ = static_cast<size_t>(*size);
  reply_bytes_ += *bulk_bytes_;
  if (reply_bytes_ > limits_.reply_bytes_max) {
    return wrong("a reply of more than " + std::to_string(limits_.reply_bytes_max) + " bytes");
  }
  return {};
}

Result<bool> ReplyReader::take_bulk() {
  const size_t size = *bulk_bytes_;
  if (unread_.size() - at_ < size + kLineEnd.size()) return false;
  if (std::string_view(unread_).substr(at_ + size, kLineEnd.size()) != kLineEnd) {
    return wrong("a string that does not end in CR LF where its length says");
  }
  bulk_bytes_.reset();
  if (Status s = put({Reply::Kind::bulk, 0, unread_.substr(at_, size), {}}); !s) return s.error();
  at_ += size + kLineEnd.size();
  return true;
}

Status ReplyReader::begin_array(std::string_view digits) {
  const std::optional<int64_t> count = number_of(digits);
  if (!count || *count < -1) return wrong("not the length of an array");
  if (*count == -1) return put({});
  Reply array;
  array.kind = Reply::Kind::array;
  if (*count == 0) return put(std::move(array));
  if (open_.size() >= limits_.depth_max) {
    return wrong("arrays in arrays, more than " + std::to_string(limits_.depth_max));
  }
  if (static_cast<uint64_t>(*count) > limits_.items_max - items_) {
    return wrong("more than " + std::to_string(limits_.items_max) + " items");
  }
  const auto missing = static_cast<size_t>(*count);
  items_ += missing;
  array.items.reserve(std::min(missing, kItemsReservedMax));
  open_.push_back({std::move(array), missing});
  return {};
}

// A value that is complete goes into the array that waits for it, and completes that one with its last item.
Status ReplyReader::put(Reply reply) {
  if (reply_bytes_ > limits_.reply_bytes_max) {
    return wrong("a reply of more than " + std::to_string(limits_.reply_bytes_max) + " bytes");
  }
  while (!open_.empty()) {
    OpenArray& array = open_.back();
    array.reply.items.push_back(std::move(reply));
    if (--array.missing > 0) return {};
    reply = std::move(array.reply);
    open_.pop_back();
  }
  whole_ = std::move(reply);
  reply_bytes_ = 0;
  items_ = 0;
  return {};
}

Error ReplyReader::wrong(std::string what) const {
  return Error{Code::invalid, "byte " + std::to_string(dropped_ + at_) + ": " + std::move(what)};
}

// Moving the rest to the front costs what is moved: only when it is at most half.
void ReplyReader::drop_read() {
  if (at_ < unread_.size() && (at_ < kReadKeptMax || at_ < unread_.size() / 2)) return;
  unread_.erase(0, at_);
  dropped_ += at_;
  at_ = 0;
}

}  // namespace millstream::redis
