// JSON Web Tokens. The order of the steps matters: before the signature is known to be of a key we know, one claim is
// read, iss, and only to choose among the issuers we have. A header says which of the issuer's keys it is to be, never
// how that is used.
// Source   RFC 7515 (JWS), RFC 7519 (JWT), RFC 8725 (best practice)
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "auth/authenticator.h"
#include "auth/base64url.h"
#include "auth/digest.h"
#include "codec/event_json.h"

namespace millstream::auth {
namespace {

using model::Grants;
using simdjson::dom::element;
using simdjson::dom::element_type;

constexpr size_t kTokenBytesMax = 4096;
constexpr int kJsonDepthMax = 4;
constexpr size_t kSecretBytesMin = 32;
constexpr size_t kSubjectBytesMax = 128;
constexpr int64_t kSecondsMax = 253'402'300'799;  // the end of the year 9999
constexpr std::string_view kTokenPrefix = "token:";

Error refused(std::string why) { return Error{Code::unauthenticated, std::move(why)}; }

struct TokenParts {
  std::string_view header;
  std::string_view claims;
  std::string_view signature;
  std::string_view signed_text;  // header "." claims
};

std::optional<TokenParts> split_token(std::string_view token) {
  const size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
  return TokenParts{token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1),
                    token.substr(0, second)};
}

// Parsers disagree on which of two equal keys counts; a token that needs the choice is refused.
Status check_strict(const element& value, int depth) {
  const bool nests = value.type() == element_type::ARRAY || value.type() == element_type::OBJECT;
  if (nests && depth > kJsonDepthMax) return refused("nested too deeply");
  if (value.type() == element_type::ARRAY) {
    for (const element item : simdjson::dom::array(value)) {
      if (Status s = check_strict(item, depth + 1); !s) return s;
    }
  }
  if (value.type() == element_type::OBJECT) {
    std::set<std::string_view> keys;
    for (const auto& [key, item] : simdjson::dom::object(value)) {
      if (!keys.insert(key).second) return refused("a key stands twice");
      if (Status s = check_strict(item, depth + 1); !s) return s;
    }
  }
  return {};
}

// One part of a token as a JSON object. Holds the parser, which owns what the object points to.
class JsonPart {
 public:
  Status read(std::string_view text) {
    const std::optional<std::string> json = decode_base64url(text);
    if (!json) return refused("not canonical base64url");
    element root;
    if (parser_.parse(*json).get(root) != simdjson::SUCCESS) return refused("not JSON");
    if (root.get(object_) != simdjson::SUCCESS) return refused("not a JSON object");
    return check_strict(root, 1);
  }
  std::optional<element> find(std::string_view key) const {
    element value;
    if (object_.at_key(key).get(value) != simdjson::SUCCESS) return std::nullopt;
    return value;
  }

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::object object_;
};

std::optional<std::string_view> as_text(const element& value) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

// Who a token says has signed it.
struct Signer {
  JwtAlgorithm algorithm;
  std::string key_id;  // empty: it does not say
};

Result<Signer> check_header(const JsonPart& header) {
  const auto is = [&](std::string_view key, std::string_view expected) {
    const std::optional<element> value = header.find(key);
    return value && as_text(*value) == expected;
  };
  const std::optional<element> alg = header.find("alg");
  const auto algorithm = parse_jwt_algorithm(alg ? as_text(*alg).value_or("") : "");
  if (!algorithm) return refused("alg is none of HS256, RS256, PS256, ES256, EdDSA");
  if (header.find("typ") && !is("typ", "JWT") && !is("typ", "at+jwt")) return refused("typ is not JWT");
  // "crit" names extensions that must be understood; we know none. "b64" changes what was signed.
  if (header.find("crit") || header.find("b64")) return refused("an extension that is not supported");
  Signer signer{*algorithm, ""};
  if (*algorithm == JwtAlgorithm::hs256) return signer;  // the secret has no name
  if (const std::optional<element> kid = header.find("kid")) {
    const auto text = as_text(*kid);
    if (!text || !is_key_id(*text)) return refused("kid is not the name of a key");
    signer.key_id = *text;
  }
  return signer;
}

Result<std::optional<int64_t>> read_seconds(const JsonPart& claims, std::string_view key) {
  const std::optional<element> value = claims.find(key);
  if (!value) return std::optional<int64_t>();
  int64_t seconds = 0;
  if (value->type() != element_type::INT64 || value->get(seconds) != simdjson::SUCCESS || seconds < 0 ||
      seconds > kSecondsMax) {
    return refused(std::string(key) + " is not a time in whole seconds");
  }
  return std::optional<int64_t>(seconds);
}

// Gives back exp in milliseconds.
Result<int64_t> check_times(const JwtOptions& options, const JsonPart& claims, int64_t now_ms) {
  const auto expires = read_seconds(claims, "exp");
  const auto not_before = read_seconds(claims, "nbf");
  const auto issued = read_seconds(claims, "iat");
  for (const auto* seconds : {&expires, &not_before, &issued}) {
    if (!*seconds) return seconds->error();
  }
  if (!*expires) return refused("exp is missing");
  if (now_ms >= **expires * 1000 + options.leeway_ms) return refused("expired");
  if (*not_before && now_ms + options.leeway_ms < **not_before * 1000) return refused("not valid yet");
  return **expires * 1000;
}

bool audience_holds(const element& claim, const std::string& audience) {
  if (const auto text = as_text(claim)) return *text == audience;
  simdjson::dom::array items;
  if (claim.get(items) != simdjson::SUCCESS) return false;
  return std::any_of(items.begin(), items.end(), [&](const element item) { return as_text(item) == audience; });
}

Status check_audience(const std::string& audience, const JsonPart& claims) {
  const std::optional<element> claim = claims.find("aud");
  if (!audience.empty() && (!claim || !audience_holds(*claim, audience))) return refused("another audience");
  return {};
}

// An empty list is refused: in Grants it would mean "all", which is not what its author can have meant.
Result<std::vector<std::string_view>> read_list(const JsonPart& claims, std::string_view key) {
  std::vector<std::string_view> texts;
  const std::optional<element> value = claims.find(key);
  if (!value) return texts;
  simdjson::dom::array items;
  if (value->get(items) != simdjson::SUCCESS || items.size() == 0) {
    return refused(std::string(key) + " is not a list with something in it");
  }
  for (const element item : items) {
    const auto text = as_text(item);
    if (!text) return refused(std::string(key) + " holds something that is not a string");
    texts.push_back(*text);
  }
  return texts;
}

template <class N>
Status read_names(const JsonPart& claims, std::string_view key, std::vector<N>& names) {
  const Result<std::vector<std::string_view>> texts = read_list(claims, key);
  if (!texts) return texts.error();
  for (const std::string_view text : *texts) {
    Result<N> name = N::parse(text);
    if (!name) return refused(std::string(key) + ": " + name.error().detail);
    names.push_back(std::move(*name));
  }
  return {};
}

Status read_roles(const JsonPart& claims, std::string_view key, model::Roles& roles) {
  const Result<std::vector<std::string_view>> texts = read_list(claims, key);
  if (!texts) return texts.error();
  for (const std::string_view text : *texts) {
    const std::optional<model::Role> role = model::parse_role(text);
    if (!role) return refused("roles holds an unknown role");
    roles = roles.with(*role);
  }
  if (roles.empty()) roles = roles.with(model::Role::viewer);
  return {};
}

// With the issuer's name in front where it has one of its own: anna of one is not anna of another, nor a user of ours.
Status read_subject(const JsonPart& claims, const std::string& issuer, std::string& subject) {
  const std::optional<element> value = claims.find("sub");
  const auto text = value ? as_text(*value) : std::string_view("unnamed");
  if (!text || text->empty() || text->size() > kSubjectBytesMax) return refused("sub is not a short string");
  // It goes into logs: no control characters.
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::any_of(text->begin(), text->end(), is_control)) return refused("sub holds control characters");
  subject = std::string(kTokenPrefix) + (issuer.empty() ? "" : issuer + '|') + std::string(*text);
  return {};
}

