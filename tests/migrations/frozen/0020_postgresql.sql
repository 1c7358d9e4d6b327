ALTER TABLE users ADD COLUMN home VARCHAR(255) COLLATE "C" DEFAULT 'root' NOT NULL;

CREATE INDEX ix_users_home ON users (home, id) WHERE home <> 'root';

ALTER TABLE roles ADD COLUMN home VARCHAR(255) COLLATE "C" DEFAULT 'root' NOT NULL;

CREATE INDEX ix_roles_home ON roles (home, id) WHERE home <> 'root';

ALTER TABLE constraints ADD COLUMN home VARCHAR(255) COLLATE "C" DEFAULT 'root' NOT NULL;

CREATE INDEX ix_constraints_home ON constraints (home, id) WHERE home <> 'root';

UPDATE alembic_version SET version_num='0020' WHERE alembic_version.version_num = '0019';

