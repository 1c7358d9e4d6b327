CREATE INDEX ix_assignments_role_id_user_id ON assignments (role_id, user_id);

DROP INDEX ix_assignments_role_id;

UPDATE alembic_version SET version_num='0004' WHERE alembic_version.version_num = '0003';

