// http/test_client.h: a server on a loop of its own, and a blocking client, for tests.
//
// Thread   the test's own; TestServer runs the loop on another
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/check.h"
#include "http/ascii.h"
#include "http/server.h"
#include "net/socket.h"

namespace millstream::http {

struct Answer {
  int status = 0;  // 0: the connection ended before a whole head
  std::string head;
  std::string body;
  bool whole = false;  // the body was complete

  // The value of the first field of that name, "" when absent.
  std::string field(std::string_view name) const {
    size_t at = head.find("\r\n");
    while (at != std::string::npos) {
      at += 2;
      const size_t end = head.find("\r\n", at);
      const std::string_view line = std::string_view(head).substr(at, end - at);
      const size_t colon = line.find(':');
      if (colon != std::string_view::npos && iequals(line.substr(0, colon), name)) {
        return std::string(trim(line.substr(colon + 1)));
      }
      at = end;
    }
    return "";
  }
};

// A chunk as the hub writes them.
inline std::string chunk(std::string_view payload) {
  char size[20];
  std::snprintf(size, sizeof(size), "%zx\r\n", payload.size());
  return size + std::string(payload) + "\r\n";
}

class TestClient {
 public:
  // `receive_buffer`: small ones make a server's writes short.
  explicit TestClient(uint16_t port, int receive_buffer = 0) : TestClient(receive_buffer) { connect_now(port); }
  // A socket that is not connected yet.
  explicit TestClient(int receive_buffer) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer) ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    const timeval limit{10, 0};  // a test that hangs fails instead
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    net::set_no_delay(fd_.get());
  }
  void connect_now(uint16_t port) {
    const auto address = net::parse_address("127.0.0.1:" + std::to_string(port));
    MS_CHECK(::connect(fd_.get(), address->get(), address->size) == 0);
  }
  // Before anything is sent. `version`: the only one offered; `protocols`: ALPN, as on the wire. False: refused.
  bool start_tls(int version = 0, std::string_view protocols = "\x08http/1.1") {
    static SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to its socket without MSG_NOSIGNAL
    tls_ = std::make_unique<Tls>();
    tls_->ssl.reset(SSL_new(context));
    SSL* ssl = tls_->ssl.get();
    SSL_set_security_level(ssl, 0);  // or the oldest versions could not even be offered
    if (version) MS_CHECK(SSL_set_min_proto_version(ssl, version) && SSL_set_max_proto_version(ssl, version));
    SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned int>(protocols.size()));
    SSL_set_fd(ssl, fd_.get());
    ::fcntl(fd_.get(), F_SETFL, O_NONBLOCK);
    return with_tls([](SSL* s) { return SSL_connect(s); }) == 1;
  }
  std::string tls_version() const { return SSL_get_version(tls_->ssl.get()); }
  // SHA-256 of what the server showed.
  std::string certificate_digest() const {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    const std::unique_ptr<X509, void (*)(X509*)> shown(SSL_get1_peer_certificate(tls_->ssl.get()), X509_free);
    MS_CHECK(shown && X509_digest(shown.get(), EVP_sha256(), digest, &size));
    return std::string(reinterpret_cast<const char*>(digest), size);
  }

  // False when the server has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent =
          tls_ ? with_tls([&](SSL* ssl) { return SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size())); })
               : ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // One answer, by its length, its chunks (taken apart) or the end of the connection.
  Answer receive(bool head_only = false) {
    Answer answer;
    size_t end = 0;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return answer;
    }
    answer.head = take(end + 4);
    answer.status = std::atoi(answer.head.c_str() + 9);
    if (head_only || answer.status == 204 || answer.status == 304 || answer.status < 200) {
      answer.whole = true;
    } else if (!answer.field("Content-Length").empty()) {
      const size_t size = std::strtoull(answer.field("Content-Length").c_str(), nullptr, 10);
      while (input_.size() < size && more()) {
      }
      answer.whole = input_.size() >= size;
      answer.body = take(std::min(size, input_.size()));
    } else if (answer.field("Transfer-Encoding") == "chunked") {
      while (receive_chunk(answer)) {
      }
    } else {
      answer.body = rest();
      answer.whole = true;
    }
    return answer;
  }

  // Exactly that many bytes, fewer when the connection ended.
  std::string receive_bytes(size_t count) {
    while (input_.size() < count && more()) {
    }
    return take(std::min(count, input_.size()));
  }
  // All until the end of the connection.
  std::string rest() {
    while (more()) {
    }
    return take(input_.size());
  }
  // Waits for the end of the connection; false when bytes came or nothing happened in time.
  bool is_closed() { return input_.empty() && !more() && input_.empty() && !timed_out_; }

  void release_input() { input_.shrink_to_fit(); }
  void finish_sending() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }
  // Closes with a reset instead of an orderly end.
  void reset() {
    const linger none{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    fd_.reset();
  }

 private:
  struct Tls {
    struct Free {
      void operator()(SSL* ssl) const { SSL_free(ssl); }
    };
    std::mutex mu;  // a test may send and receive on two threads
    std::unique_ptr<SSL, Free> ssl;
  };

  // Repeats `step` until it is done; at most 10 s.
  template <class Step>
  int with_tls(Step step) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < end) {
      int failed = SSL_ERROR_NONE;
      {
        const std::lock_guard lock(tls_->mu);
        ERR_clear_error();
        const int result = step(tls_->ssl.get());
        if (result > 0) return result;
        failed = SSL_get_error(tls_->ssl.get(), result);
      }
      if (failed != SSL_ERROR_WANT_READ && failed != SSL_ERROR_WANT_WRITE) return -1;
      pollfd waiting{fd_.get(), static_cast<int16_t>(failed == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0};
      ::poll(&waiting, 1, 10);
    }
    timed_out_ = true;
    return -1;
  }

  bool more() {
    char bytes[16384];
    if (tls_) {
      timed_out_ = false;
      const int got = with_tls([&](SSL* ssl) { return SSL_read(ssl, bytes, sizeof(bytes)); });
      if (got > 0) input_.append(bytes, static_cast<size_t>(got));
      return got > 0;
    }
    const ssize_t got = ::recv(fd_.get(), bytes, sizeof(bytes), 0);
    timed_out_ = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (got <= 0) return false;
    input_.append(bytes, static_cast<size_t>(got));
    return true;
  }
  std::string take(size_t count) {
    std::string taken = input_.substr(0, count);
    input_.erase(0, count);
    return taken;
  }
  bool receive_chunk(Answer& answer) {
    size_t line = 0;
    while ((line = input_.find("\r\n")) == std::string::npos) {
      if (!more()) return false;
    }
    const size_t size = std::strtoull(input_.c_str(), nullptr, 16);
    while (input_.size() < line + 2 + size + 2) {
      if (!more()) return false;
    }
    answer.body += input_.substr(line + 2, size);
    input_.erase(0, line + 2 + size + 2);
    answer.whole = size == 0;
    return size > 0;
  }

  UniqueFd fd_;
  std::unique_ptr<Tls> tls_;  // gone before the socket
  std::string input_;
  bool timed_out_ = false;
};

