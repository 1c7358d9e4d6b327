ALTER TABLE sessions ADD COLUMN domain VARCHAR(255) DEFAULT 'root' NOT NULL;

UPDATE alembic_version SET version_num='0021' WHERE alembic_version.version_num = '0020';

