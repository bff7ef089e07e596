#include "app/issuer_keys.h"

#include <algorithm>
#include <optional>

#include "base/log_line.h"

namespace millstream::app {
namespace {

std::vector<auth::Issuer> issuers_of(const std::vector<IssuerSource>& sources) {
  std::vector<auth::Issuer> issuers;
  for (const IssuerSource& source : sources) issuers.push_back(source.issuer);
  return issuers;
}

}  // namespace

IssuerKeys::IssuerKeys(const Config& config, const Clock& clock, metrics::Registry& metrics)
    : clock_(clock), issuers_(issuers_of(issuer_sources(config))) {
  const std::vector<IssuerSource> sources = issuer_sources(config);
  for (size_t place = 0; place < sources.size(); ++place) {
    fetchers_.emplace_back();
    if (!sources[place].jwks_file.empty()) {
      files_.push_back({place, JwksFile(sources[place].jwks_file)});
    } else {
      add_fetcher(place, sources[place], config.auth, metrics);
    }
  }
  issuers_.on_unknown_key([this](size_t place) {
    if (fetchers_[place]) fetchers_[place]->want();
  });
  metrics.gauge_from("millstream_jwks_keys", "Public keys that tokens may be signed with, of all issuers",
                     [this] { return static_cast<int64_t>(issuers_.key_count()); });
}

void IssuerKeys::add_fetcher(size_t place, const IssuerSource& source, const Config::Auth& auth,
                             metrics::Registry& metrics) {
  const JwksSchedule schedule(auth.jwks_refresh_ms, auth.jwks_refetch_min_ms);
  fetchers_[place] = std::make_unique<JwksFetcher>(
      source, schedule, clock_, metrics, [this, place](KeySetPtr keys) { issuers_.set_keys(place, std::move(keys)); });
}

Status IssuerKeys::start() {
  for (File& each : files_) {
    Result<KeySetPtr> keys = each.file.read();
    if (!keys) return keys.error();
    issuers_.set_keys(each.place, std::move(*keys));
  }
  started_ms_ = clock_.steady_ms();
  for (const auto& fetcher : fetchers_) {
    if (fetcher) fetcher->start();
  }
  return {};
}

void IssuerKeys::wait_for_first() {
  const int64_t deadline_ms = started_ms_ + kFirstMs;
  for (size_t place = 0; place < fetchers_.size(); ++place) {
    if (!fetchers_[place]) continue;
    if (fetchers_[place]->wait_for_first(std::max<int64_t>(0, deadline_ms - clock_.steady_ms()))) continue;
    log_warning("serving before the public keys were fetched; tokens of this issuer are refused until they are",
                {{"issuer", issuers_.at(place).name}});
  }
}

void IssuerKeys::refresh_files() {
  for (File& each : files_) {
    const std::optional<Result<KeySetPtr>> read = each.file.read_if_changed();
    if (!read) continue;
    if (!*read) {
      log_error("the new public keys are not used; those in use stay", {{"reason", read->error().detail}});
      continue;
    }
    issuers_.set_keys(each.place, **read);
    log_info("the public keys were read again", {{"file", each.file.path()}, {"count", (**read)->size()}});
  }
}

void IssuerKeys::stop() {
  for (const auto& fetcher : fetchers_) {
    if (fetcher) fetcher->ask_to_stop();
  }
  for (const auto& fetcher : fetchers_) {
    if (fetcher) fetcher->stop();
  }
}

}  // namespace millstream::app
