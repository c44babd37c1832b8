-- Who may use the suite: people, their sessions, the keys that sign their tokens, and the failures that slow a guesser down.
--
-- Nothing in these tables lets a reader of the database in: passwords are argon2id strings, refresh tokens lie here as SHA-256
-- of 256 random bits, and the two secrets that must be read back (private signing keys, and the successor of a token rotated
-- seconds ago) are sealed with CREDENTIALS_KEYSET. An e-mail address that failed to log in is kept as a hash: what people type
-- in the wrong box is often a password.
-- Safe while old code runs: it is the first migration, there is no old code.

-- The one row every change of a user locks first. Administrators are counted in a statement that begins after this lock is
-- held, so two changes that would each leave the other's administrator behind cannot both pass.
CREATE TABLE identity.admin_guard (
    singleton boolean NOT NULL DEFAULT true,
    CONSTRAINT admin_guard_pk PRIMARY KEY (singleton),
    CONSTRAINT admin_guard_one_row CHECK (singleton)
);
INSERT INTO identity.admin_guard (singleton) VALUES (true);

CREATE TABLE identity.user_account (
    user_id              uuid        NOT NULL,
    email                text        NOT NULL, -- normalised: ASCII, lower case; what a person logs in with
    name                 text        NOT NULL,
    role                 text        NOT NULL,
    password_hash        text        NOT NULL, -- PHC string; its own parameters stand in it, so they can be raised
    password_changed_at  timestamptz NOT NULL,
    must_change_password boolean     NOT NULL, -- set when somebody else chose the password
    disabled_at          timestamptz,
    last_login_at        timestamptz,
    version              bigint      NOT NULL DEFAULT 1, -- the etag; raised by changes of what people edit, not by a login
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    CONSTRAINT user_account_pk PRIMARY KEY (user_id),
    CONSTRAINT user_account_email_unique UNIQUE (email),
    CONSTRAINT user_account_email_normalised CHECK (email = lower(email) AND email <> ''),
    CONSTRAINT user_account_role_known CHECK (role IN ('ADMIN', 'MANAGER', 'AGENT_SUIVI'))
);
CREATE INDEX user_account_name_idx ON identity.user_account (lower(name), user_id);
COMMENT ON TABLE identity.user_account IS 'People. Never deleted: history, audit and orders name them; they are disabled.';

-- A session is a family of refresh tokens that began with one login.
CREATE TABLE identity.session (
    session_id        uuid        NOT NULL,
    user_id           uuid        NOT NULL,
    created_at        timestamptz NOT NULL,
    last_used_at      timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL, -- moves with each rotation, never past the longest life of a session
    address           text        NOT NULL, -- where it was last used from
    user_agent        text        NOT NULL,
    revoked_at        timestamptz,
    revoked_reason    text,
    cookie            boolean     NOT NULL, -- over REST the refresh token travels in an HttpOnly cookie
    refresh_window_at timestamptz NOT NULL, -- begin of the minute in which refreshes are counted
    refresh_count     integer     NOT NULL DEFAULT 0,
    CONSTRAINT session_pk PRIMARY KEY (session_id),
    CONSTRAINT session_user_fk FOREIGN KEY (user_id) REFERENCES identity.user_account (user_id),
    CONSTRAINT session_revoked_whole CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL)),
    CONSTRAINT session_revoked_reason_known CHECK (
        revoked_reason IN ('LOGOUT', 'REUSE', 'PASSWORD_CHANGED', 'PASSWORD_RESET', 'DISABLED'))
);
CREATE INDEX session_user_live_idx ON identity.session (user_id) WHERE revoked_at IS NULL;
CREATE INDEX session_expiry_idx ON identity.session (expires_at);

CREATE TABLE identity.refresh_token (
    token_hash       bytea       NOT NULL,
    session_id       uuid        NOT NULL,
    created_at       timestamptz NOT NULL,
    rotated_at       timestamptz,
    successor_sealed bytea, -- emptied as soon as the seconds in which it may be answered again are over
    CONSTRAINT refresh_token_pk PRIMARY KEY (token_hash),
    CONSTRAINT refresh_token_session_fk FOREIGN KEY (session_id) REFERENCES identity.session (session_id) ON DELETE CASCADE,
    CONSTRAINT refresh_token_hash_size CHECK (octet_length(token_hash) = 32),
    CONSTRAINT refresh_token_successor_of_rotated CHECK (successor_sealed IS NULL OR rotated_at IS NOT NULL)
);
-- The belt under the rotation: whatever races, a family has one token that can still be rotated.
CREATE UNIQUE INDEX refresh_token_one_current ON identity.refresh_token (session_id) WHERE rotated_at IS NULL;
CREATE INDEX refresh_token_session_idx ON identity.refresh_token (session_id);

CREATE TABLE identity.signing_key (
    key_id         text        NOT NULL, -- the kid of its tokens
    generation     bigint      NOT NULL, -- 1, 2, 3…: of several replicas that make the next key, one INSERT wins
    public_key     bytea       NOT NULL, -- Ed25519, 32 bytes
    private_sealed bytea       NOT NULL,
    publish_from   timestamptz NOT NULL,
    sign_from      timestamptz NOT NULL,
    retire_at      timestamptz, -- known when its successor is made: then its last token has ended
    created_at     timestamptz NOT NULL,
    CONSTRAINT signing_key_pk PRIMARY KEY (key_id),
    CONSTRAINT signing_key_generation_unique UNIQUE (generation),
    CONSTRAINT signing_key_public_size CHECK (octet_length(public_key) = 32),
    CONSTRAINT signing_key_published_first CHECK (publish_from <= sign_from),
    CONSTRAINT signing_key_retired_last CHECK (retire_at > sign_from)
);

CREATE TABLE identity.login_failure (
    login_failure_id bigint      GENERATED ALWAYS AS IDENTITY,
    account_hash     bytea       NOT NULL, -- SHA-256 of the normalised e-mail, known to us or not
    address          text        NOT NULL,
    failed_at        timestamptz NOT NULL,
    CONSTRAINT login_failure_pk PRIMARY KEY (login_failure_id),
    CONSTRAINT login_failure_hash_size CHECK (octet_length(account_hash) = 32)
);
-- One index for each of the two counts that every login makes, one for the daily cleanup.
CREATE INDEX login_failure_pair_idx ON identity.login_failure (account_hash, address, failed_at);
CREATE INDEX login_failure_account_idx ON identity.login_failure (account_hash, failed_at);
CREATE INDEX login_failure_age_idx ON identity.login_failure (failed_at);
