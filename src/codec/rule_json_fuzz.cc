// Any bytes as a rule: never a crash, and what is accepted comes out the same when it is read again.
#include <cstdint>

#include "base/check.h"
#include "codec/rule_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const model::AccountId account = *model::AccountId::parse("demo");
  const auto rule = codec::parse_rule({reinterpret_cast<const char*>(bytes), size}, account);
  if (!rule) return 0;
  MS_CHECK(rule->scope.account == account && !rule->when.empty() && !rule->levels.empty());
  const std::string text = codec::encode_rule(*rule);
  const auto again = codec::parse_rule(text, account);
  MS_CHECK(text.size() > codec::kRuleBytesMax || (again.ok() && *again == *rule && codec::encode_rule(*again) == text));
  return 0;
}
