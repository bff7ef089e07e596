#include "auth/ticket.h"

#include "auth/random_text.h"

namespace millstream::auth {
namespace {
constexpr std::string_view kPrefix = "mt_";
}  // namespace

std::string make_ticket_text() { return random_text(kPrefix); }

std::optional<std::string> ticket_sha256(std::string_view text) { return random_text_sha256(text, kPrefix); }

}  // namespace millstream::auth
