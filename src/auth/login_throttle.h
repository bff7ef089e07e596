// auth/login_throttle.h: how often someone may guess a password.
//
// Flow     begin() before the password is looked at, which counts the attempt as failed already: a thousand guesses at
//          once are a thousand, not one. succeeded() forgives the user, and takes the attempt back from the address;
//          cancelled() takes back one that was not looked at.
// Shapes   After a few free failures each further one makes the next wait longer, doubled each time; at the maximum the
//          wait is the whole window. Failures are forgotten a window after the last.
//          Where a user has signed in before, failures are counted for that address and user alone: strangers who guess
//          do not keep her out of there.
// Limits   kTrackedMax names and as many addresses; beyond, those that were longest quiet are forgotten.
// Errors   Code::rate_limited, with the wait beside it.
// Thread   any (locks inside)
// Source   OWASP ASVS 2.2.1
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/guarded.h"

namespace millstream::auth {

struct ThrottleRule {
  int free = 0;  // failures without a wait
  int max = 0;   // with the last of these the wait is the window
};

struct ThrottleOptions {
  ThrottleRule user{3, 10};
  ThrottleRule address{10, 30};
  int64_t window_ms = 15 * 60'000;
};

class LoginThrottle {
 public:
  static constexpr size_t kTrackedMax = 100'000;

  explicit LoginThrottle(ThrottleOptions options) : options_(options) {}

  // 0: go on. Else not now, but after so many ms.
  int64_t begin(std::string_view user, std::string_view address, int64_t now_ms);
  void succeeded(std::string_view user, std::string_view address);
  void cancelled(std::string_view user, std::string_view address);
  size_t tracked() const;

 private:
  struct Failures {
    int count = 0;
    int64_t last_ms = 0;
    int64_t until_ms = 0;  // no attempt before
  };
  using Table = std::unordered_map<std::string, Failures>;
  struct Tables {
    Table users;  // by name, or by name and address where she is known
    Table addresses;
    std::unordered_set<std::string> known;  // name and address
  };
  int64_t wait_of(const Table& table, std::string_view name, int64_t now_ms) const;
  void count(Table& table, std::string_view name, const ThrottleRule& rule, int64_t now_ms) const;
  void make_room(Table& table, int64_t now_ms) const;

  const ThrottleOptions options_;
  Guarded<Tables> tables_;
};

}  // namespace millstream::auth