// Routes are added to `router` and limits set before start().
class TestServer {
 public:
  SystemClock clock;
  net::Loop loop{clock};
  metrics::Registry metrics;
  Router router;
  ServerLimits limits;
  ServerHooks hooks;
  std::shared_ptr<BodyBudget> bodies = std::make_shared<BodyBudget>();
  std::shared_ptr<net::TlsContext> tls;  // null: in the clear

  void use_tls() {
    static const std::string own = *net::make_self_signed({"localhost", "127.0.0.1"});
    tls = *net::TlsContext::make(own, own);
  }

  ~TestServer() { stop(); }

  void start() {
    const Result<int> fd = net::listen_tcp("127.0.0.1:0");
    MS_CHECK(fd.ok());
    port_ = *net::bound_port(*fd);
    server_ = std::make_unique<Server>(loop, router, limits, hooks, metrics, bodies);
    server_->listen(*fd, tls);
    loop.add_turn_end([this] {
      if (server_) server_->turn_end();
    });
    thread_ = std::thread([this] { loop.run(); });
  }
  // The loop has ended after this and what it held may be looked at.
  void stop() {
    if (!thread_.joinable()) return;
    run_on_loop([this] { server_.reset(); });
    loop.stop();
    thread_.join();
  }
  // The two halves of stop() when the loop ends first.
  void end_loop() {
    loop.stop();
    thread_.join();
  }
  void drop_server() { server_.reset(); }
  // Runs on the loop and waits for it.
  void run_on_loop(std::function<void()> task) {
    const auto ran = std::make_shared<std::promise<void>>();
    std::future<void> done = ran->get_future();
    loop.post([&task, ran] {
      task();
      ran->set_value();
    });
    done.wait();
  }
  // Waits until `condition`, looked at on the loop, holds; false after 10 s.
  bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 5000; ++i) {
      bool holds = false;
      run_on_loop([&] { holds = condition(); });
      if (holds) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }
  TestClient connect_later() const { return TestClient(0); }
  TestClient connect(int receive_buffer = 0) const {
    TestClient client(receive_buffer);
    connect(client);
    return client;
  }
  void connect(TestClient& client) const {
    client.connect_now(port_);
    if (tls) client.start_tls();  // one that was turned away reads nothing but the end
  }
  TestClient connect_plain(int receive_buffer = 0) const { return TestClient(port_, receive_buffer); }
  uint16_t port() const { return port_; }
  Server& server() { return *server_; }

 private:
  uint16_t port_ = 0;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

}  // namespace millstream::http
