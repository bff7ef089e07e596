// base/freed.h: a deleter for std::unique_ptr around what a C library has a function to free.
//
// Thread   value
#pragma once

namespace millstream {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

}  // namespace millstream
