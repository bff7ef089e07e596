// app/channel_transfer.h: one notification on its way through one channel, on libcurl.
//
// Flow     send() blocks until the receiver has answered, or ChannelOptions::timeout_ms is over.
// Shapes   webhook: POST of Alertmanager's body of version 4, with Idempotency-Key (the notification's id) and, where
// the
//          channel has a secret, X-Millstream-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">.
//          alertmanager: POST of its alerts. email: one mail.
// Limits   kAnswerBytesMax of an answer are read. Redirects are not followed and no proxy is used: a socket is only
// ever
//          opened to an address that app/destination.h lets pass. Certificates are checked.
// Errors   in the outcome. Final: the receiver refused this notification (4xx but 408 and 429, 3xx, SMTP 5xx).
// Thread   one thread at a time; blocks
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "app/channel_options.h"
#include "model/notification.h"

namespace millstream::app {

struct Outcome {
  bool delivered = false;
  bool is_final = false;    // trying again would not help
  bool stopped = false;     // keep_going said no: nothing is known
  std::string reason = {};  // a word, for everyone who follows the account
  std::string detail = {};  // in libcurl's words, for the operator's log
  std::optional<int64_t> retry_after_ms = {};
};

class ChannelTransfer {
 public:
  static constexpr size_t kAnswerBytesMax = 64 << 10;

  ChannelTransfer(ChannelOptions channel, std::string external_url);
  ~ChannelTransfer();

  // keep_going: asked about every second.
  Outcome send(const model::Notification& notification, int64_t now_ms, const std::function<bool()>& keep_going);

 private:
  struct Handle;
  struct Exchange;

  const ChannelOptions channel_;
  const std::string external_url_;
  std::unique_ptr<Handle> handle_;  // keeps the connection from one notification to the next
};

// The value of X-Millstream-Signature.
std::string webhook_signature(const std::string& secret, int64_t unix_seconds, const std::string& body);

}  // namespace millstream::app
