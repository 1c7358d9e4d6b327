CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE followers (
    name VARCHAR(40) NOT NULL,
    CONSTRAINT pk_followers PRIMARY KEY (name)
);

CREATE TABLE idempotency_keys (
    scope VARCHAR(64) NOT NULL,
    "key" VARCHAR(256) NOT NULL,
    fingerprint VARCHAR(64) NOT NULL,
    status INTEGER NOT NULL,
    location TEXT,
    body_sealed TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (scope, "key")
);

CREATE INDEX ix_idempotency_keys_expires_at ON idempotency_keys (expires_at);

CREATE TABLE permissions (
    id CHAR(32) NOT NULL,
    name VARCHAR(130) NOT NULL,
    description TEXT NOT NULL,
    system BOOLEAN NOT NULL,
    valid_from DATETIME NOT NULL,
    valid_to DATETIME,
    CONSTRAINT pk_permissions PRIMARY KEY (id)
);

CREATE UNIQUE INDEX uq_permissions_name_open ON permissions (name) WHERE valid_to IS NULL;

CREATE TABLE roles (
    id CHAR(32) NOT NULL,
    name VARCHAR(64) NOT NULL,
    description TEXT NOT NULL,
    system BOOLEAN NOT NULL,
    grants VARCHAR(8) NOT NULL,
    version INTEGER NOT NULL,
    valid_from DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    valid_to DATETIME,
    CONSTRAINT pk_roles PRIMARY KEY (id),
    CONSTRAINT ck_roles_grants CHECK (grants IN ('listed', 'all', 'reads'))
);

CREATE UNIQUE INDEX uq_roles_name_open ON roles (name) WHERE valid_to IS NULL;

CREATE TABLE signin_attempts (
    name_digest VARCHAR(64) NOT NULL,
    failures INTEGER NOT NULL,
    last_failed_at DATETIME NOT NULL,
    blocked_until DATETIME,
    CONSTRAINT pk_signin_attempts PRIMARY KEY (name_digest)
);

CREATE TABLE signing_keys (
    kid VARCHAR(64) NOT NULL,
    algorithm VARCHAR(16) NOT NULL,
    public_jwk TEXT NOT NULL,
    private_sealed TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    retired_at DATETIME,
    CONSTRAINT pk_signing_keys PRIMARY KEY (kid)
);

CREATE TABLE trail_events (
    seq BIGINT NOT NULL,
    at DATETIME NOT NULL,
    actor_type VARCHAR(16) NOT NULL,
    actor_id VARCHAR(64),
    actor_name VARCHAR(256),
    session_id CHAR(32),
    action VARCHAR(64) NOT NULL,
    target_type VARCHAR(32),
    target_id VARCHAR(192),
    target_name VARCHAR(256),
    outcome VARCHAR(16) NOT NULL,
    reason TEXT,
    "before" TEXT,
    "after" TEXT,
    ip VARCHAR(64),
    request_id VARCHAR(128),
    prev_hash VARCHAR(64) NOT NULL,
    hash VARCHAR(64) NOT NULL,
    CONSTRAINT pk_trail_events PRIMARY KEY (seq)
);

CREATE INDEX ix_trail_events_action ON trail_events (action, seq);

CREATE INDEX ix_trail_events_actor_id ON trail_events (actor_id, seq);

CREATE INDEX ix_trail_events_at ON trail_events (at);

CREATE INDEX ix_trail_events_target_id ON trail_events (target_id, seq);

CREATE TABLE users (
    id CHAR(32) NOT NULL,
    username VARCHAR(256) NOT NULL,
    username_canonical VARCHAR(1024) NOT NULL,
    email VARCHAR(320),
    email_canonical VARCHAR(1024),
    display_name VARCHAR(256),
    status VARCHAR(16) NOT NULL,
    password_hash VARCHAR(128),
    password_temporary BOOLEAN NOT NULL,
    password_changed_at DATETIME,
    version INTEGER NOT NULL,
    authorization_version INTEGER NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    last_login_at DATETIME,
    deleted_at DATETIME,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT ck_users_status CHECK (status IN ('active', 'disabled', 'deleted')),
    CONSTRAINT uq_users_username_canonical UNIQUE (username_canonical)
);

CREATE INDEX ix_users_created_at ON users (created_at);

CREATE INDEX ix_users_email_canonical ON users (email_canonical);

