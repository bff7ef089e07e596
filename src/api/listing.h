// api/listing.h: what reading endpoints answer with: JSON, or CSV for those who would rather have it.
//
// Thread   value
// Source   RFC 9110 12.5.1 (Accept), RFC 4180 (text/csv), RFC 6266 (Content-Disposition)
#pragma once

#include <string>
#include <string_view>

#include "http/message.h"

namespace millstream::api {

enum class Format { json, csv };

// CSV only when it is preferred.
Format format_of(const http::Request& request);

// `body` in that format, for caches that keep both apart. CSV comes as a download of the name "<name>.csv", in which
// everything but letters, digits, '-', '_' and '.' has become '_'.
http::Response listing(Format format, std::string body, std::string_view name);

}  // namespace millstream::api
