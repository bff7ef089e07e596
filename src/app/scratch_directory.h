// app/scratch_directory.h: a directory that goes when its owner does, with all that is in it.
//
// Thread   one at a time; blocks for the disk
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "base/result.h"

namespace millstream::app {

class ScratchDirectory {
 public:
  // Made with mode 0700; `prefix` is a path that the name begins with.
  static Result<ScratchDirectory> make(const std::string& prefix);
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory();

  const std::string& path() const { return path_; }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace millstream::app
