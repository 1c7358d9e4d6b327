ALTER TABLE users ADD COLUMN search_text TEXT DEFAULT '' NOT NULL;

UPDATE alembic_version SET version_num='0005' WHERE alembic_version.version_num = '0004';

