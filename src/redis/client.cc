#include "redis/client.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/check.h"
#include "redis/connection.h"

namespace millstream::redis {

namespace {

Error at_server(const Address& address, Error error) {
  error.detail = "redis " + address_text(address) + ": " + error.detail;
  return error;
}

Commands greeting(const Options& options, bool sentinel) {
  const std::string& user = sentinel ? options.sentinel_user : options.user;
  const std::string& password = sentinel ? options.sentinel_password : options.password;
  Commands commands;
  if (!password.empty() && user.empty()) commands.add({"AUTH", password});
  if (!user.empty()) commands.add({"AUTH", user, password});  // empty: a user that needs none
  if (!sentinel && options.database != 0) commands.add({"SELECT", std::to_string(options.database)});
  commands.add({"CLIENT", "SETNAME", "millstream"});
  return commands;
}

// Redis never repeats a password in what it says.
Error refused(const Reply& reply) {
  const bool credential = reply.text.starts_with("WRONGPASS") || reply.text.starts_with("NOAUTH") ||
                          reply.text.starts_with("ERR AUTH") || reply.text.starts_with("ERR invalid password");
  return Error{credential ? Code::unauthenticated : Code::unavailable, reply.text};
}

// The name of a connection is for people who look; whoever may not set it does without.
Status log_in(Connection& connection, const Options& options, bool sentinel, int64_t deadline_ms) {
  const Commands commands = greeting(options, sentinel);
  const Result<std::vector<Reply>> replies = connection.exchange(commands.bytes(), commands.count(), deadline_ms);
  if (!replies) return replies.error();
  for (size_t i = 0; i + 1 < replies->size(); ++i) {
    if (replies->at(i).is_error()) return refused(replies->at(i));
  }
  const Reply& named = replies->back();
  if (named.is_error() && refused(named).code == Code::unauthenticated) return refused(named);
  return {};
}

Result<Reply> ask(Connection& connection, std::initializer_list<std::string_view> args, int64_t deadline_ms) {
  const std::string bytes(Commands().add(args).bytes());
  Result<std::vector<Reply>> replies = connection.exchange(bytes, 1, deadline_ms);
  if (!replies) return replies.error();
  if (replies->front().is_error()) return refused(replies->front());
  return std::move(replies->front());
}

Status check_is_master(Connection& connection, int64_t deadline_ms) {
  const Result<Reply> role = ask(connection, {"ROLE"}, deadline_ms);
  if (!role) return role.error();
  const std::string said = role->items.empty() ? "" : role->items.front().text;
  if (said == "master") return {};
  return Error{Code::unavailable, "is no master but \"" + said + "\""};
}

Result<Address> master_of(const Reply& reply) {
  Address master;
  if (reply.items.size() == 2) {
    const std::string& port = reply.items[1].text;
    master.host = reply.items[0].text;
    std::from_chars(port.data(), port.data() + port.size(), master.port);
  }
  if (master.host.empty() || master.port == 0) return Error{Code::unavailable, "this sentinel knows no such master"};
  return master;
}

}  // namespace

bool asked_wrong_server(const Reply& reply) {
  static constexpr std::array<std::string_view, 5> kWords = {"READONLY", "LOADING", "MASTERDOWN", "NOAUTH",
                                                             "UNBLOCKED"};
  const auto begins = [&](std::string_view word) { return reply.text.starts_with(word); };
  return reply.is_error() && std::any_of(kWords.begin(), kWords.end(), begins);
}

Client::Client(Options options) : options_(std::move(options)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  MS_CHECK(wake_);
}

Client::~Client() = default;

Result<std::vector<Reply>> Client::run(const Commands& commands, int64_t timeout_ms) {
  const int64_t deadline_ms = clock_.steady_ms() + timeout_ms;
  if (connection_ && connection_->is_stale()) close();
  if (Status s = connect(deadline_ms); !s) return s.error();
  Result<std::vector<Reply>> replies = connection_->exchange(commands.bytes(), commands.count(), deadline_ms);
  if (!replies) return lost(replies.error());
  if (std::any_of(replies->begin(), replies->end(), asked_wrong_server)) close();
  return replies;
}

Result<Reply> Client::run(std::initializer_list<std::string_view> args, int64_t timeout_ms) {
  Result<std::vector<Reply>> replies = run(Commands().add(args), timeout_ms);
  if (!replies) return replies.error();
  return std::move(replies->front());
}

Status Client::send(const Commands& commands, int64_t timeout_ms) {
  const int64_t deadline_ms = clock_.steady_ms() + timeout_ms;
  if (Status s = connect(deadline_ms); !s) return s;
  if (Status s = connection_->write(commands.bytes(), deadline_ms); !s) return lost(s.error());
  return {};
}

Result<std::optional<Reply>> Client::next_message(int64_t timeout_ms) {
  if (interrupted_ || !connection_) return Error{Code::unavailable, interrupted_ ? "interrupted" : "not connected"};
  Result<std::optional<Reply>> reply = connection_->read_one(clock_.steady_ms() + timeout_ms);
  if (!reply) return lost(reply.error());
  return reply;
}

std::string Client::server() const { return connection_ ? address_text(server_) : ""; }

void Client::close() { connection_.reset(); }

void Client::interrupt() {
  interrupted_ = true;
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof(one));
}

