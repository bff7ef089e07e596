#include "log/once_rows.h"

#include <cstring>

#include "log/hour_file.h"
#include "log/varint.h"

namespace millstream::log {
namespace {

constexpr size_t kKeyBytes = sizeof(Once::Key::account) + sizeof(Once::Key::text);

std::optional<Once::Key> parse_key(std::string_view bytes) {
  if (bytes.size() != kKeyBytes) return std::nullopt;
  Once::Key key;
  std::memcpy(&key.account, bytes.data(), sizeof(key.account));
  std::memcpy(key.text.data(), bytes.data() + sizeof(key.account), key.text.size());
  return key;
}

}  // namespace

std::string once_key_bytes(const Once::Key& key) {
  std::string bytes(kKeyBytes, '\0');
  std::memcpy(bytes.data(), &key.account, sizeof(key.account));
  std::memcpy(bytes.data() + sizeof(key.account), key.text.data(), key.text.size());
  return bytes;
}

uint32_t once_crc(const OnceRow& row) {
  std::string head = once_key_bytes(row.once->key);
  append_signed(row.once->content, head);
  return row_crc({.id = row.first.packed(),
                  .topic = head,
                  .type = 0,
                  .ts_ms = row.last.packed(),
                  .conclusion = 0,
                  .data = row.once->answer});
}

Result<std::optional<StoredOnce>> read_once(Database& database, const Once::Key& key) {
  Result<Statement> rows = database.prepare("SELECT content, first, last, crc, answer FROM once WHERE key = ?1");
  if (!rows) return rows.error();
  const std::string bytes = once_key_bytes(key);
  rows->bind_bytes(1, bytes);
  const Result<bool> found = rows->step();
  if (!found) return found.error();
  if (!*found) return std::optional<StoredOnce>();
  StoredOnce stored{.once = {.key = key, .content = rows->number(0), .answer = std::string(rows->bytes(4))},
                    .receipt = {.first = model::EventId::from_packed(rows->number(1)),
                                .last = model::EventId::from_packed(rows->number(2))}};
  const OnceRow row{.once = &stored.once, .first = stored.receipt.first, .last = stored.receipt.last};
  if (rows->number(3) != once_crc(row)) return Error{Code::corrupt, "what was answered under this key is damaged"};
  return std::optional(std::move(stored));
}

Result<std::vector<Once::Key>> read_once_keys(Database& database) {
  std::vector<Once::Key> keys;
  const Result<int64_t> version = database.number("PRAGMA user_version");
  if (!version) return version.error();
  if (*version < 2) return keys;
  const Status read = database.each_row("SELECT key FROM once", [&](const Statement& row) -> Status {
    if (const auto key = parse_key(row.bytes(0))) keys.push_back(*key);
    return {};
  });
  if (!read) return read.error();
  return keys;
}

}  // namespace millstream::log
