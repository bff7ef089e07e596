// auth/issuers.h: those who sign tokens with keys of their own, and which of them a token is checked by.
//
// Flow     jwt.cc finds the issuer that a token names and verifies with the keys of that one alone; app/issuer_keys.h
//          brings the keys.
// Shapes   An issuer is found by the exact text of `iss`, which nobody has vouched for yet: it chooses among those
//          configured and does nothing else. A key belongs to one issuer: equal names of keys mean nothing elsewhere.
// Errors   verify(): Code::unauthenticated.
// Thread   any; on_unknown_key() and the issuers themselves: startup
// Source   RFC 8725 3.8; GHSA-j77h-rr39-c552 (claims in the address of keys), GHSA-g6vg-wj8f-48cj (keys cached by kid)
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/jwks.h"
#include "base/guarded.h"
#include "base/result.h"
#include "model/topic.h"

namespace millstream::auth {

// Under which names a token says what it allows.
struct ClaimNames {
  std::string account = "accountId";
  std::string sites = "sites";
  std::string devices = "devices";
  std::string roles = "roles";
};

struct Issuer {
  std::string name;      // what iss must say
  std::string audience;  // what aud must hold
  ClaimNames claims = {};
  std::vector<model::AccountId> accounts = {};  // that its tokens may be for; empty: all
};

class Issuers {
 public:
  // `list`: no two of one name, and none without; app/issuer_settings.h sees to that.
  explicit Issuers(std::vector<Issuer> list);

  // Called, on whatever thread verifies, when a token names a key that its issuer's set does not hold. The set may be
  // behind its provider; the token is refused all the same. Must not block.
  void on_unknown_key(std::function<void(size_t place)> listener) { unknown_key_ = std::move(listener); }

  // The place in the list; none: nobody of that name.
  std::optional<size_t> find(std::string_view name) const;
  const Issuer& at(size_t place) const { return entries_[place].issuer; }

  // In place of those until now; null: none, and every token of this issuer is refused.
  void set_keys(size_t place, std::shared_ptr<const KeySet> keys);
  // Of all issuers together.
  size_t key_count() const;

  // As KeySet::verify(), with the keys of this issuer.
  Status verify(size_t place, std::string_view key_id, JwtAlgorithm algorithm, std::string_view signed_text,
                std::string_view signature) const;

 private:
  struct Entry {
    explicit Entry(Issuer from) : issuer(std::move(from)) {}
    const Issuer issuer;
    Guarded<std::shared_ptr<const KeySet>> keys;
  };
  std::shared_ptr<const KeySet> keys_of(const Entry& entry) const;

  std::deque<Entry> entries_;                      // constant after construction, the keys aside
  std::function<void(size_t place)> unknown_key_;  // constant after start-up
};

}  // namespace millstream::auth
