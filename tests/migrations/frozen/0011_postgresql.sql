CREATE TABLE personal_values (
    seq BIGINT NOT NULL,
    part SMALLINT NOT NULL,
    user_id UUID,
    ip VARCHAR(64),
    entries TEXT NOT NULL,
    CONSTRAINT pk_personal_values PRIMARY KEY (seq, part)
);

CREATE INDEX ix_personal_values_user_id ON personal_values (user_id);

CREATE INDEX ix_personal_values_ip ON personal_values (ip);

ALTER TABLE trail_events ADD COLUMN personal TEXT;

ALTER TABLE trail_outbox ADD COLUMN personal TEXT;

ALTER TABLE trail_outbox ADD COLUMN personal_values TEXT;

ALTER TABLE users ADD COLUMN erased_at TIMESTAMP WITH TIME ZONE;

UPDATE alembic_version SET version_num='0011' WHERE alembic_version.version_num = '0010';

