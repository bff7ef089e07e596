// app/mail_message.h: a notification as an e-mail.
//
// Shapes   text/plain in UTF-8, base64, CRLF lines. What comes from alerts stands in the subject, as encoded words
// where
//          it is not plain ASCII and without control characters, and in the encoded body: it cannot add a header. Mails
//          of one group refer to one another, so that readers show them as a thread.
// Thread   value
// Source   RFC 5322, RFC 2045 (base64), RFC 2047 (encoded words), RFC 3834 (Auto-Submitted)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/notification.h"

namespace millstream::app {

struct MailEnvelope {
  std::string from;  // checked addresses
  std::vector<std::string> to;
};

std::string mail_message(const model::Notification& notification, const MailEnvelope& envelope,
                         const std::string& external_url, int64_t now_ms);
// The value of a header, folded.
std::string encoded_header(std::string_view utf8);

}  // namespace millstream::app
