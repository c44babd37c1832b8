-- What: the three tables that every service has in its own schema because the plumbing
-- works inside the service's transactions: audit_event (who changed what), idempotency_key
-- (which request ids were served) and verification_key (the last known keys of identity).
-- Why: an audit row or a request id that is written beside the change, not with it, is lost
-- or lies when the process dies between the two; and a service must be able to check
-- tokens after a restart while identity is down.
-- Safe while old code runs: yes, it only adds tables.

CREATE TABLE {{schema}}.audit_event (
    id         bigint      GENERATED ALWAYS AS IDENTITY,
    at         timestamptz NOT NULL DEFAULT now(),
    actor      text        NOT NULL, -- user id, or the name of a service
    role       text        NOT NULL, -- ADMIN, MANAGER, AGENT_SUIVI or SERVICE
    address    text        NOT NULL, -- the client's address as the gateway saw it
    action     text        NOT NULL, -- e.g. store.update
    resource   text        NOT NULL, -- e.g. stores/0190…
    before     jsonb,                -- secrets masked, like after
    after      jsonb,
    reason     text        NOT NULL,
    request_id text        NOT NULL,
    CONSTRAINT audit_event_pkey PRIMARY KEY (id)
);

-- Lists are read newest first, by resource, by actor or by time; id ends each key so that
-- a page continues where the last one ended.
CREATE INDEX audit_event_resource_idx ON {{schema}}.audit_event (resource, id);
CREATE INDEX audit_event_actor_idx ON {{schema}}.audit_event (actor, id);
CREATE INDEX audit_event_at_idx ON {{schema}}.audit_event (at, id);

-- Append-only by the database itself: a forgotten WHERE in our own code, or a person with
-- psql and the service's role, meets this before the rows.
CREATE FUNCTION {{schema}}.audit_event_is_append_only() RETURNS trigger
LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    RAISE EXCEPTION 'audit_event is append-only: % is refused', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'audit_event_append_only';
END
$$;

CREATE TRIGGER audit_event_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON {{schema}}.audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.audit_event_is_append_only();

-- A request id is remembered 24 hours, per actor and method: two people may use one id, and
-- one person may use it for two methods. The primary key is also what makes the second of
-- two simultaneous requests wait for the first.
CREATE TABLE {{schema}}.idempotency_key (
    actor        text        NOT NULL,
    method       text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    resource     text,       -- what the first request made; null only inside its transaction
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_key_pkey PRIMARY KEY (actor, method, key)
);

CREATE INDEX idempotency_key_created_at_idx ON {{schema}}.idempotency_key (created_at);

-- One row: the key set of identity as it was last fetched (JWKS), public keys only.
CREATE TABLE {{schema}}.verification_key (
    id         smallint    NOT NULL DEFAULT 1,
    jwks       jsonb       NOT NULL,
    fetched_at timestamptz NOT NULL,
    CONSTRAINT verification_key_pkey PRIMARY KEY (id),
    CONSTRAINT verification_key_one_row CHECK (id = 1)
);
