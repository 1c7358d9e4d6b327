CREATE INDEX ix_trail_events_session_id ON trail_events (session_id, seq);

CREATE INDEX ix_trail_events_request_id ON trail_events (request_id, seq);

CREATE INDEX ix_trail_events_ip ON trail_events (ip, seq) WHERE ip IS NOT NULL;

DROP INDEX ix_personal_values_ip;

CREATE INDEX ix_personal_values_ip ON personal_values (ip, seq);

CREATE INDEX ix_trail_events_reading ON trail_events (actor_id, at) WHERE action = 'audit.read';

CREATE INDEX ix_trail_events_role ON trail_events ((CASE WHEN action NOT IN ('audit.read', 'audit.exported') AND instr(replace(coalesce("after", '') || coalesce("before", ''), '"inherits":"', '"role":"'), '"role":"') > 0 THEN substr(substr(replace(coalesce("after", '') || coalesce("before", ''), '"inherits":"', '"role":"'), instr(replace(coalesce("after", '') || coalesce("before", ''), '"inherits":"', '"role":"'), '"role":"') + 8), 1, instr(substr(replace(coalesce("after", '') || coalesce("before", ''), '"inherits":"', '"role":"'), instr(replace(coalesce("after", '') || coalesce("before", ''), '"inherits":"', '"role":"'), '"role":"') + 8), '"') - 1) END), seq);

UPDATE alembic_version SET version_num='0012' WHERE alembic_version.version_num = '0011';

