#include "http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <limits>
#include <string>

#include "http/ascii.h"
#include "http/head_scan.h"
#include "http/target.h"

namespace millstream::http {

namespace {

namespace beast = boost::beast;

constexpr size_t kChunkExtensionBytesMax = 256;
// A length that a client only announces is not worth more memory than this until the bytes come.
constexpr uint64_t kBodyReserveBytesMax = 1 << 20;
// The shortest rest of a chunked body is "0 CRLF CRLF". Beast's parser asserts that many when it continues a last
// chunk, so fewer are kept back until more arrive.
constexpr size_t kChunkedRestBytesMin = 5;

// Beast's parser, writing straight into our request.
class BeastParser final : public beast::http::basic_parser<true> {
 public:
  BeastParser(Request& request, std::string& target, size_t trailer_bytes_max)
      : request_(request), target_(target), trailer_bytes_left_(trailer_bytes_max) {
    header_limit(std::numeric_limits<uint32_t>::max());  // head_scan has limited it already
    body_limit(boost::none);                             // until the route is known
    eager(true);
  }

 private:
  using Errc = beast::error_code;

  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int, Errc&) override {
    request_.method.assign(method.data(), method.size());
    target_.assign(target.data(), target.size());
  }
  void on_response_impl(int, beast::string_view, int, Errc&) override {}
  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value, Errc& error) override {
    if (!in_body_) return request_.headers.add(std::string(name), std::string(value));
    // Trailers are read and forgotten: nothing here asks for one.
    const size_t size = name.size() + value.size();
    if (size > trailer_bytes_left_) {
      error = beast::http::error::header_limit;
    } else {
      trailer_bytes_left_ -= size;
    }
  }
  void on_header_impl(Errc&) override { in_body_ = true; }
  void on_body_init_impl(const boost::optional<uint64_t>& length, Errc&) override {
    if (length) request_.body.reserve(static_cast<size_t>(std::min(*length, kBodyReserveBytesMax)));
  }
  size_t on_body_impl(beast::string_view body, Errc&) override { return append(body); }
  void on_chunk_header_impl(uint64_t, beast::string_view extensions, Errc& error) override {
    // Beast takes any byte inside a quoted extension; another parser may end the line at a bare LF there.
    const bool controls = std::any_of(extensions.begin(), extensions.end(), [](char c) { return is_control(c); });
    if (extensions.size() > kChunkExtensionBytesMax || controls) error = beast::http::error::bad_chunk_extension;
  }
  size_t on_chunk_body_impl(uint64_t, beast::string_view body, Errc&) override { return append(body); }
  void on_finish_impl(Errc&) override {}

  size_t append(beast::string_view body) {
    request_.body.append(body.data(), body.size());
    return body.size();
  }

  Request& request_;
  std::string& target_;
  size_t trailer_bytes_left_;
  bool in_body_ = false;
};

struct Version {
  bool well_formed = false;
  bool known = false;
};

// The last word of the request line.
Version version_of(std::string_view head) {
  const std::string_view line = head.substr(0, head.find('\r'));
  const std::string_view word = line.substr(line.rfind(' ') + 1);
  Version version;
  version.well_formed =
      word.size() == 8 && word.starts_with("HTTP/") && is_digit(word[5]) && word[6] == '.' && is_digit(word[7]);
  version.known = word == "HTTP/1.1" || word == "HTTP/1.0";
  return version;
}

}  // namespace

struct RequestParser::Impl {
  explicit Impl(const ServerLimits& server_limits) : limits(server_limits), scan(server_limits) {}

  const ServerLimits& limits;
  HeadScan scan;
  Request request;
  std::string target;
  std::optional<BeastParser> beast;  // from the head's last byte to reset(): its parsers are for one message
  Framing framing;
  Refusal refusal;
  size_t body_bytes_max = 0;
  std::string too_long;  // what `refusal` says of a body beyond that
  int version = 11;
  bool head_known = false;
};

