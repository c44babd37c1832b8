-- What: everything ecosync owns: stores with their sealed tokens, state maps, sync
-- positions, the history of passes, unknown states and the quarantine.
-- Why at once: the position with its gaps and its term, and the quarantine, change the
-- meaning of every row when they are added later.
-- Safe while old code runs: it is the first migration.

-- The key under which tokens are fingerprinted, sealed like a token. One row: a second
-- key would let one token into two stores. It does not rotate with the keyset, which
-- only wraps it.
CREATE TABLE ecosync.fingerprint_key (
    id     smallint NOT NULL DEFAULT 1,
    sealed bytea    NOT NULL,
    CONSTRAINT fingerprint_key_pkey PRIMARY KEY (id),
    CONSTRAINT fingerprint_key_one_row CHECK (id = 1)
);

CREATE TABLE ecosync.store (
    id                 uuid        NOT NULL,
    identifier         text        NOT NULL,
    name               text        NOT NULL,
    -- Normalised once, when saved (lesson P6). The tenant is its host, with the path in
    -- front of the API root where there is one: the space in which order ids are unique.
    base_url           text        NOT NULL,
    tenant             text        NOT NULL,
    time_zone          text        NOT NULL,
    -- A store without a token cannot be saved, so none of these may be null (lesson P6).
    token_sealed       bytea       NOT NULL,
    token_version      bigint      NOT NULL,
    token_last4        text        NOT NULL,
    token_fingerprint  bytea       NOT NULL,
    active             boolean     NOT NULL,
    paused_at          timestamptz,
    pause_reason       text        NOT NULL DEFAULT '',
    reference_prefixes text[]      NOT NULL DEFAULT '{}',
    state_map_version  bigint      NOT NULL,
    version            bigint      NOT NULL DEFAULT 1, -- of the settings: the etag
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT store_pkey PRIMARY KEY (id),
    CONSTRAINT store_identifier_key UNIQUE (identifier),
    -- One token is one shop: two stores with one token would hold every order twice
    -- (lessons P5 to P7). Keyed, so that the column tells nothing to who reads it.
    CONSTRAINT store_token_fingerprint_key UNIQUE (token_fingerprint),
    CONSTRAINT store_identifier_shape CHECK (identifier ~ '^[A-Z][A-Z0-9]{1,15}$'),
    CONSTRAINT store_name_present CHECK (name <> ''),
    CONSTRAINT store_base_url_shape CHECK (base_url ~ '^https?://[^/].*/api/shop/v2$'),
    CONSTRAINT store_token_present CHECK (octet_length(token_sealed) > 0),
    CONSTRAINT store_pause_has_reason CHECK ((paused_at IS NULL) = (pause_reason = ''))
);

-- Every version of every map is kept: orders say by version which map gave them their
-- meaning.
CREATE TABLE ecosync.state_map (
    store_id   uuid        NOT NULL,
    version    bigint      NOT NULL,
    entries    jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT state_map_pkey PRIMARY KEY (store_id, version),
    CONSTRAINT state_map_store_fkey FOREIGN KEY (store_id) REFERENCES ecosync.store (id) ON DELETE CASCADE
);

-- What is known to have been read of a store: everything between floor_at and the head,
-- except the gaps. The truth of the sync, and nowhere else (lesson P2).
CREATE TABLE ecosync.sync_position (
    store_id        uuid        NOT NULL,
    head_at         timestamptz, -- null before the first page
    head_id         bigint,
    head_settled    boolean     NOT NULL DEFAULT false,
    floor_at        timestamptz,
    mode            text        NOT NULL DEFAULT 'BY_CHANGE',
    gaps            jsonb       NOT NULL DEFAULT '[]', -- last key, cursor, floor, failures of each, newest first
    scan            jsonb, -- the walk by id in the middle: last id, cursor, rows, bottom
    scanned_at      timestamptz, -- when the last one ended
    -- Who may write: every write of a pass is WHERE term = its own.
    term            bigint      NOT NULL DEFAULT 0,
    held_until      timestamptz,
    resume_at       timestamptz,
    last_success_at timestamptz,
    CONSTRAINT sync_position_pkey PRIMARY KEY (store_id),
    CONSTRAINT sync_position_store_fkey FOREIGN KEY (store_id) REFERENCES ecosync.store (id) ON DELETE CASCADE,
    CONSTRAINT sync_position_head_whole CHECK ((head_at IS NULL) = (head_id IS NULL)),
    CONSTRAINT sync_position_mode CHECK (mode IN ('BY_CHANGE', 'ID_ONLY'))
);

