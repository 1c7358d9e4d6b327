CREATE TABLE user_search (
    number SERIAL NOT NULL,
    user_id UUID NOT NULL,
    name VARCHAR(1024) NOT NULL,
    text TEXT NOT NULL,
    CONSTRAINT pk_user_search PRIMARY KEY (number),
    CONSTRAINT uq_user_search_user_id UNIQUE (user_id),
    CONSTRAINT fk_user_search_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX ix_users_service ON users (username_canonical) WHERE kind = 'service';

CREATE FUNCTION search_trigrams(content text) RETURNS tsvector LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS $$ SELECT array_to_tsvector(array_agg(substr(content, place, 3))) FROM generate_series(1, length(content) - 2) AS place $$;

INSERT INTO user_search (user_id, name, text) SELECT id, username_canonical, search_text || chr(10) || chr(10) FROM users WHERE search_text <> '' ORDER BY username_canonical;

CREATE INDEX ix_user_search_trigrams ON user_search USING gin (search_trigrams(text)) WITH (fastupdate = on, gin_pending_list_limit = 512);

CREATE FUNCTION keep_user_search() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF TG_OP = 'UPDATE' THEN DELETE FROM user_search WHERE user_id = NEW.id; END IF;
IF NEW.search_text <> '' THEN INSERT INTO user_search (user_id, name, text)
VALUES (NEW.id, NEW.username_canonical, NEW.search_text || chr(10) || chr(10)); END IF;
RETURN NULL; END $$;

CREATE TRIGGER users_search_insert AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION keep_user_search();

CREATE TRIGGER users_search_update AFTER UPDATE OF search_text ON users FOR EACH ROW WHEN (OLD.search_text <> NEW.search_text) EXECUTE FUNCTION keep_user_search();

UPDATE alembic_version SET version_num='0017' WHERE alembic_version.version_num = '0016';

