CREATE TABLE trail_nodes (
    level SMALLINT NOT NULL,
    position BIGINT NOT NULL,
    node BLOB NOT NULL,
    CONSTRAINT pk_trail_nodes PRIMARY KEY (level, position)
);

UPDATE alembic_version SET version_num='0014' WHERE alembic_version.version_num = '0013';

