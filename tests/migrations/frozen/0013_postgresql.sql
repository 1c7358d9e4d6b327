ALTER TABLE trail_outbox ADD COLUMN decision TEXT;

UPDATE alembic_version SET version_num='0013' WHERE alembic_version.version_num = '0012';

