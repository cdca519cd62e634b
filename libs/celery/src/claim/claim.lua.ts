/**
 * How messages leave Celery's lists. kombu notes a message that it has taken in the hash `unacked` and in the sorted set
 * `unacked_index` (by the time it was taken), and takes both notes back when the message is acknowledged. These scripts do
 * the same, but take and note in one step, so that a crash in between loses nothing. A third set, `memoryguard.unacked`,
 * has the tags that gateways have taken: these are given back by other gateways, long before kombu would.
 *
 * Each script removes before it writes: Redis does not refuse one that has begun to change something what it writes next,
 * so calls are taken also when there is no memory left.
 */

/**
 * The text of a message in a note, as it came: what cjson would make of it again is not the same. Nothing for a note that
 * is written in another way than ours and kombu's.
 */
const unwrap = `
  local function text(value) return (string.gsub(cjson.encode(value), '\\\\/', '/')) end
  local function unwrap(noted, parts)
    local rest = ', ' .. text(parts[2]) .. ', ' .. text(parts[3]) .. ']'
    if string.sub(noted, -#rest) ~= rest then return nil end
    return string.sub(noted, 2, #noted - #rest)
  end`

/** Notes a message `raw` with its tag as taken at `now`. Every member of the note is the text as it came. */
const note = `${unwrap}
  local function note(raw, properties, now)
    local info, tag = properties.delivery_info, properties.delivery_tag
    redis.call('ZADD', KEYS[2], now, tag)
    redis.call('ZADD', KEYS[3], now, tag)
    redis.call('HSET', KEYS[1], tag, '[' .. raw .. ', ' .. text(info.exchange) .. ', ' .. text(info.routing_key) .. ']')
  end
  local time = redis.call('TIME')
  local now = tonumber(time[1]) + tonumber(time[2]) / 1e6`

/**
 * Shows the messages of a list to `visit`, the next one first, until it returns false, or so many messages or bytes were
 * shown. It reads in pages, for large messages are a burden: at first a few, then as many as there are in a MiB. What
 * `visit` takes out of the list it says by returning 'taken'.
 */
const scan = `
  local function scan(list, most, bytes, visit)
    local passed, seen, size, page = 0, 0, 0, 8
    while seen < most and size < bytes do
      local raws = redis.call('LRANGE', list, -(passed + math.min(page, most - seen)), -(passed + 1))
      if #raws == 0 then return end
      for index = #raws, 1, -1 do
        local outcome = visit(raws[index])
        if outcome == false then return end
        if outcome ~= 'taken' then passed = passed + 1 end
        size = size + #raws[index]
      end
      seen = seen + #raws
      page = math.max(1, math.min(512, math.floor(1048576 * seen / (size + 1))))
    end
  end`

/**
 * Takes messages of known tasks out of lists, the next one first; all others stay where they are, and are not decoded.
 * One that is not as kombu writes it stays too.
 * KEYS: unacked, unacked_index, memoryguard.unacked, then the lists in the order in which they are served.
 * ARGV: most messages, how many messages and how many bytes of each list are looked at, then the names of tasks.
 * Returns triples: the number of the list (from 1), the message, and its tag.
 */
export const claimMessages = `${note}${scan}
  local names, taken = {}, {}
  for index = 4, #ARGV do names[ARGV[index]] = '"' .. ARGV[index] .. '"' end
  local function decode(raw)
    for _, name in pairs(names) do
      if string.find(raw, name, 1, true) then
        local isJson, message = pcall(cjson.decode, raw)
        return isJson and message
      end
    end
  end
  local function isText(value) return type(value) == 'string' and value ~= '' end
  local function isOurs(message)
    if type(message) ~= 'table' or type(message.headers) ~= 'table' or type(message.properties) ~= 'table' then return false end
    local info = message.properties.delivery_info
    return names[message.headers.task] and isText(message.properties.delivery_tag)
      -- A tag of other characters may not come back as it was sent.
      and not string.find(message.properties.delivery_tag, '[^\\33-\\126]') and type(info) == 'table' and type(info.exchange) == 'string' and isText(info.routing_key)
  end
  local most = tonumber(ARGV[1])
  for list = 4, #KEYS do
    if #taken >= 3 * most then break end
    scan(KEYS[list], tonumber(ARGV[2]), tonumber(ARGV[3]), function(raw)
      if #taken >= 3 * most then return false end
      local message = decode(raw)
      if not message or not isOurs(message) then return true end
      redis.call('LREM', KEYS[list], -1, raw)
      -- A little later than the one before, so that they can be given back in their order.
      note(raw, message.properties, now + #taken / 3e6)
      taken[#taken + 1] = list - 3
      taken[#taken + 1] = raw
      taken[#taken + 1] = message.properties.delivery_tag
      return 'taken'
    end)
  end
  return taken`

/**
 * Reads the messages that are served next, but for those that name a task of others: of these only the names. KEYS: lists.
 * ARGV: how many messages and how many bytes of each, how names of ours begin. Returns pairs, the number of
 * the list and the message, and the names.
 */
