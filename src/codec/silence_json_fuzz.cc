// Any bytes as a silence: never a crash, and what is accepted comes out the same when it is read again.
#include <cstdint>

#include "base/check.h"
#include "codec/silence_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const model::AccountId account = *model::AccountId::parse("demo");
  for (auto silence :
       {codec::parse_silence(text, account), codec::parse_new_silence(text, account, 1'769'517'296'789)}) {
    if (!silence) continue;
    MS_CHECK(silence->topic.account == account && silence->starts_at_ms < silence->ends_at_ms);
    if (silence->id.empty()) silence->id = "s1";
    const std::string written = codec::encode_silence(*silence);
    const auto again = codec::parse_silence(written, account);
    MS_CHECK(written.size() > codec::kSilenceBytesMax || (again.ok() && *again == *silence));
  }
  return 0;
}
