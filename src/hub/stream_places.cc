#include "hub/stream_places.h"

#include <utility>

namespace millstream::hub {

StreamPlaces::Place& StreamPlaces::Place::operator=(Place&& other) noexcept {
  std::swap(places_, other.places_);
  std::swap(owner_, other.owner_);
  return *this;
}

StreamPlaces::Place::~Place() {
  if (owner_) places_->give_back(owner_);
}

std::optional<StreamPlaces::Place> StreamPlaces::take(const std::string& credential) {
  if (max_ == 0) return Place();
  const std::lock_guard lock(mu_);
  const auto owner = taken_.try_emplace(credential, 0).first;
  if (owner->second >= max_) return std::nullopt;
  ++owner->second;
  return Place(this, &*owner);
}

void StreamPlaces::give_back(Place::Owner* owner) {
  const std::lock_guard lock(mu_);
  if (--owner->second == 0) taken_.erase(taken_.find(owner->first));
}

}  // namespace millstream::hub
