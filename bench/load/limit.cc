// The subcommand limit: the least a program can do to broadcast: accept, and send() the same bytes to every socket.
//
// Mode `send` makes one send() of every event to every viewer; `joined` gathers the events of one turn of the loop and
// makes one send() of them all. Viewers are looked up by the event's device, and that is all the matching there is. No
// log, no rights, no resume: the measure to hold a real server against.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <unordered_map>

#include "load/event_ids.h"
#include "load/socket.h"
#include "load/subcommands.h"

namespace millstream::load {
namespace {

constexpr uint64_t kListenerTag = 0;
constexpr size_t kUnsentBytesMax = 4 << 20;
constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store, no-transform\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";
constexpr std::string_view kPublishAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n"
    "{\"accepted\":1,\"rejected\":[]}";

constexpr std::string_view kNotFound = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

// What stands between `before` and the next of `ends`; "" when there is no `before`.
std::string_view between(std::string_view text, std::string_view before, std::string_view ends) {
  const size_t at = text.find(before);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = text.substr(at + before.size());
  return rest.substr(0, rest.find_first_of(ends));
}

std::string chunk(std::string_view payload) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", payload.size());
  return size + std::string(payload) + "\r\n";
}

class LimitServer {
 public:
  LimitServer(Socket listener, bool joined) : listener_(std::move(listener)), joined_(joined) {
    poller_.add(listener_, EPOLLIN, kListenerTag);
  }

