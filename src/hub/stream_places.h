// hub/stream_places.h: how many streams each credential has open, over all I/O threads.
//
// Flow     api takes a place before a stream opens; the session keeps it, and gives it back by ending.
// Limits   per_credential_max; 0: none.
// Thread   any (locks inside)
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace millstream::hub {

class StreamPlaces {
 public:
  class Place {
   public:
    Place() = default;  // of nobody, when there is no limit
    Place(Place&& other) noexcept : places_(other.places_), owner_(other.owner_) { other.owner_ = nullptr; }
    Place& operator=(Place&& other) noexcept;
    ~Place();

   private:
    friend class StreamPlaces;
    using Owner = std::pair<const std::string, size_t>;
    Place(StreamPlaces* places, Owner* owner) : places_(places), owner_(owner) {}

    StreamPlaces* places_ = nullptr;
    Owner* owner_ = nullptr;
  };

  explicit StreamPlaces(size_t per_credential_max) : max_(per_credential_max) {}

  // Nothing when this credential has all it may have. The places must not outlive this.
  std::optional<Place> take(const std::string& credential);

 private:
  void give_back(Place::Owner* owner);

  const size_t max_;
  std::mutex mu_;
  std::unordered_map<std::string, size_t> taken_;  // guarded by mu_; none is 0
};

}  // namespace millstream::hub
