// registry/tickets.h: tickets for streams, one file of their own.
//
// Shapes   <directory>/tickets.db (SQLite, WAL, synchronous=NORMAL), mode 0600. A crash of the process loses none; a
//          power cut may lose the last: whoever has one asks for another.
// Limits   kTicketsMax at once. What has run out is removed when others are added.
// Errors   A damaged file is thrown away and begun anew, with a warning: nothing in it lives longer than a day.
// Thread   any; blocks for the disk
#pragma once

#include <memory>
#include <string>

#include "base/guarded.h"
#include "model/ticket.h"
#include "registry/sqlite.h"

namespace millstream::registry {

class Tickets final : public model::TicketStore {
 public:
  static constexpr int64_t kTicketsMax = 100'000;

  static Result<std::unique_ptr<Tickets>> open(const std::string& directory);

  Status add(const model::TicketRecord& record, int64_t now_ms) override;
  Result<model::TicketRecord> use(std::string_view sha256, bool resuming, int64_t now_ms) override;
  Status give_back(std::string_view sha256) override;

 private:
  struct Database {
    Connection connection;
    int64_t count = kTicketsMax;  // at most; exact after remove_old()
    int64_t cleaned_ms = 0;
  };
  explicit Tickets(Connection connection) : database_(Database{std::move(connection)}) {}
  static Result<Connection> open_file(const std::string& path);
  static Status remove_old(Database& open, int64_t now_ms);

  Guarded<Database> database_;
};

}  // namespace millstream::registry
