CREATE INDEX ix_assignments_role_id_id ON assignments (role_id, id);

CREATE INDEX ix_assignments_assigned_by_id ON assignments (assigned_by, id);

CREATE INDEX ix_assignments_eligible ON assignments (id) WHERE mode = 'eligible';

CREATE INDEX ix_assignments_id_valid_to ON assignments (id, valid_to) WHERE valid_to IS NOT NULL;

CREATE INDEX ix_assignments_without_reason ON assignments (id) WHERE coalesce(reason, '') = '';

DROP INDEX ix_users_created_at;

CREATE INDEX ix_users_created_at ON users (created_at, id);

CREATE INDEX ix_users_last_login_at ON users (last_login_at, id);

UPDATE alembic_version SET version_num='0015' WHERE alembic_version.version_num = '0014';

