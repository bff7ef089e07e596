// Any bytes as a rule: never a crash, and what is accepted comes out the same when it is read again.
#include <cstdint>

#include "base/check.h"
#include "codec/rule_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const model::AccountId account = *model::AccountId::parse("demo");
  const auto rule = codec::parse_rule({reinterpret_cast<const char*>(bytes), size}, account);
  const auto request = codec::parse_rule_request({reinterpret_cast<const char*>(bytes), size}, account);
  MS_CHECK(request.ok() || !rule.ok());
  if (!rule) return 0;
  MS_CHECK(request->rule == *rule);
  MS_CHECK(rule->scope.account == account && !rule->when.empty() && !rule->levels.empty());
  const std::string text = codec::encode_rule(*rule);
  const auto again = codec::parse_rule(text, account);
  MS_CHECK(again.ok() && *again == *rule && codec::encode_rule(*again) == text);
  return 0;
}
