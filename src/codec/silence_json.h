// codec/silence_json.h: silences as JSON, both ways, and as system events in the log.
//
// Shapes   {"id","topic","rules":[ids],"startsAt","endsAt","comment","createdBy","createdAt"}. Whoever asks for one may
//          give "duration" in place of endsAt; a silence without startsAt begins now. What is asked for has no id of
//          its own, no createdBy and no createdAt.
//          The events are {"kind":"silence_saved","silence":{…},"by"} and {"kind":"silence_deleted","silenceId","by"},
//          on the innermost topic that the silence's own names from the account on.
// Errors   Code::invalid naming the place: "endsAt: not after startsAt". decode: none when it is an event of another
//          kind.
// Thread   value
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "model/event.h"
#include "model/silence.h"

namespace millstream::codec {

inline constexpr size_t kSilenceBytesMax = 16 << 10;

// What a person asks for; the topic may lie in no other account.
Result<model::Silence> parse_new_silence(std::string_view json, const model::AccountId& account, int64_t now_ms);
// What encode_silence() wrote.
Result<model::Silence> parse_silence(std::string_view json, const model::AccountId& account);
std::string encode_silence(const model::Silence& silence);

struct SaveSilence {
  model::Silence silence;
  std::string by;
};
struct DeleteSilence {
  std::string silence_id;
  std::string by;
};
using SilenceCommand = std::variant<SaveSilence, DeleteSilence>;

std::string encode_silence_command(const SilenceCommand& command);
// Of a system event.
Result<std::optional<SilenceCommand>> decode_silence_command(const model::Event& event);

}  // namespace millstream::codec
