#include "api/credential.h"
#include "api/problem.h"

#include <openssl/evp.h>

#include <cctype>

#include "api/query_fields.h"
#include "http/ascii.h"

namespace millstream::api {
namespace {

// "Bearer abc" -> "abc" for scheme "bearer"; the scheme is compared without case.
std::optional<std::string_view> after_scheme(std::string_view header, std::string_view scheme) {
  if (header.size() <= scheme.size() || header[scheme.size()] != ' ') return std::nullopt;
  for (size_t i = 0; i < scheme.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(header[i])) != scheme[i]) return std::nullopt;
  }
  header.remove_prefix(scheme.size() + 1);
  while (header.starts_with(' ')) header.remove_prefix(1);
  return header;
}

std::string decode_base64(std::string_view text) {
  constexpr size_t kBasicBytesMax = 8 << 10;
  if (text.size() > kBasicBytesMax || text.size() % 4 != 0) return {};
  std::string out(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return {};
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  out.resize(static_cast<size_t>(size) - padding);
  return out;
}

std::string after_colon(std::string_view text) {
  const size_t colon = text.find(':');
  return std::string(colon == std::string_view::npos ? text : text.substr(colon + 1));
}

Result<model::Grants> with_role(Result<model::Grants> grants, model::Role role) {
  if (!grants) return grants;
  if (const Status has = auth::authorize_role(*grants, role); !has) return has.error();
  return grants;
}

}  // namespace

std::optional<std::string> session_cookie_of(const Context& context, const http::Request& request) {
  std::string cookies;
  for (const http::Header& header : request.headers.list()) {
    if (http::iequals(header.name, "cookie")) cookies += (cookies.empty() ? "" : "; ") + header.value;
  }
  const auto value = context.session_cookie.find(cookies);
  return value ? std::optional<std::string>(*value) : std::nullopt;
}

namespace {

// Of a request without a credential: development mode's, which any page in a browser on this machine could use.
Result<model::Grants> open_grants(const Context& context, const http::Request& request) {
  Result<model::Grants> grants = context.authenticator.authenticate({});
  if (!grants) return grants;
  if (const Status local = check_local_host(request); !local) return local.error();
  if (const Status page = check_page(request, context.allowed_origins, false); !page) return page.error();
  return grants;
}

}  // namespace

Result<model::Grants> grants_of(const Context& context, const http::Request& request) {
  if (const std::string_view header = request.headers.get("authorization"); !header.empty()) {
    const auto bearer = after_scheme(header, "bearer");
    // Any other scheme is a credential we do not know, which is not the same as none.
    return context.authenticator.authenticate(bearer ? *bearer : std::string_view("?"));
  }
  const auto cookie = session_cookie_of(context, request);
  if (!cookie) return open_grants(context, request);
  // A browser sends it by itself, whichever page asks.
  if (const Status page = check_page(request, context.allowed_origins, true); !page) return page.error();
  Result<model::Grants> grants = context.authenticator.authenticate_session(*cookie);
  // Development mode's, when the cookie is another server's.
  return grants && grants->credential == 0 ? open_grants(context, request) : std::move(grants);
}

Result<model::Grants> grants_of_role(const Context& context, const http::Request& request, model::Role role) {
  return with_role(grants_of(context, request), role);
}

std::string shown_credential(const http::Request& request) {
  if (const auto password = request.query.get("p")) return std::string(*password);
  const std::string_view header = request.headers.get("authorization");
  if (header.empty()) return {};
  if (const auto token = after_scheme(header, "token")) return after_colon(*token);
  if (const auto basic = after_scheme(header, "basic")) return after_colon(decode_base64(*basic));
  const auto bearer = after_scheme(header, "bearer");
  return std::string(bearer ? *bearer : "?");
}

Result<model::Grants> influx_grants_of(const Context& context, const http::Request& request) {
  const std::string credential = shown_credential(request);
  if (!credential.empty()) {
    Result<model::Grants> grants = context.authenticator.authenticate(credential);
    if (grants || credential.starts_with("ms_")) return grants;
  }
  // Influx clients send a made-up user and password when nobody configured one (influxdb-python: root:root). Where a
  // request without any credential is allowed, that is one.
  return open_grants(context, request);
}

Result<model::Grants> admin_grants(const Context& context, const http::Request& request) {
  if (const Status known = check_known(request.query, {}); !known) return known.error();
  Result<model::Grants> grants = grants_of(context, request);
  if (!grants) return grants;
  // What a token makes outlives it: the leeway after its end is not for that.
  if (!context.authenticator.still_holds(*grants)) return auth::refused_credential();
  return with_role(std::move(grants), model::Role::admin);
}

http::Admit admit_admins(const Context& context) {
  return [&context](const http::Request& request) -> std::optional<http::Response> {
    const Result<model::Grants> grants = admin_grants(context, request);
    return grants ? std::nullopt : std::optional(problem(grants.error()));
  };
}

Result<model::Grants> writing_grants(Result<model::Grants> grants) {
  return with_role(std::move(grants), model::Role::ingest);
}

Result<model::Grants> operating_grants(const Context& context, const http::Request& request) {
  Result<model::Grants> grants = grants_of_role(context, request, model::Role::operator_);
  if (!grants) return grants;
  if (grants->sites.empty() && grants->devices.empty()) return grants;
  return Error{Code::forbidden, "needs a credential for the whole account"};
}

Result<auth::Selection> selection_of(const Context& context, const http::Query& query, const model::AccountId& own) {
  Result<auth::Selection> selection = parse_selection(query, own);
  if (!selection || selection->topics.size() <= context.topics_max) return selection;
  count_refusal(context, "topics");
  return Error{Code::unprocessable, "topics: at most " + std::to_string(context.topics_max)};
}

Result<Reading> authorize_reading(const Context& context, const http::Request& request) {
  Result<model::Grants> grants = grants_of(context, request);
  if (!grants) return grants.error();
  Result<auth::Selection> selection = selection_of(context, request.query, grants->account);
  if (!selection) return selection.error();
  Result<std::vector<model::TopicPattern>> patterns = auth::authorize_read(*grants, *selection);
  if (!patterns) return patterns.error();
  return Reading{std::move(*grants), std::move(*patterns)};
}

}  // namespace millstream::api
