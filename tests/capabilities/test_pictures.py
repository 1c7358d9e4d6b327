"""Pictures of roles, of an explanation and of a session: what they show, how they are drawn, and what cannot get into them."""

from __future__ import annotations

import random
import re
from xml.etree import ElementTree

import pytest

from rbac_api.capabilities.sessions import session_access
from rbac_api.formats.diagram import MAX_NODES, Arrow, Diagram, Node, PictureTooLarge, to_mermaid
from rbac_api.formats.layout import GRID, lay_out
from rbac_api.formats.svg import STYLE_SOURCE, to_svg
from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, CAROL, DAVE

SVG, MERMAID = "image/svg+xml", "text/vnd.mermaid"
DRAWN = ("/v1/role-graph", "/v1/users/bob/access?permission=invoices:read", "/v1/sessions/{session}")
HOSTILE = '"]; click n0 "javascript:alert(1)" %%{init}%% <script>alert(1)</script> &amp; \x0b # `x`'


def picture(caller: Caller, path: str, media_type: str = SVG) -> str:
    answer = caller.get(path, headers={"Accept": media_type})
    assert (answer.status_code, answer.mimetype) == (200, media_type)
    return str(answer.text)


def titles(svg: str) -> list[str]:
    """The words of every thing in a picture; parsing it proves that it is XML."""
    root = ElementTree.fromstring(svg)  # noqa: S314  our own answer
    return [found.text or "" for found in root.iter("{http://www.w3.org/2000/svg}title")]


def session_of(stage: Stage, username: str) -> str:
    return str(stage.as_(ALICE).get(f"/v1/sessions?user={username}").json["items"][0]["id"])


def random_edges(chance: random.Random) -> tuple[list[str], list[tuple[str, str]]]:
    names = [f"r{number}" for number in range(chance.randint(1, 40))]
    pairs = [(one, two) for number, one in enumerate(names) for two in names[number + 1 :]]
    edges = chance.sample(pairs, min(len(pairs), chance.randint(0, 60)))
    return chance.sample(names, len(names)), edges


