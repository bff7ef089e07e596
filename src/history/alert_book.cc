#include "history/alert_book.h"

#include <algorithm>
#include <numeric>

#include "base/log_line.h"
#include "codec/event_json.h"
#include "model/state_text.h"

namespace millstream::history {
namespace {

using codec::AlertAction;
using model::AlertState;

constexpr int64_t kStateVersion = 1;
constexpr size_t kUnacksMax = 8;          // a conclusion follows its command within milliseconds
constexpr int64_t kConcludedMs = 10'000;  // what did not come round by then was lost with a checkpoint

Error unreadable() { return Error{Code::corrupt, "alert book: the saved state cannot be read"}; }

std::string ack_key(const model::Topic& topic, std::string_view alert_id) {
  return topic.text() + ' ' + std::string(alert_id);
}

// About what it takes in memory.
size_t bytes_of(const BookedAlert& booked) {
  constexpr size_t kNodes = 1024;  // of the maps, with what the engine alone knows
  const model::Alert& a = booked.alert;
  size_t bytes = kNodes + sizeof(BookedAlert) + 2 * a.alert_id.size() + a.rule_id.size() + a.rule_name.size() +
                 a.message.size() + a.field.size() + a.reason.size();
  if (a.ack) bytes += a.ack->by.size() + a.ack->note.size();
  for (const model::Tag& label : a.labels) bytes += sizeof label + label.name.size() + label.value.size();
  return std::accumulate(booked.timeline.begin(), booked.timeline.end(), bytes, [](size_t sum, const AlertMoment& m) {
    return sum + sizeof m + m.reason.size() + m.by.size() + m.note.size();
  });
}

AlertState state_after(AlertAction action) {
  switch (action) {
    case AlertAction::ack: return AlertState::acknowledged;
    case AlertAction::unack: return AlertState::unacknowledged;
    case AlertAction::close: break;
  }
  return AlertState::resolved;
}

// The ack that holds after an event. Publishers do not repeat it; the rules do.
std::optional<model::AlertAck> ack_after(const BookedAlert* before, const model::Alert& told, int64_t ts_ms) {
  if (told.ack || !model::is_published_alert(told.alert_id)) return told.ack;
  if (told.state == AlertState::unacknowledged) return std::nullopt;
  const bool goes_on = before && (before->open() || told.state == AlertState::resolved);
  if (goes_on && before->alert.ack) return before->alert.ack;
  if (told.state == AlertState::acknowledged) return model::AlertAck{"", ts_ms, ""};
  return std::nullopt;
}

bool stale_after(const BookedAlert* before, AlertState state) {
  if (state == AlertState::acknowledged || state == AlertState::unacknowledged) return before && before->stale;
  return state == AlertState::stale;
}

AlertMoment moment_of(const model::Event& event, const model::Alert& alert) {
  AlertMoment moment{.event = event.id,
                     .ts_ms = event.ts_ms,
                     .state = alert.state,
                     .severity = alert.severity,
                     .value = alert.value,
                     .reason = alert.reason,
                     .by = {},
                     .note = {}};
  const bool closed = alert.state == AlertState::resolved && alert.reason == "closed";
  if (alert.ack && (closed || alert.state == AlertState::acknowledged)) {
    moment.by = alert.ack->by;
    moment.note = alert.ack->note;
  }
  return moment;
}

// The first entry and the newest ones tell most, and those that say who did something.
void add_moment(BookedAlert& booked, AlertMoment moment, size_t moments_max) {
  std::vector<AlertMoment>& timeline = booked.timeline;
  timeline.reserve(timeline.size() + 1);  // no more: most alerts have few, and there are many
  timeline.push_back(std::move(moment));
  if (timeline.size() <= moments_max) return;
  const auto middle = timeline.begin() + 1;
  const auto nobody = std::find_if(middle, timeline.end() - 1, [](const AlertMoment& m) { return m.by.empty(); });
  timeline.erase(nobody == timeline.end() - 1 ? middle : nobody);
  ++booked.timeline_dropped;
}

model::Event conclusion_of(const model::Alert& alert, const model::Topic& topic, int64_t ts_ms) {
  return new_event(model::EventType::alert, topic, codec::encode_alert_data(alert), ts_ms);
}

// ---- the saved state ----

void save_moment(const AlertMoment& m, model::StateWriter& out) {
  out.number(m.event.packed()).number(m.ts_ms).number(static_cast<int>(m.state)).number(static_cast<int>(m.severity));
  out.real(m.value).text(m.reason).text(m.by).text(m.note);
}

AlertMoment load_moment(model::StateReader& in) {
  AlertMoment m;
  m.event = model::EventId::from_packed(in.number());
  m.ts_ms = in.number();
  const int64_t state = in.number(), severity = in.number();
  if (state < 0 || state >= model::kAlertStates || severity < 0 || severity >= model::kSeverities) in.fail();
  m.state = static_cast<AlertState>(state);
  m.severity = static_cast<model::Severity>(severity);
  m.value = in.real();
  m.reason = in.text();
  m.by = in.text();
  m.note = in.text();
  return m;
}

void save_booked(const BookedAlert& booked, model::StateWriter& out) {
  out.text(booked.topic.text()).number(booked.first.packed()).number(booked.newest.packed()).number(booked.ts_ms);
  out.number(static_cast<int>(booked.highest)).number(booked.stale).text(codec::encode_alert_data(booked.alert));
  out.number(booked.timeline_dropped).number(booked.timeline.size());
  for (const AlertMoment& moment : booked.timeline) save_moment(moment, out);
}

bool load_alert(std::string_view data, model::Alert& alert) {
  Result<model::Alert> decoded = codec::decode_alert_data(data);
  if (decoded) alert = std::move(*decoded);
  return decoded.ok();
}

bool load_booked(model::StateReader& in, BookedAlert& booked) {
  Result<model::Topic> topic = model::Topic::parse(in.text());
  if (!topic) return false;
  booked.topic = std::move(*topic);
  booked.first = model::EventId::from_packed(in.number());
  booked.newest = model::EventId::from_packed(in.number());
  booked.ts_ms = in.number();
  const int64_t highest = in.number();
  if (highest < 0 || highest >= model::kSeverities) return false;
  booked.highest = static_cast<model::Severity>(highest);
  booked.stale = in.number() != 0;
  if (!load_alert(in.text(), booked.alert)) return false;
  booked.timeline_dropped = static_cast<size_t>(in.number());
  for (int64_t n = in.number(); n > 0 && in.ok(); --n) booked.timeline.push_back(load_moment(in));
  return in.ok();
}

}  // namespace

bool is_concluded(const BookedAlert& alert, const AwaitedAlert& awaited) {
  return std::any_of(alert.timeline.rbegin(), alert.timeline.rend(), [&](const AlertMoment& moment) {
    return moment.event > awaited.command && moment.state == state_after(awaited.action);
  });
}

AlertBook::AlertBook(AlertBookOptions options) : options_(options) {}

void AlertBook::step(const model::Event& event, int64_t now_ms, model::Conclusions& out) {
  if (event.type == model::EventType::alert) take_alert(event, out);
  if (event.type == model::EventType::system && event.topic.is_device()) take_command(event, now_ms, out);
}

AlertBook::Entry* AlertBook::find_entry(const model::Topic& topic, const std::string& alert_id) {
  const auto of = accounts_.find(topic.account);
  if (of == accounts_.end()) return nullptr;
  const auto known = of->second.by_id.find(IdKey{alert_id, topic});
  return known == of->second.by_id.end() ? nullptr : &of->second.alerts.at(known->second);
}

void AlertBook::take_alert(const model::Event& event, model::Conclusions& out) {
  Result<model::Alert> told = codec::decode_alert_data(event.data);
  if (!told) return log_warning("alert event not understood", {{"id", event.id.text()}});
  const Entry* const known = find_entry(event.topic, told->alert_id);
  Entry entry = known ? *known : Entry{};
  if (entry.concluded && *entry.concluded == *told) entry.concluded.reset();

  const BookedAlert* before = entry.shown.get();
  auto now = before ? std::make_shared<BookedAlert>(*before) : std::make_shared<BookedAlert>();
  // An ack or unack that was under way when the publisher ended the alert must not open it again.
  const bool too_late = event.conclusion > 0 && before && !before->open() && told->state != AlertState::resolved;
  if (too_late && model::is_published_alert(told->alert_id)) {
    model::Alert end = before->alert;
    end.ack = told->ack;
    out.push_back(conclusion_of(end, event.topic, before->ts_ms));
  }
  const bool opens = !before || (!before->open() && told->state != AlertState::resolved);
  now->highest = opens ? told->severity : std::max(before->highest, told->severity);
  now->stale = stale_after(before, told->state);
  AlertMoment moment = moment_of(event, *told);
  const auto unack = std::find_if(entry.unacks.begin(), entry.unacks.end(), [&](const Unack& said) {
    return told->state == AlertState::unacknowledged && std::max(said.ms, told->started_at_ms) == event.ts_ms;
  });
  if (unack != entry.unacks.end()) {
    moment.by = std::move(unack->by);
    moment.note = std::move(unack->note);
    entry.unacks.erase(entry.unacks.begin(), unack + 1);
  }
  add_moment(*now, std::move(moment), options_.timeline_max);
  told->ack = ack_after(before, *told, event.ts_ms);
  now->alert = std::move(*told);
  if (!before) {
    now->topic = event.topic;
    now->first = event.id;
  }
  now->newest = event.id;
  now->ts_ms = event.ts_ms;

  std::vector<Told> waiters;
  {
    std::lock_guard lock(mu_);
    Account& account = accounts_[event.topic.account];
    if (known) unindex(account, *known);
    entry.shown = now;
    entry.bytes = bytes_of(*now);
    put(account, std::move(entry));
    waiters = told_of(*now);
    drop_ended_beyond_limits(event.topic.account, account);
  }
  for (const Told& waiter : waiters) waiter(now);
}

// What is known of an alert besides itself. With mu_ held, as all that follow.
void AlertBook::put(Account& account, Entry entry) {
  index(account, entry);
  const model::EventId first = entry.shown->first;
  account.alerts[first] = std::move(entry);
}

void AlertBook::index(Account& account, const Entry& entry) {
  const BookedAlert& shown = *entry.shown;
  account.by_id[IdKey{shown.alert.alert_id, shown.topic}] = shown.first;
  const bool published = model::is_published_alert(shown.alert.alert_id);
  if (!shown.open()) {
    account.ended.emplace(shown.newest, shown.first);
    account.ended_bytes += entry.bytes;
  }
  // The log knows an open alert of a publisher no more than an ended one; a rule ends its own.
  if (!shown.open() || published) mortal_[shown.newest] = {shown.topic.account, shown.first};
  if (published) note_ack(shown, true);
}

void AlertBook::unindex(Account& account, const Entry& entry) {
  const BookedAlert& shown = *entry.shown;
  account.by_id.erase(IdKey{shown.alert.alert_id, shown.topic});
  if (account.ended.erase({shown.newest, shown.first}) != 0) account.ended_bytes -= entry.bytes;
  mortal_.erase(shown.newest);
  if (model::is_published_alert(shown.alert.alert_id)) note_ack(shown, false);
}

void AlertBook::note_ack(const BookedAlert& shown, bool there) {
  acks_.with([&](auto& acks) {
    if (there && shown.open() && shown.alert.ack) {
      acks[ack_key(shown.topic, shown.alert.alert_id)] = *shown.alert.ack;
    } else {
      acks.erase(ack_key(shown.topic, shown.alert.alert_id));
    }
  });
}

void AlertBook::remove(const model::AccountId& of, Account& account, model::EventId first) {
  const auto place = account.alerts.find(first);
  unindex(account, place->second);
  account.alerts.erase(place);
  if (account.alerts.empty()) accounts_.erase(of);
}

void AlertBook::drop_ended_beyond_limits(const model::AccountId& of, Account& account) {
  while (account.ended.size() > options_.ended_per_account_max ||
         (account.ended_bytes > options_.ended_bytes_per_account_max && account.ended.size() > 1)) {
    ended_dropped_.fetch_add(1, std::memory_order_relaxed);
    remove(of, account, account.ended.begin()->second);
  }
}

void AlertBook::take_command(const model::Event& event, int64_t now_ms, model::Conclusions& out) {
  const auto decoded = codec::decode_rule_command(event);
  const auto* command = decoded && *decoded ? std::get_if<codec::AlertCommand>(&**decoded) : nullptr;
  Entry* const entry = command ? find_entry(event.topic, command->alert_id) : nullptr;
  if (!entry || !entry->shown->open()) return;
  if (command->action == AlertAction::unack) {
    if (entry->unacks.size() == kUnacksMax) entry->unacks.erase(entry->unacks.begin());
    entry->unacks.push_back({now_ms, command->by, command->note});
  }
  if (model::is_published_alert(command->alert_id)) conclude(event.topic, *entry, *command, now_ms, out);
}

// What the rule engine does for the alerts of its rules.
void AlertBook::conclude(const model::Topic& topic, Entry& entry, const codec::AlertCommand& command, int64_t now_ms,
                         model::Conclusions& out) {
  if (entry.concluded && now_ms - entry.concluded_ms > kConcludedMs) entry.concluded.reset();
  model::Alert alert = entry.concluded.value_or(entry.shown->alert);
  if (alert.state == AlertState::resolved || (command.action == AlertAction::unack && !alert.ack)) return;
  const int64_t ts_ms = std::max(now_ms, alert.started_at_ms);
  const bool closes = command.action == AlertAction::close;
  alert.state = state_after(command.action);
  alert.reason = closes ? "closed" : "";
  if (closes) alert.ended_at_ms = ts_ms;
  alert.ack.reset();
  if (command.action != AlertAction::unack) alert.ack = model::AlertAck{command.by, now_ms, command.note};
  out.push_back(conclusion_of(alert, topic, ts_ms));
  entry.concluded = std::move(alert);
  entry.concluded_ms = now_ms;
}

void AlertBook::advance(int64_t now_ms, model::Conclusions&) {
  const int64_t oldest_ms = now_ms - options_.retention_ms;
  if (mortal_.empty() || mortal_.begin()->first.ms >= oldest_ms) return;
  std::lock_guard lock(mu_);
  while (!mortal_.empty() && mortal_.begin()->first.ms < oldest_ms) {
    const auto [of, first] = mortal_.begin()->second;
    remove(of, accounts_.at(of), first);
  }
}

// ---- for readers ----

std::vector<BookedAlertPtr> AlertBook::list(const model::AccountId& account) const {
  std::vector<BookedAlertPtr> all;
  std::lock_guard lock(mu_);
  const auto of = accounts_.find(account);
  if (of == accounts_.end()) return all;
  all.reserve(of->second.alerts.size());
  for (const auto& [first, entry] : of->second.alerts) all.push_back(entry.shown);
  return all;
}

std::vector<BookedAlertPtr> AlertBook::find(const model::AccountId& account, std::string_view id) const {
  std::vector<BookedAlertPtr> found;
  std::lock_guard lock(mu_);
  const auto of = accounts_.find(account);
  if (of == accounts_.end()) return found;
  const std::map<model::EventId, Entry>& alerts = of->second.alerts;
  if (const auto first = model::EventId::parse(id)) {
    if (const auto place = alerts.find(*first); place != alerts.end()) found.push_back(place->second.shown);
    return found;
  }
  const auto& by_id = of->second.by_id;
  for (auto at = by_id.lower_bound(IdKey{std::string(id), {}}); at != by_id.end() && at->first.first == id; ++at) {
    found.push_back(alerts.at(at->second).shown);
  }
  return found;
}

std::optional<model::AlertAck> AlertBook::ack_of(const model::Topic& topic, std::string_view alert_id) const {
  return acks_.with([&](const auto& acks) -> std::optional<model::AlertAck> {
    const auto found = acks.find(ack_key(topic, alert_id));
    if (found == acks.end()) return std::nullopt;
    return found->second;
  });
}

// ---- waiting ----

uint64_t AlertBook::await(AwaitedAlert awaited, Told told) {
  BookedAlertPtr shown;
  {
    std::lock_guard lock(mu_);
    const auto of = accounts_.find(awaited.account);
    if (of != accounts_.end()) {
      const auto place = of->second.alerts.find(awaited.first);
      if (place != of->second.alerts.end()) shown = place->second.shown;
    }
    if (waiting_ended_) shown.reset();
    if (shown && shown->open() && !is_concluded(*shown, awaited)) {
      waiters_.emplace(++last_waiter_, Waiter{std::move(awaited), std::move(told)});
      return last_waiter_;
    }
  }
  told(std::move(shown));
  return 0;
}

void AlertBook::forget(uint64_t waiter) {
  std::map<uint64_t, Waiter>::node_type forgotten;  // which goes without the lock
  std::lock_guard lock(mu_);
  forgotten = waiters_.extract(waiter);
}

void AlertBook::end_waiting() {
  std::map<uint64_t, Waiter> left;
  {
    std::lock_guard lock(mu_);
    waiting_ended_ = true;
    left.swap(waiters_);
  }
  for (const auto& [number, waiter] : left) waiter.told(nullptr);
}

std::vector<AlertBook::Told> AlertBook::told_of(const BookedAlert& shown) {
  std::vector<Told> told;
  for (auto at = waiters_.begin(); at != waiters_.end();) {
    const AwaitedAlert& awaited = at->second.awaited;
    const bool done = awaited.first == shown.first && (!shown.open() || is_concluded(shown, awaited));
    if (done) told.push_back(std::move(at->second.told));
    at = done ? waiters_.erase(at) : std::next(at);
  }
  return told;
}

// ---- the saved state ----

void AlertBook::save_to(model::StateWriter& out) const {
  out.number(kStateVersion).number(static_cast<int64_t>(ended_dropped()));
  out.number(std::accumulate(accounts_.begin(), accounts_.end(), size_t{0},
                             [](size_t sum, const auto& of) { return sum + of.second.alerts.size(); }));
  for (const auto& [of, account] : accounts_) {
    for (const auto& [first, entry] : account.alerts) {
      save_booked(*entry.shown, out);
      out.number(entry.unacks.size());
      for (const Unack& said : entry.unacks) out.number(said.ms).text(said.by).text(said.note);
      out.text(entry.concluded ? codec::encode_alert_data(*entry.concluded) : std::string()).number(entry.concluded_ms);
    }
  }
}

Status AlertBook::load(std::string_view state) {
  model::StateReader in(state);
  if (in.number() != kStateVersion) return unreadable();
  const auto dropped = static_cast<uint64_t>(in.number());
  std::vector<Entry> entries;
  for (int64_t n = in.number(); n > 0 && in.ok(); --n) {
    Entry& entry = entries.emplace_back();
    auto booked = std::make_shared<BookedAlert>();
    if (!load_booked(in, *booked)) return unreadable();
    entry.bytes = bytes_of(*booked);
    entry.shown = std::move(booked);
    for (int64_t unacks = in.number(); unacks > 0 && in.ok(); --unacks) {
      Unack& said = entry.unacks.emplace_back();
      said.ms = in.number();
      said.by = in.text();
      said.note = in.text();
    }
    const std::string_view concluded = in.text();
    if (!concluded.empty() && !load_alert(concluded, entry.concluded.emplace())) return unreadable();
    entry.concluded_ms = in.number();
  }
  if (!in.at_end()) return unreadable();
  std::lock_guard lock(mu_);
  accounts_.clear();
  mortal_.clear();
  acks_.with([](auto& acks) { acks.clear(); });
  for (Entry& entry : entries) {
    Account& account = accounts_[entry.shown->topic.account];
    put(account, std::move(entry));
  }
  ended_dropped_.store(dropped, std::memory_order_relaxed);
  return {};
}

}  // namespace millstream::history
