/**
 * Stores a result and publishes it to those who wait, as Celery does, but checks in the same step that no SUCCESS is there:
 * it stays. KEYS: the result. ARGV: its text, seconds until it expires (0: never), and 'anyway' to skip the check, or
 * 'unended' for a state that no other end may give way to either. Returns 0 when what is there stays, 1 when the result is stored, and 2 when what is there cannot be read here.
 */
export const storeResult = `
  local current = ARGV[3] ~= 'anyway' and redis.call('GET', KEYS[1])
  if current then
    if string.byte(current) == 0 then return 2 end
    local status = string.match(current, '^{"status": ?"(%u+)"')
    if not status then
      local isJson, meta = pcall(cjson.decode, current)
      status = isJson and type(meta) == 'table' and meta.status
    end
    if status == 'SUCCESS' then return 0 end
    if ARGV[3] == 'unended' and (status == 'FAILURE' or status == 'REVOKED') then return 0 end
  end
  if tonumber(ARGV[2]) > 0 then redis.call('SETEX', KEYS[1], ARGV[2], ARGV[1]) else redis.call('SET', KEYS[1], ARGV[1]) end
  redis.call('PUBLISH', KEYS[1], ARGV[1])
  return 1`

/**
 * Counts a part of a chord and, when it completes the chord, takes the parts for the body. Workers of Celery 5.2 know the
 * set of parts, their number and what is added to it; those of 5.7 also know the set of what is counted and the claim.
 * Whoever counts the last part fires the body:
 * - A part that was counted before, by whatever worker, is not counted again. If it completes the chord all the same, the
 *   worker that counted the last part has died with its claim; but if one of the parts is not noted as counted, a worker
 *   of 5.2 may be firing the body, which claims nothing.
 * - Parts that are taken are moved away and the number is deleted, so that no other worker finds the chord complete.
 * - After a crash the same call, which has the same token, gets the parts again, until it has finished the chord.
 * KEYS: parts, added, size, counted, saved results, claim, taken parts. ARGV: what the part is counted as, how a part of
 * this task begins, the part, its score, seconds until the chord expires (0: never), the token, seconds of the claim.
 * Returns the parts, or nothing when there is nothing to do.
 */
export const countPart = `
  local parts, added, size, counted, saved, claim, taken = unpack(KEYS)
  local member, head, part, score, expires, token = unpack(ARGV)
  local owner = redis.call('GET', claim)
  if owner == 'done' then return false end
  if owner == token then return redis.call('ZRANGE', taken, 0, -1) end
  local isNew = redis.call('SADD', counted, member) == 1
  if isNew then
    for _, other in ipairs(redis.call('ZRANGEBYSCORE', parts, score, score)) do
      if string.sub(other, 1, #head) == head then
        isNew = false
        redis.call('SREM', counted, member)
      end
    end
    if isNew then redis.call('ZADD', parts, score, part) end
  end
  if tonumber(expires) > 0 then
    for _, key in ipairs({parts, added, size, counted, saved}) do redis.call('EXPIRE', key, expires) end
  end
  local total = redis.call('GET', size)
  if not total then return false end
  local count = redis.call('ZCARD', parts)
  if count ~= tonumber(total) + tonumber(redis.call('GET', added) or 0) then return false end
  if not isNew and redis.call('SCARD', counted) < count then return false end
  if not redis.call('SET', claim, token, 'NX', 'EX', ARGV[7]) then return false end
  redis.call('RENAME', parts, taken)
  redis.call('EXPIRE', taken, ARGV[7])
  redis.call('DEL', added, size)
  return redis.call('ZRANGE', taken, 0, -1)`

/** Ends a chord that was taken, so that late parts do nothing. KEYS: counted, claim, taken parts. ARGV: token, seconds. */
export const finishChord = `
  if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
  redis.call('DEL', KEYS[1], KEYS[3])
  redis.call('SET', KEYS[2], 'done', 'EX', ARGV[2])
  return 1`

/**
 * Publishes messages once. KEYS: the guard, then the list of each message. ARGV: seconds of the guard, then the messages.
 * Returns 0 when they were published before.
 */
export const publishOnce = `
  if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then return 0 end
  for index = 2, #KEYS do redis.call('LPUSH', KEYS[index], ARGV[index]) end
  return 1`
