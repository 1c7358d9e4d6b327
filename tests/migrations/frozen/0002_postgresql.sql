ALTER TABLE users ADD COLUMN kind VARCHAR(16) DEFAULT 'person' NOT NULL;

ALTER TABLE sessions ADD COLUMN amr VARCHAR(64) DEFAULT 'pwd' NOT NULL;

ALTER TABLE sessions ADD COLUMN client_secret_id UUID;

ALTER TABLE signing_keys ADD COLUMN withdrawn_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE roles ADD COLUMN requires_mfa BOOLEAN DEFAULT false NOT NULL;

CREATE INDEX ix_sessions_user_id_absolute_expires_at ON sessions (user_id, absolute_expires_at);

DROP INDEX ix_sessions_user_id;

UPDATE signing_keys SET retired_at = (SELECT min(newer.created_at) FROM signing_keys AS newer WHERE newer.algorithm = signing_keys.algorithm AND newer.created_at > signing_keys.created_at) WHERE retired_at IS NULL;

CREATE TABLE service_accounts (
    id UUID NOT NULL,
    description TEXT,
    created_by UUID,
    CONSTRAINT pk_service_accounts PRIMARY KEY (id),
    CONSTRAINT fk_service_accounts_id_users FOREIGN KEY(id) REFERENCES users (id)
);

CREATE TABLE client_secrets (
    id UUID NOT NULL,
    service_account_id UUID NOT NULL,
    secret_hash VARCHAR(64) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by UUID,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_client_secrets PRIMARY KEY (id),
    CONSTRAINT fk_client_secrets_service_account_id_users FOREIGN KEY(service_account_id) REFERENCES users (id),
    CONSTRAINT uq_client_secrets_secret_hash UNIQUE (secret_hash)
);

CREATE INDEX ix_client_secrets_service_account_id ON client_secrets (service_account_id);

CREATE TABLE totp_factors (
    user_id UUID NOT NULL,
    secret_sealed TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    last_step BIGINT,
    CONSTRAINT pk_totp_factors PRIMARY KEY (user_id),
    CONSTRAINT fk_totp_factors_user_id_users FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE recovery_codes (
    code_hash VARCHAR(64) NOT NULL,
    user_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    spent_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_recovery_codes PRIMARY KEY (code_hash),
    CONSTRAINT fk_recovery_codes_user_id_users FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_recovery_codes_user_id ON recovery_codes (user_id);

CREATE TABLE revocations (
    seq BIGINT NOT NULL,
    kind VARCHAR(8) NOT NULL,
    value VARCHAR(64) NOT NULL,
    minimum INTEGER,
    revoked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_revocations PRIMARY KEY (seq),
    CONSTRAINT uq_revocations_kind_value UNIQUE (kind, value)
);

CREATE INDEX ix_revocations_expires_at ON revocations (expires_at);

CREATE TABLE incidents (
    id UUID NOT NULL,
    type VARCHAR(32) NOT NULL,
    subject VARCHAR(64) NOT NULL,
    user_id UUID,
    session_id UUID,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    occurrences INTEGER NOT NULL,
    rightful_ip VARCHAR(64),
    rightful_user_agent VARCHAR(256),
    rightful_at TIMESTAMP WITH TIME ZONE,
    other_ip VARCHAR(64),
    other_user_agent VARCHAR(256),
    other_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    closed_by UUID,
    close_reason TEXT,
    CONSTRAINT pk_incidents PRIMARY KEY (id),
    CONSTRAINT ck_incidents_closing CHECK ((closed_at IS NULL) = (close_reason IS NULL))
);

CREATE INDEX ix_incidents_opened_at ON incidents (opened_at);

CREATE UNIQUE INDEX uq_incidents_open ON incidents (type, subject) WHERE closed_at IS NULL;

UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';

