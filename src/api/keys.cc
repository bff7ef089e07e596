// /api/keys: API keys of one's own account, for its admins. A key's text is told once, when it is made.
#include "api/credential.h"
#include "api/grants_body.h"
#include "api/grants_json.h"
#include "api/offload.h"
#include "api/problem.h"
#include "api/routes.h"
#include "auth/authenticator.h"
#include "auth/authorize.h"
#include "base/log_line.h"
#include "base/time_text.h"
#include "codec/event_json.h"

namespace millstream::api {
namespace {

constexpr size_t kBodyBytesMax = 64 << 10;
constexpr size_t kNameBytesMax = 200;
constexpr int64_t kOverlapMsDefault = kDayMs;
constexpr int64_t kOverlapMsMax = 30 * kDayMs;

using model::ApiKeyRecord;

void append_time(const char* member, std::optional<int64_t> at_ms, std::string& out) {
  out.append(",\"").append(member).append("\":");
  out += at_ms ? '"' + rfc3339_ms(*at_ms) + '"' : "null";
}

void append_key(const ApiKeyRecord& key, std::string& out) {
  out += "{\"id\":\"" + key.key_id + "\",\"name\":";
  codec::append_json_string(key.name, out);
  out += ',';
  append_grants_json(key.grants, out);
  append_time("createdAt", key.created_at_ms, out);
  out += ",\"createdBy\":";
  if (key.created_by.empty()) {
    out += "null";
  } else {
    codec::append_json_string(key.created_by, out);
  }
  append_time("lastUsedAt", key.used_at_ms, out);
  out += ",\"revoked\":";
  out += key.revoked ? "true" : "false";
  out += '}';
}

// With the text, which is not to be had again.
http::Response made_key(const auth::NewApiKey& made) {
  std::string body;
  append_key(made.record, body);
  body.pop_back();
  body += ",\"key\":";
  codec::append_json_string(made.text, body);
  return private_json(201, body + '}');
}

struct NewKey {
  std::string name;
  model::Grants grants;
};

Result<NewKey> parse_new_key(std::string_view text, const model::Grants& holder, int64_t now_ms) {
  JsonBody body;
  if (const Status read = body.read(text, {"name", "roles", "sites", "devices", "expiresAt"}); !read)
    return read.error();
  NewKey key;
  Result<std::string> name = body.needed_text("name");
  if (!name) return name.error();
  if (name->size() > kNameBytesMax)
    return Error{Code::invalid, "name: at most " + std::to_string(kNameBytesMax) + " bytes"};
  key.name = std::move(*name);
  Result<model::Grants> grants = read_given_grants(body, holder);
  if (!grants) return grants.error();
  key.grants = std::move(*grants);
  const auto expires = body.text_or_number("expiresAt");
  if (!expires) return expires.error();
  if (*expires) {
    const Result<int64_t> at_ms = parse_time(**expires);
    if (!at_ms) return Error{Code::invalid, "expiresAt: " + at_ms.error().detail};
    if (*at_ms <= now_ms) return Error{Code::invalid, "expiresAt: has passed"};
    key.grants.expires_at_ms = *at_ms;
  }
  return key;
}

// The key of this id, if the holder could have made it. A stranger's is not told from one that is not there.
Result<std::shared_ptr<const ApiKeyRecord>> own_key(const Context& context, const model::Grants& holder,
                                                    const std::string& id) {
  std::shared_ptr<const ApiKeyRecord> key = context.registry.api_keys().find_api_key(id);
  if (!key || !auth::authorize_giving(holder, key->grants)) {
    return Error{Code::not_found, "no key of this account has the id \"" + id.substr(0, 64) + "\""};
  }
  return key;
}

void handle_list(Context& context, const http::ExchangePtr& exchange) {
  Result<model::Grants> holder = admin_grants(context, exchange->request());
  if (!holder) return exchange->respond(problem(holder.error()));
  respond_from(context.registry_work, exchange, [&context, holder = std::move(*holder)] {
    const Result<std::vector<ApiKeyRecord>> keys = context.registry.api_keys().list();
    if (!keys) return problem(keys.error());
    std::string body = "{\"keys\":[";
    for (const ApiKeyRecord& key : *keys) {
      if (!auth::authorize_giving(holder, key.grants)) continue;
      if (body.back() != '[') body += ',';
      append_key(key, body);
    }
    return private_json(200, body + "]}");
  });
}

http::Response add_key(Context& context, auth::NewApiKey made, const std::string& by) {
  made.record.created_by = by;
  if (const Status added = context.registry.api_keys().add(made.record); !added) return problem(added.error());
  log_info("a key was made", {{"key_id", made.record.key_id}, {"by", by}});
  return made_key(made);
}

void handle_create(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  const Result<model::Grants> holder = admin_grants(context, request);
  if (!holder) return exchange->respond(problem(holder.error()));
  const int64_t now_ms = context.clock.wall_ms();
  Result<NewKey> asked = parse_new_key(request.body, *holder, now_ms);
  if (!asked) return exchange->respond(problem(asked.error()));
  if (const Status may = auth::authorize_giving(*holder, asked->grants); !may) {
    return exchange->respond(problem(may.error()));
  }
  respond_from(context.registry_work, exchange, [&context, asked = std::move(*asked), by = holder->subject, now_ms] {
    return add_key(context, auth::make_api_key(asked.name, asked.grants, now_ms), by);
  });
}

void handle_revoke(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  const Result<model::Grants> holder = admin_grants(context, request);
  if (!holder) return exchange->respond(problem(holder.error()));
  const auto key = own_key(context, *holder, request.captures.front());
  if (!key) return exchange->respond(problem(key.error()));
  respond_from(context.registry_work, exchange, [&context, id = (*key)->key_id, by = holder->subject] {
    if (const Status revoked = context.registry.api_keys().revoke(id); !revoked) return problem(revoked.error());
    context.end_streams({model::api_key_number(id)});
    log_info("a key was revoked", {{"key_id", id}, {"by", by}});
    return http::Response{.status = 204};
  });
}

Result<int64_t> parse_overlap(std::string_view text) {
  JsonBody body;
  if (const Status read = body.read(text, {"overlap"}); !read) return read.error();
  const auto given = body.text("overlap");
  if (!given) return given.error();
  if (!*given) return kOverlapMsDefault;
  const Result<int64_t> overlap_ms = parse_duration_ms(**given);
  if (overlap_ms && *overlap_ms >= 0 && *overlap_ms <= kOverlapMsMax) return *overlap_ms;
  return Error{Code::invalid, "overlap: a duration such as \"24h\", at most " + duration_text(kOverlapMsMax)};
}

// A new key in place of an old one, which goes on for a while so that devices may be given the new one.
void handle_rotate(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  const Result<model::Grants> holder = admin_grants(context, request);
  if (!holder) return exchange->respond(problem(holder.error()));
  const Result<int64_t> overlap_ms = parse_overlap(request.body);
  if (!overlap_ms) return exchange->respond(problem(overlap_ms.error()));
  const auto key = own_key(context, *holder, request.captures.front());
  if (!key) return exchange->respond(problem(key.error()));
  const int64_t now_ms = context.clock.wall_ms();
  const ApiKeyRecord& old = **key;
  if (old.revoked || (old.grants.expires_at_ms && *old.grants.expires_at_ms <= now_ms)) {
    return exchange->respond(problem(409, "the key has ended; make a new one"));
  }
  respond_from(context.registry_work, exchange,
               [&context, key = *key, end_ms = now_ms + *overlap_ms, now_ms, by = holder->subject] {
                 http::Response made = add_key(context, auth::make_api_key(key->name, key->grants, now_ms), by);
                 if (made.status != 201) return made;
                 // The new one first: whatever happens between, there is one that works.
                 const Status ends = context.registry.api_keys().end_at(key->key_id, end_ms);
                 if (!ends) return problem(ends.error());
                 if (end_ms <= now_ms) context.end_streams({model::api_key_number(key->key_id)});
                 log_info("a key was replaced", {{"key_id", key->key_id}, {"by", by}});
                 return made;
               });
}

}  // namespace

void add_key_routes(http::Router& router, Context& context) {
  const http::Admit admit = admit_admins(context);
  router.add("GET", "/api/keys", 0, [&context](const http::ExchangePtr& e) { handle_list(context, e); });
  router.add(
      "POST", "/api/keys", kBodyBytesMax, [&context](const http::ExchangePtr& e) { handle_create(context, e); }, admit);
  router.add("DELETE", "/api/keys/{}", 0, [&context](const http::ExchangePtr& e) { handle_revoke(context, e); });
  router.add(
      "POST", "/api/keys/{}/rotate", kBodyBytesMax,
      [&context](const http::ExchangePtr& e) { handle_rotate(context, e); }, admit);
}

}  // namespace millstream::api
