CREATE TABLE trail_outbox (
    id BIGINT NOT NULL,
    at DATETIME NOT NULL,
    actor_type VARCHAR(16) NOT NULL,
    actor_id VARCHAR(64),
    actor_name VARCHAR(256),
    session_id CHAR(32),
    action VARCHAR(64) NOT NULL,
    target_type VARCHAR(32),
    target_id VARCHAR(256),
    target_name VARCHAR(256),
    outcome VARCHAR(16) NOT NULL,
    reason TEXT,
    "before" TEXT,
    "after" TEXT,
    ip VARCHAR(64),
    request_id VARCHAR(128),
    CONSTRAINT pk_trail_outbox PRIMARY KEY (id)
);

UPDATE alembic_version SET version_num='0008' WHERE alembic_version.version_num = '0007';

