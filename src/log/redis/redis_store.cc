#include "log/redis/redis_store.h"

#include <algorithm>
#include <random>
#include <span>
#include <utility>

#include "base/hex.h"
#include "base/log_line.h"
#include "log/once_errors.h"
#include "log/redis/stream_entry.h"

namespace millstream::log {
namespace {

using redis::Reply;
using Arguments = std::vector<std::string>;

constexpr int64_t kWaitForReplicasMs = 500;
constexpr size_t kEventsPerScriptMax = 256;  // together; a larger append is one of its own

Error unexpected(const char* what) {
  return {Code::corrupt, std::string("Redis: an answer of another shape to ") + what};
}

Error refused(const Reply& reply) {
  if (reply.text.find("OOM ") != std::string::npos) {
    return {Code::storage_full, "Redis is out of memory: nothing of this was stored"};
  }
  return {Code::unavailable, "Redis: " + reply.text};
}

Result<model::EventId> id_of(const Reply& reply) {
  const std::optional<model::EventId> id = model::EventId::parse(reply.text);
  if (!id) return unexpected("a request for an id");
  return *id;
}

int64_t number_of(const Reply& reply) { return std::strtoll(reply.text.c_str(), nullptr, 10); }

std::string number_or_nothing(const auto& number) { return number ? std::to_string(*number) : std::string(); }

std::optional<IdRange> parse_range(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return {};
  const auto after = model::EventId::parse(text.substr(0, space));
  const auto to = model::EventId::parse(text.substr(space + 1));
  if (!after || !to) return {};
  return IdRange{.after = *after, .to = *to};
}

// Appends that one script takes: neighbours without a key, few enough that Redis is soon free for others.
std::vector<std::span<const RedisAppend>> scripts_of(const std::vector<RedisAppend>& appends) {
  std::vector<std::span<const RedisAppend>> scripts;
  size_t events = 0;
  for (const RedisAppend& append : appends) {
    const bool joins = !scripts.empty() && !append.once && !scripts.back().back().once &&
                       append.concludes == scripts.back().back().concludes &&
                       events + append.events->size() <= kEventsPerScriptMax;
    if (joins) {
      scripts.back() = std::span(scripts.back().data(), scripts.back().size() + 1);
      events += append.events->size();
    } else {
      scripts.push_back(std::span(&append, 1));
      events = append.events->size();
    }
  }
  return scripts;
}

Arguments arguments_of(const RedisCaller& caller, const RedisCommit& commit, std::span<const RedisAppend> appends,
                       size_t place) {
  Arguments all = {number_or_nothing(caller.now_ms),
                   caller.newest.text(),
                   caller.identity,
                   number_or_nothing(commit.deadline_ms),
                   appends.front().concludes ? number_or_nothing(commit.fence) : std::string(),
                   commit.writer,
                   std::to_string(commit.number),
                   std::to_string(place)};
  if (appends.front().once) {
    const Once& once = *appends.front().once;
    all.push_back(hex_text(once.key.account, 16));
    all.push_back(hex_text(std::string_view(once.key.text.data(), once.key.text.size())));
    all.push_back(std::to_string(once.content));
    all.push_back(once.answer);
  } else {
    all.insert(all.end(), 4, std::string());
  }
  all.push_back(std::to_string(commit.once_keys_max));
  for (const RedisAppend& append : appends) {
    for (const model::Event& event : *append.events) {
      append_event_arguments(event, &event == &append.events->back(), all);
    }
  }
  return all;
}

Error why_not(std::string_view outcome, size_t once_keys_max) {
  if (outcome == "not_found") return nothing_under_key();
  if (outcome == "unprocessable") return key_of_other_content();
  if (outcome == "rate_limited") return no_more_keys_of_account(once_keys_max / kOnceAccountShare);
  if (outcome == "unavailable") return no_more_keys();
  if (outcome == "fenced") return {Code::conflict, "another instance holds the lease"};
  return {Code::unavailable, "Redis was too late: nothing of this was stored"};
}

// One for each of the script's appends.
std::vector<Result<AppendReceipt>> receipts_of(const Reply& reply, size_t appends, size_t once_keys_max) {
  const auto all = [appends](const Error& error) { return std::vector<Result<AppendReceipt>>(appends, error); };
  if (reply.is_error()) return all(refused(reply));
  if (reply.items.size() != 3) return all(unexpected("an append"));
  const std::string& outcome = reply.items[0].text;
  if (outcome != "ok" && outcome != "repeated") return all(why_not(outcome, once_keys_max));
  const std::vector<Reply>& ids = reply.items[2].items;
  if (ids.size() != 2 * appends) return all(unexpected("an append"));
  std::vector<Result<AppendReceipt>> receipts;
  for (size_t i = 0; i < appends; ++i) {
    const Result<model::EventId> first = id_of(ids[2 * i]);
    const Result<model::EventId> last = id_of(ids[2 * i + 1]);
    if (!first || !last) return all(unexpected("an append"));
    AppendReceipt receipt{.first = *first, .last = *last};
    if (outcome == "repeated") receipt.repeated = reply.items[1].text;
    receipts.emplace_back(std::move(receipt));
  }
  return receipts;
}

// What is no event is left out, and said once each time it is met.
RedisPage page_of(std::vector<Reply>& entries) {
  RedisPage page;
  page.entries = entries.size();
  page.events.reserve(entries.size());
  for (Reply& entry : entries) {
    if (!entry.items.empty()) {
      if (const auto id = model::EventId::parse(entry.items[0].text)) page.last = *id;
    }
    Result<model::Event> event = parse_entry(entry);
    if (event) {
      page.events.push_back(std::move(*event));
    } else {
      log_warning("an entry of the log is left out", {{"reason", event.error().detail}});
    }
  }
  return page;
}

}  // namespace

std::string random_name() {
  std::random_device random;
  return hex_text((uint64_t{random()} << 32) | random(), 16);
}

RedisStore::RedisStore(redis::Options server, const std::string& prefix, int64_t timeout_ms)
    : client_(std::move(server)),
      prefix_("{" + prefix + "}:"),
      events_key_(prefix_ + "events"),
      timeout_ms_(timeout_ms) {}

// Replies of the scripts, and one more for WAIT when replicas are asked for.
Result<std::vector<Reply>> RedisStore::run_scripts(const RedisScript& script, const std::vector<Arguments>& calls,
                                                   int replicas_min) {
  redis::Commands commands;
  std::vector<std::string_view> words;
  for (const Arguments& call : calls) {
    words = {"EVALSHA", script.sha1, "1", events_key_};
    words.insert(words.end(), call.begin(), call.end());
    commands.add(words);
  }
  if (replicas_min > 0) commands.add({"WAIT", std::to_string(replicas_min), std::to_string(kWaitForReplicasMs)});
  const int64_t timeout_ms = timeout_ms_ + (replicas_min > 0 ? kWaitForReplicasMs : 0);
  for (const bool again : {false, true}) {
    Result<std::vector<Reply>> replies = client_.run(commands, timeout_ms);
    if (!replies) return replies;
    // One that has not got the script has done nothing of it; any of these may be another Redis than the one before.
    const bool unknown = replies->front().is_error() && replies->front().text.starts_with("NOSCRIPT");
    if (!unknown || again) return replies;
    const Result<Reply> loaded = client_.run({"SCRIPT", "LOAD", script.text}, timeout_ms_);
    if (!loaded) return loaded.error();
    if (loaded->is_error()) return refused(*loaded);
  }
  return unexpected("a script");
}

Result<Reply> RedisStore::run_script(const RedisScript& script, Arguments arguments) {
  Result<std::vector<Reply>> replies = run_scripts(script, {std::move(arguments)}, 0);
  if (!replies) return replies.error();
  if (replies->front().is_error()) return refused(replies->front());
  return std::move(replies->front());
}

Result<std::vector<Result<AppendReceipt>>> RedisStore::append(const RedisCaller& caller, const RedisCommit& commit,
                                                              const std::vector<RedisAppend>& appends) {
  const std::vector<std::span<const RedisAppend>> scripts = scripts_of(appends);
  std::vector<Arguments> calls;
  for (const auto& script : scripts) calls.push_back(arguments_of(caller, commit, script, calls.size()));
  Result<std::vector<Reply>> replies = run_scripts(append_script(), calls, commit.replicas_min);
  if (!replies) return replies.error();
  for (const Reply& reply : *replies) {
    // Still loading, a replica by now, …: it is asked again, and stores nothing twice.
    if (reply.is_error() && refused(reply).code != Code::storage_full) return refused(reply);
  }
  const bool replicated = commit.replicas_min == 0 || replies->back().number >= commit.replicas_min;
  std::vector<Result<AppendReceipt>> receipts;
  for (size_t i = 0; i < scripts.size(); ++i) {
    for (Result<AppendReceipt>& receipt : receipts_of((*replies)[i], scripts[i].size(), commit.once_keys_max)) {
      if (receipt && !replicated) receipt = Error{Code::unavailable, "too few replicas of Redis have it yet"};
      receipts.push_back(std::move(receipt));
    }
  }
  return receipts;
}

Result<RedisTick> RedisStore::tick(const RedisCaller& caller) {
  const Result<Reply> reply =
      run_script(tick_script(), {number_or_nothing(caller.now_ms), caller.newest.text(), caller.identity});
  if (!reply) return reply.error();
  const std::vector<Reply>& items = reply->items;
  if (items.size() < 7) return unexpected("a tick");
  const Result<model::EventId> newest = id_of(items[0]);
  const Result<model::EventId> trimmed = id_of(items[2]);
  if (!newest || !trimmed) return unexpected("a tick");
  RedisTick tick{.newest = *newest,
                 .identity = items[1].text,
                 .trimmed = *trimmed,
                 .first = model::EventId::parse(items[3].text),
                 .entries = static_cast<uint64_t>(items[4].number),
                 .now_ms = number_of(items[5]),
                 .fence = static_cast<uint64_t>(number_of(items[6])),
                 .lost = {}};
  for (size_t i = 7; i < items.size(); ++i) {
    if (const std::optional<IdRange> lost = parse_range(items[i].text)) tick.lost.push_back(*lost);
  }
  return tick;
}

Result<RedisPage> RedisStore::follow(model::EventId after, size_t entries_max, int64_t wait_ms) {
  redis::Commands commands;
  const std::string from = after.text();
  const std::string count = std::to_string(entries_max);
  if (wait_ms > 0) {
    commands.add({"XREAD", "COUNT", count, "BLOCK", std::to_string(wait_ms), "STREAMS", events_key_, from});
  } else {
    commands.add({"XREAD", "COUNT", count, "STREAMS", events_key_, from});
  }
  Result<std::vector<Reply>> replies = client_.run(commands, timeout_ms_ + wait_ms);
  if (!replies) return replies.error();
  Reply& reply = replies->front();
  if (reply.is_error()) return refused(reply);
  if (reply.is_nil()) return RedisPage{};
  if (reply.items.size() != 1 || reply.items[0].items.size() != 2) return unexpected("XREAD");
  return page_of(reply.items[0].items[1].items);
}

Result<RedisPage> RedisStore::range(model::EventId low, model::EventId high, Order order, size_t entries_max) {
  const bool ascending = order == Order::ascending;
  const std::string from = (ascending ? low : high).text();
  const std::string to = (ascending ? high : low).text();
  Result<Reply> reply = client_.run(
      {ascending ? "XRANGE" : "XREVRANGE", events_key_, from, to, "COUNT", std::to_string(entries_max)}, timeout_ms_);
  if (!reply) return reply.error();
  if (reply->is_error()) return refused(*reply);
  return page_of(reply->items);
}

Result<bool> RedisStore::has(model::EventId id) {
  const Result<RedisPage> page = range(id, id, Order::ascending, 1);
  if (!page) return page.error();
  return page->entries > 0;
}

Status RedisStore::trim(model::EventId oldest, std::optional<uint64_t> entries_max) {
  const Result<Reply> reply = run_script(trim_script(), {oldest.text(), number_or_nothing(entries_max)});
  return reply ? Status() : Status(reply.error());
}

Result<uint64_t> RedisStore::bytes() {
  const Result<Reply> reply = client_.run({"MEMORY", "USAGE", events_key_}, timeout_ms_);
  if (!reply) return reply.error();
  if (reply->is_error()) return refused(*reply);
  return static_cast<uint64_t>(reply->number);
}

Status RedisStore::declare_lost(const IdRange& ids) {
  const Result<Reply> reply = run_script(lost_script(), {ids.after.text(), ids.to.text()});
  return reply ? Status() : Status(reply.error());
}

Status RedisStore::save_checkpoint(const std::string& name, const Checkpoint& checkpoint,
                                   std::optional<uint64_t> fence) {
  const Result<Reply> reply =
      run_script(checkpoint_script(), {name, checkpoint.at.text(), checkpoint.state, number_or_nothing(fence)});
  if (!reply) return reply.error();
  if (reply->text == "fenced") return Error{Code::conflict, "another instance holds the lease"};
  return {};
}

Result<std::optional<Checkpoint>> RedisStore::load_checkpoint(std::string_view name) {
  Result<Reply> reply = client_.run({"HMGET", key("checkpoint:") + std::string(name), "at", "state"}, timeout_ms_);
  if (!reply) return reply.error();
  if (reply->is_error()) return refused(*reply);
  if (reply->items.size() != 2) return unexpected("HMGET");
  if (reply->items[0].is_nil()) return std::optional<Checkpoint>();
  const Result<model::EventId> at = id_of(reply->items[0]);
  if (!at) return unexpected("HMGET");
  return std::optional<Checkpoint>({.at = *at, .state = std::move(reply->items[1].text)});
}

Result<RedisLeaseAnswer> RedisStore::take_or_renew_lease(const std::string& who, int64_t for_ms, uint64_t above) {
  const Result<Reply> reply = run_script(lease_script(), {who, std::to_string(for_ms), std::to_string(above)});
  if (!reply) return reply.error();
  const std::vector<Reply>& items = reply->items;
  if (items.size() != 5) return unexpected("the lease");
  return RedisLeaseAnswer{.held = items[0].text == "1",
                          .fence = static_cast<uint64_t>(number_of(items[1])),
                          .holder = items[2].text,
                          .attended_until_ms = number_of(items[3]),
                          .since_ms = number_of(items[4])};
}

Status RedisStore::release_lease(const std::string& who) {
  const Result<Reply> reply = run_script(release_script(), {who});
  return reply ? Status() : Status(reply.error());
}

}  // namespace millstream::log
