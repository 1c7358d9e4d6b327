UPDATE users SET search_text = replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(search_text, '‘', ''''), '’', ''''), 'ʼ', ''''), '′', ''''), '‐', '-'), '‑', '-'), '‒', '-'), '–', '-'), '—', '-'), '−', '-') WHERE search_text <> replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(search_text, '‘', ''''), '’', ''''), 'ʼ', ''''), '′', ''''), '‐', '-'), '‑', '-'), '‒', '-'), '–', '-'), '—', '-'), '−', '-');

UPDATE alembic_version SET version_num='0009' WHERE alembic_version.version_num = '0008';