-- What was spent of a token's four windows (second, minute, hour, day, in this order),
-- by this clock alone: replicas and connection tests share one row, which is why it hangs
-- on the token and not on the store. A token is known here by its keyed hash. Counting
-- is not the truth of anything: a lost row costs a 429.
CREATE TABLE ecosync.quota (
    token_fingerprint bytea         NOT NULL,
    began             timestamptz[] NOT NULL,
    spent             bigint[]      NOT NULL,
    background        bigint[]      NOT NULL, -- of spent, by rescans and backfills
    blocked_until     timestamptz,            -- the shop asked to wait (429)
    CONSTRAINT quota_pkey PRIMARY KEY (token_fingerprint),
    CONSTRAINT quota_four_windows CHECK (cardinality(began) = 4 AND cardinality(spent) = 4 AND cardinality(background) = 4)
);

-- Values of result and failure are those of the contract (ecosync.v1 PassResult,
-- PassFailure).
CREATE TABLE ecosync.pass (
    id             bigint      GENERATED ALWAYS AS IDENTITY,
    store_id       uuid        NOT NULL,
    kind           text        NOT NULL DEFAULT 'LIVE', -- or BACKFILL: a pass of each may run at once
    term           bigint      NOT NULL,
    started_at     timestamptz NOT NULL DEFAULT now(),
    ended_at       timestamptz,
    result         text        NOT NULL DEFAULT '', -- empty while it runs
    failure        text        NOT NULL DEFAULT '',
    message        text        NOT NULL DEFAULT '',
    resume_at      timestamptz,
    requests       bigint      NOT NULL DEFAULT 0,
    pages          bigint      NOT NULL DEFAULT 0,
    rows           bigint      NOT NULL DEFAULT 0,
    created        bigint      NOT NULL DEFAULT 0,
    updated        bigint      NOT NULL DEFAULT 0,
    unchanged      bigint      NOT NULL DEFAULT 0,
    stale          bigint      NOT NULL DEFAULT 0,
    deleted        bigint      NOT NULL DEFAULT 0,
    quarantined    bigint      NOT NULL DEFAULT 0,
    became_ready   bigint      NOT NULL DEFAULT 0,
    outside        bigint      NOT NULL DEFAULT 0,
    unknown_states bigint      NOT NULL DEFAULT 0,
    gaps           bigint      NOT NULL DEFAULT 0, -- left for later passes
    upstream_deleted bigint    NOT NULL DEFAULT 0,
    CONSTRAINT pass_pkey PRIMARY KEY (id),
    CONSTRAINT pass_store_fkey FOREIGN KEY (store_id) REFERENCES ecosync.store (id) ON DELETE CASCADE,
    CONSTRAINT pass_ended_has_result CHECK ((ended_at IS NULL) = (result = ''))
);

CREATE INDEX pass_store_id_idx ON ecosync.pass (store_id, id DESC);
CREATE INDEX pass_started_at_idx ON ecosync.pass (started_at);
-- One running pass per store and kind, whatever else goes wrong: the belt to the term's braces.
CREATE UNIQUE INDEX pass_live_key ON ecosync.pass (store_id, kind) WHERE ended_at IS NULL;

CREATE TABLE ecosync.unknown_state (
    store_id      uuid        NOT NULL,
    state         text        NOT NULL, -- in the shop's words
    rows          bigint      NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT unknown_state_pkey PRIMARY KEY (store_id, state),
    CONSTRAINT unknown_state_store_fkey FOREIGN KEY (store_id) REFERENCES ecosync.store (id) ON DELETE CASCADE
);

-- Rows that could not become orders, written before the checkpoint that passes them by.
-- raw is bytea and not jsonb: what is kept is what came, also when it is no JSON that
-- PostgreSQL would take. The part that retries is written by a later release.
CREATE TABLE ecosync.quarantine (
    id            bigint      GENERATED ALWAYS AS IDENTITY,
    store_id      uuid        NOT NULL,
    subject       text        NOT NULL, -- "order:700123", or "sha256:…" of a row without a readable id
    upstream_id   bigint,               -- null when unreadable
    reference     text        NOT NULL,
    reason        text        NOT NULL,
    field         text        NOT NULL, -- path inside the row, or the reason orders gave
    detail        text        NOT NULL,
    raw           bytea       NOT NULL,
    times         bigint      NOT NULL DEFAULT 1,
    pass_id       bigint      NOT NULL, -- the last pass that met it; passes are cleaned up, so no foreign key
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    resolved_at   timestamptz,
    CONSTRAINT quarantine_pkey PRIMARY KEY (id),
    CONSTRAINT quarantine_store_fkey FOREIGN KEY (store_id) REFERENCES ecosync.store (id) ON DELETE CASCADE
);

-- One open row per order; a resolved one stays as history until cleanup.
CREATE UNIQUE INDEX quarantine_open_key ON ecosync.quarantine (store_id, subject) WHERE resolved_at IS NULL;
CREATE INDEX quarantine_resolved_at_idx ON ecosync.quarantine (resolved_at) WHERE resolved_at IS NOT NULL;