RequestParser::RequestParser(const ServerLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;

RequestParser::Step RequestParser::feed(std::string_view bytes, size_t& used) {
  used = 0;
  return impl_->beast ? feed_body(bytes, used) : feed_head(bytes, used);
}

bool RequestParser::limit_body(size_t body_bytes_max) {
  impl_->body_bytes_max = body_bytes_max;
  impl_->beast->body_limit(body_bytes_max);  // for chunks; Beast checks an announced length with the head only
  return content_length().value_or(0) <= body_bytes_max;
}

void RequestParser::reset() {
  impl_->scan.reset();
  impl_->beast.reset();
  impl_->request = Request{};
  impl_->head_known = false;
}

Request& RequestParser::request() { return impl_->request; }
bool RequestParser::keep_alive() const { return version() >= 11 && impl_->beast->keep_alive(); }
int RequestParser::version() const { return impl_->version; }
bool RequestParser::has_body() const { return impl_->framing.chunked || impl_->framing.content_length.value_or(0) > 0; }
std::optional<uint64_t> RequestParser::content_length() const { return impl_->framing.content_length; }
bool RequestParser::expects_continue() const { return impl_->framing.expects_continue; }
const Refusal& RequestParser::refusal() const { return impl_->refusal; }
bool RequestParser::head_known() const { return impl_->head_known; }

RequestParser::Step RequestParser::refuse(int status, std::string_view detail) {
  impl_->refusal = {status, detail};
  return Step::refused;
}

RequestParser::Step RequestParser::feed_head(std::string_view bytes, size_t& used) {
  using Verdict = HeadScan::Verdict;
  switch (impl_->scan.scan(bytes)) {
    case Verdict::more: return Step::more;
    case Verdict::complete: break;
    case Verdict::bad_line_ending: return refuse(400, "a line of the head does not end in CR LF");
    case Verdict::folded_line: return refuse(400, "a folded header line");
    case Verdict::target_too_long: return refuse(414, "the request target is too long");
    case Verdict::head_too_long: return refuse(431, "the request head is too long");
    case Verdict::too_many_fields: return refuse(431, "too many header fields");
  }
  used = impl_->scan.end();
  return parse_head(bytes.substr(impl_->scan.begin(), used - impl_->scan.begin()));
}

RequestParser::Step RequestParser::parse_head(std::string_view text) {
  const Version version = version_of(text);
  if (version.well_formed && !version.known) return refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
  impl_->version = text.substr(0, text.find('\r')).ends_with('0') ? 10 : 11;
  beast::error_code error;
  impl_->beast.emplace(impl_->request, impl_->target, impl_->limits.header_bytes_max);
  impl_->beast->put(boost::asio::const_buffer(text.data(), text.size()), error);
  Request& request = impl_->request;
  const std::optional<Target> target = parse_target(request.method, impl_->target);
  if (error == beast::http::error::bad_transfer_encoding || error == beast::http::error::bad_content_length ||
      error == beast::http::error::multiple_content_length) {
    return refuse(400, "the length of the body is not clear");
  }
  if (error || !impl_->beast->is_header_done()) return refuse(400, "not an HTTP request");
  if (request.method.size() > kMethodBytesMax) return refuse(501, "the method is not known");
  if (!target) return refuse(400, "the request target is not a clean path and query");
  if (auto refusal = check_head(request, *target, impl_->version, impl_->framing)) {
    return refuse(refusal->status, refusal->detail);
  }
  std::optional<Query> query = Query::parse(target->query);
  if (!query) return refuse(400, "a bad escape in the query");
  request.path = target->path;
  request.query = std::move(*query);
  impl_->head_known = true;
  return Step::head;
}

RequestParser::Step RequestParser::feed_body(std::string_view bytes, size_t& used) {
  BeastParser& parser = *impl_->beast;
  if (parser.is_done()) return Step::done;
  if (bytes.size() < (impl_->framing.chunked ? kChunkedRestBytesMin : 1)) return Step::more;
  beast::error_code error;
  used = parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (error == beast::http::error::body_limit) {
    impl_->too_long = body_too_long(impl_->body_bytes_max);
    return refuse(413, impl_->too_long);
  }
  if (error == beast::http::error::header_limit) return refuse(431, "the trailers are too long");
  if (error && error != beast::http::error::need_more) return refuse(400, "the chunked body is malformed");
  if (parser.is_done()) return Step::done;
  // What is left is a chunk line or the trailers, incomplete.
  if (bytes.size() - used > impl_->limits.header_bytes_max) return refuse(431, "the trailers are too long");
  return Step::more;
}

}  // namespace millstream::http
