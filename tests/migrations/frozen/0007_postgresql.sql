ALTER TABLE roles ALTER COLUMN name TYPE VARCHAR(127);

ALTER TABLE permissions ALTER COLUMN name TYPE VARCHAR(200);

ALTER TABLE constraints ALTER COLUMN name TYPE VARCHAR(127);

ALTER TABLE decisions ALTER COLUMN role TYPE VARCHAR(127);

ALTER TABLE decisions ALTER COLUMN permission TYPE VARCHAR(200);

ALTER TABLE trail_events ALTER COLUMN target_id TYPE VARCHAR(256);

ALTER TABLE roles ADD COLUMN title VARCHAR(200);

ALTER TABLE permissions ADD COLUMN title VARCHAR(200);

CREATE UNIQUE INDEX uq_roles_name_folded ON roles (lower(name COLLATE "C")) WHERE valid_to IS NULL;

CREATE UNIQUE INDEX uq_permissions_name_folded ON permissions (lower(name COLLATE "C")) WHERE valid_to IS NULL;

CREATE UNIQUE INDEX uq_constraints_name_folded ON constraints (lower(name COLLATE "C")) WHERE valid_to IS NULL;

UPDATE alembic_version SET version_num='0007' WHERE alembic_version.version_num = '0006';

