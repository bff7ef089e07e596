// log/once_batches.h: what of a commit is stored already, and who is answered with it.
//
// Flow     take_out() before the ids are given -> the commit, with rows() -> committed() or failed().
// Limits   once_keys.h, which one commit may pass by its own keys.
// Errors   to the appender. A row that cannot be read refuses its batch: whether it was stored is then not known.
// Thread   log; load(): startup
#pragma once

#include <map>
#include <span>
#include <vector>

#include "log/append_queue.h"
#include "log/hour_files.h"
#include "log/once_keys.h"
#include "log/once_rows.h"
#include "metrics/registry.h"

namespace millstream::log {

class OnceBatches {
 public:
  OnceBatches(HourFiles& files, size_t keys_max, metrics::Registry& registry);

  Status load(int64_t first_hour);
  // Answers those that are stored, that are refused, and that only ask. Those whose batch comes earlier in the same
  // commit are answered when it is through.
  void take_out(std::vector<WaitingAppend>& appends);
  static std::vector<OnceRow> rows(std::span<const WaitingAppend> appends, std::span<const AppendReceipt> receipts);
  void committed(int64_t hour, std::span<const WaitingAppend> appends, std::span<const AppendReceipt> receipts);
  void failed(const Error& error);

  void forget(int64_t hour);
  void forget_before(int64_t hour);

 private:
  struct Repeat {
    size_t of = 0;  // place in the commit
    WaitingAppend append;
  };
  using Places = std::map<Once::Key, size_t>;  // in the commit at hand
  bool is_new(WaitingAppend& append, const Places& places);
  Result<std::optional<StoredOnce>> find(const Once::Key& key);
  void answer(const WaitingAppend& append, Result<AppendReceipt> receipt) const;
  void answer_stored(const WaitingAppend& append, const Once& stored, AppendReceipt receipt);
  void show_size();

  HourFiles& files_;
  OnceKeys keys_;
  std::vector<Repeat> repeats_;  // of the commit at hand
  metrics::Counter& repeated_;
  metrics::Gauge& remembered_;
};

}  // namespace millstream::log
