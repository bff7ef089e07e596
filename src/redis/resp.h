// redis/resp.h: the protocol of Redis (RESP2) as bytes and values; no socket here.
//
// Flow     Commands collects a pipeline -> bytes() go to the server; what comes back is fed to a ReplyReader, and
// next()
//          gives one reply after the other.
// Limits   of one reply, by ReplyLimits; a line (status, error, number, length) is kLineBytesMax at most. What a length
//          announces is not believed beforehand: memory grows only with the bytes that came.
// Errors   Code::invalid, with the offset in the stream and what is wrong there; the reader is of no use after that.
// Thread   value
// Source   Redis serialization protocol specification, RESP2
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millstream::redis {

// Each command is an array of bulk strings: arguments may hold any bytes.
class Commands {
 public:
  Commands& add(std::span<const std::string_view> args);
  Commands& add(std::initializer_list<std::string_view> args) { return add({args.begin(), args.size()}); }

  size_t count() const { return count_; }
  std::string_view bytes() const { return bytes_; }
  void clear();  // keeps the memory

 private:
  std::string bytes_;
  size_t count_ = 0;
};

struct Reply {
  enum class Kind { nil, status, error, number, bulk, array };
  Kind kind = Kind::nil;
  int64_t number = 0;
  std::string text;          // status, error ("WRONGTYPE Operation against …"), bulk
  std::vector<Reply> items;  // array

  bool is_error() const { return kind == Kind::error; }
  bool is_nil() const { return kind == Kind::nil; }
};

struct ReplyLimits {
  size_t depth_max = 8;                // arrays in arrays
  size_t items_max = 4 << 20;          // of all arrays of one reply together
  size_t bulk_bytes_max = 64 << 20;    // one string
  size_t reply_bytes_max = 256 << 20;  // all that one reply is made of
};

class ReplyReader {
 public:
  static constexpr size_t kLineBytesMax = 64 << 10;

  ReplyReader() = default;
  explicit ReplyReader(const ReplyLimits& limits) : limits_(limits) {}

  void feed(std::string_view bytes) { unread_.append(bytes); }
  // The next whole reply; nothing: more bytes are needed.
  Result<std::optional<Reply>> next();
  // Nothing of a further reply is here.
  bool is_empty() const { return open_.empty() && !bulk_bytes_ && at_ == unread_.size(); }

 private:
  struct OpenArray {
    Reply reply;
    size_t missing;
  };

  Result<bool> step();
  Status take_line(std::string_view line);
  Result<bool> take_bulk();
  Status begin_bulk(std::string_view digits);
  Status begin_array(std::string_view digits);
  Status put(Reply reply);
  Error wrong(std::string what) const;
  void drop_read();

  ReplyLimits limits_;
  std::string unread_;
  size_t at_ = 0;                     // in unread_: read up to here
  size_t scanned_ = 0;                // from at_: no end of a line in these
  uint64_t dropped_ = 0;              // bytes of the stream before unread_
  size_t reply_bytes_ = 0;            // of the reply that is being read
  size_t items_ = 0;                  // announced in that reply
  std::optional<size_t> bulk_bytes_;  // a string of this size comes next
  std::vector<OpenArray> open_;       // outermost first
  std::optional<Reply> whole_;
  std::optional<Error> broken_;
};

}  // namespace millstream::redis
