// notify/notifier.h: who is told of which alerts, and when.
//
// Flow     an engine over the log: alerts of the rules, rules, silences and results of deliveries go in; "notification"
//          events come out. One that comes round from the log is pending in the delivery book, from which app/ sends
//          it; the result comes through the log too, and ends it. So a crash neither loses nor doubles a decision, and
//          what was decided without a result is sent (again).
// Rules    account_groups.h. Published alerts notify nobody: no rule stands behind them.
//          What is configured (rules, silences, channels) is put in force by resume(): it counts, should an event of a
//          rule or a silence have been lost in a crash. A notification through a channel that does
//          not exist fails at once.
// Limits   delivery_book.h
// Thread   one thread at a time; book(): any
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/engine.h"
#include "model/rule.h"
#include "model/silence.h"
#include "notify/account_groups.h"
#include "notify/channels.h"
#include "notify/delivery_book.h"

namespace millstream::notify {

// What is known apart from the log. Rules of one account have distinct ids.
struct Configuration {
  std::vector<model::Rule> rules;
  Channels channels;
  std::vector<model::Silence> silences = {};
};

class Notifier final : public model::Engine {
 public:
  explicit Notifier(Configuration configured);
  ~Notifier() override;

  // As it is now: put in force by the next resume().
  void configure(Configuration configured) { configured_ = std::move(configured); }

  std::string_view name() const override { return "notify"; }
  void step(const model::Event& event, int64_t now_ms, model::Conclusions& out) override;
  void advance(int64_t now_ms, model::Conclusions& out) override;
  void resume(int64_t from_ms, int64_t now_ms) override;
  void save_to(model::StateWriter& writer) const override;
  Status load(std::string_view state) override;

  DeliveryBook& book() { return book_; }

 private:
  struct State;

  void step_system(const model::Event& event, int64_t now_ms, model::Conclusions& out);
  void take(model::Notification notification, int64_t now_ms, model::Conclusions& out);
  void put_in_force(int64_t now_ms);
  void put_silences_in_force(int64_t now_ms);
  void find_unsendable();

  Configuration configured_;
  DeliveryBook book_;
  std::unique_ptr<State> state_;
};

}  // namespace millstream::notify