export const peekMessages = `${scan}
  local found, others, names = {}, {}, {}
  for list = 1, #KEYS do
    scan(KEYS[list], tonumber(ARGV[1]), tonumber(ARGV[2]), function(raw)
      local _, at = string.find(raw, '"task": "', 1, true)
      local name = at and string.match(raw, '^[^"\\\\]+', at + 1)
      if name and string.sub(name, 1, #ARGV[3]) ~= ARGV[3] then
        if not others[name] then names[#names + 1] = name end
        others[name] = true
      else
        found[#found + 1] = list
        found[#found + 1] = raw
      end
      return true
    end)
  end
  return {found, names}`

/**
 * Takes one message, as it was read, out of its list. KEYS: unacked, unacked_index, memoryguard.unacked, list. ARGV: the
 * message, its tag, its exchange, its routing key. Returns 0 if it is no longer there.
 */
export const takeMessage = `${note}
  if redis.call('LREM', KEYS[4], -1, ARGV[1]) == 0 then return 0 end
  if ARGV[2] ~= '' then
    note(ARGV[1], {delivery_tag = ARGV[2], delivery_info = {exchange = ARGV[3], routing_key = ARGV[4]}}, now)
  end
  return 1`

/**
 * Reads messages that were taken more than a number of seconds ago, not by gateways. KEYS: unacked, unacked_index,
 * memoryguard.unacked. ARGV: seconds, how many at most. Returns triples: tag, message, routing key.
 */
export const listHeldMessages = `${unwrap}
  local time = redis.call('TIME')
  local found = {}
  for _, tag in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', tonumber(time[1]) - tonumber(ARGV[1]), 'LIMIT', 0, ARGV[2])) do
    local noted = redis.call('HGET', KEYS[1], tag)
    if noted and not redis.call('ZSCORE', KEYS[3], tag) then
      local isJson, parts = pcall(cjson.decode, noted)
      local raw = isJson and type(parts) == 'table' and type(parts[3]) == 'string' and unwrap(noted, parts)
      if raw then
        found[#found + 1] = tag
        found[#found + 1] = raw
        found[#found + 1] = parts[3]
      end
    end
  end
  return found`

/** Acknowledges messages. KEYS: unacked, unacked_index, memoryguard.unacked. ARGV: tags. */
export const acknowledgeMessages = `
  redis.call('HDEL', KEYS[1], unpack(ARGV))
  redis.call('ZREM', KEYS[2], unpack(ARGV))
  redis.call('ZREM', KEYS[3], unpack(ARGV))`

/**
 * Marks messages that are being stored as taken just now, so that no other consumer takes them for lost. KEYS as above.
 * ARGV: tags. Returns those that are no longer noted as taken.
 */
export const keepMessages = `
  local time = redis.call('TIME')
  local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
  local gone = {}
  for _, tag in ipairs(ARGV) do
    if redis.call('HEXISTS', KEYS[1], tag) == 1 then
      redis.call('ZADD', KEYS[2], 'XX', now, tag)
      redis.call('ZADD', KEYS[3], 'XX', now, tag)
    else
      gone[#gone + 1] = tag
    end
  end
  return gone`

/**
 * Gives messages back to the end of their lists that is served next. KEYS as above. ARGV: the prefix of keys, the
 * separator of priorities, a number of seconds, then tags. Without tags, everything that gateways took longer ago than
 * that. Returns how many were given back.
 */
export const giveBackMessages = `${unwrap}
  -- The queue that is bound to the routing key; without a binding, the one of that name.
  local function queueOf(exchange, key)
    for _, binding in ipairs(redis.call('SMEMBERS', ARGV[1] .. '_kombu.binding.' .. exchange)) do
      local head, tail = key .. ARGV[2], string.match(binding, '[^' .. ARGV[2] .. ']+$')
      if tail and string.sub(binding, 1, #head) == head then return tail end
    end
    return key
  end
  local function isNote(parts)
    return type(parts) == 'table' and type(parts[1]) == 'table' and type(parts[1].properties) == 'table'
      and type(parts[2]) == 'string' and type(parts[3]) == 'string'
  end
  local tags = {}
  for index = 4, #ARGV do tags[#tags + 1] = ARGV[index] end
  if #tags == 0 then
    local time = redis.call('TIME')
    tags = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', tonumber(time[1]) - tonumber(ARGV[3]), 'LIMIT', 0, 500)
  end
  local count = 0
  for index = #tags, 1, -1 do
    local tag = tags[index]
    local noted = redis.call('HGET', KEYS[1], tag)
    local isJson, parts = pcall(cjson.decode, noted or '')
    local raw = isJson and isNote(parts) and unwrap(noted, parts)
    redis.call('ZREM', KEYS[3], tag)
    if raw then
      redis.call('HDEL', KEYS[1], tag)
      redis.call('ZREM', KEYS[2], tag)
      local priority = tonumber(parts[1].properties.priority) or 0
      local step = priority >= 9 and 9 or priority >= 6 and 6 or priority >= 3 and 3 or 0
      local list = queueOf(parts[2], parts[3]) .. (step > 0 and ARGV[2] .. step or '')
      redis.call('RPUSH', ARGV[1] .. list, raw)
      count = count + 1
    end
  end
  return count`
