CREATE INDEX ix_trail_events_session_id ON trail_events (session_id, seq);

CREATE INDEX ix_trail_events_request_id ON trail_events (request_id, seq);

CREATE INDEX ix_trail_events_ip ON trail_events (ip, seq) WHERE ip IS NOT NULL;

DROP INDEX ix_personal_values_ip;

CREATE INDEX ix_personal_values_ip ON personal_values (ip, seq);

CREATE INDEX ix_trail_events_reading ON trail_events (actor_id, at) WHERE action = 'audit.read';

CREATE INDEX ix_trail_events_role ON trail_events ((CASE WHEN action NOT IN ('audit.read', 'audit.exported') THEN substring(coalesce("after", '') || coalesce("before", '') from '"(?:role|inherits)":"([^"]*)"') END), seq);

UPDATE alembic_version SET version_num='0012' WHERE alembic_version.version_num = '0011';