// What the signer of a token makes of its claims.
struct Terms {
  const std::string& audience;  // empty: not checked
  const ClaimNames& claims;
  const Issuer* issuer = nullptr;  // null: whoever knows the secret
};

// Some issuers speak for a few accounts only.
bool may_speak_for(const Issuer* issuer, const model::AccountId& account) {
  if (!issuer || issuer->accounts.empty()) return true;
  return std::find(issuer->accounts.begin(), issuer->accounts.end(), account) != issuer->accounts.end();
}

Result<Grants> read_grants(const JsonPart& claims, const Terms& terms, int64_t expires_at_ms) {
  const ClaimNames& names = terms.claims;
  Grants grants;
  const std::optional<element> account = claims.find(names.account);
  const auto text = account ? as_text(*account) : std::nullopt;
  if (!text) return refused(names.account + " is missing or not a string");
  Result<model::AccountId> name = model::AccountId::parse(*text);
  if (!name) return refused(names.account + ": " + name.error().detail);
  grants.account = std::move(*name);
  if (!may_speak_for(terms.issuer, grants.account)) return refused("its issuer does not speak for this account");
  const std::string issuer = terms.issuer ? terms.issuer->name : "";
  if (Status s = read_subject(claims, issuer, grants.subject); !s) return s.error();
  if (Status s = read_names(claims, names.sites, grants.sites); !s) return s.error();
  if (Status s = read_names(claims, names.devices, grants.devices); !s) return s.error();
  if (Status s = read_roles(claims, names.roles, grants.roles); !s) return s.error();
  grants.expires_at_ms = expires_at_ms;
  return grants;
}

