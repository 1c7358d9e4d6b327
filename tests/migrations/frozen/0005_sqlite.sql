ALTER TABLE users ADD COLUMN search_text TEXT DEFAULT '' NOT NULL;

CREATE INDEX ix_users_search_text ON users (search_text, id);

UPDATE alembic_version SET version_num='0005' WHERE alembic_version.version_num = '0004';

