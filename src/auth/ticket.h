// auth/ticket.h: the text of a ticket: 256 random bits that stand for one stream.
//
// Shapes   "mt_" and 43 letters of base64url. Only its SHA-256 is ever kept.
// Thread   any
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millstream::auth {

std::string make_ticket_text();
// What the store knows it by; none: not the form of a ticket.
std::optional<std::string> ticket_sha256(std::string_view text);

}  // namespace millstream::auth
