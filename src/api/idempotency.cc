#include "api/idempotency.h"

#include <algorithm>
#include <cstring>

#include "auth/digest.h"
#include "auth/rate_limits.h"
#include "http/ascii.h"
#include "log/varint.h"

namespace millstream::api {
namespace {

constexpr std::string_view kHeader = "Idempotency-Key";

template <class T>
T first_bytes(const std::string& digest) {
  static_assert(sizeof(T) <= auth::kSha256Bytes);
  T value{};
  std::memcpy(&value, digest.data(), sizeof(value));
  return value;
}

bool is_visible(char c) { return c > 0x20 && c < 0x7f; }

std::string asked_of(const http::Request& request) {
  std::string asked;
  log::append_sized(request.path, asked);
  for (const auto& [name, value] : request.query.list()) {
    if (name == "u" || name == "p") continue;  // who asks is part of the key
    log::append_sized(name, asked);
    log::append_sized(value, asked);
  }
  return asked;
}

}  // namespace

log::Once::Key once_key(const model::Grants& grants, std::string_view text) {
  std::string whole;
  log::append_sized(auth::credential_name(grants), whole);
  whole += text;
  return {.account = first_bytes<uint64_t>(auth::sha256(grants.account.text())),
          .text = first_bytes<std::array<char, 16>>(auth::sha256(whole))};
}

Result<std::optional<Idempotency>> idempotency_of(const http::Request& request, const model::Grants& grants) {
  if (!request.headers.has(kHeader)) return std::optional<Idempotency>();
  const auto is_key = [](const http::Header& header) { return http::iequals(header.name, kHeader); };
  if (std::ranges::count_if(request.headers.list(), is_key) > 1) {
    return Error{Code::invalid, "Idempotency-Key: given more than once"};
  }
  const std::string_view text = request.headers.get(kHeader);
  if (text.empty() || text.size() > kIdempotencyKeyBytesMax || !std::ranges::all_of(text, is_visible)) {
    return Error{Code::invalid, "Idempotency-Key: not 1 to " + std::to_string(kIdempotencyKeyBytesMax) +
                                    " visible ASCII characters, without blanks"};
  }
  return std::optional(
      Idempotency{.account = grants.account, .key = once_key(grants, text), .asked = asked_of(request)});
}

log::Once once(const Idempotency& idempotency, std::string_view body, std::string answer) {
  const std::string digest = auth::sha256(idempotency.asked + auth::sha256(body));
  return {.key = idempotency.key,
          .owner = idempotency.account,
          .content = first_bytes<int64_t>(digest),
          .answer = std::move(answer)};
}

std::string packed_answer(const http::Response& response) {
  std::string packed;
  log::append_varint(static_cast<uint64_t>(response.status), packed);
  log::append_sized(response.body, packed);
  for (const http::Header& header : response.headers.list()) {
    log::append_sized(header.name, packed);
    log::append_sized(header.value, packed);
  }
  return packed;
}

Result<http::Response> repeated_answer(std::string_view packed) {
  log::ByteReader reader(packed);
  http::Response response;
  response.status = static_cast<int>(reader.varint());
  response.body = reader.sized();
  while (reader.ok() && !reader.at_end()) {
    std::string name(reader.sized());
    std::string value(reader.sized());
    response.headers.add(std::move(name), std::move(value));
  }
  if (!reader.ok()) return Error{Code::internal, "the answer kept under this idempotency key cannot be read"};
  return as_repeated(std::move(response));
}

http::Response as_repeated(http::Response response) {
  response.headers.add("Idempotency-Replayed", "true");
  return response;
}

}  // namespace millstream::api
