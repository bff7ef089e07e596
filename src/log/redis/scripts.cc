#include "log/redis/scripts.h"

#include <openssl/evp.h>

#include <array>

namespace millstream::log {
namespace {

// What more than one script uses. KEYS[1] is the stream; the others are named after it.
constexpr const char* kCommon = R"lua(
local events = KEYS[1]
local prefix = string.sub(events, 1, -string.len('events') - 1)
local meta = prefix .. 'meta'

local function time_ms(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local function is_below(one, other)
  local ms, seq = parts(one)
  local other_ms, other_seq = parts(other)
  return ms < other_ms or (ms == other_ms and seq < other_seq)
end

local function text_of(ms)
  return string.format('%.0f', ms)
end

-- The stream's newest id, its first entry's id or '', and how many entries it has.
local function look()
  local facts = redis.call('XINFO', 'STREAM', events)
  local newest, first, entries
  for i = 1, #facts, 2 do
    if facts[i] == 'last-generated-id' then newest = facts[i + 1] end
    if facts[i] == 'length' then entries = facts[i + 1] end
    if facts[i] == 'first-entry' then first = facts[i + 1] and facts[i + 1][1] or '' end
  end
  return newest, first, entries
end

-- An empty stream that remembers its newest id. What came before it is not known here.
local function make_if_absent(now, newest, identity)
  if redis.call('EXISTS', events) == 1 then return end
  local id = text_of(math.max(now, parts(newest) + 1)) .. '-0'
  redis.call('XADD', events, id, 'topic', '')
  redis.call('XDEL', events, id)
  redis.call('HSET', meta, 'identity', identity, 'trimmed', id)
end
)lua";

constexpr const char* kAppend = R"lua(
local now_given, newest, identity, deadline, fence = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local writer, commit, place = prefix .. 'writer:' .. ARGV[6], ARGV[7], ARGV[8]
local account, text, content, answer, keys_max = ARGV[9], ARGV[10], ARGV[11], ARGV[12], tonumber(ARGV[13])
local first_event, per_event = 14, 6
local day_ms, hour_ms = 86400000, 3600000
local seq_max = 1000000

local now = time_ms(now_given)
if deadline ~= '' and time_ms('') > tonumber(deadline) then return {'late', '', {}} end
if fence ~= '' and tonumber(redis.call('HGET', meta, 'fence') or '0') ~= tonumber(fence) then
  return {'fenced', '', {}}
end

-- Sent before, and the answer lost?
if redis.call('HGET', writer, 'commit') == commit then
  local stored = redis.call('HGET', writer, place)
  if stored then
    local ids = {}
    for id in string.gmatch(stored, '%S+') do ids[#ids + 1] = id end
    return {'ok', '', ids}
  end
end

make_if_absent(now, newest, identity)
local next_id = '*'
if now_given ~= '' then
  local last_ms, last_seq = parts((look()))
  if now > last_ms then
    next_id = text_of(now) .. '-*'
  else
    now = last_ms
    next_id = text_of(last_ms) .. '-*'
  end
end

local hour = math.floor(now / hour_ms)
local oldest_hour = math.floor((now - day_ms) / hour_ms)
local once_field = account .. text
if account ~= '' then
  local all, own = 0, 0
  for h = hour, oldest_hour, -1 do
    local known = redis.call('HGET', prefix .. 'once:' .. h, once_field)
    if known then
      local known_content, first, last, known_answer = string.match(known, '^(%S+) (%S+) (%S+) (.*)$')
      if known_content ~= content then return {'unprocessable', '', {}} end
      return {'repeated', known_answer, {first, last}}
    end
    local counts = redis.call('HMGET', prefix .. 'once-count:' .. h, 'all', account)
    all = all + tonumber(counts[1] or '0')
    own = own + tonumber(counts[2] or '0')
  end
  if #ARGV < first_event then return {'not_found', '', {}} end
  if own >= keys_max / 4 then return {'rate_limited', '', {}} end
  if all >= keys_max then return {'unavailable', '', {}} end
end

local concluded = nil
local ids = {}  -- first and last of each append
local first, last = nil, nil
for i = first_event, #ARGV, per_event do
  local topic, kind, ts, data, conclusion = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  if conclusion == '' then
    last = redis.call('XADD', events, next_id, 'topic', topic, 'type', kind, 'ts', ts, 'data', data)
  else
    concluded = concluded or tonumber(redis.call('HGET', meta, 'conclusion') or '0')
    if tonumber(conclusion) > concluded then
      last = redis.call('XADD', events, next_id, 'topic', topic, 'type', kind, 'ts', ts, 'data', data, 'conclusion',
                        conclusion)
      concluded = tonumber(conclusion)
    end
  end
  first = first or last
  if ARGV[i + 5] ~= '' then
    -- Of conclusions all of which are stored already there is none.
    if not first then
      last = last or (look())
      first = last
    end
    ids[#ids + 1] = first
    ids[#ids + 1] = last
    first = nil
  end
end
if concluded then redis.call('HSET', meta, 'conclusion', text_of(concluded)) end
local last_ms, last_seq = parts(last)
-- Ids of ours have room for so many in a millisecond.
if last_seq > seq_max then redis.call('XSETID', events, text_of(last_ms + 1) .. '-0') end

if account ~= '' then
  local once, counts = prefix .. 'once:' .. hour, prefix .. 'once-count:' .. hour
  redis.call('HSET', once, once_field, content .. ' ' .. ids[1] .. ' ' .. ids[2] .. ' ' .. answer)
  redis.call('HINCRBY', counts, 'all', 1)
  redis.call('HINCRBY', counts, account, 1)
  redis.call('PEXPIRE', once, day_ms + 2 * hour_ms)
  redis.call('PEXPIRE', counts, day_ms + 2 * hour_ms)
end

if redis.call('HGET', writer, 'commit') ~= commit then
  redis.call('DEL', writer)
  redis.call('HSET', writer, 'commit', commit, place, table.concat(ids, ' '))
  redis.call('PEXPIRE', writer, day_ms)
else
  redis.call('HSET', writer, place, table.concat(ids, ' '))
end
return {'ok', '', ids}
)lua";

constexpr const char* kTick = R"lua(
local now = time_ms(ARGV[1])
local newest = ARGV[2]
make_if_absent(now, newest, ARGV[3])
local last, first, entries = look()
local target = text_of(now) .. '-0'
-- A log that was set back must not give ids again that somebody has seen.
if is_below(target, newest) then target = newest end
if is_below(last, target) then
  redis.call('XSETID', events, target)
  last = target
end
local facts = redis.call('HMGET', meta, 'identity', 'trimmed', 'fence')
local reply = {last, facts[1] or '', facts[2] or '0-0', first, entries, text_of(time_ms('')), facts[3] or '0'}
for _, lost in ipairs(redis.call('LRANGE', prefix .. 'lost', 0, -1)) do reply[#reply + 1] = lost end
return reply
)lua";

constexpr const char* kTrim = R"lua(
local removed = redis.call('XTRIM', events, 'MINID', '~', ARGV[1])
if ARGV[2] ~= '' then
  local for_room = redis.call('XTRIM', events, 'MAXLEN', '~', ARGV[2])
  if for_room > 0 then
    local newest, first = look()
    local ms, seq = parts(first == '' and newest or first)
    local trimmed
    if first == '' then
      trimmed = newest
    elseif seq > 0 then
      trimmed = text_of(ms) .. '-' .. text_of(seq - 1)
    else
      trimmed = text_of(ms - 1) .. '-1048575'
    end
    if is_below(redis.call('HGET', meta, 'trimmed') or '0-0', trimmed) then
      redis.call('HSET', meta, 'trimmed', trimmed)
    end
  end
  removed = removed + for_room
end
local lost = prefix .. 'lost'
while true do
  local oldest = redis.call('LINDEX', lost, 0)
  if not oldest or not is_below(string.match(oldest, ' (%S+)$'), ARGV[1]) then break end
  redis.call('LPOP', lost)
end
return removed
)lua";

constexpr const char* kLost = R"lua(
local lost = prefix .. 'lost'
local entry = ARGV[1] .. ' ' .. ARGV[2]
for _, known in ipairs(redis.call('LRANGE', lost, 0, -1)) do
  local after, to = string.match(known, '^(%S+) (%S+)$')
  if not is_below(ARGV[1], after) and not is_below(to, ARGV[2]) then return 0 end
end
redis.call('RPUSH', lost, entry)
redis.call('LTRIM', lost, -32, -1)
return 1
)lua";

constexpr const char* kCheckpoint = R"lua(
local name, at, state, fence = prefix .. 'checkpoint:' .. ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if fence ~= '' and tonumber(redis.call('HGET', meta, 'fence') or '0') ~= tonumber(fence) then return 'fenced' end
redis.call('HSET', name, 'at', at, 'state', state, 'fence', fence)
return 'ok'
)lua";

// attended_ms: when the lease was renewed last. Of a term it is remembered from when to when nobody had attended.
constexpr const char* kLease = R"lua(
local lease, who, for_ms, above = prefix .. 'lease', ARGV[1], ARGV[2], tonumber(ARGV[3])
local now = time_ms('')
local holder = redis.call('GET', lease)
if not holder then
  local fence = math.max(tonumber(redis.call('HGET', meta, 'fence') or '0'), above) + 1
  local attended = redis.call('HGET', meta, 'attended_ms') or '0'
  redis.call('HSET', meta, 'fence', text_of(fence), 'attended_before_ms', attended, 'since_ms', text_of(now))
  holder = who
end
if holder == who then
  redis.call('SET', lease, who, 'PX', for_ms)
  redis.call('HSET', meta, 'attended_ms', text_of(now))
end
local facts = redis.call('HMGET', meta, 'fence', 'attended_before_ms', 'since_ms')
return {holder == who and '1' or '0', facts[1] or '0', holder, facts[2] or '0', facts[3] or '0'}
)lua";

