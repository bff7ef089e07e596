// registry/registry.h: what is configured and known, as opposed to what happened: today API keys.
//
// Flow     the command line writes; the server keeps a copy in memory and looks for changes every few seconds.
// Shapes   <directory>/registry.db (SQLite, synchronous=FULL), mode 0600 in a directory made with mode 0700.
//          A rollback journal, not a WAL: several processes write here, and SQLite 3.7.0 to 3.51.2 can corrupt a WAL
//          when one of them checkpoints while another commits (sqlite.org/wal.html#walresetbug). Writes are rare and
//          small.
// Errors   Code::corrupt for rows that do not say what a key allows: nothing is guessed. A failed refresh keeps the old
// keys. Thread   find_api_key: any. The rest blocks: command line and worker threads.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/api_key.h"

namespace millstream::registry {

class Registry final : public model::ApiKeyLookup {
 public:
  static Result<std::unique_ptr<Registry>> open(const std::string& directory);  // made where there is none
  static bool exists(const std::string& directory);
  ~Registry();

  std::optional<model::ApiKeyRecord> find_api_key(std::string_view key_id) const override;

  Status add_api_key(const model::ApiKeyRecord& record);           // Code::conflict
  Status revoke_api_key(std::string_view key_id);                  // Code::not_found
  Result<std::vector<model::ApiKeyRecord>> list_api_keys() const;  // revoked ones too, in the order they were made
  // Reads the keys again if another process changed them. Gives back the ids of those that were good until the last
  // call and are not any more: revoked, or gone.
  Result<std::vector<std::string>> refresh();

 private:
  struct Impl;
  explicit Registry(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millstream::registry
