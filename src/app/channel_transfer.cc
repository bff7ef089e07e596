#include "app/channel_transfer.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "app/destination.h"
#include "app/mail_message.h"
#include "auth/digest.h"
#include "base/hex.h"
#include "codec/alertmanager_json.h"

namespace millstream::app {
namespace {

constexpr std::string_view kAlertsPath = "/api/v2/alerts";
constexpr int64_t kRetryAfterSecondsMax = 3600;

struct ListFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListFree>;

List make_list(const std::vector<std::string>& lines) {
  List list;
  for (const std::string& line : lines) list.reset(curl_slist_append(list.release(), line.c_str()));
  return list;
}

const char* reason_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: return "name_not_found";
    case CURLE_COULDNT_CONNECT: return "could_not_connect";
    case CURLE_OPERATION_TIMEDOUT: return "timeout";
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE: return "connection_broken";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_USE_SSL_FAILED: return "tls";
    case CURLE_LOGIN_DENIED: return "login_refused";
    default: return "failed";
  }
}

}  // namespace

struct ChannelTransfer::Handle {
  CURL* curl = curl_easy_init();
  ~Handle() { curl_easy_cleanup(curl); }
};

// One delivery while it runs; what libcurl's callbacks get as their `void*`.
struct ChannelTransfer::Exchange {
  CURL* curl;
  const ChannelOptions& channel;
  const std::function<bool()>& keep_going;
  std::string payload;
  size_t read = 0;  // of the payload of a mail
  size_t answer_bytes = 0;
  bool blocked = false;
  bool stopped = false;
  char words[CURL_ERROR_SIZE] = "";

  static curl_socket_t on_socket(void* self, curlsocktype, curl_sockaddr* address) {
    auto& exchange = *static_cast<Exchange*>(self);
    if (may_reach(reach_of(address->addr), exchange.channel.allow_private)) {
      return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    }
    exchange.blocked = true;
    return CURL_SOCKET_BAD;
  }
  static size_t on_answer(char*, size_t size, size_t count, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    exchange.answer_bytes += size * count;
    return exchange.answer_bytes > kAnswerBytesMax ? 0 : size * count;
  }
  static size_t on_read(char* out, size_t size, size_t count, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    const size_t taken = std::min(size * count, exchange.payload.size() - exchange.read);
    std::memcpy(out, exchange.payload.data() + exchange.read, taken);
    exchange.read += taken;
    return taken;
  }
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& exchange = *static_cast<Exchange*>(self);
    exchange.stopped = exchange.stopped || !exchange.keep_going();
    return exchange.stopped ? 1 : 0;
  }

  void set(CURLoption option, auto value) { curl_easy_setopt(curl, option, value); }

  void set_common(const std::string& url, const char* protocols) {
    curl_easy_reset(curl);
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, protocols);
    set(CURLOPT_PROXY, "");  // one of the environment would connect where this checks nothing
    set(CURLOPT_OPENSOCKETFUNCTION, &Exchange::on_socket);
    set(CURLOPT_OPENSOCKETDATA, this);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L);
    if (!channel.ca_file.empty()) {
      set(CURLOPT_CAINFO, channel.ca_file.c_str());
      set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // else the system's count as well
    }
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(channel.timeout_ms));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(channel.timeout_ms));
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Exchange::on_progress);
    set(CURLOPT_XFERINFODATA, this);
    set(CURLOPT_WRITEFUNCTION, &Exchange::on_answer);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_ERRORBUFFER, words);
  }

  CURLcode post(const std::string& url, const std::vector<std::string>& lines) {
    const List headers = make_list(lines);
    set_common(url, "http,https");
    set(CURLOPT_USERAGENT, "millstream");
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(payload.size()));
    set(CURLOPT_POSTFIELDS, payload.data());
    return curl_easy_perform(curl);
  }

  CURLcode mail() {
    const List recipients = make_list(channel.to);
    set_common(channel.url, "smtp,smtps");
    set(CURLOPT_USE_SSL, static_cast<long>(channel.starttls == StartTls::required     ? CURLUSESSL_ALL
                                           : channel.starttls == StartTls::if_offered ? CURLUSESSL_TRY
                                                                                      : CURLUSESSL_NONE));
    if (!channel.username.empty()) {
      set(CURLOPT_USERNAME, channel.username.c_str());
      set(CURLOPT_PASSWORD, channel.password.c_str());
    }
    set(CURLOPT_MAIL_FROM, channel.from.c_str());
    set(CURLOPT_MAIL_RCPT, recipients.get());
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_READFUNCTION, &Exchange::on_read);
    set(CURLOPT_READDATA, this);
    return curl_easy_perform(curl);
  }

  long status() const {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
  }

  Outcome failure(CURLcode code) const {
    Outcome outcome;
    outcome.stopped = stopped;
    outcome.reason = blocked && code == CURLE_COULDNT_CONNECT ? "private_address" : reason_of(code);
    outcome.detail = blocked    ? "the address it leads to is not one to send to without allow_private"
                     : words[0] ? words
                                : curl_easy_strerror(code);
    return outcome;
  }

  // A head that says the notification was taken counts, whatever becomes of what follows it.
  Outcome outcome_of_post(CURLcode code) const {
    const long answered = status();
    if (answered < 200) return failure(code);
    Outcome outcome;
    outcome.delivered = answered < 300;
    if (outcome.delivered) return outcome;
    outcome.reason = "answered_" + std::to_string(answered);
    outcome.detail = outcome.reason + (answered < 400 ? "; redirects are not followed" : "");
    outcome.is_final = answered < 500 && answered != 408 && answered != 429;
    curl_off_t seconds = 0;
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
    if (seconds > 0) outcome.retry_after_ms = std::min<int64_t>(seconds, kRetryAfterSecondsMax) * 1000;
    return outcome;
  }

  Outcome outcome_of_mail(CURLcode code) const {
    if (code == CURLE_OK) return {.delivered = true};
    Outcome outcome = failure(code);
    const long answered = status();
    if (answered < 400 || code == CURLE_LOGIN_DENIED || code == CURLE_OPERATION_TIMEDOUT) return outcome;
    outcome.reason = "answered_" + std::to_string(answered);
    outcome.is_final = answered >= 500;
    return outcome;
  }
};

