// registry/tickets.h: tickets for streams, in a file of their own or in PostgreSQL.
//
// Shapes   <directory>/tickets.db (SQLite, WAL, synchronous=NORMAL), mode 0600. A crash of the process loses none; a
//          power cut may lose the last: whoever has one asks for another.
//          In PostgreSQL a ticket is good once, whichever server it is shown to.
// Limits   TicketLimits: tickets_max at once; tickets_per_account_max of one account, which then loses those that were
// longest not used: it
//          keeps nobody else from having any. What other servers made counts within kCleanEveryMs. What has run out is
//          removed when others are added.
// Errors   On a full disk a stream that comes back with its ticket goes on, and new tickets are refused. A damaged file
//          is thrown away and begun anew, with a warning: nothing in it lives longer than a day.
// Thread   any; blocks for the disk or the network
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "base/guarded.h"
#include "model/ticket.h"
#include "registry/connection.h"
#include "registry/postgres_connection.h"

namespace millstream::registry {

struct TicketLimits {
  int64_t tickets_max = 1'000'000;
  int64_t tickets_per_account_max = 50'000;
};

class Tickets final : public model::TicketStore {
 public:
  static Result<std::unique_ptr<Tickets>> open(const std::string& directory, TicketLimits limits = {});
  static Result<std::unique_ptr<Tickets>> open(const PostgresOptions& postgres, TicketLimits limits = {});

  Status add(const model::TicketRecord& record, int64_t now_ms) override;
  Result<model::TicketRecord> use(std::string_view sha256, bool resuming, int64_t now_ms) override;
  Status renew(uint64_t number, const model::Grants& grants, const std::vector<model::TopicPattern>& topics,
               int64_t ends_at_ms) override;
  Status give_back(std::string_view sha256) override;

 private:
  struct Store {
    ConnectionPtr connection;
    std::unordered_map<std::string, int64_t> of_account;
    int64_t count = 0;
    int64_t cleaned_ms = 0;
  };
  Tickets(TicketLimits limits, Store store) : limits_(limits), store_(std::move(store)) {}
  static Result<Store> open_file(const std::string& path);
  static Status count_all(Store& store);
  // Runs a DELETE that gives back the account of each row it removes.
  static Status remove(Store& store, Statement& statement);
  static Status remove_old(Store& store, int64_t now_ms);
  Status make_room(Store& store, const std::string& account) const;

  const TicketLimits limits_;
  Guarded<Store> store_;
};

}  // namespace millstream::registry
