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
constexpr size_t kPiecesPerSendMax = 1024;  // IOV_MAX on Linux
constexpr std::string_view kFinalChunk = "0\r\n\r\n";

// Bytes taken, 0 when the socket is full, -1 on an error.
ssize_t send_some(int fd, std::span<const iovec> pieces) {
  ssize_t sent;
  do {
    if (pieces.size() == 1) {
      sent = ::send(fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(pieces.data());
      message.msg_iovlen = std::min(pieces.size(), kPiecesPerSendMax);
      sent = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
  return sent;
}

size_t total_bytes(std::span<const iovec> pieces) {
  size_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  return total;
}

}  // namespace

StreamingBody::StreamingBody(std::shared_ptr<Tally> tally, net::UniqueFd fd, std::string head, bool chunked)
    : tally_(std::move(tally)), fd_(std::move(fd)) {
  tally_->add(1);
  tally_->streams_gauge.add(1);
  if (!chunked) unchunk_ = std::make_unique<Unchunk>();
  head_ = std::make_unique<std::string>(std::move(head));
  const bool all_sent = send_head();
  watched_ = tally_->loop.watch(fd_.get(), kListening | (all_sent ? 0u : EPOLLOUT), this);
  wants_room_ = !all_sent;
  if (!watched_) dead_ = true;  // set_owner() tries again; until then nothing is sent
}

StreamingBody::~StreamingBody() { shut(); }

void StreamingBody::set_owner(ByteSinkOwner* owner) {
  owner_ = owner;
  // The peer left before there was anybody to tell: hear of it again, from the loop.
  if (owner_ && fd_ && !watched_) watched_ = tally_->loop.watch(fd_.get(), kListening, this);
}

size_t StreamingBody::write(std::span<const iovec> pieces) {
  if (dead_ || head_ || pieces.empty()) return 0;
  const size_t sent = unchunk_ ? send_payload(pieces) : send_pieces(pieces);
  if (!dead_ && sent < total_bytes(pieces)) want_room(true);
  return sent;
}

void StreamingBody::close(bool finished) {
  owner_ = nullptr;
  // After a short write the peer is in the middle of a chunk; an end there would be a lie.
  if (finished && fd_ && !dead_ && !head_ && !wants_room_ && !unchunk_) {
    const iovec piece{const_cast<char*>(kFinalChunk.data()), kFinalChunk.size()};
    send_some(fd_.get(), {&piece, 1});
  }
  shut();
}

void StreamingBody::on_ready(uint32_t events) {
  if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) return peer_gone();
  if (events & EPOLLIN) {
    // A stream takes no more requests: what the client still sends is dropped.
    const int64_t dropped = net::discard_input(fd_.get());
    if (dropped == 0 || (dropped < 0 && errno != EAGAIN && errno != EINTR)) return peer_gone();
  }
  if (!(events & EPOLLOUT)) return;
  if (head_ && !send_head()) return;
  want_room(false);
  if (owner_) owner_->on_writable();  // last: the owner may close or destroy this
}

size_t StreamingBody::send_pieces(std::span<const iovec> pieces) {
  const ssize_t sent = send_some(fd_.get(), pieces);
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
  if (!head_->empty()) return false;
  head_.reset();
  return true;
}

void StreamingBody::want_room(bool wanted) {
  if (wants_room_ == wanted) return;
  wants_room_ = wanted;
  tally_->loop.change(fd_.get(), kListening | (wanted ? EPOLLOUT : 0u), this);
}

// Both directions shut make the socket report EPOLLHUP until it is closed, so the loop will tell on_ready().
void StreamingBody::give_up() {
  dead_ = true;
  ::shutdown(fd_.get(), SHUT_RDWR);
}

void StreamingBody::peer_gone() {
  dead_ = true;
  tally_->loop.unwatch(fd_.get(), this);
  watched_ = false;
  if (!owner_) return;  // set_owner() watches again
  ByteSinkOwner* const owner = std::exchange(owner_, nullptr);
  shut();
  owner->on_closed();  // last: the owner may destroy this
}

void StreamingBody::shut() {
  if (!fd_) return;
  dead_ = true;
  if (std::exchange(watched_, false)) tally_->loop.unwatch(fd_.get(), this);
  net::discard_input(fd_.get());  // closing over unread bytes would reset the connection under the last event sent
  fd_.reset();
  tally_->add(-1);
  tally_->streams_gauge.add(-1);
}

}  // namespace millstream::http
