ALTER TABLE assignments ADD COLUMN mode VARCHAR(16) DEFAULT 'active' NOT NULL;

ALTER TABLE assignments ADD COLUMN max_duration INTEGER;

CREATE INDEX ix_assignments_valid_from ON assignments (valid_from);

CREATE INDEX ix_assignments_valid_to ON assignments (valid_to);

ALTER TABLE sessions ADD COLUMN active_roles TEXT;

CREATE TABLE constraints (
    id UUID NOT NULL,
    name VARCHAR(64) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    cardinality INTEGER,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_constraints PRIMARY KEY (id),
    CONSTRAINT ck_constraints_kind CHECK (kind IN ('static', 'dynamic', 'max-holders', 'requires'))
);

CREATE UNIQUE INDEX uq_constraints_name_open ON constraints (name) WHERE valid_to IS NULL;

CREATE TABLE constraint_roles (
    constraint_id UUID NOT NULL,
    position INTEGER NOT NULL,
    role_id UUID NOT NULL,
    CONSTRAINT pk_constraint_roles PRIMARY KEY (constraint_id, position),
    CONSTRAINT fk_constraint_roles_constraint_id_constraints FOREIGN KEY(constraint_id) REFERENCES constraints (id),
    CONSTRAINT fk_constraint_roles_role_id_roles FOREIGN KEY(role_id) REFERENCES roles (id),
    CONSTRAINT uq_constraint_roles_constraint_id_role_id UNIQUE (constraint_id, role_id)
);

CREATE INDEX ix_constraint_roles_role_id ON constraint_roles (role_id);

CREATE TABLE activations (
    id UUID NOT NULL,
    session_id UUID NOT NULL,
    user_id UUID NOT NULL,
    role_id UUID NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE NOT NULL,
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
    id UUID NOT NULL,
    seq BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    user_id UUID,
    session_id UUID,
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
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    hash VARCHAR(64) NOT NULL,
    changes TEXT NOT NULL,
    reverted_by BIGINT,
    CONSTRAINT pk_policy_changes PRIMARY KEY (seq),
    CONSTRAINT fk_policy_changes_seq_trail_events FOREIGN KEY(seq) REFERENCES trail_events (seq)
);

UPDATE alembic_version SET version_num='0003' WHERE alembic_version.version_num = '0002';

