ALTER TABLE roles ADD COLUMN title VARCHAR(200);

ALTER TABLE permissions ADD COLUMN title VARCHAR(200);

CREATE UNIQUE INDEX uq_roles_name_folded ON roles (name COLLATE NOCASE) WHERE valid_to IS NULL;

CREATE UNIQUE INDEX uq_permissions_name_folded ON permissions (name COLLATE NOCASE) WHERE valid_to IS NULL;

CREATE UNIQUE INDEX uq_constraints_name_folded ON constraints (name COLLATE NOCASE) WHERE valid_to IS NULL;

UPDATE alembic_version SET version_num='0007' WHERE alembic_version.version_num = '0006';