CREATE TABLE assignments (
    id CHAR(32) NOT NULL,
    user_id CHAR(32) NOT NULL,
    role_id CHAR(32) NOT NULL,
    valid_from DATETIME NOT NULL,
    valid_to DATETIME,
    reason TEXT,
    assigned_by CHAR(32),
    assigned_at DATETIME NOT NULL,
    CONSTRAINT pk_assignments PRIMARY KEY (id),
    CONSTRAINT ck_assignments_period CHECK (valid_to IS NULL OR valid_to >= valid_from),
    CONSTRAINT fk_assignments_role_id FOREIGN KEY(role_id) REFERENCES roles (id),
    CONSTRAINT fk_assignments_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_assignments_role_id ON assignments (role_id);

CREATE INDEX ix_assignments_user_id ON assignments (user_id);

CREATE UNIQUE INDEX uq_assignments_open ON assignments (user_id, role_id) WHERE valid_to IS NULL;

CREATE TABLE password_setups (
    token_hash VARCHAR(64) NOT NULL,
    user_id CHAR(32) NOT NULL,
    created_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    spent_at DATETIME,
    CONSTRAINT pk_password_setups PRIMARY KEY (token_hash),
    CONSTRAINT fk_password_setups_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_password_setups_user_id ON password_setups (user_id);

CREATE TABLE role_inheritance (
    id CHAR(32) NOT NULL,
    senior_id CHAR(32) NOT NULL,
    junior_id CHAR(32) NOT NULL,
    valid_from DATETIME NOT NULL,
    valid_to DATETIME,
    CONSTRAINT pk_role_inheritance PRIMARY KEY (id),
    CONSTRAINT ck_role_inheritance_period CHECK (valid_to IS NULL OR valid_to >= valid_from),
    CONSTRAINT fk_role_inheritance_junior_id FOREIGN KEY(junior_id) REFERENCES roles (id),
    CONSTRAINT fk_role_inheritance_senior_id FOREIGN KEY(senior_id) REFERENCES roles (id)
);

CREATE INDEX ix_role_inheritance_junior_id ON role_inheritance (junior_id);

CREATE UNIQUE INDEX uq_role_inheritance_open ON role_inheritance (senior_id, junior_id) WHERE valid_to IS NULL;

CREATE TABLE role_permissions (
    id CHAR(32) NOT NULL,
    role_id CHAR(32) NOT NULL,
    permission_id CHAR(32) NOT NULL,
    valid_from DATETIME NOT NULL,
    valid_to DATETIME,
    CONSTRAINT pk_role_permissions PRIMARY KEY (id),
    CONSTRAINT ck_role_permissions_period CHECK (valid_to IS NULL OR valid_to >= valid_from),
    CONSTRAINT fk_role_permissions_permission_id FOREIGN KEY(permission_id) REFERENCES permissions (id),
    CONSTRAINT fk_role_permissions_role_id FOREIGN KEY(role_id) REFERENCES roles (id)
);

CREATE INDEX ix_role_permissions_permission_id ON role_permissions (permission_id);

CREATE UNIQUE INDEX uq_role_permissions_open ON role_permissions (role_id, permission_id) WHERE valid_to IS NULL;

CREATE TABLE sessions (
    id CHAR(32) NOT NULL,
    user_id CHAR(32) NOT NULL,
    client_id VARCHAR(128) NOT NULL,
    created_at DATETIME NOT NULL,
    last_seen_at DATETIME NOT NULL,
    idle_expires_at DATETIME NOT NULL,
    absolute_expires_at DATETIME NOT NULL,
    generation INTEGER NOT NULL,
    ip VARCHAR(64),
    user_agent VARCHAR(256),
    ended_at DATETIME,
    ended_by CHAR(32),
    end_reason VARCHAR(32),
    CONSTRAINT pk_sessions PRIMARY KEY (id),
    CONSTRAINT ck_sessions_end CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CONSTRAINT fk_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_sessions_created_at ON sessions (created_at);

CREATE INDEX ix_sessions_ended_at ON sessions (ended_at);

CREATE INDEX ix_sessions_user_id ON sessions (user_id);

CREATE TABLE refresh_tokens (
    jti CHAR(32) NOT NULL,
    session_id CHAR(32) NOT NULL,
    generation INTEGER NOT NULL,
    issued_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    spent_at DATETIME,
    replaced_by CHAR(32),
    ip VARCHAR(64),
    CONSTRAINT pk_refresh_tokens PRIMARY KEY (jti),
    CONSTRAINT fk_refresh_tokens_session_id FOREIGN KEY(session_id) REFERENCES sessions (id),
    CONSTRAINT uq_refresh_tokens_session_id_generation UNIQUE (session_id, generation)
);

CREATE TRIGGER trail_events_no_update BEFORE UPDATE ON trail_events BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END;

CREATE TRIGGER trail_events_no_delete BEFORE DELETE ON trail_events BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END;

CREATE TRIGGER trail_events_no_replace BEFORE INSERT ON trail_events WHEN EXISTS (SELECT 1 FROM trail_events WHERE seq = NEW.seq) BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END;

INSERT INTO alembic_version (version_num) VALUES ('0001') RETURNING version_num;

ALTER TABLE users ADD COLUMN kind VARCHAR(16) DEFAULT 'person' NOT NULL;

ALTER TABLE sessions ADD COLUMN amr VARCHAR(64) DEFAULT 'pwd' NOT NULL;

ALTER TABLE sessions ADD COLUMN client_secret_id CHAR(32);

ALTER TABLE signing_keys ADD COLUMN withdrawn_at DATETIME;

ALTER TABLE roles ADD COLUMN requires_mfa BOOLEAN DEFAULT 0 NOT NULL;

CREATE INDEX ix_sessions_user_id_absolute_expires_at ON sessions (user_id, absolute_expires_at);

DROP INDEX ix_sessions_user_id;

UPDATE signing_keys SET retired_at = (SELECT min(newer.created_at) FROM signing_keys AS newer WHERE newer.algorithm = signing_keys.algorithm AND newer.created_at > signing_keys.created_at) WHERE retired_at IS NULL;

CREATE TABLE service_accounts (
    id CHAR(32) NOT NULL,
    description TEXT,
    created_by CHAR(32),
    CONSTRAINT pk_service_accounts PRIMARY KEY (id),
    CONSTRAINT fk_service_accounts_id_users FOREIGN KEY(id) REFERENCES users (id)
);

CREATE TABLE client_secrets (
    id CHAR(32) NOT NULL,
    service_account_id CHAR(32) NOT NULL,
    secret_hash VARCHAR(64) NOT NULL,
    created_at DATETIME NOT NULL,
    created_by CHAR(32),
    expires_at DATETIME NOT NULL,
    last_used_at DATETIME,
    withdrawn_at DATETIME,
    CONSTRAINT pk_client_secrets PRIMARY KEY (id),
    CONSTRAINT fk_client_secrets_service_account_id_users FOREIGN KEY(service_account_id) REFERENCES users (id),
    CONSTRAINT uq_client_secrets_secret_hash UNIQUE (secret_hash)
);

CREATE INDEX ix_client_secrets_service_account_id ON client_secrets (service_account_id);

CREATE TABLE totp_factors (
    user_id CHAR(32) NOT NULL,
    secret_sealed TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    confirmed_at DATETIME,
    last_step BIGINT,
    CONSTRAINT pk_totp_factors PRIMARY KEY (user_id),
    CONSTRAINT fk_totp_factors_user_id_users FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE recovery_codes (
    code_hash VARCHAR(64) NOT NULL,
    user_id CHAR(32) NOT NULL,
    created_at DATETIME NOT NULL,
    spent_at DATETIME,
    CONSTRAINT pk_recovery_codes PRIMARY KEY (code_hash),
    CONSTRAINT fk_recovery_codes_user_id_users FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_recovery_codes_user_id ON recovery_codes (user_id);

CREATE TABLE revocations (
    seq BIGINT NOT NULL,
    kind VARCHAR(8) NOT NULL,
    value VARCHAR(64) NOT NULL,
    minimum INTEGER,
    revoked_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    CONSTRAINT pk_revocations PRIMARY KEY (seq),
    CONSTRAINT uq_revocations_kind_value UNIQUE (kind, value)
);

CREATE INDEX ix_revocations_expires_at ON revocations (expires_at);

CREATE TABLE incidents (
    id CHAR(32) NOT NULL,
    type VARCHAR(32) NOT NULL,
    subject VARCHAR(64) NOT NULL,
    user_id CHAR(32),
    session_id CHAR(32),
    opened_at DATETIME NOT NULL,
    occurrences INTEGER NOT NULL,
    rightful_ip VARCHAR(64),
    rightful_user_agent VARCHAR(256),
    rightful_at DATETIME,
    other_ip VARCHAR(64),
    other_user_agent VARCHAR(256),
    other_at DATETIME NOT NULL,
    closed_at DATETIME,
    closed_by CHAR(32),
    close_reason TEXT,
    CONSTRAINT pk_incidents PRIMARY KEY (id),
    CONSTRAINT ck_incidents_closing CHECK ((closed_at IS NULL) = (close_reason IS NULL))
);

CREATE INDEX ix_incidents_opened_at ON incidents (opened_at);

CREATE UNIQUE INDEX uq_incidents_open ON incidents (type, subject) WHERE closed_at IS NULL;

UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';

ALTER TABLE assignments ADD COLUMN mode VARCHAR(16) DEFAULT 'active' NOT NULL;

ALTER TABLE assignments ADD COLUMN max_duration INTEGER;

CREATE INDEX ix_assignments_valid_from ON assignments (valid_from);

CREATE INDEX ix_assignments_valid_to ON assignments (valid_to);

ALTER TABLE sessions ADD COLUMN active_roles TEXT;

CREATE TABLE constraints (
    id CHAR(32) NOT NULL,
    name VARCHAR(64) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    cardinality INTEGER,
    valid_from DATETIME NOT NULL,
    valid_to DATETIME,
    CONSTRAINT pk_constraints PRIMARY KEY (id),
    CONSTRAINT ck_constraints_kind CHECK (kind IN ('static', 'dynamic', 'max-holders', 'requires'))
);

CREATE UNIQUE INDEX uq_constraints_name_open ON constraints (name) WHERE valid_to IS NULL;

CREATE TABLE constraint_roles (
    constraint_id CHAR(32) NOT NULL,
    position INTEGER NOT NULL,
    role_id CHAR(32) NOT NULL,
    CONSTRAINT pk_constraint_roles PRIMARY KEY (constraint_id, position),
    CONSTRAINT fk_constraint_roles_constraint_id_constraints FOREIGN KEY(constraint_id) REFERENCES constraints (id),
    CONSTRAINT fk_constraint_roles_role_id_roles FOREIGN KEY(role_id) REFERENCES roles (id),
    CONSTRAINT uq_constraint_roles_constraint_id_role_id UNIQUE (constraint_id, role_id)
);

CREATE INDEX ix_constraint_roles_role_id ON constraint_roles (role_id);

CREATE TABLE activations (
    id CHAR(32) NOT NULL,
    session_id CHAR(32) NOT NULL,
    user_id CHAR(32) NOT NULL,
    role_id CHAR(32) NOT NULL,
    valid_from DATETIME NOT NULL,
    valid_to DATETIME NOT NULL,
    reason TEXT,
    CONSTRAINT pk_activations PRIMARY KEY (id),
    CONSTRAINT ck_activations_period CHECK (valid_to >= valid_from),
    CONSTRAINT fk_activations_session_id_sessions FOREIGN KEY(session_id) REFERENCES sessions (id),
    CONSTRAINT fk_activations_user_id_users FOREIGN KEY(user_id) REFERENCES users (id),
    CONSTRAINT fk_activations_role_id_roles FOREIGN KEY(role_id) REFERENCES roles (id)
);

CREATE INDEX ix_activations_role_id ON activations (role_id);

CREATE INDEX ix_activations_user_id ON activations (user_id);

CREATE INDEX ix_activations_session_id_valid_to ON activations (session_id, valid_to);

CREATE TABLE decisions (
    id CHAR(32) NOT NULL,
    seq BIGINT NOT NULL,
    at DATETIME NOT NULL,
    user_id CHAR(32),
    session_id CHAR(32),
    permission VARCHAR(192),
    role VARCHAR(64),
    code VARCHAR(64) NOT NULL,
    detail TEXT NOT NULL,
    second_factor BOOLEAN NOT NULL,
    chosen_roles TEXT,
    CONSTRAINT pk_decisions PRIMARY KEY (id),
    CONSTRAINT fk_decisions_seq_trail_events FOREIGN KEY(seq) REFERENCES trail_events (seq),
    CONSTRAINT uq_decisions_seq UNIQUE (seq)
);

CREATE TABLE policy_changes (
    seq BIGINT NOT NULL,
    at DATETIME NOT NULL,
    hash VARCHAR(64) NOT NULL,
    changes TEXT NOT NULL,
    reverted_by BIGINT,
    CONSTRAINT pk_policy_changes PRIMARY KEY (seq),
    CONSTRAINT fk_policy_changes_seq_trail_events FOREIGN KEY(seq) REFERENCES trail_events (seq)
);

UPDATE alembic_version SET version_num='0003' WHERE alembic_version.version_num = '0002';

