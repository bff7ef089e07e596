#include "api/listing.h"

#include <algorithm>

#include "http/accept.h"
#include "http/ascii.h"

namespace millstream::api {
namespace {

// Of one header or several, which mean the same.
std::string accept_of(const http::Request& request) {
  std::string accept;
  for (const http::Header& header : request.headers.list()) {
    if (http::iequals(header.name, "accept")) accept += (accept.empty() ? "" : ",") + header.value;
  }
  return accept;
}

// Neither a path, nor a hidden file, nor anything that would have to be quoted.
std::string file_name(std::string_view name) {
  constexpr size_t kNameBytesMax = 100;
  std::string out(name.substr(0, kNameBytesMax));
  std::replace_if(
      out.begin(), out.end(),
      [](char c) {
        const char l = http::lower(c);
        return !(l >= 'a' && l <= 'z') && !http::is_digit(c) && c != '-' && c != '_' && c != '.';
      },
      '_');
  if (out.empty() || out.front() == '.' || out.front() == '-') out.insert(0, "_");
  return out + ".csv";
}

}  // namespace

Format format_of(const http::Request& request) {
  return http::prefers(accept_of(request), {"text", "csv"}, {"application", "json"}) ? Format::csv : Format::json;
}

http::Response listing(Format format, std::string body, std::string_view name) {
  http::Response response = format == Format::json
                                ? http::Response::json(200, std::move(body))
                                : http::Response::text(200, std::move(body), "text/csv; charset=utf-8; header=present");
  response.headers.add("Vary", "Accept");
  if (format == Format::csv) {
    response.headers.add("Content-Disposition", "attachment; filename=\"" + file_name(name) + "\"");
  }
  return response;
}

}  // namespace millstream::api
