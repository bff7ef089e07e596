#include "auth/issuers.h"

namespace millstream::auth {

Issuers::Issuers(std::vector<Issuer> list) {
  for (Issuer& issuer : list) entries_.emplace_back(std::move(issuer));
}

std::optional<size_t> Issuers::find(std::string_view name) const {
  for (size_t place = 0; place < entries_.size(); ++place) {
    if (entries_[place].issuer.name == name) return place;
  }
  return std::nullopt;
}

void Issuers::set_keys(size_t place, std::shared_ptr<const KeySet> keys) {
  entries_[place].keys.with([&](std::shared_ptr<const KeySet>& current) { current.swap(keys); });
}

size_t Issuers::key_count() const {
  size_t count = 0;
  for (const Entry& entry : entries_) {
    if (const auto keys = keys_of(entry)) count += keys->size();
  }
  return count;
}

Status Issuers::verify(size_t place, std::string_view key_id, JwtAlgorithm algorithm, std::string_view signed_text,
                       std::string_view signature) const {
  const std::shared_ptr<const KeySet> keys = keys_of(entries_[place]);
  if (!keys) return Error{Code::unauthenticated, "no keys of its issuer are known"};
  if (!key_id.empty() && !keys->holds(key_id)) {
    if (unknown_key_) unknown_key_(place);
    return Error{Code::unauthenticated, "its issuer has no such key"};
  }
  return keys->verify(key_id, algorithm, signed_text, signature);
}

std::shared_ptr<const KeySet> Issuers::keys_of(const Entry& entry) const {
  return entry.keys.with([](const std::shared_ptr<const KeySet>& keys) { return keys; });
}

}  // namespace millstream::auth
