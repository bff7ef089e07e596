#include "http/h2_stream.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "http/ascii.h"
#include "http/h2_connection.h"
#include "http/head_rules.h"
#include "http/head_scan.h"
#include "http/reception.h"
#include "http/response_head.h"
#include "http/target.h"

namespace millstream::http {

namespace {
constexpr size_t kFieldOverheadBytes = 32;  // RFC 9113 6.5.2

nghttp2_nv borrowed(std::string& name, std::string& value) {
  return {reinterpret_cast<uint8_t*>(name.data()), reinterpret_cast<uint8_t*>(value.data()), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}
}  // namespace

// A request while it arrives.
struct H2Stream::Incoming {
  explicit Incoming(const std::shared_ptr<BodyBudget>& budget) : lease(budget) {}
  Request request;
  std::string authority;
  std::string target;
  BodyLease lease;
  const Handler* handler = nullptr;
  size_t body_bytes_max = 0;
  size_t head_bytes = 0;
  size_t fields = 0;
  std::string cookies;
};

// The hub's end of a stream.
class H2Sink final : public ByteSink {
 public:
  H2Sink(H2Stream& stream, std::shared_ptr<Tally> tally) : stream_(&stream), tally_(std::move(tally)) {
    tally_->streams_gauge.add(1);
  }
  ~H2Sink() override { close(false); }

  void set_owner(ByteSinkOwner* owner) override {
    owner_ = owner;
    if (!owner_ || !gone_) return;
    alive_ = std::make_shared<bool>(true);
    tally_->loop.post([alive = std::weak_ptr<bool>(alive_), this] {
      if (!alive.expired()) tell_gone();
    });
  }
  size_t write(std::span<const iovec> pieces) override { return stream_ ? stream_->write(pieces, unchunk_) : 0; }
  void close(bool finished) override {
    owner_ = nullptr;
    if (H2Stream* stream = std::exchange(stream_, nullptr)) {
      stream->sink_gone();
      stream->end(finished);
    }
    if (std::exchange(counted_, false)) tally_->streams_gauge.add(-1);
  }

  void room_came() {
    if (owner_) owner_->on_writable();
  }
  // The client has ended the stream, or the connection is gone.
  void stream_ended() {
    stream_ = nullptr;
    gone_ = true;
    tell_gone();
  }

 private:
  void tell_gone() {
    if (ByteSinkOwner* owner = std::exchange(owner_, nullptr)) owner->on_closed();  // may destroy this
  }

