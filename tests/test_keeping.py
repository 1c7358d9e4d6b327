"""What is kept of a scene is the state of one moment, although the service links events meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests import keeping
from tests.builders import Stage
from tests.conftest import Stages
from tests.keeping import PostgresRows
from tests.patience import PATIENCE, eventually

WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'public.personal_values'::regclass"
EVENT = """
INSERT INTO trail_events (seq, at, actor_type, action, outcome, prev_hash, hash)
SELECT max(seq) + 1, now(), 'system', 'user.updated', 'success', '', '' FROM trail_events;
INSERT INTO personal_values (seq, part, entries) SELECT max(seq), 0, '{}' FROM trail_events
"""
ORPHANS = 'SELECT count(*) FROM "kept moment".personal_values WHERE seq NOT IN (SELECT seq FROM "kept moment".trail_events)'


pytestmark = pytest.mark.outside


@pytest.fixture
def stage(stages: Stages) -> Stage:
    """One of the two engines alone: the other copies its file page by page, and begins again when somebody writes."""
    found = stages.get("postgresql")
    found.reset()
    return found


@pytest.mark.parametrize(
    ("begun", "orphans"), [(keeping.AT_ONE_MOMENT, 0), ("SELECT 1", 1)], ids=["kept", "twin"]
)
def test_an_event_is_kept_with_its_values_or_not_at_all(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, begun: str, orphans: int
) -> None:
    """It is linked when its table is copied and that of its values is not.  The vulnerable twin copies each table as it then is."""
    monkeypatch.setattr(keeping, "AT_ONE_MOMENT", begun)
    url = stage.settings.database_url
    rows = PostgresRows(url)
    with (
        psycopg.connect(url) as linking,
        psycopg.connect(url, autocommit=True) as watching,
        ThreadPoolExecutor(1) as thread,
    ):
        linking.execute("LOCK TABLE personal_values IN ACCESS EXCLUSIVE MODE")
        kept = thread.submit(rows.keep, "moment")
        assert eventually(lambda: watching.execute(WAITS).fetchone() == (1,))
        linking.execute(EVENT)
        linking.commit()
        kept.result(PATIENCE)
        assert watching.execute(ORPHANS).fetchone() == (orphans,)
        watching.execute('DROP SCHEMA "kept moment" CASCADE')
    rows.close()
