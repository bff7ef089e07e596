#include "app/jwks_fetcher.h"

#include <pthread.h>

#include <chrono>

#include "app/http_client.h"
#include "auth/digest.h"
#include "base/log_line.h"

namespace millstream::app {
namespace {

constexpr std::string_view kFetches = "millstream_jwks_fetches_total";
constexpr std::string_view kFetchesHelp = "Fetches of public keys from identity providers";

// libcurl tells how many milliseconds it took: the same failure reads differently every time.
std::string without_digits(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

}  // namespace

JwksFetcher::JwksFetcher(IssuerSource source, JwksSchedule schedule, const Clock& clock, metrics::Registry& metrics,
                         std::function<void(KeySetPtr)> deliver)
    : source_(std::move(source)),
      clock_(clock),
      ok_(metrics.counter(kFetches, kFetchesHelp, R"(outcome="ok")")),
      failed_(metrics.counter(kFetches, kFetchesHelp, R"(outcome="failed")")),
      deliver_(std::move(deliver)),
      schedule_(schedule) {}

JwksFetcher::~JwksFetcher() { stop(); }

void JwksFetcher::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "ms-jwks");
    run();
  });
}

bool JwksFetcher::wait_for_first(int64_t ms) {
  std::unique_lock lock(mu_);
  return wake_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return first_has_ended_ || stopping_; });
}

void JwksFetcher::want() {
  const std::lock_guard lock(mu_);
  if (schedule_.want(clock_.steady_ms())) wake_.notify_all();
}

void JwksFetcher::ask_to_stop() {
  const std::lock_guard lock(mu_);
  stopping_ = true;
  wake_.notify_all();
}

void JwksFetcher::stop() {
  ask_to_stop();
  if (thread_.joinable()) thread_.join();
}

bool JwksFetcher::stopping() const {
  const std::lock_guard lock(mu_);
  return stopping_;
}

void JwksFetcher::run() {
  std::unique_lock lock(mu_);
  while (!stopping_) {
    const int64_t now_ms = clock_.steady_ms();
    const JwksSchedule::Due due = schedule_.due(now_ms);
    if (due == JwksSchedule::Due::nothing) {
      wake_.wait_for(lock, std::chrono::milliseconds(schedule_.next_ms() - now_ms));
      continue;
    }
    if (due == JwksSchedule::Due::drop) schedule_.dropped();
    if (due == JwksSchedule::Due::fetch) schedule_.began();
    lock.unlock();
    if (due == JwksSchedule::Due::drop) drop();
    if (due == JwksSchedule::Due::fetch) fetch_once();
    lock.lock();
  }
}

void JwksFetcher::fetch_once() {
  const Result<std::string> body = fetch();
  if (stopping()) return;
  const Result<bool> taken = body ? take(*body) : Result<bool>(body.error());
  (taken ? ok_ : failed_).add();
  report(taken);
  const std::lock_guard lock(mu_);
  const int64_t now_ms = clock_.steady_ms();
  if (taken) schedule_.succeeded(now_ms);
  if (!taken) schedule_.failed(now_ms);
  first_has_ended_ = true;
  wake_.notify_all();
}

// A client for each fetch: the next one is minutes away, and the provider need not keep a connection for us.
Result<std::string> JwksFetcher::fetch() const {
  constexpr size_t kBytesMax = auth::KeySet::kBytesMax;
  std::string body;
  bool enough = false;
  HttpListener listener;
  listener.on_head = [&](const HttpAnswer& head) {
    enough = head.status != 200;  // what stands beside it is not asked for
    return !enough;
  };
  listener.on_bytes = [&](std::string_view bytes) {
    body.append(bytes.substr(0, kBytesMax + 1 - body.size()));
    enough = body.size() > kBytesMax;
  };
  listener.keep_going = [&] { return !enough && !stopping(); };
  const HttpRequest request{.url = source_.jwks_url,
                            .headers = {"Accept: application/jwk-set+json, application/json"},
                            .timeout_ms = kFetchMs,
                            .ca_file = source_.jwks_ca_file};
  const Result<HttpAnswer> answer = HttpClient().listen(request, listener);
  if (!answer) return answer.error();
  if (answer->status != 200) {
    const bool redirects = answer->status >= 300 && answer->status < 400;
    return Error{Code::unavailable, "the provider answered " + std::to_string(answer->status) +
                                        (redirects ? "; redirects are not followed" : "")};
  }
  if (body.size() > kBytesMax) return Error{Code::invalid, "a key set of more than 256 KiB"};
  if (!answer->broken.empty()) return Error{Code::unavailable, answer->broken};
  return body;
}

// Whether the set is another than before.
Result<bool> JwksFetcher::take(const std::string& body) {
  std::string digest = auth::sha256(body);
  if (digest == body_digest_) return false;
  Result<auth::KeySet> keys = auth::KeySet::parse(body);
  if (!keys) return keys.error();
  log_info("public keys were fetched", {{"issuer", source_.issuer.name}, {"count", keys->size()}});
  deliver_(std::make_shared<const auth::KeySet>(std::move(*keys)));
  body_digest_ = std::move(digest);
  return true;
}

void JwksFetcher::report(const Result<bool>& taken) {
  if (taken) {
    if (!complaint_.empty() && !*taken) {
      log_info("public keys can be fetched again; they are the same", {{"issuer", source_.issuer.name}});
    }
    return complaint_.clear();
  }
  // A provider that stays away for a day is not worth thousands of lines.
  const std::string& reason = taken.error().detail;
  if (complaint_ == without_digits(reason)) return;
  complaint_ = without_digits(reason);
  log_warning(body_digest_.empty() ? "public keys cannot be fetched; tokens of this issuer are refused until they can"
                                   : "public keys cannot be fetched; those in use stay for a day",
              {{"issuer", source_.issuer.name}, {"reason", reason}});
}

void JwksFetcher::drop() {
  deliver_(nullptr);
  body_digest_.clear();
  complaint_.clear();
  log_error("public keys could not be fetched for a day and are forgotten; tokens of this issuer are refused",
            {{"issuer", source_.issuer.name}});
}

}  // namespace millstream::app
