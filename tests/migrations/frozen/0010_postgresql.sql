CREATE TABLE permission_uses (
    user_id UUID NOT NULL,
    permission VARCHAR(200) NOT NULL,
    day DATE NOT NULL,
    second_factor BOOLEAN NOT NULL,
    times BIGINT NOT NULL,
    last_used TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_permission_uses PRIMARY KEY (user_id, permission, day, second_factor)
);

CREATE INDEX ix_permission_uses_permission ON permission_uses (permission, user_id, day);

CREATE INDEX ix_permission_uses_day ON permission_uses (day);

UPDATE alembic_version SET version_num='0010' WHERE alembic_version.version_num = '0009';