ChannelTransfer::ChannelTransfer(ChannelOptions channel, std::string external_url)
    : channel_(std::move(channel)), external_url_(std::move(external_url)), handle_(std::make_unique<Handle>()) {}
ChannelTransfer::~ChannelTransfer() = default;

Outcome ChannelTransfer::send(const model::Notification& notification, int64_t now_ms,
                              const std::function<bool()>& keep_going) {
  Exchange exchange{.curl = handle_->curl, .channel = channel_, .keep_going = keep_going, .payload = {}};
  if (channel_.type == ChannelType::email) {
    exchange.payload = mail_message(notification, {channel_.from, channel_.to}, external_url_, now_ms);
    return exchange.outcome_of_mail(exchange.mail());
  }
  std::vector<std::string> headers = {"Content-Type: application/json", "Idempotency-Key: " + notification.id};
  if (channel_.type == ChannelType::alertmanager) {
    std::string base = channel_.url;
    while (base.ends_with('/')) base.pop_back();
    exchange.payload = codec::encode_alertmanager_alerts(notification, external_url_, now_ms);
    return exchange.outcome_of_post(exchange.post(base.append(kAlertsPath), headers));
  }
  exchange.payload = codec::encode_webhook(notification, external_url_);
  if (!channel_.secret.empty()) {
    headers.push_back("X-Millstream-Signature: " + webhook_signature(channel_.secret, now_ms / 1000, exchange.payload));
  }
  return exchange.outcome_of_post(exchange.post(channel_.url, headers));
}

std::string webhook_signature(const std::string& secret, int64_t unix_seconds, const std::string& body) {
  const std::string time = std::to_string(unix_seconds);
  return "t=" + time + ",v1=" + hex_text(auth::hmac_sha256(secret, time + "." + body));
}

}  // namespace millstream::app
