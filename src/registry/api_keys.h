// registry/api_keys.h: the table of API keys, and a copy of it in memory.
//
// Errors   Code::corrupt for rows that do not say what a key allows: nothing is guessed.
// Thread   find_api_key, note_use: any, without waiting for the disk. The rest blocks.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/guarded.h"
#include "model/api_key.h"
#include "registry/database.h"

namespace millstream::registry {

class ApiKeys final : public model::ApiKeyLookup {
 public:
  static constexpr size_t kKeysPerAccountMax = 10'000;  // ended ones too

  explicit ApiKeys(SharedDatabase& database) : database_(database) {}

  std::shared_ptr<const model::ApiKeyRecord> find_api_key(std::string_view key_id) const override;
  void note_use(std::string_view key_id, int64_t now_ms) const override;

  // Code::conflict; Code::unprocessable when the account has kKeysPerAccountMax.
  Status add(const model::ApiKeyRecord& record);
  Status revoke(std::string_view key_id);                  // Code::not_found
  Status end_at(std::string_view key_id, int64_t end_ms);  // Code::not_found; sooner, never later
  Result<std::vector<model::ApiKeyRecord>> list() const;   // revoked ones too, in the order they were made

  // For Registry, which holds the lock.
  Status reload(Database& db);
  void note_ended(Database& db, int64_t now_ms);  // keys that are not good any more, each once
  Status write_uses(Connection& db, AfterCommit& after);

 private:
  struct Use {
    std::atomic<int64_t> at_ms{0};  // 0: never
    int64_t written_ms = 0;         // what the table says; with the database
    bool end_noted = false;         // with the database
  };
  struct Entry {
    model::ApiKeyRecord record;
    std::shared_ptr<Use> use;  // outlives a reload
  };
  using ById = std::unordered_map<std::string, Entry>;
  std::shared_ptr<const ById> current() const;
  Status change(const std::function<Status(Connection&)>& f);

  SharedDatabase& database_;
  Guarded<std::shared_ptr<const ById>> by_id_;  // replaced as a whole, so that find_api_key never waits for the disk
};

}  // namespace millstream::registry
