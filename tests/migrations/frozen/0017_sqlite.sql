CREATE TABLE user_search (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id CHAR(32) NOT NULL,
    name VARCHAR(1024) NOT NULL,
    text TEXT NOT NULL,
    CONSTRAINT uq_user_search_user_id UNIQUE (user_id),
    CONSTRAINT fk_user_search_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX ix_users_service ON users (username_canonical) WHERE kind = 'service';

CREATE VIRTUAL TABLE user_trigrams USING fts5(text, content='user_search', content_rowid='number', tokenize='trigram case_sensitive 1', detail=none, columnsize=0);

CREATE VIRTUAL TABLE user_trigram_terms USING fts5vocab(user_trigrams, 'row');

INSERT INTO user_search (user_id, name, text) SELECT id, username_canonical, search_text || char(10) || char(10) FROM users WHERE search_text <> '' ORDER BY username_canonical;

INSERT INTO user_trigrams (rowid, text) SELECT number, text FROM user_search WHERE number <= (SELECT max(number) - max(number) % 256 FROM user_search);

CREATE TRIGGER user_search_insert AFTER INSERT ON user_search WHEN new.number % 256 = 0 BEGIN INSERT INTO user_trigrams (rowid, text) SELECT number, text FROM user_search WHERE number > new.number - 256; END;

CREATE TRIGGER user_search_delete AFTER DELETE ON user_search WHEN old.number <= (SELECT seq - seq % 256 FROM sqlite_sequence WHERE name = 'user_search') BEGIN INSERT INTO user_trigrams (user_trigrams, rowid, text) VALUES ('delete', old.number, old.text); END;

CREATE TRIGGER users_search_insert AFTER INSERT ON users WHEN new.search_text <> '' BEGIN INSERT INTO user_search (user_id, name, text) VALUES (new.id, new.username_canonical, new.search_text || char(10) || char(10)); END;

CREATE TRIGGER users_search_update AFTER UPDATE OF search_text ON users WHEN old.search_text <> new.search_text BEGIN DELETE FROM user_search WHERE user_id = old.id; INSERT INTO user_search (user_id, name, text) SELECT new.id, new.username_canonical, new.search_text || char(10) || char(10) WHERE new.search_text <> ''; END;

DROP INDEX ix_users_search_text;

UPDATE alembic_version SET version_num='0017' WHERE alembic_version.version_num = '0016';

