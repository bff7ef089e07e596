// http/static_files.h: the dashboard's files, embedded in the binary.
//
// Flow     make_static_handler() is the router's fallback; "/" is index.html.
// Shapes   files are embedded gzip-compressed and sent so where the client takes it; the plain form is made once, here.
//          Each form has its own ETag. Names that carry a hash of their content are immutable.
// Thread   startup; the handler: any
// Source   RFC 9110 8.8.3, 12.5.3, 13.1.2
#pragma once

#include <span>
#include <string_view>

#include "http/server.h"

namespace millstream::http {

struct StaticFile {
  std::string_view path;  // "/assets/app-3f9c.js"; "/index.html" also answers "/"
  std::string_view content_type;
  std::string_view gzip;  // gzip-compressed bytes, embedded by the build
  bool immutable = false;
};

// The files' bytes must outlive the handler. Bytes that are not gzip are a broken build: the process ends.
Handler make_static_handler(std::span<const StaticFile> files);

}  // namespace millstream::http
