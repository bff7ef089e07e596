// hub/stream_places.h: how many streams each credential and each account has open, over all I/O threads.
//
// Flow     api takes a place before a stream opens; the session keeps it, and gives it back by ending.
// Limits   StreamPlaceLimits; 0: none.
// Thread   any (locks inside)
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace millstream::hub {

struct StreamPlaceLimits {
  size_t per_credential_max = 0;
  size_t per_account_max = 0;
};

class StreamPlaces {
 private:
  struct Credential;

 public:
  class Place {
   public:
    Place() = default;  // of nobody, when there is no limit
    Place(Place&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    Place& operator=(Place&& other) noexcept;
    ~Place();

   private:
    friend class StreamPlaces;
    explicit Place(Credential* of) : of_(of) {}

    Credential* of_ = nullptr;  // one pointer: every session has a place
  };

  explicit StreamPlaces(StreamPlaceLimits limits) : limits_(limits) {}

  // Nothing when this account, or this subject of it, has all it may have. The places must not outlive this.
  std::optional<Place> take(const std::string& account, const std::string& subject);

 private:
  using Account = std::pair<const std::string, size_t>;
  struct Credential {
    StreamPlaces* places = nullptr;
    Account* account = nullptr;
    std::string name;
    size_t count = 0;
  };
  void give_back(Credential* credential);

  const StreamPlaceLimits limits_;
  std::mutex mu_;
  std::unordered_map<std::string, size_t> accounts_;         // guarded by mu_; none is 0
  std::unordered_map<std::string, Credential> credentials_;  // guarded by mu_; none has the count 0
};

}  // namespace millstream::hub
