CREATE INDEX ix_trail_events_actor_name ON trail_events (actor_name, seq) WHERE actor_name IS NOT NULL;

CREATE INDEX ix_trail_events_target_name ON trail_events (target_name, seq) WHERE target_name IS NOT NULL;

DROP INDEX ix_personal_values_user_id;

CREATE INDEX ix_personal_values_user_id ON personal_values (user_id, seq);

UPDATE alembic_version SET version_num='0018' WHERE alembic_version.version_num = '0017';

