CREATE INDEX ix_trail_events_outcome ON trail_events (outcome, seq) WHERE outcome <> 'success';

UPDATE alembic_version SET version_num='0023' WHERE alembic_version.version_num = '0022';

