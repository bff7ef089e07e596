#include "http/listener.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/check.h"
#include "net/socket.h"

namespace millstream::http {

namespace {
constexpr int kAcceptsPerTurnMax = 8;
constexpr int64_t kPauseMs = 100;

UniqueFd spare_descriptor() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }
}  // namespace

Listener::Listener(net::Loop& loop, UniqueFd fd, metrics::Counter& errors, Accepted accepted)
    : loop_(loop), fd_(std::move(fd)), reserve_(spare_descriptor()), errors_(errors), accepted_(std::move(accepted)) {
  MS_CHECK(loop_.watch(fd_.get(), EPOLLIN, this));
}

Listener::~Listener() {
  if (resume_) {
    loop_.cancel(resume_);
  } else {
    loop_.unwatch(fd_.get(), this);
  }
}

void Listener::on_ready(uint32_t) {
  for (int i = 0; i < kAcceptsPerTurnMax && accept_one(); ++i) {
  }
}

bool Listener::accept_one() {
  net::SocketAddress peer;
  peer.size = sizeof(peer.storage);
  UniqueFd fd(::accept4(fd_.get(), peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return take_failure(errno);
  accepted_(std::move(fd), net::host_text(peer));
  return true;
}

bool Listener::take_failure(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK) return false;
  errors_.add();
  if (error == EMFILE || error == ENFILE) {
    shed_one();
  } else if (error == ENOBUFS || error == ENOMEM) {
    pause();
  }
  // Anything else is a connection that died in the queue; the next may be well, in the next turn.
  return false;
}

void Listener::shed_one() {
  if (!reserve_) return pause();
  reserve_.reset();
  UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)).reset();
  reserve_ = spare_descriptor();
}

void Listener::pause() {
  loop_.unwatch(fd_.get(), this);
  resume_ = loop_.after(kPauseMs, [this] {
    resume_ = 0;
    if (!reserve_) reserve_ = spare_descriptor();
    if (!loop_.watch(fd_.get(), EPOLLIN, this)) MS_CHECK(false);
  });
}

}  // namespace millstream::http
