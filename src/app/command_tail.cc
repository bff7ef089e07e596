#include <unistd.h>

#include <cstdio>
#include <random>

#include "app/commands.h"
#include "app/event_text.h"
#include "app/http_client.h"
#include "app/interrupt.h"
#include "app/reconnect.h"
#include "base/clock.h"
#include "base/time_text.h"
#include "codec/sse_frame.h"

namespace millstream::app {
namespace {

// Prints events until there are enough of them.
class EventPrinter {
 public:
  EventPrinter(bool pretty, uint64_t count, bool count_system)
      : pretty_(pretty), count_(count), count_system_(count_system) {}

  void print(const codec::SseReader::Message& message) {
    if (enough()) return;
    const std::string line = pretty_ ? pretty_line(message) : printable_json(message.data);
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
    // The stream's own words (hello, heartbeat) are nobody's fifth event.
    if (message.event != "system" || count_system_) ++printed_;
  }
  bool enough() const { return count_ > 0 && printed_ >= count_; }

 private:
  const bool pretty_;
  const uint64_t count_;
  const bool count_system_;
  uint64_t printed_ = 0;
};

class Tail {
 public:
  Tail(std::string url, std::string credential, std::string ca_file, EventPrinter& printer)
      : url_(std::move(url)),
        credential_(std::move(credential)),
        ca_file_(std::move(ca_file)),
        printer_(printer),
        reader_([this](const codec::SseReader::Message& message) { printer_.print(message); }) {}

  Result<int> run() {
    ReconnectPolicy policy(std::random_device{}());
    while (true) {
      Result<StreamEnd> end = connect();
      if (!end) return end.error();
      if (interrupt_.came() || printer_.enough()) return 0;
      const Reconnect next = policy.next(*end);
      std::fprintf(stderr, "millstream: %s\n", printable(next.message).c_str());
      if (next.stop) return next.exit_code;
      interrupt_.wait(next.wait_ms);
      if (interrupt_.came()) return 0;
    }
  }

 private:
  // One connection, from the request to its end.
  Result<StreamEnd> connect() {
    StreamEnd end;
    reader_.reset();
    Watchdog watchdog(clock_.steady_ms());
    HttpListener listener;
    listener.on_head = [&](const HttpAnswer& head) {
      end.event_stream = head.status == 200 && head.content_type.starts_with("text/event-stream");
      return end.event_stream;
    };
    listener.on_bytes = [&](std::string_view bytes) {
      end.received = true;
      watchdog.bytes_came(clock_.steady_ms());
      reader_.feed(bytes);
    };
    listener.keep_going = [&] {
      return !interrupt_.came() && !printer_.enough() && !watchdog.barks(clock_.steady_ms());
    };
    const Result<HttpAnswer> answer = client_.listen(request(), listener);
    end.retry_ms = reader_.retry_ms();
    if (!answer) {
      if (answer.error().code == Code::invalid) return answer.error();
      end.detail = answer.error().detail;
      return end;
    }
    end.status = answer->status;
    end.retry_after_ms = answer->retry_after_ms;
    end.detail = end.event_stream ? answer->broken : problem_text(*answer);
    if (watchdog.barks(clock_.steady_ms())) end.detail = "silent for a minute";
    return end;
  }

  HttpRequest request() const {
    HttpRequest request;
    request.url = url_;
    request.ca_file = ca_file_;
    request.timeout_ms = 0;
    request.headers = {"Accept: text/event-stream", "Cache-Control: no-store"};
    if (!credential_.empty()) request.headers.push_back("Authorization: Bearer " + credential_);
    if (!reader_.last_event_id().empty()) request.headers.push_back("Last-Event-ID: " + reader_.last_event_id());
    return request;
  }

  const std::string url_;
  const std::string credential_;
  const std::string ca_file_;
  EventPrinter& printer_;
  codec::SseReader reader_;
  HttpClient client_;
  SystemClock clock_;
  Interrupt interrupt_;
};

// "10m" means ten minutes ago; times and ids go to the server as they are.
std::string since_text(const std::string& since) {
  const Result<int64_t> ago_ms = parse_duration_ms(since);
  return ago_ms ? rfc3339_ms(SystemClock().wall_ms() - *ago_ms) : since;
}

}  // namespace

Result<int> run_tail(const TailOptions& options, const Environment& environment) {
  const Result<std::string> credential =
      find_credential(options.credential_file, environment, {"MILLSTREAM_TOKEN", "MILLSTREAM_KEY"});
  if (!credential) return credential.error();
  const Result<std::string> url = make_url(options.url, "/api/stream",
                                           {{"topics", options.topics},
                                            {"types", options.types},
                                            {"since", since_text(options.since)},
                                            {"snapshot", options.snapshot ? "latest" : ""}});
  if (!url) return url.error();
  const bool pretty = options.pretty || (!options.json && ::isatty(STDOUT_FILENO));
  EventPrinter printer(pretty, options.count, options.types.find("system") != std::string::npos);
  return Tail(*url, *credential, options.ca_file, printer).run();
}

}  // namespace millstream::app
