ALTER TABLE trail_events ADD COLUMN domain VARCHAR(255);

ALTER TABLE trail_outbox ADD COLUMN domain VARCHAR(255);

CREATE TABLE trail_domains (
    domain VARCHAR(255) NOT NULL,
    seq BIGINT NOT NULL,
    CONSTRAINT pk_trail_domains PRIMARY KEY (domain, seq)
);

UPDATE alembic_version SET version_num='0022' WHERE alembic_version.version_num = '0021';

