// /api/users: who may sign in to one's own account, for its admins.
//
// A password is hashed on the thread for that and then stored by a worker, as in login.cc. Changes that end someone's
// sessions are noticed by the registry's next look, within seconds.
#include <functional>

#include "api/credential.h"
#include "api/grants_body.h"
#include "api/grants_json.h"
#include "api/offload.h"
#include "api/problem.h"
#include "api/routes.h"
#include "auth/authorize.h"
#include "auth/password.h"
#include "base/log_line.h"
#include "base/time_text.h"
#include "codec/event_json.h"

namespace millstream::api {
namespace {

constexpr size_t kBodyBytesMax = 64 << 10;
constexpr size_t kUsersPerAccountMax = 1000;

using model::UserRecord;

std::string user_json(const UserRecord& user) {
  std::string out = "{\"name\":";
  codec::append_json_string(user.name, out);
  out += ',';
  append_grants_json(user.grants, out);
  out += ",\"createdAt\":\"" + rfc3339_ms(user.created_at_ms) + "\",\"disabled\":";
  return out + (user.disabled ? "true}" : "false}");
}

struct NewUser {
  UserRecord record;
  std::string password;
};

Result<std::string> read_password(const JsonBody& body, const std::string& user) {
  Result<std::string> password = body.needed_text("password");
  if (!password) return password;
  if (const Status good = auth::check_password(*password, user); !good) return good.error();
  return password;
}

Result<NewUser> parse_new_user(std::string_view text, const model::Grants& holder, int64_t now_ms) {
  JsonBody body;
  if (Status read = body.read(text, {"name", "password", "roles", "sites", "devices"}); !read) return read.error();
  NewUser made;
  Result<std::string> name = body.needed_text("name");
  if (!name) return name.error();
  if (!model::may_be_added(*name)) {
    return Error{Code::invalid, std::string("name: ") + model::kUserNameRule};
  }
  Result<model::Grants> grants = read_given_grants(body, holder);
  if (!grants) return grants.error();
  Result<std::string> password = read_password(body, *name);
  if (!password) return password.error();
  made.password = std::move(*password);
  made.record.name = std::move(*name);
  made.record.grants = std::move(*grants);
  made.record.created_at_ms = now_ms;
  return made;
}

// The user of this name, if the holder could have added them. A stranger is not told from one that is not there.
Result<UserRecord> own_user(const Context& context, const model::Grants& holder, const std::string& name) {
  std::optional<UserRecord> user = context.registry.users().find(name);
  if (user && auth::authorize_giving(holder, user->grants)) return std::move(*user);
  return Error{Code::not_found, "no user of this account is called \"" + name.substr(0, 64) + "\""};
}

// Hashes, in turn with other accounts and whoever signs in, and answers with what `store` makes of the hash, on a
// worker.
void store_hashed(Context& context, const http::ExchangePtr& exchange, const model::Grants& holder,
                  std::string password, std::function<http::Response(const std::string& hash)> store) {
  net::Loop& loop = exchange->loop();
  auto hash_it = [&context, &loop, exchange, password = std::move(password), store = std::move(store)]() mutable {
    Result<std::string> hash = auth::hash_password(password);
    // The exchange is given up on its own loop.
    loop.post([&context, exchange = std::move(exchange), hash = std::move(hash), store = std::move(store)]() mutable {
      respond_from(context.registry_work, std::move(exchange), [hash = std::move(hash), store = std::move(store)] {
        return hash ? store(*hash) : problem(hash.error());
      });
    });
  };
  const bool begun = context.hashers.post(std::move(hash_it), holder.account.text());
  if (begun) return;
  http::Response busy = problem(503, "too many passwords are being worked on; try again");
  busy.headers.set("Retry-After", "1");
  exchange->respond(std::move(busy));
}

void handle_list(Context& context, const http::ExchangePtr& exchange) {
  Result<model::Grants> holder = admin_grants(context, exchange->request());
  if (!holder) return exchange->respond(problem(holder.error()));
  respond_from(context.registry_work, exchange, [&context, holder = std::move(*holder)] {
    const Result<std::vector<UserRecord>> users = context.registry.users().list();
    if (!users) return problem(users.error());
    std::string body = "{\"users\":[";
    for (const UserRecord& user : *users) {
      if (!auth::authorize_giving(holder, user.grants)) continue;
      if (body.back() != '[') body += ',';
      body += user_json(user);
    }
    return private_json(200, body + "]}");
  });
}

void handle_add(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  const Result<model::Grants> holder = admin_grants(context, request);
  if (!holder) return exchange->respond(problem(holder.error()));
  Result<NewUser> asked = parse_new_user(request.body, *holder, context.clock.wall_ms());
  if (!asked) return exchange->respond(problem(asked.error()));
  if (const Status may = auth::authorize_giving(*holder, asked->record.grants); !may) {
    return exchange->respond(problem(may.error()));
  }
  const registry::Users& users = context.registry.users();
  if (users.find(asked->record.name)) {
    return exchange->respond(problem(409, "there is a user \"" + asked->record.name + "\" already"));
  }
  if (users.count(holder->account) >= kUsersPerAccountMax) {
    return exchange->respond(problem(422, "an account has at most " + std::to_string(kUsersPerAccountMax) + " users"));
  }
  store_hashed(context, exchange, *holder, std::move(asked->password),
               [&context, record = std::move(asked->record), by = holder->subject](const std::string& hash) {
                 UserRecord user = record;
                 user.password_hash = hash;
                 if (const Status added = context.registry.users().add(user); !added) return problem(added.error());
                 log_info("a user was added", {{"user", user.name}, {"by", by}});
                 return private_json(201, user_json(user));
               });
}

// Calls act(holder, user, body) with the user that the path names, and a body of these members.
template <class Act>
void change_user(Context& context, const http::ExchangePtr& exchange, std::string_view member, const Act& act) {
  const http::Request& request = exchange->request();
  const Result<model::Grants> holder = admin_grants(context, request);
  if (!holder) return exchange->respond(problem(holder.error()));
  Result<UserRecord> user = own_user(context, *holder, request.captures.front());
  if (!user) return exchange->respond(problem(user.error()));
  JsonBody body;
  if (const Status read = body.read(request.body, {member}); !read) return exchange->respond(problem(read.error()));
  act(*holder, std::move(*user), body);
}

void handle_password(Context& context, const http::ExchangePtr& exchange) {
  change_user(context, exchange, "password", [&](const model::Grants& holder, UserRecord user, const JsonBody& body) {
    Result<std::string> password = read_password(body, user.name);
    if (!password) return exchange->respond(problem(password.error()));
    store_hashed(context, exchange, holder, std::move(*password),
                 [&context, name = std::move(user.name), by = holder.subject](const std::string& hash) {
                   const Status set = context.registry.users().set_password(name, hash);
                   if (!set) return problem(set.error());
                   log_info("a password was set", {{"user", name}, {"by", by}});
                   return http::Response{.status = 204};
                 });
  });
}

void handle_change(Context& context, const http::ExchangePtr& exchange) {
  change_user(context, exchange, "disabled", [&](const model::Grants& holder, UserRecord user, const JsonBody& body) {
    const Result<bool> disabled = body.needed_boolean("disabled");
    if (!disabled) return exchange->respond(problem(disabled.error()));
    if (*disabled && holder.subject == user.grants.subject) {
      return exchange->respond(problem(409, "nobody disables themselves: another admin can"));
    }
    respond_from(
        context.registry_work, exchange,
        [&context, record = std::move(user), disabled = *disabled, by = holder.subject]() mutable {
          const Status set =
              context.registry.users().set_disabled(record.name, disabled, registry::Users::LastAdmin::stays);
          if (!set) return problem(set.error());
          log_info(disabled ? "a user was disabled" : "a user was enabled", {{"user", record.name}, {"by", by}});
          record.disabled = disabled;
          return private_json(200, user_json(record));
        });
  });
}

}  // namespace

void add_user_routes(http::Router& router, Context& context) {
  const http::Admit admit = admit_admins(context);
  const auto route = [&](const char* method, const char* path, auto handle) {
    router.add(
        method, path, kBodyBytesMax, [&context, handle](const http::ExchangePtr& e) { handle(context, e); }, admit);
  };
  router.add("GET", "/api/users", 0, [&context](const http::ExchangePtr& e) { handle_list(context, e); });
  route("POST", "/api/users", handle_add);
  route("PUT", "/api/users/{}", handle_change);
  route("PUT", "/api/users/{}/password", handle_password);
}

}  // namespace millstream::api
