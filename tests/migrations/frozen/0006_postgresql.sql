CREATE TABLE key_uses (
    kid VARCHAR(64) NOT NULL,
    algorithm VARCHAR(16) NOT NULL,
    public_sealed TEXT,
    first_used_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE NOT NULL,
    access_until TIMESTAMP WITH TIME ZONE,
    refresh_until TIMESTAMP WITH TIME ZONE,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_key_uses PRIMARY KEY (kid)
);

CREATE TABLE instance (
    name VARCHAR(32) NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_instance PRIMARY KEY (name)
);

ALTER TABLE signing_keys ADD COLUMN signs_from TIMESTAMP WITH TIME ZONE;

INSERT INTO key_uses (kid, algorithm, first_used_at, last_used_at, access_until, refresh_until)
SELECT kid, algorithm, created_at, last_used_at, ends_at, ends_at FROM (
    SELECT kid, algorithm, created_at,
        coalesce(retired_at, (SELECT max(sessions.last_seen_at) FROM sessions), created_at) AS last_used_at,
        coalesce(
            (SELECT max(sessions.idle_expires_at) FROM sessions WHERE sessions.ended_at IS NULL
             AND (signing_keys.retired_at IS NULL OR sessions.created_at <= signing_keys.retired_at)),
            retired_at, created_at
        ) AS ends_at
    FROM signing_keys WHERE withdrawn_at IS NULL
) AS used;

UPDATE alembic_version SET version_num='0006' WHERE alembic_version.version_num = '0005';