Result<Terms> check_secret(const JwtOptions& options, const Issuers* issuers, std::optional<std::string_view> issuer,
                           std::string_view signed_text, std::string_view signature) {
  // Without a secret everyone could sign.
  if (options.hs256_secret.size() < kSecretBytesMin) return refused("HS256 is not configured");
  if (!options.issuer.empty() && issuer != options.issuer) return refused("another issuer");
  // Whoever knows the secret would else speak for all the others.
  if (options.issuer.empty() && issuer && issuers && issuers->find(*issuer)) {
    return refused("its issuer signs with keys of its own");
  }
  if (!same_bytes(signature, hmac_sha256(options.hs256_secret, signed_text))) {
    return refused("signature does not match");
  }
  return Terms{options.audience, options.claims};
}

Result<Terms> check_key(const Issuers* issuers, std::optional<std::string_view> issuer, const Signer& signer,
                        std::string_view signed_text, std::string_view signature) {
  const std::optional<size_t> place = issuers && issuer ? issuers->find(*issuer) : std::nullopt;
  if (!place) return refused("another issuer");
  if (Status s = issuers->verify(*place, signer.key_id, signer.algorithm, signed_text, signature); !s) return s.error();
  const Issuer& found = issuers->at(*place);
  return Terms{found.audience, found.claims, &found};
}

Result<Terms> check_signature(const JwtOptions& options, const Issuers* issuers, const Signer& signer,
                              const JsonPart& claims, const TokenParts& parts) {
  const std::optional<std::string> signature = decode_base64url(parts.signature);
  if (!signature) return refused("signature: not canonical base64url");
  const std::optional<element> claim = claims.find("iss");
  const std::optional<std::string_view> issuer = claim ? as_text(*claim) : std::nullopt;
  if (signer.algorithm == JwtAlgorithm::hs256) {
    return check_secret(options, issuers, issuer, parts.signed_text, *signature);
  }
  return check_key(issuers, issuer, signer, parts.signed_text, *signature);
}

