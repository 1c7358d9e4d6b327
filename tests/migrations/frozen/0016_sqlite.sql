CREATE INDEX ix_sessions_ip ON sessions (ip, id);

CREATE INDEX ix_signin_attempts_blocked_until ON signin_attempts (blocked_until);

UPDATE alembic_version SET version_num='0016' WHERE alembic_version.version_num = '0015';