constexpr const char* kRelease = R"lua(
local lease = prefix .. 'lease'
if redis.call('GET', lease) ~= ARGV[1] then return 0 end
return redis.call('DEL', lease)
)lua";

RedisScript script(const char* own) {
  RedisScript made{.text = std::string(kCommon) + own, .sha1 = {}};
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  EVP_Digest(made.text.data(), made.text.size(), digest.data(), &length, EVP_sha1(), nullptr);
  constexpr char kHex[] = "0123456789abcdef";
  for (unsigned int i = 0; i < length; ++i) {
    made.sha1 += kHex[digest[i] >> 4];
    made.sha1 += kHex[digest[i] & 15];
  }
  return made;
}

}  // namespace

const RedisScript& append_script() {
  static const RedisScript made = script(kAppend);
  return made;
}

const RedisScript& tick_script() {
  static const RedisScript made = script(kTick);
  return made;
}

const RedisScript& trim_script() {
  static const RedisScript made = script(kTrim);
  return made;
}

const RedisScript& lost_script() {
  static const RedisScript made = script(kLost);
  return made;
}

const RedisScript& checkpoint_script() {
  static const RedisScript made = script(kCheckpoint);
  return made;
}

const RedisScript& lease_script() {
  static const RedisScript made = script(kLease);
  return made;
}

const RedisScript& release_script() {
  static const RedisScript made = script(kRelease);
  return made;
}

}  // namespace millstream::log