Error Client::lost(Error error) {
  close();
  return at_server(server_, std::move(error));
}

Status Client::connect(int64_t deadline_ms) {
  if (interrupted_) return Error{Code::unavailable, "interrupted"};
  if (connection_) return {};
  if (Status s = load_tls(); !s) return s;
  Opened opened = find_server(deadline_ms);
  if (!opened) return opened.error();
  connection_ = std::move(*opened);
  ++connections_;
  return {};
}

Status Client::load_tls() {
  if (!options_.tls || tls_) return {};
  auto made = net::TlsClientContext::make({options_.ca_file, options_.certificate_file, options_.key_file});
  if (!made) return made.error();
  tls_ = std::move(*made);
  return {};
}

// The first that can be spoken with and is what is looked for; else why the last one was not.
Client::Opened Client::find_server(int64_t deadline_ms) {
  Opened found = Error{Code::invalid, "no Redis server is named"};
  for (const Address& address : options_.servers) {
    found = options_.sentinel_master.empty() ? open_server(address, deadline_ms) : open_master(address, deadline_ms);
    if (found) return found;
  }
  return found;
}

Client::Opened Client::open(const Address& address, int64_t deadline_ms) {
  return Connection::open(address, tls_.get(), clock_, wake_.get(), deadline_ms);
}

Client::Opened Client::open_server(const Address& address, int64_t deadline_ms) {
  deadline_ms = std::min(deadline_ms, clock_.steady_ms() + options_.connect_timeout_ms);
  Opened opened = open(address, deadline_ms);
  if (!opened) return at_server(address, opened.error());
  Status ready = log_in(**opened, options_, false, deadline_ms);
  const bool only_master = !options_.sentinel_master.empty() || options_.servers.size() > 1;
  if (ready && only_master) ready = check_is_master(**opened, deadline_ms);
  if (!ready) return at_server(address, ready.error());
  server_ = address;
  return opened;
}

Client::Opened Client::open_master(const Address& sentinel, int64_t deadline_ms) {
  const int64_t sentinel_ms = std::min(deadline_ms, clock_.steady_ms() + options_.connect_timeout_ms);
  const auto here = [&](Error error) { return at_server(sentinel, std::move(error)); };
  Opened opened = open(sentinel, sentinel_ms);
  if (!opened) return here(opened.error());
  if (Status s = log_in(**opened, options_, true, sentinel_ms); !s) return here(s.error());
  const Result<Reply> told =
      ask(**opened, {"SENTINEL", "get-master-addr-by-name", options_.sentinel_master}, sentinel_ms);
  if (!told) return here(told.error());
  const Result<Address> master = master_of(*told);
  if (!master) return here(master.error());
  return open_server(*master, deadline_ms);
}

}  // namespace millstream::redis