Result<Grants> verify_parts(const JwtOptions& options, const Issuers* issuers, const TokenParts& parts,
                            int64_t now_ms) {
  JsonPart header;
  if (Status s = header.read(parts.header); !s) return s.error();
  const Result<Signer> signer = check_header(header);
  if (!signer) return signer.error();
  JsonPart claims;
  if (Status s = claims.read(parts.claims); !s) return s.error();
  const Result<Terms> terms = check_signature(options, issuers, *signer, claims, parts);
  if (!terms) return terms.error();
  const Result<int64_t> expires_at_ms = check_times(options, claims, now_ms);
  if (!expires_at_ms) return expires_at_ms.error();
  if (Status s = check_audience(terms->audience, claims); !s) return s.error();
  return read_grants(claims, *terms, *expires_at_ms);
}

void append_member(std::string_view key, std::string_view text, std::string& json) {
  codec::append_json_string(key, json);
  json += ':';
  codec::append_json_string(text, json);
  json += ',';
}

void append_list(std::string_view key, const std::vector<std::string>& texts, std::string& json) {
  if (texts.empty()) return;
  codec::append_json_string(key, json);
  json += ":[";
  for (const std::string& text : texts) {
    codec::append_json_string(text, json);
    json += ',';
  }
  json.back() = ']';
  json += ',';
}

template <class N>
std::vector<std::string> texts_of(const std::vector<N>& names) {
  std::vector<std::string> texts;
  for (const N& name : names) texts.push_back(name.text());
  return texts;
}

std::vector<std::string> texts_of(const model::Roles& roles) {
  std::vector<std::string> texts;
  for (int i = 0; i < model::kRoles; ++i) {
    const auto role = static_cast<model::Role>(i);
    if (roles.has(role)) texts.emplace_back(model::role_name(role));
  }
  return texts;
}

}  // namespace

std::string sign_jwt(const JwtOptions& options, const Grants& grants, int64_t now_ms, int64_t expires_at_ms) {
  const std::string_view subject = grants.subject;
  std::string json = "{";
  append_member("sub", subject.starts_with(kTokenPrefix) ? subject.substr(kTokenPrefix.size()) : subject, json);
  append_member(options.claims.account, grants.account.text(), json);
  append_list(options.claims.sites, texts_of(grants.sites), json);
  append_list(options.claims.devices, texts_of(grants.devices), json);
  append_list(options.claims.roles, texts_of(grants.roles), json);
  if (!options.issuer.empty()) append_member("iss", options.issuer, json);
  if (!options.audience.empty()) append_member("aud", options.audience, json);
  json += "\"iat\":" + std::to_string(now_ms / 1000) + ",\"exp\":" + std::to_string(expires_at_ms / 1000) + "}";

  std::string token = encode_base64url(R"({"alg":"HS256","typ":"JWT"})") + "." + encode_base64url(json);
  const std::string signature = encode_base64url(hmac_sha256(options.hs256_secret, token));
  return token + "." + signature;
}

Result<Grants> verify_jwt(const JwtOptions& options, std::string_view token, int64_t now_ms, const Issuers* issuers) {
  if (token.size() > kTokenBytesMax) return refused("too long");
  const std::optional<TokenParts> parts = split_token(token);
  if (!parts) return refused("not three parts");
  return verify_parts(options, issuers, *parts, now_ms);
}

Status check_jwt_options(const JwtOptions& options) {
  const std::string& secret = options.hs256_secret;
  if (secret.empty()) return {};
  if (secret.find("-----BEGIN") != std::string::npos) {
    return Error{Code::invalid,
                 "auth.jwt_secret is PEM text: a public key as an HMAC secret lets everyone sign tokens"};
  }
  if (secret.size() < kSecretBytesMin) {
    return Error{Code::invalid, "auth.jwt_secret has " + std::to_string(secret.size()) + " bytes, at least " +
                                    std::to_string(kSecretBytesMin) + " are needed"};
  }
  return {};
}

}  // namespace millstream::auth
