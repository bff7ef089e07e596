// base/overloaded.h: one visitor of a std::variant, made of a function for each of its types.
//
// Thread   value
#pragma once

namespace millstream {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace millstream
