// base/result.h: expected failures as values.
//
// Shapes   Result<T> is a T or an Error{Code, detail}; Status is Result<void>. `detail` is one line for a person and
//          says where and what: "points[3].ts: not RFC 3339".
// Thread   value
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace millstream {

// The closed set of reasons. api/problem.h alone maps them to HTTP status codes.
enum class Code {
  invalid,          // the input is wrong; sending it again will not help
  unprocessable,    // well-formed, but beyond a stated limit of a query
  unauthenticated,  // no credential, or one that is not valid
  forbidden,        // a valid credential without this right
  not_found,
  conflict,
  too_large,
  rate_limited,  // slow down and try again
  unavailable,   // not now: starting, draining, backlog full
  storage_full,
  corrupt,  // stored bytes failed their check
  internal,
};

std::string_view code_name(Code code);

struct Error {
  Code code = Code::internal;
  std::string detail;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Precondition: ok().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Precondition: !ok().
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace millstream
