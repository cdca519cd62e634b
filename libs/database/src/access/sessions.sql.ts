/** The columns of a `Session`. */
const columns = `s.id, s.principal_id AS "principalId", s.name, s.method, s.role, s.user_id::float8 AS "userId",
  s.created_at AS "createdAt", s.last_seen_at AS "lastSeenAt", s.expires_at AS "expiresAt"`

/** Sessions that are valid, `$1` seconds after their last use at the latest. One ends with its API key. */
const selectValid = `SELECT ${columns}
  FROM sessions s LEFT JOIN api_keys k ON k.id = s.api_key_id
  WHERE s.expires_at > now() AND s.last_seen_at > now() - make_interval(secs => $1)
    AND (s.api_key_id IS NULL OR k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()))`

/** $1 idle limit in seconds, $2 hash. */
export const selectSession = `${selectValid} AND s.hash = $2`

/** $1 idle limit in seconds, $2 the principal whose sessions are listed; null lists all. */
export const selectSessions = `${selectValid} AND ($2::uuid IS NULL OR s.principal_id = $2)
  ORDER BY s.created_at DESC, s.id LIMIT 1000`

/** Most sessions of a principal, and most links of an API key: further ones take the place of the oldest. */
const maxSessions = 100
const maxLinks = 20

/**
 * Stores a session that ends after `$9` seconds, or with its API key `$8` if that expires sooner, and removes those that
 * have ended. $1 id, $2 hash, $3 principal, $4 name, $5 method, $6 role, $7 person.
 */
export const insertSession = `WITH gone AS (
    DELETE FROM sessions WHERE expires_at < now() OR id IN (
      SELECT id FROM sessions WHERE principal_id = $3 ORDER BY last_seen_at DESC OFFSET ${maxSessions - 1})
  ), s AS (
    INSERT INTO sessions (id, hash, principal_id, name, method, role, user_id, api_key_id, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, least(now() + make_interval(secs => $9),
      (SELECT expires_at FROM api_keys WHERE id = $8)))
    RETURNING *
  ) SELECT ${columns} FROM s`

/** Stores a link and removes those that have expired. $1 hash, $2 API key, $3 seconds until it expires. */
export const insertLink = `WITH gone AS (
    DELETE FROM session_links WHERE expires_at < now() OR hash IN (
      SELECT hash FROM session_links WHERE api_key_id = $2 ORDER BY expires_at DESC OFFSET ${maxLinks - 1})
  )
  INSERT INTO session_links (hash, api_key_id, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3))
  RETURNING expires_at AS "expiresAt"`

/** Takes a link, which can be done once, and returns its API key if that is valid. $1 hash. */
export const takeLink = `WITH taken AS (
    DELETE FROM session_links WHERE hash = $1 AND expires_at > now() RETURNING api_key_id
  )
  SELECT k.id, k.name, k.role, k.user_id::float8 AS "userId" FROM api_keys k JOIN taken t ON t.api_key_id = k.id
  WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())`
