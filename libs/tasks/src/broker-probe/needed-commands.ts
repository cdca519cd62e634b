/** Each command that queues need, by the kind of its key: hash, list (and another), sorted set, set, stream, text, none. */
const neededCommands = `
  HSET h f 1; HMSET h g 2; HGET h f; HMGET h f g; HGETALL h; HEXISTS h f; HINCRBY h f 1; HDEL h g
  LPUSH l a; RPUSH l b; LLEN l; LRANGE l 0 -1; LINDEX l -1; LPOS l a
  RPOPLPUSH l m; LREM m 1 b; LTRIM l 0 -1; RENAME l m; RPOP m
  ZADD z 1 a; ZCARD z; ZSCORE z a; ZCOUNT z 0 1; ZRANGE z 0 -1
  ZREVRANGE z 0 -1; ZRANGEBYSCORE z 0 1; ZREM z a; ZPOPMIN z; BZPOPMIN z 0
  SADD s a; SREM s b; SMEMBERS s; SISMEMBER s a; SCARD s
  XADD x * f 1; XTRIM x MAXLEN 0; XLEN x
  SET t 1 PX 60000; GET t; INCR t; PEXPIRE t 60000; PTTL t; EXISTS t; TYPE t; DEL t
  EVAL return 0; EVALSHA sha 0; SCAN 0
`

const twoKeys = ['RPOPLPUSH', 'RENAME']
const noKeys = ['EVAL', 'EVALSHA', 'SCAN']

/** The needed commands word by word, on keys that start with `prefix`. */
export const neededCommandsOn = (prefix: string): readonly (readonly string[])[] =>
  neededCommands
    .trim()
    .split(/[;\n]/)
    .map((text) => {
      const [command = '', ...words] = text.trim().split(' ')
      const keys = noKeys.includes(command) ? 0 : twoKeys.includes(command) ? 2 : 1
      return [command, ...words.map((word, index) => (index < keys ? `${prefix}:${word}` : word))]
    })
