#include "app/http_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#include <algorithm>

#include "app/event_text.h"

namespace millstream::app {
namespace {

constexpr long kConnectTimeoutMs = 10'000;

struct HeadersFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Headers = std::unique_ptr<curl_slist, HeadersFree>;

struct UrlFree {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlFree>;

Headers make_headers(const std::vector<std::string>& lines) {
  Headers headers;
  for (const std::string& line : lines) headers.reset(curl_slist_append(headers.release(), line.c_str()));
  return headers;
}

Url parse_url(const std::string& text) {
  Url url(curl_url());
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return nullptr;
  return url;
}

std::string url_part(const Url& url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, 0) != CURLUE_OK || !text) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

// By the address itself: a name that begins with "127." may belong to anyone. libcurl asks nobody what localhost is.
bool is_loopback(const Url& url) {
  const std::string host = url_part(url, CURLUPART_HOST);
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  return host == "localhost" || host == "[::1]";
}

}  // namespace

struct HttpClient::Handle {
  CURL* curl = curl_easy_init();
  ~Handle() { curl_easy_cleanup(curl); }
};

// One request while it runs; what libcurl's callbacks get as their `void*`.
struct HttpClient::Exchange {
  CURL* curl;
  const HttpListener& listener;
  size_t answer_bytes_max;
  HttpAnswer answer;
  bool streams = false;
  bool stopped = false;

  // Called for every header line; the empty one ends the head.
  static size_t on_header(char* bytes, size_t size, size_t count, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    if (std::string_view(bytes, size * count) == "\r\n") exchange.take_head();
    return size * count;
  }
  static size_t on_body(char* bytes, size_t size, size_t count, void* self) {
    static_cast<Exchange*>(self)->take_body(std::string_view(bytes, size * count));
    return size * count;
  }
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& exchange = *static_cast<Exchange*>(self);
    exchange.stopped = exchange.stopped || (exchange.listener.keep_going && !exchange.listener.keep_going());
    return exchange.stopped ? 1 : 0;
  }

  void take_head() {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200) return;  // an interim answer; the real one follows
    answer.status = static_cast<int>(status);
    const char* type = nullptr;
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    answer.content_type = type ? type : "";
    curl_off_t seconds = 0;
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
    if (seconds > 0) answer.retry_after_ms = std::min<int64_t>(seconds, 24 * 3600) * 1000;
    streams = listener.on_head && listener.on_head(answer);
  }

  void take_body(std::string_view bytes) {
    if (streams) return listener.on_bytes(bytes);
    answer.body.append(bytes.substr(0, answer_bytes_max - std::min(answer_bytes_max, answer.body.size())));
  }

  void sign(const AwsSigner& signer) {
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, ("aws:amz:" + signer.region + ":" + signer.service).c_str());
    curl_easy_setopt(curl, CURLOPT_USERNAME, signer.access_key_id.c_str());
    curl_easy_setopt(curl, CURLOPT_PASSWORD, signer.secret_key.c_str());
  }

  void set_options(const HttpRequest& request, curl_slist* headers) {
    const auto set = [this](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
    curl_easy_reset(curl);
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    if (const Url url = parse_url(request.url); url && is_loopback(url)) set(CURLOPT_PROXY, "");
    if (!request.ca_file.empty()) {
      set(CURLOPT_CAINFO, request.ca_file.c_str());
      set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // else the system's count as well
    }
    set(CURLOPT_QUICK_EXIT, 1L);  // the end does not wait for a name server that does not answer
    set(CURLOPT_USERAGENT, "millstream");
    set(CURLOPT_HTTPHEADER, headers);
    set(CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_HEADERFUNCTION, &Exchange::on_header);
    set(CURLOPT_WRITEFUNCTION, &Exchange::on_body);
    set(CURLOPT_XFERINFOFUNCTION, &Exchange::on_progress);
    for (const CURLoption option : {CURLOPT_HEADERDATA, CURLOPT_WRITEDATA, CURLOPT_XFERINFODATA}) set(option, this);
    if (request.aws) sign(*request.aws);
    if (!request.body) return;
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
    set(CURLOPT_POSTFIELDS, request.body->data());
  }
};

HttpClient::HttpClient() : handle_(std::make_unique<Handle>()) {}
HttpClient::~HttpClient() = default;

Result<HttpAnswer> HttpClient::send(const HttpRequest& request, const std::function<bool()>& keep_going) {
  return listen(request, {nullptr, nullptr, keep_going});
}

Result<HttpAnswer> HttpClient::listen(const HttpRequest& request, const HttpListener& listener) {
  Exchange exchange{handle_->curl, listener, request.answer_bytes_max, {}};
  const Headers headers = make_headers(request.headers);
  exchange.set_options(request, headers.get());
  char words[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(exchange.curl, CURLOPT_ERRORBUFFER, words);
  const CURLcode code = curl_easy_perform(exchange.curl);
  curl_easy_setopt(exchange.curl, CURLOPT_ERRORBUFFER, nullptr);
  if (code == CURLE_OK || exchange.stopped) return std::move(exchange.answer);
  const std::string why = words[0] ? words : curl_easy_strerror(code);
  if (exchange.answer.status == 0) return Error{Code::unavailable, why};
  exchange.answer.broken = why;
  return std::move(exchange.answer);
}

Result<std::string> make_url(const std::string& base, const std::string& path,
                             const std::vector<std::pair<std::string, std::string>>& query) {
  const Error wrong{Code::invalid, "\"" + base + "\" is not a URL such as http://127.0.0.1:8080"};
  const Url url = parse_url(base);
  if (!url) return wrong;
  const std::string scheme = url_part(url, CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return wrong;
  if (!url_part(url, CURLUPART_USER).empty() || !url_part(url, CURLUPART_PASSWORD).empty()) {
    return Error{Code::invalid, "a URL with a user or password in it can be read by others on this machine"};
  }
  if (url_part(url, CURLUPART_PATH) == "/") curl_url_set(url.get(), CURLUPART_PATH, path.c_str(), 0);
  for (const auto& [name, value] : query) {
    if (value.empty()) continue;
    curl_url_set(url.get(), CURLUPART_QUERY, (name + "=" + value).c_str(), CURLU_APPENDQUERY | CURLU_URLENCODE);
  }
  return url_part(url, CURLUPART_URL);
}

Status check_fetch_url(const std::string& text) {
  const auto wrong = [](const char* what) { return Error{Code::invalid, what}; };
  const Url url = parse_url(text);
  if (!url) return wrong("must be a URL such as https://id.example/keys");
  const std::string scheme = url_part(url, CURLUPART_SCHEME);
  if (scheme != "https" && !(scheme == "http" && is_loopback(url))) {
    return wrong("must be https://…, or http:// to a loopback address: who changes keys on their way can sign tokens");
  }
  if (!url_part(url, CURLUPART_USER).empty() || !url_part(url, CURLUPART_PASSWORD).empty()) {
    return wrong("must hold no user or password");
  }
  if (!url_part(url, CURLUPART_FRAGMENT).empty()) return wrong("must hold no #fragment");
  return {};
}

std::string problem_text(const HttpAnswer& answer) {
  constexpr size_t kTextBytesMax = 300;
  std::string text = json_member_text(answer.body, "detail");
  if (text.empty()) text = answer.body;
  return printable(text.substr(0, kTextBytesMax));
}

}  // namespace millstream::app
