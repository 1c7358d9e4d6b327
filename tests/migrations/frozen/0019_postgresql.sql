CREATE TABLE domains (
    id UUID NOT NULL,
    name VARCHAR(255) COLLATE "C" NOT NULL,
    title VARCHAR(200),
    description TEXT NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_domains PRIMARY KEY (id)
);

CREATE UNIQUE INDEX uq_domains_name_open ON domains (name) WHERE valid_to IS NULL;

ALTER TABLE assignments ADD COLUMN domain VARCHAR(255) DEFAULT 'root' NOT NULL;

DROP INDEX uq_assignments_open;

CREATE UNIQUE INDEX uq_assignments_open ON assignments (user_id, role_id, domain) WHERE valid_to IS NULL;

CREATE INDEX ix_assignments_domain ON assignments (domain, id) WHERE domain <> 'root';

UPDATE alembic_version SET version_num='0019' WHERE alembic_version.version_num = '0018';

