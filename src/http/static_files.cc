#include "http/static_files.h"

#include <libdeflate.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/hex.h"
#include "http/accept_encoding.h"
#include "http/ascii.h"

namespace millstream::http {

namespace {

constexpr size_t kGzipBytesMin = 18;  // header and trailer of an empty member

// Everything the page needs comes from this server, and nothing else may run in it, be loaded by it or frame it.
constexpr std::array<std::pair<const char*, const char*>, 7> kSecurityFields{{
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
     "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
    {"X-Frame-Options", "DENY"},
}};

struct Form {
  std::string_view bytes;
  std::string etag;
};

struct File {
  std::string_view content_type;
  bool immutable = false;
  std::string inflated;
  Form gzip;
  Form plain;
};

uint32_t little_endian32(const char* bytes) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// A gzip member ends with the CRC-32 and the size of what it holds.
std::string inflate(std::string_view gzip) {
  MS_CHECK(gzip.size() >= kGzipBytesMin);
  std::string out(little_endian32(gzip.data() + gzip.size() - 4), '\0');
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> inflater(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  size_t size = 0;
  const libdeflate_result result =
      libdeflate_gzip_decompress(inflater.get(), gzip.data(), gzip.size(), out.data(), out.size(), &size);
  MS_CHECK(result == LIBDEFLATE_SUCCESS && size == out.size());
  return out;
}

// FNV-1a, 64 bits: tells contents apart, protects nothing.
std::string content_tag(std::string_view bytes, std::string_view suffix) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return '"' + hex_text(hash, 16) + std::string(suffix) + '"';
}

bool names_tag(std::string_view if_none_match, std::string_view etag) {
  bool found = false;
  for_each_element(if_none_match, [&](std::string_view element) {
    if (element.starts_with("W/")) element.remove_prefix(2);  // If-None-Match compares weakly
    if (element == etag || element == "*") found = true;
  });
  return found;
}

void add_security_fields(Response& response) {
  for (const auto& [name, value] : kSecurityFields) response.headers.add(name, value);
}

Response answer(const File& file, const Request& request) {
  const bool gzip = takes_gzip(request.headers.get("Accept-Encoding"));
  const Form& form = gzip ? file.gzip : file.plain;
  Response response;
  response.headers.add("ETag", form.etag);
  response.headers.add("Vary", "Accept-Encoding");
  response.headers.add("Cache-Control", file.immutable ? "public, max-age=31536000, immutable" : "no-cache");
  add_security_fields(response);
  if (names_tag(request.headers.get("If-None-Match"), form.etag)) {
    response.status = 304;
    return response;
  }
  response.headers.add("Content-Type", std::string(file.content_type));
  if (gzip) response.headers.add("Content-Encoding", "gzip");
  response.body = form.bytes;
  return response;
}

}  // namespace

Handler make_static_handler(std::span<const StaticFile> files) {
  using Files = std::map<std::string_view, std::unique_ptr<File>>;
  auto by_path = std::make_shared<Files>();
  for (const StaticFile& embedded : files) {
    auto file = std::make_unique<File>();
    file->content_type = embedded.content_type;
    file->immutable = embedded.immutable;
    file->inflated = inflate(embedded.gzip);
    file->plain = {file->inflated, content_tag(file->inflated, "")};
    file->gzip = {embedded.gzip, content_tag(file->inflated, "-gzip")};
    (*by_path)[embedded.path] = std::move(file);
  }
  return [by_path = std::shared_ptr<const Files>(std::move(by_path))](ExchangePtr exchange) {
    const Request& request = exchange->request();
    const auto found = by_path->find(request.path == "/" ? std::string_view("/index.html") : request.path);
    if (found != by_path->end()) return exchange->respond(answer(*found->second, request));
    Response response = Response::text(404, "Not found\n");
    add_security_fields(response);
    exchange->respond(std::move(response));
  };
}

}  // namespace millstream::http
