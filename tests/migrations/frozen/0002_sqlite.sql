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

