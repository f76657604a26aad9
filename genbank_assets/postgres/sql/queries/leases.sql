-- name: table
CREATE SCHEMA IF NOT EXISTS genbank;
CREATE TABLE IF NOT EXISTS genbank.lease (
    name text PRIMARY KEY, token bigint NOT NULL DEFAULT 0, is_held boolean NOT NULL DEFAULT false,
    host text NOT NULL DEFAULT '', process text NOT NULL DEFAULT '', run_id text NOT NULL DEFAULT '',
    taken_at timestamptz NOT NULL DEFAULT now(), heartbeat_at timestamptz NOT NULL DEFAULT now());

-- name: row
SELECT token, is_held, host, process, run_id, taken_at, extract(epoch FROM clock_timestamp() - heartbeat_at)::float8
FROM genbank.lease WHERE name = %s;

-- name: free_row
-- A transaction that writes under the lease holds FOR KEY SHARE on its row; such rows are skipped instead of waited for.
SELECT token, is_held, host, process, run_id, taken_at, extract(epoch FROM clock_timestamp() - heartbeat_at)::float8
FROM genbank.lease WHERE name = %s FOR UPDATE SKIP LOCKED;

-- name: take
UPDATE genbank.lease SET token = token + 1, is_held = true, host = %s, process = %s, run_id = %s,
       taken_at = clock_timestamp(), heartbeat_at = clock_timestamp() WHERE name = %s RETURNING token;

-- name: beat
UPDATE genbank.lease SET heartbeat_at = clock_timestamp() WHERE name = %s AND token = %s AND is_held RETURNING token;

-- name: release
UPDATE genbank.lease SET is_held = false WHERE name = %s AND token = %s AND is_held RETURNING token;

-- name: assert_held
-- A client whose host has failed must not keep its transaction, and the row, for TCP's default of two hours.
SELECT set_config('tcp_keepalives_idle', '30', true), set_config('tcp_keepalives_interval', '10', true),
       set_config('tcp_keepalives_count', '3', true), l.token
FROM genbank.lease l WHERE l.name = %s AND l.token = %s AND l.is_held FOR KEY SHARE;