  H2Stream* stream_;
  ByteSinkOwner* owner_ = nullptr;
  const std::shared_ptr<Tally> tally_;
  std::shared_ptr<bool> alive_;  // while someone is to be told that the stream is over
  Unchunk unchunk_;
  bool counted_ = true;
  bool gone_ = false;
};

H2Stream::H2Stream(H2Connection& connection, int32_t id, int64_t now_ms)
    : connection_(connection),
      incoming_(std::make_unique<Incoming>(connection.state().bodies)),
      progress_ms_(now_ms),
      id_(id) {}

H2Stream::~H2Stream() { payload_leaves(out_.size() - sent_); }

// An answer waits as long as its reader lets it, and is not counted: it must keep no event from its siblings.
void H2Stream::payload_leaves(size_t bytes) {
  if (has_events_) connection_.payload_waits(-static_cast<ptrdiff_t>(bytes));
}

void H2Stream::add_field(std::string_view name, std::string_view value) {
  if (!incoming_ || answered_) return;  // trailers are read and forgotten
  Incoming& in = *incoming_;
  in.head_bytes += name.size() + value.size() + kFieldOverheadBytes;
  const ServerLimits& limits = connection_.state().limits;
  if (in.head_bytes > limits.header_bytes_max) return refuse(431, "the request head is too long");
  if (name == ":method") {
    in.request.method = value;
  } else if (name == ":path") {
    if (value.size() > limits.target_bytes_max) return refuse(414, "the request target is too long");
    in.target = value;
  } else if (name == ":authority") {
    in.authority = value;
  } else if (name == "cookie") {  // may come in crumbs (RFC 9113 8.2.3)
    in.cookies += (in.cookies.empty() ? "" : "; ") + std::string(value);
  } else if (!name.starts_with(':')) {
    if (++in.fields > limits.header_fields_max) return refuse(431, "too many header fields");
    in.request.headers.add(std::string(name), std::string(value));
  }
}

void H2Stream::head_complete(bool body_follows) {
  if (!incoming_ || answered_) return;
  Incoming& in = *incoming_;
  Request& request = in.request;
  if (!in.cookies.empty()) request.headers.add("cookie", std::move(in.cookies));
  if (!in.authority.empty() && !request.headers.has("host")) request.headers.add("host", in.authority);
  if (!in.authority.empty() && !iequals(in.authority, request.headers.get("host"))) {
    return refuse(400, ":authority and Host differ");
  }
  if (request.method.size() > kMethodBytesMax) return refuse(501, "the method is not known");
  if (request.method == "CONNECT") return refuse(501, "nothing is tunnelled here");
  const std::optional<Target> target = parse_target(request.method, in.target);
  if (!target) return refuse(400, "the request target is not a clean path and query");
  Framing framing;
  if (const auto refusal = check_head(request, *target, 11, framing)) return refuse(refusal->status, refusal->detail);
  std::optional<Query> query = Query::parse(target->query);
  if (!query) return refuse(400, "a bad escape in the query");
  request.path = target->path;
  request.query = std::move(*query);

  ServerState& state = connection_.state();
  Reception reception = receive(state, request, connection_.peer());
  if (reception.answer) return send(&request, std::move(*reception.answer));
  in.handler = reception.handler;
  in.body_bytes_max = reception.body_bytes_max;
  const uint64_t announced = framing.content_length.value_or(0);
  if (announced > in.body_bytes_max) return refuse(413, body_too_long(in.body_bytes_max));
  if (!state.bodies->has_room(announced)) return refuse(503, "too many request bodies at once; try again");
  if (!body_follows) return body_complete();
  if (!framing.expects_continue) return;
  std::string name = ":status", value = "100";
  const nghttp2_nv status = borrowed(name, value);
  nghttp2_submit_headers(connection_.session(), NGHTTP2_FLAG_NONE, id_, nullptr, &status, 1, nullptr);
  connection_.touch();
}

void H2Stream::take_body(std::string_view bytes) {
  if (!incoming_ || answered_) return;
  Incoming& in = *incoming_;
  progress_ms_ = connection_.state().loop.now_ms();
  const size_t size = in.request.body.size() + bytes.size();
  if (size > in.body_bytes_max) return refuse(413, body_too_long(in.body_bytes_max));
  if (!in.lease.grow_to(size)) return refuse(503, "too many request bodies at once; try again");
  in.request.body.append(bytes);
}

void H2Stream::body_complete() {
  if (!incoming_ || answered_) return;
  const std::unique_ptr<Incoming> in = std::move(incoming_);
  auto exchange =
      std::make_shared<WaitingExchange>(this, connection_.state().loop, std::move(in->request), std::move(in->lease));
  exchange_ = exchange;
  (*in->handler)(make_exchange(std::move(exchange)));
}

void H2Stream::ended() {
  end_ = End::reset;
  answered_ = true;
  if (const auto exchange = exchange_.lock()) exchange->client_gone();
  if (H2Sink* sink = std::exchange(sink_, nullptr)) sink->stream_ended();
}

// What write() was given and nothing has taken yet.
struct H2Stream::Offer {
  std::span<iovec> pieces;

