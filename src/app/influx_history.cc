#include "app/influx_history.h"

#include <algorithm>
#include <utility>

#include "app/base64.h"
#include "app/http_client.h"

namespace millstream::app {
namespace {

constexpr std::string_view kCheckpointName = "influx";

std::string authorization_of(const Config::Influx& influx) {
  if (!influx.token.empty()) return "Authorization: Token " + influx.token;
  if (!influx.user.empty()) return "Authorization: Basic " + base64(influx.user + ":" + influx.password);
  return "";
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

class CurlTransport final : public influx::Transport {
 public:
  explicit CurlTransport(const Config::Influx& influx)
      : url_(without_slash(influx.url)), authorization_(authorization_of(influx)), ca_file_(influx.ca_file) {}

  Result<influx::HttpReply> post(const influx::HttpPost& post, const std::function<bool()>& keep_going) override {
    const Result<std::string> url = make_url(url_ + post.path, "", post.query);
    if (!url) return url.error();
    HttpRequest request{.url = *url, .headers = post.headers, .body = post.body, .timeout_ms = post.timeout_ms};
    request.ca_file = ca_file_;
    request.headers.emplace_back("Expect:");  // no round trip before the body
    if (!authorization_.empty()) request.headers.push_back(authorization_);
    influx::HttpReply reply;
    bool is_complete = true;
    const HttpListener listener{.on_head = [](const HttpAnswer&) { return true; },
                                .on_bytes =
                                    [&](std::string_view bytes) {
                                      const size_t room = post.answer_bytes_max + 1 - reply.body.size();
                                      reply.body.append(bytes.substr(0, room));
                                    },
                                .keep_going =
                                    [&] {
                                      is_complete = !keep_going || keep_going();
                                      return is_complete;
                                    }};
    const Result<HttpAnswer> answer = client_.listen(request, listener);
    if (!answer) return answer.error();
    if (!is_complete) return Error{Code::unavailable, "stopped"};
    if (!answer->broken.empty()) return Error{Code::unavailable, answer->broken};
    reply.status = answer->status;
    reply.retry_after_ms = answer->retry_after_ms;
    return reply;
  }

 private:
  const std::string url_;
  const std::string authorization_;
  const std::string ca_file_;
  HttpClient client_;
};

class LogSource final : public influx::HistorySource {
 public:
  LogSource(log::EventLog& log, const Clock& clock, int64_t retention_ms)
      : log_(log), clock_(clock), retention_ms_(retention_ms) {}

  Result<influx::HistoryPage> read(model::EventId after, model::EventId until, size_t events_max) override {
    log::ReadRequest request;
    request.after = after;
    request.until = until;
    request.types = model::EventTypes::none().with(model::EventType::telemetry);
    request.events_max = events_max;
    Result<log::ReadPage> page = log_.read(request);
    if (!page) return page.error();
    influx::HistoryPage out{.events = std::move(page->events), .to = page->scanned_to, .more = page->more};
    const auto add_lost = [&](const model::EventId& from, const model::EventId& to) {
      out.lost_after = out.lost_to.is_zero() ? from : std::min(out.lost_after, from);
      out.lost_to = std::max(out.lost_to, to);
    };
    // Whether there was anything in it nobody can say any more. At the very beginning nothing was promised yet.
    const model::EventId oldest_kept{std::max<int64_t>(0, clock_.wall_ms() - retention_ms_), 0};
    if (!after.is_zero() && after < oldest_kept) add_lost(after, oldest_kept);
    for (const log::Missing& part : page->missing) {
      if (part.why == log::Missing::Why::damaged) add_lost(part.ids.after, part.ids.to);
    }
    return out;
  }

  Result<std::optional<model::EventId>> load() override {
    Result<std::optional<log::Checkpoint>> stored = log_.load_checkpoint(kCheckpointName);
    if (!stored) return stored.error();
    if (!*stored) return std::optional<model::EventId>();
    return std::optional((*stored)->at);
  }

  void save(model::EventId position) override { log_.save_checkpoint(std::string(kCheckpointName), {position, ""}); }
  model::EventId last_id() const override { return log_.last_id(); }

 private:
  log::EventLog& log_;
  const Clock& clock_;
  const int64_t retention_ms_;
};

influx::WriterOptions writer_options(const Config& config) {
  const Config::Influx& influx = config.influx;
  influx::WriterOptions options;
  options.lines_max = static_cast<size_t>(influx.batch_lines_max);
  // A small spool has room for several.
  options.bytes_max = static_cast<size_t>(std::min(influx.batch_bytes_max, influx.spool_bytes_max / 8));
  options.drain_bytes_max = 4 * options.bytes_max;
  options.spool = {.directory = config.server.data_directory + "/influx-spool",
                   .bytes_max = influx.spool_bytes_max,
                   .age_ms_max = influx.spool_age_max_ms};
  options.dead_letters_path = config.server.data_directory + "/influx-dead-letters.lp";
  return options;
}

}  // namespace

std::unique_ptr<influx::Transport> make_influx_transport(const Config::Influx& influx) {
  return std::make_unique<CurlTransport>(influx);
}

influx::ClientOptions influx_client_options(const Config& config) {
  const Config::Influx& influx = config.influx;
  influx::ClientOptions options;
  options.version = influx.version == Config::Influx::Version::v1 ? influx::ClientOptions::Version::v1
                                                                  : influx::ClientOptions::Version::v2;
  options.database = influx.database;
  options.organization = influx.organization;
  options.bucket = influx.bucket;
  options.retention_ms = influx.retention_ms > 0 ? influx.retention_ms : config.storage.retention_ms;
  options.timeout_ms = influx.timeout_ms;
  return options;
}

InfluxHistory::InfluxHistory(const Config& config, log::EventLog& log, const Clock& clock, metrics::Registry& metrics,
                             std::function<bool()> may_write)
    : source_(std::make_unique<LogSource>(log, clock, config.storage.retention_ms)),
      client_(influx_client_options(config), make_influx_transport(config.influx)),
      writer_(writer_options(config), client_, *source_, clock, metrics, std::move(may_write)) {}

InfluxHistory::~InfluxHistory() = default;

void InfluxHistory::on_commit(const log::CommittedBatchPtr& batch) {
  writer_.on_commit(std::shared_ptr<const std::vector<model::Event>>(batch, &batch->events), batch->through);
}

}  // namespace millstream::app
