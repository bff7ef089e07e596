#include "hub/stream_places.h"

#include <utility>

namespace millstream::hub {
namespace {

bool may_have_more(size_t count, size_t max) { return max == 0 || count < max; }

}  // namespace

StreamPlaces::Place& StreamPlaces::Place::operator=(Place&& other) noexcept {
  std::swap(of_, other.of_);
  return *this;
}

StreamPlaces::Place::~Place() {
  if (of_) of_->places->give_back(of_);
}

std::optional<StreamPlaces::Place> StreamPlaces::take(const std::string& account, const std::string& subject) {
  if (limits_.per_credential_max == 0 && limits_.per_account_max == 0) return Place();
  const std::string name = account + '/' + subject;  // subjects of different accounts may have the same name
  const std::lock_guard lock(mu_);
  const auto of_account = accounts_.find(account);
  const auto of_credential = credentials_.find(name);
  if (of_account != accounts_.end() && !may_have_more(of_account->second, limits_.per_account_max)) return std::nullopt;
  if (of_credential != credentials_.end() && !may_have_more(of_credential->second.count, limits_.per_credential_max)) {
    return std::nullopt;
  }
  Account& counted = *accounts_.try_emplace(account, 0).first;
  Credential& credential = credentials_.try_emplace(name, Credential{this, &counted, name, 0}).first->second;
  ++counted.second;
  ++credential.count;
  return Place(&credential);
}

void StreamPlaces::give_back(Credential* credential) {
  const std::lock_guard lock(mu_);
  if (--credential->account->second == 0) accounts_.erase(accounts_.find(credential->account->first));
  if (--credential->count == 0) credentials_.erase(credentials_.find(credential->name));
}

}  // namespace millstream::hub
