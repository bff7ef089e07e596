// log/redis/scripts.h: what Redis does in one step for the log, as Lua scripts.
//
// Flow     a script is sent by its digest; whoever gets NOSCRIPT loads it and sends again.
// Shapes   Keys, all with one prefix "{name}:", so that they share a slot: events (the stream), meta (hash: identity,
//          trimmed, conclusion, fence, attended_ms, attended_before_ms, since_ms), lost (list of "after to"),
//          writer:<id> (hash: what the newest commit of one instance has stored), once:<hour> and once-count:<hour>
//          (hashes), checkpoint:<name> (hash), lease (string). Times are Redis' own, unless a test gives them.
// Rules    Each script is all or nothing. Sending one again changes nothing: a writer's commit and place name an
//          append, a conclusion's number a conclusion.
// Thread   value
#pragma once

#include <string>

namespace millstream::log {

struct RedisScript {
  std::string text;
  std::string sha1;  // by which EVALSHA names it
};

// Arguments: now ("" = Redis' clock), newest id the caller knows, identity for a log that has to be made, deadline (""
// = none, else Redis' time in ms after which nothing is done any more), fence ("" = none), writer, commit, place, then
// the key of a batch that is stored once (account "" = none, text, content, answer, keys_max), then for each event:
// topic, type, ts, data, conclusion ("" = none), and whether an append ends with it ("" = it goes on). Of a batch with
// a key there is one append. Gives {outcome, answer, {first id, last id of each append}}. Outcomes: ok, repeated,
// not_found, unprocessable, rate_limited, unavailable, late, fenced.
const RedisScript& append_script();

// Arguments: now, newest, identity. Moves the stream's newest id up to now.
// Gives {newest id, identity, trimmed up to, first id or "", entries, now, fence, lost ("after to" each)…}.
const RedisScript& tick_script();

// Arguments: oldest id to keep, entries to keep ("" = all). Gives the entries removed.
const RedisScript& trim_script();

// Arguments: after, to. Says that what lies between is lost.
const RedisScript& lost_script();

// Arguments: name, id, state, fence ("" = none). Gives "ok" or "fenced".
const RedisScript& checkpoint_script();

// Arguments: who asks, for how long in ms, a number that the fence must be above. Takes the lease when nobody holds it,
// and renews it for its holder. Gives {"1" if who asks holds it now, fence, holder, until when it was attended before
// this term, since when it is}: times by Redis' clock, 0 = never.
const RedisScript& lease_script();

// Arguments: who gives the lease back.
const RedisScript& release_script();

}  // namespace millstream::log