def test_the_role_graph_has_every_role_and_what_it_inherits(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.put("/v1/roles/role-manager/inherits/auditor")

    graph = alice.get("/v1/role-graph").json

    assert {role["name"] for role in graph["roles"]} == {
        role["name"] for role in alice.get("/v1/roles?limit=100").json["items"]
    }
    assert {"senior": "role-manager", "junior": "auditor"} in graph["inheritance"]
    assert (graph["user"], graph["assignments"]) == (None, [])
    manager = next(role for role in graph["roles"] if role["name"] == "role-manager")
    assert manager["permissions"] == alice.get("/v1/roles/role-manager").json["permissions"]


def test_a_part_of_it_is_around_a_role_or_reaches_a_user(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for name in ("chief", "clerk", "apart"):
        alice.post("/v1/roles", json={"name": name})
    alice.put("/v1/roles/chief/inherits/clerk")
    alice.put("/v1/roles/clerk/inherits/auditor")
    later = {
        "mode": "eligible",
        "max_duration": 3600,
        "starts_at": "2040-01-01T00:00:00Z",
        "expires_at": "2041-01-01T00:00:00Z",
    }
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/clerk", json=later)

    around = alice.get("/v1/role-graph?role=clerk").json
    of_dave = alice.get("/v1/role-graph?user=dave").json

    assert [role["name"] for role in around["roles"]] == ["auditor", "chief", "clerk"]
    assert [role["name"] for role in of_dave["roles"]] == ["auditor", "clerk"]
    assert of_dave["user"] == {"id": stage.user_id(DAVE), "username": "dave"}
    assert [held["role"] for held in of_dave["assignments"]] == ["clerk"]
    drawn = picture(alice, "/v1/role-graph?user=dave")
    assert "dave may activate clerk from 2040-01-01T00:00:00Z until 2041-01-01T00:00:00Z" in titles(drawn)
    assert 'class="dashed"' in drawn
    of_bob = picture(alice, "/v1/role-graph?user=bob")
    assert "bob has role-manager" in titles(of_bob)
    assert 'class="dashed"' not in of_bob
    assert "-.->" in picture(alice, "/v1/role-graph?user=dave", MERMAID)


def test_who_may_not_read_users_sees_roles_alone(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "looker", "permissions": ["roles:read"]})
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/looker")
    dave = stage.as_(DAVE)

    assert dave.get("/v1/role-graph").status_code == 200
    refused = dave.get("/v1/role-graph?user=bob")
    assert (refused.status_code, refused.json["required"]) == (403, "users:read")
    assert dave.get("/v1/role-graph?user=nobody-at-all").status_code == 403
    assert alice.get("/v1/role-graph?user=nobody-at-all").status_code == 404
    assert alice.get("/v1/role-graph?role=none").json["code"] == "role.not_found"
    assert alice.get("/v1/role-graph?role=admin&user=bob").json["errors"][0]["code"] == "field.either"


def test_an_explanation_is_drawn_with_each_step(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), "/v1/users/bob/access?permission=invoices:read"
    alice.put("/v1/roles/role-manager/inherits/auditor")

    found = titles(picture(alice, path))

    assert found[0] == "bob may invoices:read"
    assert any(
        re.fullmatch(r"role-manager holds invoices:read, since 20\d\d-[^,]*Z.*", title) for title in found
    )
    assert any(title.startswith("bob has role-manager, since") for title in found)
    inherited = titles(picture(alice, "/v1/users/bob/access?permission=audit:read"))
    assert any(title.startswith("role-manager inherits auditor, since") for title in inherited)
    denied = titles(picture(stage.as_(CAROL), path.replace("bob", "dave")))
    assert denied[0] == "dave may not invoices:read"
    assert stage.as_(CAROL).get(path.replace("bob", "dave")).json["because"][0]["detail"] in denied


def test_a_session_is_drawn_as_its_timeline(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    bob = stage.as_(BOB).again()
    for _ in range(3):
        bob.tokens = bob.post("/v1/auth/refresh", json={"refresh_token": bob.tokens["refresh_token"]}).json
    path = f"/v1/sessions/{session_of(stage, 'bob')}"

    found = titles(picture(stage.as_(CAROL), path))
    assert found[0].startswith("Session of bob from 20")
    assert found[-1].startswith("Active, until 20")
    assert [title for title in found if title.startswith("3 refreshes from 127.0.0.1 between 20")]
    monkeypatch.setattr(session_access, "MAX_REFRESHES_DRAWN", 0)
    stage.as_(ALICE).delete(path)
    ended = titles(picture(stage.as_(CAROL), path))
    assert "More refreshes follow" in ended
    assert re.fullmatch(r"Ended at 20\S+Z: admin", ended[-1])


@pytest.mark.parametrize("path", DRAWN)
def test_a_picture_has_no_script_and_may_load_nothing(stage: Stage, path: str) -> None:
    path = path.format(session=session_of(stage, "alice"))
    answer = stage.as_(ALICE).get(path, headers={"Accept": SVG})

    policy = answer.headers["Content-Security-Policy"]
    assert policy == f"default-src 'none'; style-src {STYLE_SOURCE}; frame-ancestors 'none'; sandbox"
    names = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(answer.text).iter()}  # noqa: S314
    assert names <= {"svg", "title", "style", "defs", "marker", "path", "g", "rect", "text"}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.text.count("<style>") == 1
    assert (
        stage.as_(ALICE).get(path, headers={"Accept": f"{MERMAID}, {SVG};q=0.5"}).text.startswith("flowchart")
    )
    assert stage.as_(ALICE).get(path, headers={"Accept": "*/*"}).is_json


def test_a_resource_without_a_picture_says_so(stage: Stage) -> None:
    answer = stage.as_(ALICE).get("/v1/users", headers={"Accept": SVG})

    assert (answer.status_code, answer.json["code"]) == (406, "request.not_acceptable")


def test_no_text_escapes_from_its_place() -> None:
    nodes = tuple(Node(f"n{n}", "role", (HOSTILE, "名前"), HOSTILE) for n in range(2))
    diagram = Diagram(HOSTILE, nodes, (Arrow("n0", "n1", HOSTILE),))

    root = ElementTree.fromstring(to_svg(diagram))  # noqa: S314
    text = to_mermaid(diagram)

    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert len(text.splitlines()) == 5
    assert text.count('"') == 4
    assert "<script" not in text
    assert "click n0 #quot;" in text
    assert "%%" not in text


def test_what_a_reader_could_not_see_is_refused() -> None:
    nodes = tuple(Node(f"n{n}", "role", (f"role-{n}",), "") for n in range(MAX_NODES + 1))

    with pytest.raises(PictureTooLarge):
        Diagram("Roles", nodes, ())
    assert len(to_svg(Diagram("Roles", nodes[1:], ()))) > MAX_NODES


@pytest.mark.parametrize("seed", range(60))
def test_every_graph_gets_places_of_its_own_and_arrows_forward(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(10):
        names, edges = random_edges(chance)

        layout = lay_out(names, edges)

        assert set(layout.places) == set(names)
        assert len(set(layout.places.values())) == len(names)
        assert all(layout.places[one][0] < layout.places[two][0] for one, two in edges)
        for (one, two), passed in layout.bends.items():
            layers = [layout.places[one][0], *(place[0] for place in passed), layout.places[two][0]]
            assert layers == list(range(layers[0], layers[-1] + 1))
            assert not {*passed} & {*layout.places.values()}


def test_cycles_in_a_database_written_by_hand_are_drawn_all_the_same() -> None:
    layout = lay_out(["a", "b", "c"], [("a", "b"), ("b", "a"), ("b", "c"), ("c", "c"), ("c", "a")])

    assert set(layout.places) == {"a", "b", "c"}
    names = tuple(Node(name, "role", (name,), name) for name in "ab")
    arrows = (Arrow("a", "b", "x"), Arrow("b", "a", "x"), Arrow("a", "a", "x"))
    assert to_svg(Diagram("A cycle", names, arrows, downwards=True)).count("<path") == 4


def test_nodes_without_arrows_stand_in_a_grid() -> None:
    names = [f"r{number}" for number in range(GRID + 1)]

    assert lay_out(names, []).places["r4"] == (0, 1.0)
    assert lay_out([], []).places == {}
    assert to_svg(Diagram("None", (), ())).startswith("<svg")
