// POST /api/alerts/{id}/ack, unack and close: what people do with an alert.
//
// The command is an event on the device's topic; the rule engine, or for a published alert the book, concludes the
// alert event from it. The answer waits for that to come round, without a thread.
#include "api/alert_view.h"
#include "api/credential.h"
#include "api/json_body.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "base/time_text.h"

namespace millstream::api {
namespace {

using codec::AlertAction;
using history::BookedAlertPtr;

constexpr size_t kAlertNoteBytesMax = 1024;
constexpr size_t kBodyBytesMax = 16 << 10;  // escapes and blanks of a note are not counted in it

Result<std::string> parse_note(std::string_view text) {
  JsonBody body;
  if (const Status read = body.read(text, {"note"}); !read) return read.error();
  Result<std::optional<std::string>> note = body.text("note");
  if (!note) return note.error();
  if (!*note) return std::string();
  if ((*note)->size() > kAlertNoteBytesMax) {
    return Error{Code::unprocessable, "note: at most " + std::to_string(kAlertNoteBytesMax) + " bytes"};
  }
  return std::move(**note);
}

std::string told_by(const std::string& by, int64_t at_ms) {
  return (by.empty() ? "" : " by " + by) + " at " + rfc3339_ms(at_ms);
}

Error ended(const history::BookedAlert& booked) {
  const model::Alert& alert = booked.alert;
  const bool closed = alert.reason == "closed" && alert.ack;
  return {Code::conflict, std::string("the alert was ") + (closed ? "closed" : "resolved") +
                              told_by(closed ? alert.ack->by : "", alert.ended_at_ms.value_or(booked.ts_ms))};
}

// Whether there is anything to do.
Status check_command(const history::BookedAlert& booked, AlertAction action) {
  if (!booked.open()) return ended(booked);
  const std::optional<model::AlertAck>& ack = booked.alert.ack;
  if (action == AlertAction::ack && ack) {
    return Error{Code::conflict, "the alert was acknowledged" + told_by(ack->by, ack->at_ms)};
  }
  if (action == AlertAction::unack && !ack) return Error{Code::conflict, "the alert is not acknowledged"};
  return {};
}

// One answer that waits. Everything on the loop of its request.
struct Waiting {
  Context& context;
  http::ExchangePtr exchange;
  BookedAlertPtr before;
  history::AwaitedAlert awaited;
  uint64_t waiter = 0;
  net::Loop::TimerId timer = 0;
  bool answered = false;
};
using WaitingPtr = std::shared_ptr<Waiting>;

void answer(const WaitingPtr& waiting, http::Response response) {
  waiting->answered = true;
  waiting->exchange->loop().cancel(waiting->timer);
  waiting->exchange->respond(std::move(response));
}

void answer_late(const WaitingPtr& waiting) {
  Context& context = waiting->context;
  if (waiting->answered) return;
  context.alerts.forget(waiting->waiter);
  const auto now = context.alerts.find(waiting->awaited.account, waiting->awaited.first.text());
  const BookedAlertPtr& shown = now.empty() ? waiting->before : now.front();
  answer(waiting, http::Response::json(202, whole_alert_json(context, *shown)));
}

void answer_with(const WaitingPtr& waiting, const BookedAlertPtr& now) {
  if (waiting->answered) return;
  if (!now) return answer_late(waiting);
  const bool as_asked = history::is_concluded(*now, waiting->awaited) || waiting->awaited.action == AlertAction::close;
  answer(waiting,
         as_asked ? http::Response::json(200, whole_alert_json(waiting->context, *now)) : problem(ended(*now)));
}

void wait_for_conclusion(const WaitingPtr& waiting) {
  net::Loop& loop = waiting->exchange->loop();
  // The book has the waiting answer in hand, so that it can end all of them while the loops still run.
  waiting->timer = loop.after(waiting->context.alert_wait_ms, [weak = std::weak_ptr<Waiting>(waiting)] {
    if (const WaitingPtr late = weak.lock()) answer_late(late);
  });
  waiting->waiter = waiting->context.alerts.await(waiting->awaited, [waiting, &loop](BookedAlertPtr now) {
    loop.post([waiting, now = std::move(now)] { answer_with(waiting, now); });
  });
}

model::Event event_of(const history::BookedAlert& booked, AlertAction action, const std::string& by, std::string note,
                      int64_t now_ms) {
  const codec::AlertCommand command{
      .alert_id = booked.alert.alert_id, .action = action, .by = by, .note = std::move(note)};
  return new_event(model::EventType::system, booked.topic, codec::encode_rule_command(command), now_ms);
}

void handle_command(Context& context, const http::ExchangePtr& exchange, AlertAction action) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {}); !known) return exchange->respond(problem(known.error()));
  const Result<model::Grants> grants = grants_of_role(context, request, model::Role::operator_);
  if (!grants) return exchange->respond(problem(grants.error()));
  Result<std::string> note = parse_note(request.body);
  if (!note) return exchange->respond(problem(note.error()));
  const Result<BookedAlertPtr> alert = seen_alert(context, *grants, request.captures.front());
  if (!alert) return exchange->respond(problem(alert.error()));
  if (const Status may = check_command(**alert, action); !may) return exchange->respond(problem(may.error()));

  const auto waiting = std::make_shared<Waiting>(
      Waiting{.context = context,
              .exchange = exchange,
              .before = *alert,
              .awaited = {.account = grants->account, .first = (*alert)->first, .command = {}, .action = action}});
  net::Loop& loop = exchange->loop();
  const Status queued =
      context.log.append({event_of(**alert, action, grants->subject, std::move(*note), context.clock.wall_ms())},
                         [waiting, &loop](const Result<log::AppendReceipt>& receipt) {
                           loop.post([waiting, receipt] {
                             if (!receipt) return answer(waiting, problem(receipt.error()));
                             waiting->awaited.command = receipt->last;
                             wait_for_conclusion(waiting);
                           });
                         });
  if (!queued) answer(waiting, problem(queued.error()));
}

}  // namespace

void add_alert_command_routes(http::Router& router, Context& context) {
  const auto admit = [&context](const http::Request& request) -> std::optional<http::Response> {
    const Result<model::Grants> grants = grants_of_role(context, request, model::Role::operator_);
    return grants ? std::nullopt : std::optional(problem(grants.error()));
  };
  const auto handler = [&context](AlertAction action) {
    return [&context, action](const http::ExchangePtr& e) { handle_command(context, e, action); };
  };
  router.add("POST", "/api/alerts/{}/ack", kBodyBytesMax, handler(AlertAction::ack), admit);
  router.add("POST", "/api/alerts/{}/unack", kBodyBytesMax, handler(AlertAction::unack), admit);
  router.add("POST", "/api/alerts/{}/close", kBodyBytesMax, handler(AlertAction::close), admit);
}

}  // namespace millstream::api
