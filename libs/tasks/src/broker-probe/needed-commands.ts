/** Each command that queues need, on keys of the probe: the hash, list, other list, sorted set, set, stream and text. */
export const neededCommands = [
  'HSET h f 1',
  'HMSET h g 2',
  'HGET h f',
  'HMGET h f g',
  'HGETALL h',
  'HEXISTS h f',
  'HINCRBY h f 1',
  'HDEL h g',
  'LPUSH l a',
  'RPUSH l b',
  'LLEN l',
  'LRANGE l 0 -1',
  'LINDEX l -1',
  'LPOS l a',
  'RPOPLPUSH l m',
  'LREM m 1 b',
  'LTRIM l 0 -1',
  'RENAME l m',
  'RPOP m',
  'ZADD z 1 a',
  'ZADD z 2 b',
  'ZADD z 3 c',
  'ZADD z 4 d',
  'ZCARD z',
  'ZSCORE z a',
  'ZCOUNT z 0 1',
  'ZRANGE z 0 -1',
  'ZREVRANGE z 0 -1',
  'ZRANGEBYSCORE z 0 1',
  'ZREM z a',
  'ZPOPMIN z',
  'SADD s a',
  'SREM s b',
  'SMEMBERS s',
  'SISMEMBER s a',
  'SCARD s',
  'XADD x * f 1',
  'XTRIM x MAXLEN 0',
  'XLEN x',
  'SET t 1 PX 60000',
  'GET t',
  'INCR t',
  'PEXPIRE t 60000',
  'PTTL t',
  'EXISTS t',
  'TYPE t',
  'DEL t',
]

/** Runs the commands one by one, removes what they left, and returns the first that failed and why. */
export const probeScript = `
local failure = {}
for index = 1, #ARGV do
  local words = {}
  for word in string.gmatch(ARGV[index], '%S+') do table.insert(words, word) end
  local function name(at) if words[at] then words[at] = KEYS[1] .. ':' .. words[at] end end
  name(2)
  if words[1] == 'RPOPLPUSH' or words[1] == 'RENAME' then name(3) end
  local reply = redis.pcall(unpack(words))
  if type(reply) == 'table' and reply.err then
    failure = { words[1], reply.err }
    break
  end
end
for _, key in ipairs({ 'h', 'l', 'm', 'z', 's', 'x', 't' }) do redis.pcall('DEL', KEYS[1] .. ':' .. key) end
return failure`
