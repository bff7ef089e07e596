#include "api/write_points.h"

#include <memory>

#include "api/idempotency.h"
#include "auth/authorize.h"
#include "ingest/inflate.h"

namespace millstream::api {
namespace {

// Larger bodies go to a worker, where accounts take turns: an I/O thread takes requests as they come, and some hundred
// lines are a millisecond of parsing and checking, times the connections of whoever sends them.
constexpr size_t kInlineBodyBytes = 8 << 10;
constexpr size_t kInlineGzipBytes = kInlineBodyBytes / 8;  // the usual ratio; many tiny members cost time too

// One request on its way; hops between threads by moving.
struct Write {
  Context& context;
  http::ExchangePtr exchange;
  net::Loop& loop;
  WritePoints request;
  std::string body;
  bool gzip = false;
  std::optional<Idempotency> idempotency = {};
  std::optional<log::Once> once = {};  // when there is a key, and the body is known
  ingest::Validated validated = {};
};
using WritePtr = std::shared_ptr<Write>;

void answer(WritePtr write, http::Response response) {
  net::Loop& loop = write->loop;
  if (loop.on_thread()) {
    write->exchange->respond(std::move(response));
    return;
  }
  loop.post([write = std::move(write), response = std::move(response)]() mutable {
    write->exchange->respond(std::move(response));
  });
}

Result<codec::ParsedPoints> parse_body(Write& write) {
  if (write.gzip) {
    Result<std::string> inflated = ingest::inflate_gzip(write.body, write.request.body_bytes_max);
    if (!inflated) return inflated.error();
    write.body = std::move(*inflated);
  }
  return write.request.parse(write.body);
}

// What is kept has a limit: of an answer that is longer, fewer of the rejected points are named, and all are counted.
std::string answer_to_keep(Write& write) {
  std::vector<codec::Rejected>& rejected = write.validated.rejected;
  while (true) {
    std::string packed = packed_answer(write.request.stored(write.validated));
    if (packed.size() <= log::kOnceAnswerBytesMax || rejected.size() <= 1) return packed;
    rejected.resize(rejected.size() / 2);
  }
}

http::Response answer_to(const Write& write, const Result<log::AppendReceipt>& receipt) {
  if (!receipt) return write.request.failed(receipt.error(), &write.validated);
  if (!receipt->repeated) return write.request.stored(write.validated);
  Result<http::Response> repeated = repeated_answer(*receipt->repeated);
  return repeated ? std::move(*repeated) : write.request.failed(repeated.error(), nullptr);
}

void append(WritePtr write) {
  std::vector<model::Event> events = std::move(write->validated.events);
  log::AppendDone done = [write](const Result<log::AppendReceipt>& receipt) mutable {
    http::Response response = answer_to(*write, receipt);
    answer(std::move(write), std::move(response));
  };
  log::EventLog& log = write->context.log;
  if (write->once) write->once->answer = answer_to_keep(*write);
  const Status queued = write->once ? log.append_once(std::move(*write->once), std::move(events), std::move(done))
                                    : log.append(std::move(events), std::move(done));
  if (queued) return;
  http::Response response = write->request.failed(queued.error(), nullptr);
  answer(std::move(write), std::move(response));
}

// No point can be stored now. With a key, all of it may have been before: what was good then can be too old by now.
void refuse_unless_repeated(WritePtr write, Error error) {
  const auto refuse = [](WritePtr refused, const Error& why) {
    http::Response response = refused->request.failed(why, &refused->validated);
    answer(std::move(refused), std::move(response));
  };
  if (!write->once) return refuse(std::move(write), error);
  log::AppendDone done = [write, refuse, error](const Result<log::AppendReceipt>& receipt) mutable {
    if (!receipt) return refuse(std::move(write), receipt.error().code == Code::not_found ? error : receipt.error());
    http::Response response = answer_to(*write, receipt);
    answer(std::move(write), std::move(response));
  };
  const Status queued = write->context.log.append_once(std::move(*write->once), {}, std::move(done));
  if (!queued) refuse(std::move(write), queued.error());
}

void parse_and_append(WritePtr write) {
  Result<codec::ParsedPoints> parsed = parse_body(*write);
  if (!parsed) {
    http::Response response = write->request.failed(parsed.error(), nullptr);
    return answer(std::move(write), std::move(response));
  }
  if (write->idempotency) write->once = once(*write->idempotency, write->body);
  const model::Grants& grants = write->request.grants;
  write->context.ingest_rates.take(grants, parsed->points.size() + parsed->rejected_count,
                                   write->context.clock.steady_ms());
  const int64_t now_ms = write->context.clock.wall_ms();
  write->validated = write->context.validator.validate(
      std::move(*parsed), grants.account,
      [&](const model::Topic& topic) {
        const Status may = auth::authorize_ingest(grants, topic);
        return may ? write->context.registry.devices().admit(topic, now_ms) : may;
      },
      now_ms, write->request.keep);
  if (write->request.quote) write->request.quote(write->body, write->validated.rejected);
  std::string().swap(write->body);  // inflated it may be large, and from here on only the disk is waited for
  if (write->validated.events.empty()) {
    const ingest::Validated& v = write->validated;
    const Error error = v.rejected.empty() ? Error{Code::invalid, "body: no points"}
                        : v.forbidden      ? Error{Code::forbidden, *v.forbidden}
                                           : Error{Code::invalid, "no point could be stored"};
    return refuse_unless_repeated(std::move(write), error);
  }
  append(std::move(write));
}

// Opens a gzip body here when it says that it is small. Its word is not taken for more than that: one that turns out
// larger stays as it is, for a worker. Anything else that is wrong with it is the error.
Status inflate_inline(Write& write) {
  if (write.body.size() > kInlineGzipBytes || ingest::announced_size(write.body) > kInlineBodyBytes) return {};
  Result<std::string> inflated = ingest::inflate_gzip(write.body, kInlineBodyBytes);
  if (!inflated) return inflated.error().code == Code::too_large ? Status() : Status(inflated.error());
  write.body = std::move(*inflated);
  write.gzip = false;
  return {};
}

}  // namespace

std::optional<http::Response> refuse_over_quota(Context& context, const model::Grants& grants,
                                                const std::function<http::Response(const Error&)>& failed) {
  const int64_t wait_ms = context.ingest_rates.wait_ms(grants, context.clock.steady_ms());
  if (wait_ms == 0) return std::nullopt;
  count_refusal(context, "points");
  http::Response response =
      failed({Code::rate_limited, "more points than the quota allows; wait before the next ones"});
  response.headers.set("Retry-After", std::to_string((wait_ms + 999) / 1000));
  return response;
}

void write_points(Context& context, http::ExchangePtr exchange, WritePoints request) {
  const std::string_view encoding = exchange->request().headers.get("content-encoding");
  const bool gzip = encoding == "gzip" || encoding == "x-gzip";
  if (!gzip && !encoding.empty() && encoding != "identity") {
    return exchange->respond(request.failed({Code::invalid, "Content-Encoding: only gzip and identity"}, nullptr));
  }
  Result<std::optional<Idempotency>> idempotency = idempotency_of(exchange->request(), request.grants);
  if (!idempotency) return exchange->respond(request.failed(idempotency.error(), nullptr));
  std::string body = std::move(exchange->request().body);
  if (body.size() > request.body_bytes_max) {
    const std::string detail = "body: more than " + std::to_string(request.body_bytes_max) + " bytes";
    return exchange->respond(request.failed({Code::too_large, detail}, nullptr));
  }
  net::Loop& loop = exchange->loop();
  auto write = std::make_shared<Write>(
      Write{context, std::move(exchange), loop, std::move(request), std::move(body), gzip, std::move(*idempotency)});
  if (gzip) {
    if (const Status opened = inflate_inline(*write); !opened) {
      return write->exchange->respond(write->request.failed(opened.error(), nullptr));
    }
  }
  if (!write->gzip && write->body.size() <= kInlineBodyBytes) return parse_and_append(std::move(write));
  const std::string account = write->request.grants.account.text();
  if (!context.workers.post([write]() mutable { parse_and_append(std::move(write)); }, account)) {
    write->exchange->respond(write->request.failed({Code::unavailable, "too many large bodies are waiting"}, nullptr));
  }
}

}  // namespace millstream::api