  void serve_for_ever() {
    for (;;) {
      for (const epoll_event& event : poller_.wait(60'000'000'000)) {
        if (event.data.u64 == kListenerTag) {
          accept_all();
        } else {
          on_ready(event.data.u64, event.events);
        }
      }
      for (Channel* channel : std::exchange(gathering_, {})) send_to(*channel, std::exchange(channel->gathered, {}));
    }
  }

 private:
  // A viewer costs its entry here and nothing else; a request that is still coming in is kept apart.
  struct Connection {
    Socket socket;
    bool is_viewer = false;
  };
  // A device, and who watches it.
  struct Channel {
    std::vector<uint64_t> viewers;  // tags
    std::string gathered;           // in this turn, in mode `joined`
  };

  void accept_all() {
    for (Socket socket = accept_one(listener_); socket.is_open(); socket = accept_one(listener_)) {
      const uint64_t tag = static_cast<uint64_t>(socket.fd()) + 1;
      poller_.add(socket, EPOLLIN, tag);
      if (connections_.size() <= tag) connections_.resize(tag + 1);
      connections_[tag] = {std::move(socket)};
    }
  }

  void on_ready(uint64_t tag, uint32_t events) {
    if ((events & EPOLLOUT) != 0) flush(tag);
    if ((events & ~uint32_t{EPOLLOUT}) == 0) return;
    char buffer[16384];
    const ssize_t n = ::recv(connections_[tag].socket.fd(), buffer, sizeof buffer, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return drop(tag);
    // Taken out while it is worked on: answering may find the peer gone and drop the connection.
    std::string request = std::exchange(requests_[tag], {});
    requests_.erase(tag);
    request.append(buffer, static_cast<size_t>(n));
    while (take_request(tag, request)) {
    }
    if (!request.empty() && connections_[tag].socket.is_open()) requests_[tag] = std::move(request);
  }

  bool take_request(uint64_t tag, std::string& request) {
    const size_t head_end = request.find("\r\n\r\n");
    if (head_end == std::string::npos) return false;
    size_t length = 0;
    constexpr std::string_view kLength = "Content-Length: ";
    if (const size_t at = request.find(kLength); at < head_end) {
      std::from_chars(request.data() + at + kLength.size(), request.data() + head_end, length);
    }
    const size_t size = head_end + 4 + length;
    if (request.size() < size) return false;
    if (request.starts_with("GET ")) {
      const std::string_view topics = between(std::string_view(request).substr(0, head_end), "topics=", "& ");
      if (topics.empty()) {
        send_bytes(tag, kNotFound);
        request.erase(0, size);
        return true;
      }
      connections_[tag].is_viewer = true;
      watch(tag, topics);
      const std::string id = ids_.next(utc_ms());
      send_bytes(tag,
                 std::string(kStreamHead) +
                     chunk("id: " + id + "\nevent: system\ndata: {\"kind\":\"hello\",\"cursor\":\"" + id + "\"}\n\n"));
    } else {
      send_bytes(tag, kPublishAnswer);
      publish(std::string_view(request).substr(head_end + 4, length));
    }
    request.erase(0, size);
    return true;
  }

  // The block a real server would make of such a body.
  void publish(std::string_view body) {
    const int64_t now_ms = utc_ms();
    const std::string id = ids_.next(now_ms);
    const std::string block = "id: " + id + "\nevent: telemetry\ndata: " + event_json(id, now_ms, body) + "\n\n";
    const auto channel = channels_.find(std::string(between(body, "\"deviceId\":\"", "\"")));
    if (channel == channels_.end()) return;
    if (!joined_) return send_to(channel->second, chunk(block));
    if (channel->second.gathered.empty()) gathering_.push_back(&channel->second);
    channel->second.gathered += chunk(block);
  }

  // By the device in each topic of a comma list.
  void watch(uint64_t tag, std::string_view topics) {
    while (!topics.empty()) {
      const size_t comma = std::min(topics.find(','), topics.size());
      channels_[std::string(between(topics.substr(0, comma), "device:", ","))].viewers.push_back(tag);
      topics.remove_prefix(std::min(comma + 1, topics.size()));
    }
  }

  void send_to(const Channel& channel, const std::string& bytes) {
    for (size_t i = 0; i < channel.viewers.size(); ++i) {
      const uint64_t tag = channel.viewers[i];
      send_bytes(tag, bytes);
      if (!connections_[tag].is_viewer) --i;  // gone while it was sent to
    }
  }

  void send_bytes(uint64_t tag, std::string_view bytes) {
    if (!unsent_.empty()) {
      const auto behind = unsent_.find(tag);
      if (behind != unsent_.end()) {
        if (behind->second.size() > kUnsentBytesMax) return drop(tag);
        behind->second += bytes;
        return;
      }
    }
    const Result<size_t> taken = send_some(connections_[tag].socket, bytes);
    if (!taken) return drop(tag);
    if (*taken == bytes.size()) return;
    unsent_[tag] = bytes.substr(*taken);
    poller_.change(connections_[tag].socket, EPOLLIN | EPOLLOUT, tag);
  }

  void flush(uint64_t tag) {
    const auto behind = unsent_.find(tag);
    if (behind == unsent_.end()) return;
    const Result<size_t> taken = send_some(connections_[tag].socket, behind->second);
    if (!taken) return drop(tag);
    behind->second.erase(0, *taken);
    if (!behind->second.empty()) return;
    unsent_.erase(behind);
    poller_.change(connections_[tag].socket, EPOLLIN, tag);
  }

  void drop(uint64_t tag) {
    if (connections_[tag].is_viewer) {
      for (auto& [device, channel] : channels_) std::erase(channel.viewers, tag);
    }
    connections_[tag] = Connection();
    requests_.erase(tag);
    unsent_.erase(tag);
  }

  Socket listener_;
  const bool joined_;
  Poller poller_;
  std::vector<Connection> connections_;  // by tag: the file number + 1
  std::unordered_map<uint64_t, std::string> requests_;
  std::unordered_map<uint64_t, std::string> unsent_;
  std::unordered_map<std::string, Channel> channels_;  // by device
  std::vector<Channel*> gathering_;                    // with something gathered in this turn
  EventIds ids_;
};

}  // namespace

Status run_limit(Options& options) {
  const std::string listen = options.text("listen", "127.0.0.1:0");
  const std::string mode = options.text("mode", "send");
  if (const Status status = options.finish(); !status) return status;
  if (mode != "send" && mode != "joined") return Error{Code::invalid, "--mode: send or joined"};
  const Result<Endpoint> at = parse_address(listen);
  if (!at) return at.error();
  Result<Socket> listener = listen_on(*at);
  if (!listener) return listener.error();
  std::printf("listening on http://127.0.0.1:%u\n", bound_port(*listener));
  std::fflush(stdout);
  LimitServer(std::move(*listener), mode == "joined").serve_for_ever();
  return {};
}

}  // namespace millstream::load
