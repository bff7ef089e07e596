#include <algorithm>
#include <cstdio>

#include "app/commands.h"
#include "app/jwt_settings.h"
#include "auth/authenticator.h"
#include "base/clock.h"
#include "base/time_text.h"

namespace millstream::app {

Result<int> run_token(const Config& config, const TokenOptions& options) {
  const auth::JwtOptions jwt = jwt_options(config.auth);
  if (jwt.hs256_secret.empty()) {
    return Error{Code::invalid, "there is no secret to sign with: set auth.jwt_secret_file in the configuration"};
  }
  if (Status s = auth::check_jwt_options(jwt); !s) return s.error();
  Result<model::Grants> grants = parse_grants(options.grants);
  if (!grants) return grants.error();
  grants->subject = "token:" + options.subject;
  const Result<int64_t> ttl_ms = parse_duration_ms(options.ttl);
  if (!ttl_ms || *ttl_ms < 1000) return Error{Code::invalid, "--ttl must be a duration such as 24h, at least 1s"};

  const int64_t now_ms = SystemClock().wall_ms();
  const std::string token = auth::sign_jwt(jwt, *grants, now_ms, now_ms + *ttl_ms);
  // What the server would refuse is better refused here: a token too long, a subject with control characters.
  if (const auto back = auth::verify_jwt(jwt, token, now_ms); !back) {
    return Error{Code::invalid, "the server would not take this token: " + back.error().detail};
  }
  std::printf("%s\n", token.c_str());
  return 0;
}

}  // namespace millstream::app
