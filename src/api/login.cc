// POST /api/login, POST /api/logout, GET /api/me: users with passwords, and who one is.
//
// A password is hashed on a thread of its own; before that the throttle is asked, so that guesses cost a lookup. The
// answer is the same, and takes as long, whether the user or the password is wrong.
#include "api/credential.h"
#include "api/grants_json.h"
#include "api/json_body.h"
#include "api/offload.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "auth/password.h"
#include "base/log_line.h"
#include "codec/event_json.h"
#include "http/ascii.h"

namespace millstream::api {
namespace {

constexpr size_t kLoginBodyBytesMax = 8 << 10;
constexpr std::string_view kWrong = "user or password is wrong";

struct Login {
  std::string user;
  std::string password;
};

Result<Login> parse_login(std::string_view body) {
  JsonBody json;
  if (const Status read = json.read(body, {"user", "password"}); !read) return read.error();
  Result<std::string> user = json.needed_text("user");
  if (!user) return user.error();
  Result<std::string> password = json.needed_text("password");
  if (!password) return password.error();
  return Login{std::move(*user), std::move(*password)};
}

// A form of another page could send anything but this.
bool is_json(const http::Request& request) { return http::iequals(media_type(request), "application/json"); }

// Who one is, as /api/login and /api/me say it.
std::string identity_json(std::string_view kind, const model::Grants& grants) {
  std::string out = "{\"kind\":\"" + std::string(kind) + "\",\"subject\":";
  codec::append_json_string(grants.subject, out);
  out += ',';
  append_grants_json(grants, out);
  return out + '}';
}

http::Response wait_first(int64_t wait_ms) {
  http::Response response = problem(429, "too many attempts; wait before the next one");
  response.headers.set("Retry-After", std::to_string((wait_ms + 999) / 1000));
  return response;
}

// A session for a user who has shown the password, in place of the one the browser had.
http::Response sign_in(Context& context, const model::UserRecord& user, const std::optional<std::string>& before) {
  const int64_t now_ms = context.clock.wall_ms();
  const std::string text = auth::make_session_text();
  const model::LoginSessionRecord session{.sha256 = *auth::session_sha256(text),
                                          .user = user.name,
                                          .generation = user.generation,
                                          .created_at_ms = now_ms,
                                          .used_at_ms = now_ms,
                                          .expires_at_ms = now_ms + context.session_max_ms};
  if (const Status added = context.registry.login_sessions().add(session); !added) return problem(added.error());
  if (before) {
    if (const Status ended = context.registry.login_sessions().end(*before); !ended) {
      log_warning("the session before a sign-in could not be removed", {{"reason", ended.error().detail}});
    }
    context.end_streams({model::login_session_number(*before)});
  }
  model::Grants grants = user.grants;
  grants.expires_at_ms = session.expires_at_ms;
  log_info("signed in", {{"user", user.name}, {"account", grants.account.text()}});
  http::Response response = private_json(200, identity_json("session", grants));
  response.headers.add("Set-Cookie", context.session_cookie.set(text, context.session_max_ms));
  return response;
}

void count_login(const Context& context, const char* outcome) {
  context.metrics.counter("millstream_logins_total", "Sign-ins, by outcome", "outcome=\"" + std::string(outcome) + "\"")
      .add();
}

// One sign-in on its way: a hasher looks at the password and does nothing else, as it gives way to everyone and must
// hold no lock that others wait for; the loop decides; a worker stores the session.
struct Attempt {
  Context& context;
  http::ExchangePtr exchange;
  Login login;
  std::string address;
  std::optional<std::string> before;  // hash of the session that the browser has
  std::optional<model::UserRecord> user;
};
using AttemptPtr = std::shared_ptr<Attempt>;

void decide(const AttemptPtr& attempt, bool right) {
  Context& context = attempt->context;
  if (!right) {
    count_login(context, "refused");
    // A name that nobody has may be a password in the wrong field.
    log_info("sign-in refused",
             {{"user", attempt->user ? attempt->user->name : "(nobody's)"}, {"address", attempt->address}});
    return attempt->exchange->respond(problem(401, kWrong));
  }
  count_login(context, "ok");
  context.login_throttle.succeeded(attempt->login.user, address_block(attempt->address));
  respond_from(context.registry_work, std::move(attempt->exchange),
               [&context, user = *attempt->user, before = attempt->before] { return sign_in(context, user, before); });
}

bool begin_hashing(const AttemptPtr& attempt) {
  net::Loop& loop = attempt->exchange->loop();
  return attempt->context.hashers.post([attempt, &loop]() mutable {
    const bool there = attempt->user && !attempt->user->disabled;
    const bool right = there ? auth::verify_password(attempt->login.password, attempt->user->password_hash)
                             : auth::verify_nobody(attempt->login.password);
    loop.post([attempt = std::move(attempt), right] { decide(attempt, right); });
  });
}

std::optional<std::string> session_hash_of(const Context& context, const http::Request& request) {
  const auto cookie = session_cookie_of(context, request);
  return cookie ? auth::session_sha256(*cookie) : std::nullopt;
}

// What is asked of every request that sets or clears the cookie.
std::optional<http::Response> refuse_login_request(const Context& context, const http::Request& request) {
  if (const Status known = check_known(request.query, {}); !known) return problem(known.error());
  if (const Status page = check_page(request, context.allowed_origins, false); !page) return problem(page.error());
  return std::nullopt;
}

void handle_login(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (auto refused = refuse_login_request(context, request)) return exchange->respond(std::move(*refused));
  if (!is_json(request)) return exchange->respond(problem(415, "Content-Type: must be application/json"));
  Result<Login> login = parse_login(request.body);
  if (!login) return exchange->respond(problem(login.error()));
  if (!model::is_user_name(login->user) || login->password.size() > auth::kPasswordBytesMax) {
    return exchange->respond(problem(401, kWrong));  // nobody can have it
  }
  const std::string address = context.trusted_proxies.client_of(request);
  const std::string block = address_block(address);
  const int64_t wait_ms = context.login_throttle.begin(login->user, block, context.clock.steady_ms());
  if (wait_ms > 0) {
    count_login(context, "throttled");
    return exchange->respond(wait_first(wait_ms));
  }
  std::optional<model::UserRecord> user = context.registry.users().find(login->user);
  const auto attempt = std::make_shared<Attempt>(Attempt{.context = context,
                                                         .exchange = exchange,
                                                         .login = std::move(*login),
                                                         .address = address,
                                                         .before = session_hash_of(context, request),
                                                         .user = std::move(user)});
  if (begin_hashing(attempt)) return;
  context.login_throttle.cancelled(attempt->login.user, block);
  count_login(context, "busy");
  exchange->respond(wait_first(1000));
}

void handle_logout(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (auto refused = refuse_login_request(context, request)) return exchange->respond(std::move(*refused));
  http::Response done;
  done.status = 204;
  done.headers.add("Set-Cookie", context.session_cookie.forget());
  done.headers.add("Cache-Control", "no-store");
  const std::optional<std::string> sha256 = session_hash_of(context, request);
  if (!sha256) return exchange->respond(std::move(done));
  respond_from(context.registry_work, exchange, [&context, sha256 = *sha256, done = std::move(done)] {
    const Status ended = context.registry.login_sessions().end(sha256);
    context.end_streams({model::login_session_number(sha256)});
    if (!ended) return problem(ended.error());
    return done;
  });
}

std::string_view kind_of(const model::Grants& grants) {
  if (model::is_login_session(grants.credential)) return "session";
  if (grants.credential != 0) return "key";
  return grants.expires_at_ms ? "token" : "development";
}

void handle_me(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {}); !known) return exchange->respond(problem(known.error()));
  const Result<model::Grants> grants = grants_of(context, request);
  if (!grants) return exchange->respond(problem(grants.error()));
  exchange->respond(private_json(200, identity_json(kind_of(*grants), *grants)));
}

}  // namespace

void add_login_routes(http::Router& router, Context& context) {
  router.add("POST", "/api/login", kLoginBodyBytesMax,
             [&context](const http::ExchangePtr& e) { handle_login(context, e); });
  router.add("POST", "/api/logout", 0, [&context](const http::ExchangePtr& e) { handle_logout(context, e); });
  router.add("GET", "/api/me", 0, [&context](const http::ExchangePtr& e) { handle_me(context, e); });
}

}  // namespace millstream::api
