// redis/client.h: one connection to a Redis, found through Sentinel where there is one. Every call waits.
//
// Flow     run() connects when there is no connection (AUTH, SELECT, CLIENT SETNAME; ROLE where it matters), writes the
//          commands and reads as many replies, both at once: a pipeline larger than all buffers does not stand still.
//          Subscriptions: run({"SUBSCRIBE", ...}), then next_message() only, and send() where something is to be said.
// Shapes   An error reply of a command is a value like any other (Reply::is_error()); asked_wrong_server() tells those
//          that another server, or the same one later, would not give.
// Limits   the caller's timeout for each call, connecting included; connect_timeout_ms for each server tried. Looking
// up
//          a name waits as long as the resolver does. Replies as ReplyLimits says.
// Errors   Code::unavailable: nobody there, a connection that broke, a timeout, no RESP, interrupted.
//          Code::unauthenticated: the user or password was refused. Code::invalid: the options cannot be used.
//          After each of them the connection is closed, and the next run() makes a new one; what became of commands
//          that were on their way nobody knows. No message holds a password.
// Thread   one thread at a time; interrupt(): any
// Source   Redis: "Guidelines for Redis clients with support for Redis Sentinel", commands ROLE and AUTH
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "net/tls_client.h"
#include "redis/options.h"
#include "redis/resp.h"

namespace millstream::redis {

class Connection;

// A reply that says: not this server, or not now (READONLY, LOADING, MASTERDOWN, NOAUTH, UNBLOCKED). The client closes
// the connection on one, so that the next run() looks for the master again; to its caller it means Code::unavailable.
bool asked_wrong_server(const Reply& reply);

class Client {
 public:
  explicit Client(Options options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // One reply for each command, in their order.
  Result<std::vector<Reply>> run(const Commands& commands, int64_t timeout_ms);
  Result<Reply> run(std::initializer_list<std::string_view> args, int64_t timeout_ms);

  // Writes and waits for no reply: for a connection with subscriptions, where next_message() gives it.
  Status send(const Commands& commands, int64_t timeout_ms);
  // What the server says next; nothing: it said nothing in that time, and the connection stays. An error when there is
  // no connection: subscriptions end with it.
  Result<std::optional<Reply>> next_message(int64_t timeout_ms);

  bool connected() const { return connection_ != nullptr; }
  // How many were opened so far: a change tells that state kept by the connection is gone.
  uint64_t connections() const { return connections_; }
  // Who answers, "host:port"; empty while not connected.
  std::string server() const;
  void close();
  // Calls that wait now and all later ones return Code::unavailable at once. For good.
  void interrupt();

 private:
  using Opened = Result<std::unique_ptr<Connection>>;

  Status connect(int64_t deadline_ms);
  Opened find_server(int64_t deadline_ms);
  Opened open(const Address& address, int64_t deadline_ms);
  Opened open_server(const Address& address, int64_t deadline_ms);
  Opened open_master(const Address& sentinel, int64_t deadline_ms);
  Status load_tls();
  Error lost(Error error);

  // constant after construction
  const Options options_;
  const SystemClock clock_;
  const UniqueFd wake_;  // readable once interrupted
  std::atomic<bool> interrupted_{false};

  std::unique_ptr<net::TlsClientContext> tls_;  // null: in the clear, or not loaded yet
  std::unique_ptr<Connection> connection_;
  Address server_;  // of connection_
  uint64_t connections_ = 0;
};

}  // namespace millstream::redis
