// app/page.h: the dashboard's files, embedded by the build (web/CMakeLists.txt).
//
// Thread   any
#pragma once

#include <span>

#include "http/static_files.h"

namespace millstream::app {

// Empty when the page was left out of the build (MILLSTREAM_PAGE=OFF).
std::span<const http::StaticFile> page_files();

}  // namespace millstream::app
