#include "http/streaming_body.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <string_view>
#include <utility>

#include "net/socket.h"

namespace millstream::http {

namespace {

constexpr uint32_t kListening = EPOLLIN | EPOLLRDHUP;
constexpr std::string_view kFinalChunk = "0\r\n\r\n";

size_t total_bytes(std::span<const iovec> pieces) {
  size_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  return total;
}

}  // namespace

StreamingBody::StreamingBody(std::shared_ptr<Tally> tally, net::Transport transport, std::string head, bool chunked)
    : tally_(std::move(tally)), transport_(std::move(transport)) {
  tally_->add(1);
  tally_->streams_gauge.add(1);
  if (!chunked) unchunk_ = std::make_unique<Unchunk>();
  head_ = std::make_unique<std::string>(std::move(head));
  const bool all_sent = send_head();
  watched_ = tally_->loop.watch(transport_.fd(), kListening | (all_sent ? 0u : EPOLLOUT), this);
  wants_room_ = !all_sent;
  if (!watched_) dead_ = true;  // set_owner() tries again; until then nothing is sent
}

StreamingBody::~StreamingBody() { shut(); }

void StreamingBody::set_owner(ByteSinkOwner* owner) {
  owner_ = owner;
  // The peer left before there was anybody to tell: hear of it again, from the loop.
  if (owner_ && transport_ && !watched_) watched_ = tally_->loop.watch(transport_.fd(), kListening, this);
}

size_t StreamingBody::write(std::span<const iovec> pieces) {
  if (dead_ || head_ || pieces.empty()) return 0;
  const size_t sent = unchunk_ ? send_payload(pieces) : send_pieces(pieces);
  if (!dead_ && (sent < total_bytes(pieces) || transport_.has_unsent())) want_room(true);
  return sent;
}

void StreamingBody::close(bool finished) {
  owner_ = nullptr;
  // After a short write the peer is in the middle of a chunk; an end there would be a lie.
  if (finished && transport_ && !dead_ && !head_ && !wants_room_ && !unchunk_) {
    const iovec piece{const_cast<char*>(kFinalChunk.data()), kFinalChunk.size()};
    transport_.send({&piece, 1});
  }
  shut();
}

void StreamingBody::on_ready(uint32_t events) {
  if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) return peer_gone();
  if (events & EPOLLIN) {
    // A stream takes no more requests: what the client still sends is dropped.
    const int64_t dropped = transport_.discard_input();
    if (dropped == 0 || (dropped < 0 && errno != EAGAIN && errno != EINTR)) return peer_gone();
  }
  if (!(events & EPOLLOUT)) return;
  if (!transport_.flush() || (head_ && !send_head())) return;
  want_room(false);
  if (owner_) owner_->on_writable();  // last: the owner may close or destroy this
}

size_t StreamingBody::send_pieces(std::span<const iovec> pieces) {
  const ssize_t sent = transport_.send(pieces);
  if (sent >= 0) return static_cast<size_t>(sent);
  give_up();
  return 0;
}

size_t StreamingBody::send_payload(std::span<const iovec> pieces) {
  std::array<iovec, 64> payload;
  size_t count = 0;
  size_t bytes = 0;
  Unchunk ahead = *unchunk_;
  ahead.advance(pieces, std::numeric_limits<size_t>::max(), payload, count, bytes);
  size_t sent = 0;
  if (bytes > 0) sent = send_pieces({payload.data(), count});
  if (dead_) return 0;
  size_t ignored = 0;
  return unchunk_->advance(pieces, sent, {}, ignored, bytes);
}

// False while a part of it is still here. On an error the event that follows it tells the owner.
bool StreamingBody::send_head() {
  const iovec piece{head_->data(), head_->size()};
  const size_t sent = send_pieces({&piece, 1});
  head_->erase(0, sent);
  if (!head_->empty() || transport_.has_unsent()) return false;
  head_.reset();
  return true;
}

void StreamingBody::want_room(bool wanted) {
  if (wants_room_ == wanted) return;
  wants_room_ = wanted;
  tally_->loop.change(transport_.fd(), kListening | (wanted ? EPOLLOUT : 0u), this);
}

// Both directions shut make the socket report EPOLLHUP until it is closed, so the loop will tell on_ready().
void StreamingBody::give_up() {
  dead_ = true;
  ::shutdown(transport_.fd(), SHUT_RDWR);
}

void StreamingBody::peer_gone() {
  dead_ = true;
  tally_->loop.unwatch(transport_.fd(), this);
  watched_ = false;
  if (!owner_) return;  // set_owner() watches again
  ByteSinkOwner* const owner = std::exchange(owner_, nullptr);
  shut();
  owner->on_closed();  // last: the owner may destroy this
}

void StreamingBody::shut() {
  if (!transport_) return;
  dead_ = true;
  if (std::exchange(watched_, false)) tally_->loop.unwatch(transport_.fd(), this);
  transport_.discard_input();  // closing over unread bytes would reset the connection under the last event sent
  transport_.reset();
  tally_->add(-1);
  tally_->streams_gauge.add(-1);
}

}  // namespace millstream::http
