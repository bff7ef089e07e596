// app/embedded_files.h: the dashboard and the wire's description, embedded by the build (web/CMakeLists.txt).
//
// Thread   any
#pragma once

#include <span>

#include "http/static_files.h"

namespace millstream::app {

// "/api/openapi.json", and the page unless it was left out of the build (MILLSTREAM_PAGE=OFF).
std::span<const http::StaticFile> embedded_files();

}  // namespace millstream::app
