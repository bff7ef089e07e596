// log/lease.h: which of several instances draws conclusions and writes elsewhere.
//
// Shapes   A term is the time one holder has the lease; its fence is a number above that of every term before. Whatever
//          is written under an older number is refused where it is stored, so a holder that does not know yet that it
//          has lost the lease does no harm. Times are the log's.
// Thread   any
#pragma once

#include <cstdint>
#include <string>

namespace millstream::log {

struct Term {
  uint64_t fence = 0;  // 0: no term is known of
  bool mine = false;
  std::string holder;             // for people
  int64_t attended_until_ms = 0;  // until then the holder before was there; 0: there was none
  int64_t since_ms = 0;

  bool operator==(const Term&) const = default;
};

class Lease {
 public:
  virtual ~Lease() = default;
  // As last heard. Not `mine` any more once the lease may have run out.
  virtual Term term() const = 0;
};

}  // namespace millstream::log