  size_t take(uint8_t* out, size_t max) {
    size_t taken = 0;
    while (!pieces.empty() && taken < max) {
      iovec& piece = pieces.front();
      const size_t n = std::min(piece.iov_len, max - taken);
      std::memcpy(out + taken, piece.iov_base, n);
      taken += n;
      piece.iov_base = static_cast<char*>(piece.iov_base) + n;
      piece.iov_len -= n;
      if (piece.iov_len == 0) pieces = pieces.subspan(1);
    }
    return taken;
  }
};

ssize_t H2Stream::read(uint8_t* out, size_t max, uint32_t& flags) {
  size_t taken = std::min(out_.size() - sent_, max);
  std::memcpy(out, out_.data() + sent_, taken);
  sent_ += taken;
  if (sent_ == out_.size()) {
    if (sent_ > 0) std::string().swap(out_);  // an idle stream keeps no buffer
    sent_ = 0;
    if (offer_) taken += offer_->take(out + taken, max - taken);
    if (end_ == End::clean && !offer_) flags |= NGHTTP2_DATA_FLAG_EOF;
  }
  payload_leaves(taken);
  progress_ms_ = connection_.state().loop.now_ms();
  if (taken > 0 || end_ == End::clean) return static_cast<ssize_t>(taken);
  if (end_ == End::reset) connection_.reset_later(id_);
  deferred_ = true;
  return NGHTTP2_ERR_DEFERRED;
}

void H2Stream::room_came() {
  if (sink_) sink_->room_came();
}

bool H2Stream::is_late(int64_t now_ms) const {
  const ServerLimits& limits = connection_.state().limits;
  if (incoming_ && !answered_) {
    return now_ms - progress_ms_ >= (incoming_->handler ? limits.body_timeout_ms : limits.header_timeout_ms);
  }
  // A stream of events has the hub's own clock.
  return answered_ && !sink_ && now_ms - progress_ms_ >= limits.write_timeout_ms;
}

void H2Stream::too_late() {
  if (incoming_ && !answered_) return refuse(408, "the request did not arrive in time");
  nghttp2_submit_rst_stream(connection_.session(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
  connection_.touch();
}

void H2Stream::respond(const Request& request, Response response) {
  exchange_.reset();
  send(&request, std::move(response));
}

void H2Stream::abandoned(const Request& request) {
  exchange_.reset();
  send(&request, connection_.state().error(request.path, 500, "the request was dropped unanswered"));
}

void H2Stream::refuse(int status, std::string_view detail) {
  const Request* const request = incoming_->request.path.empty() ? nullptr : &incoming_->request;
  send(request, connection_.state().error(request ? std::string_view(request->path) : "", status, detail));
}

void H2Stream::send(const Request* request, Response response) {
  if (request && connection_.state().hooks.decorate) connection_.state().hooks.decorate(*request, response);
  const bool has_body = response.status != 204 && response.status != 304 && !response.body.empty() &&
                        !(request && request->method == "HEAD");
  end_ = End::clean;
  submit(response, request, has_body);
  if (has_body) out_ = std::move(response.body);
}

std::unique_ptr<ByteSink> H2Stream::start_stream(const Request& request, Response head) {
  exchange_.reset();
  if (connection_.state().hooks.decorate) connection_.state().hooks.decorate(request, head);
  if (request.method == "HEAD") {
    end_ = End::clean;
    submit(head, &request, false);
    return nullptr;
  }
  auto sink = std::make_unique<H2Sink>(*this, connection_.state().tally);
  sink_ = sink.get();
  has_events_ = true;
  submit(head, nullptr, true);
  return sink;
}

// `request`: of an answer whose length is told; null: of one that has none yet, or is not known.
void H2Stream::submit(const Response& response, const Request* request, bool payload) {
  ServerState& state = connection_.state();
  answered_ = true;
  progress_ms_ = state.loop.now_ms();
  state.count_answer(response.status);
  std::vector<std::pair<std::string, std::string>> fields{{":status", std::to_string(response.status)}};
  for (const Header& header : response.headers.list()) {
    if (!is_sendable(header)) continue;
    fields.emplace_back(header.name, header.value);
    for (char& c : fields.back().first) c = lower(c);
    for (char& c : fields.back().second) c = is_control(c) ? ' ' : c;
  }
  fields.emplace_back("date", state.date.at(state.loop.clock().wall_ms()));
  const bool told =
      !sink_ && response.status != 204 && response.status != 304 && (payload || !request || !response.body.empty());
  if (told) fields.emplace_back("content-length", std::to_string(response.body.size()));
  std::vector<nghttp2_nv> list;
  for (auto& [name, value] : fields) list.push_back(borrowed(name, value));
  nghttp2_data_provider source{};
  source.source.ptr = this;
  source.read_callback = [](nghttp2_session*, int32_t, uint8_t* out, size_t max, uint32_t* flags,
                            nghttp2_data_source* from,
                            void*) -> ssize_t { return static_cast<H2Stream*>(from->ptr)->read(out, max, *flags); };
  nghttp2_submit_response(connection_.session(), id_, list.data(), list.size(), payload ? &source : nullptr);
  connection_.touch();
}

size_t H2Stream::write(std::span<const iovec> pieces, Unchunk& unchunk) {
  size_t passed_total = 0;
  size_t offset = 0;  // in the first piece
  while (!pieces.empty()) {
    const size_t room = connection_.room(id_, out_.size() - sent_);
    std::array<iovec, 64> payload;
    std::array<iovec, 64> offered;
    const size_t offered_count = std::min(pieces.size(), offered.size());
    std::copy_n(pieces.begin(), offered_count, offered.begin());
    offered[0].iov_base = static_cast<char*>(offered[0].iov_base) + offset;
    offered[0].iov_len -= offset;
    size_t count = 0;
    size_t bytes = 0;
    size_t passed = unchunk.advance({offered.data(), offered_count}, room, payload, count, bytes);
    take({payload.data(), count}, bytes);
    passed_total += passed;
    if (passed == 0) {
      connection_.wait_for_room(id_);
      break;
    }
    passed += offset;
    for (offset = 0; !pieces.empty() && passed >= pieces.front().iov_len; pieces = pieces.subspan(1)) {
      passed -= pieces.front().iov_len;
    }
    offset = passed;
  }
  connection_.touch();
  return passed_total;
}

// Into frames at once, where that may be; what is left of it waits.
void H2Stream::take(std::span<iovec> payload, size_t bytes) {
  if (bytes == 0) return;
  connection_.payload_waits(static_cast<ptrdiff_t>(bytes));
  if (std::exchange(deferred_, false)) nghttp2_session_resume_data(connection_.session(), id_);
  Offer offer{payload};
  if (out_.empty()) {
    offer_ = &offer;
    connection_.gather();
    offer_ = nullptr;
  }
  for (const iovec& piece : offer.pieces) out_.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
}

void H2Stream::end(bool finished) {
  if (end_ != End::open) return;
  end_ = finished ? End::clean : End::reset;
  if (std::exchange(deferred_, false)) nghttp2_session_resume_data(connection_.session(), id_);
  connection_.touch();
}

}  // namespace millstream::http
