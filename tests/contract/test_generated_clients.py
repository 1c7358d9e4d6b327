"""Client generators read the OpenAPI document, and what they make can tell the whole story against the running service."""

import importlib
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from tests.cast import PASSWORD
from tests.conftest import Stages
from tests.servers.node import node_workshop, run_node
from tests.servers.running import ADMIN, running_service

pytestmark = pytest.mark.outside

OWN = "a passphrase of my own choosing"
MACHINES = [
    "service_account.created", "client_secret.created", "client.signed_in", "access.refused", "assignment.created", "key.rotated",
    "signin.succeeded", "key.withdrawn", "session.ended", "signin.succeeded",
]  # fmt: skip
TYPES = {"application/jose": "text/plain", "application/yaml": "application/json"}  # those it does not know
CONFIG = "post_hooks: []\ncontent_type_overrides:\n" + "".join(
    f"  {ours}: {known}\n" for ours, known in TYPES.items()
)
STORY = [
    "permission.created", "role.created", "user.created", "password.set", "signin.succeeded", "access.refused",
    "assignment.created", "access.refused", "session.ended", "incident.opened",
]  # fmt: skip
ANSWERS = {
    "may": True, "refused": 0, "held": ["accountant"], "drawn": ["accountant"], "access": [False, "nothing-grants"],
    "unused": True, "of_role": True, "users": 0, "cut": ["accountant"], "who": True, "what": ["prepare", "read"],
    "mine": True, "robots": [0, 0], "oldest": [1, 2], "dormant": 1, "erasure": "user.erased", "proof": [1, True, True],
    "key": True, "offline": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def document(stages: Stages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OpenAPI document as a file, as a developer would have it."""
    file = tmp_path_factory.mktemp("document") / "openapi.json"
    file.write_bytes(stages.get("sqlite").app.extensions["rbac-openapi"].text())
    return file


@pytest.fixture
def address(empty_url: str) -> Iterator[str]:
    with running_service(empty_url) as found:
        yield found


@pytest.fixture(scope="module")
def python_package(document: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What openapi-python-client makes of the document, without a warning."""
    folder = tmp_path_factory.mktemp("python")
    (folder / "config.yml").write_text(CONFIG)
    command = ["generate", "--path", str(document), "--config", "config.yml", "--meta", "none"]
    program = [sys.executable, "-c", "from openapi_python_client.cli import app; app()", *command]
    done = subprocess.run(
        [*program, "--output-path", "rbac_client", "--fail-on-warning"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield "rbac_client"
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def typescript_story(document: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """story.ts and machines.ts, type-checked against what openapi-typescript makes of the document, and compiled."""
    workshop = node_workshop(tmp_path_factory.mktemp("typescript") / "node")
    run_node(workshop, "node_modules/openapi-typescript/bin/cli.js", str(document), "--output", "schema.d.ts")
    run_node(workshop, "node_modules/typescript/bin/tsc")
    return workshop


class PythonClient:
    """The generated package, its operations by name, at one address."""

    def __init__(self, package: str, address: str) -> None:
        self.models = importlib.import_module(f"{package}.models")
        self._package, self._address = importlib.import_module(package), address
        self._operations = {
            module.name.rpartition(".")[2]: module.name
            for module in pkgutil.walk_packages(self._package.__path__, f"{package}.")
            if module.name.count(".") == 3
        }
        self._stack = ExitStack()
        nobody = self._package.Client(base_url=address, raise_on_unexpected_status=True)
        self.nobody = self._stack.enter_context(nobody)

    def somebody(self, tokens: Any) -> Any:
        """A client that speaks as whoever got these tokens."""
        client = self._package.AuthenticatedClient(
            base_url=self._address, token=tokens.access_token, raise_on_unexpected_status=True
        )
        return self._stack.enter_context(client)

    def module(self, operation: str) -> str:
        """The name of an operation's module."""
        return self._operations[operation]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_fault: object) -> None:
        self._stack.close()

    def call(self, client: Any, status: int, operation: str, *path: Any, **arguments: Any) -> Any:
        """The answer's body, read into a model; the status has to be the one expected."""
        module = importlib.import_module(self.module(operation))
        answer = module.sync_detailed(*path, client=client, **arguments)
        assert answer.status_code == status, (operation, answer.content)
        return answer.parsed


def story_in_python(api: PythonClient) -> list[str]:
    """The same as story.ts."""
    call, models, nobody = api.call, api.models, api.nobody
    first = call(nobody, 200, "login", body=models.Login(username=ADMIN, password=PASSWORD))
    tokens = call(nobody, 200, "refresh", body=models.Refresh(refresh_token=first.refresh_token))
    alice = api.somebody(tokens)
    call(
        alice, 201, "create_permission", body=models.PermissionCreate("parcels:dispatch", "Send parcels off.")
    )
    wanted = models.RoleCreate(name="parcel-clerk", permissions=["users:read", "parcels:dispatch"])
    assert call(alice, 201, "create_role", body=wanted).effective_permissions == [
        "parcels:dispatch",
        "users:read",
    ]

    user = call(
        alice, 201, "create_user", body=models.UserCreate(username="wilhelmina", display_name="Wilhelmina")
    )
    choice = models.PasswordSetupUse(token=user.password_setup.token, new_password=OWN)
    call(nobody, 204, "set_password", body=choice)
    session = call(nobody, 200, "login", body=models.Login(username="wilhelmina", password=OWN))
    grace = api.somebody(session)
    assert call(grace, 403, "list_users").required == "users:read"
    call(alice, 201, "assign_role", user.id, "parcel-clerk")
    assert call(grace, 200, "get_me").roles == ["parcel-clerk"]
    assert len(call(grace, 200, "list_users", q="wilhelmina").items) == 1
    assert (
        call(grace, 403, "create_user", body=models.UserCreate(username="somebody")).code == "access.denied"
    )

    call(alice, 204, "end_session", session.session_id)
    assert call(grace, 401, "list_users").code == "token.revoked"
    assert call(alice, 200, "get_session", session.session_id).end_reason == "admin"
    return [event.action for event in reversed(call(alice, 200, "list_events", limit=50).items)]


def erased_in_python(api: PythonClient, alice: Any) -> str:
    """A leaver is deleted and erased; what the trail says of it."""
    call, models = api.call, api.models
    user = call(alice, 201, "create_user", body=models.UserCreate(username="walter.leaver"))
    module = importlib.import_module(api.module("get_user"))
    etag = module.sync_detailed(user.id, client=alice).headers["ETag"]
    call(alice, 204, "delete_user", user.id, if_match=etag)
    call(alice, 204, "erase_user", user.id, body=models.Erasure(reason="Asked for it."))
    [event] = call(
        alice, 200, "list_events", action=[models.ListEventsActionItem("user.erased")], limit=1
    ).items
    return str(event.action) if event.target.id == str(user.id) else "nothing"


def questions_in_python(api: PythonClient) -> dict[str, object]:
    """The same as questions.ts."""
    call, models, ewa = api.call, api.models, "ewa.dabrowska"
    alice = api.somebody(call(api.nobody, 200, "login", body=models.Login(username=ADMIN, password=PASSWORD)))
    call(alice, 201, "create_service_account", body=models.ServiceAccountCreate(name="robot"))
    subject, resource = {"type": "user", "id": ewa}, {"type": "payments", "id": "any"}
    sought = {"subject": {"type": "user"}, "action": {"name": "prepare"}, "resource": resource}
    may = call(alice, 200, "list_user_permissions", ewa).items
    roles = call(alice, 200, "list_available_roles", ewa).items
    held = call(alice, 200, "list_assignments", user=ewa).items
    access = call(alice, 200, "get_user_access", ewa, permission="payroll:run")
    who = call(alice, 200, "search_subjects", body=models.SubjectSearch.from_dict(sought)).results
    actions = models.ActionSearch.from_dict({"subject": subject, "resource": resource})
    robots = [
        len(call(alice, 200, f"list_service_account_{one}", "robot").items)
        for one in ("permissions", "unused")
    ]
    return {
        "may": any(one.permission == "payments:prepare" and one.paths for one in may),
        "refused": len([one for one in roles if not one.may and not one.because]),
        "held": sorted(one.role for one in held),
        "drawn": sorted(one.role for one in call(alice, 200, "get_role_graph", user=ewa).assignments),
        "access": [access.decision, access.because[0].code],
        "unused": len(call(alice, 200, "list_user_unused", ewa).items) == len(may),
        "of_role": len(call(alice, 200, "list_role_unused", "accountant").items) > 0,
        "users": len(call(alice, 200, "list_permission_use", "ledger:post").items),
        "cut": [one.name for one in call(alice, 200, "suggest_role", "accountant").roles],
        "who": str(held[0].user.id) in [str(one.id) for one in who],
        "what": sorted(one.name for one in call(alice, 200, "search_actions", body=actions).results),
        "mine": len(call(alice, 200, "list_my_permissions").items) > 10,
        "robots": robots,
        "oldest": [one.seq for one in call(alice, 200, "list_events", from_seq=1, limit=2).items],
        "dormant": len(
            call(
                alice, 200, "list_users", never_signed_in=True, sort=models.ListUsersSort("username"), limit=1
            ).items
        ),
        **evidence_in_python(api, alice),
    }


def evidence_in_python(api: PythonClient, alice: Any) -> dict[str, object]:
    """What the trail says of a leaver, and what proves it."""
    call, erasure = api.call, erased_in_python(api, alice)
    size = int(call(alice, 200, "get_checkpoint").split("\n")[1])
    proof = call(alice, 200, "prove_inclusion", 1, size=size)
    agree = call(alice, 200, "prove_consistency", from_=1, to=size)
    return {
        "erasure": erasure,
        "proof": [proof.seq, proof.size == size, proof.root_hash == agree.to_root_hash],
        "key": call(alice, 200, "get_checkpoint_key").count("+") > 1,
        "offline": len(call(api.nobody, 200, "get_published_roles").split(".")),
    }


def test_a_generated_python_client_asks_every_question(python_package: str, address: str) -> None:
    with PythonClient(python_package, address) as api:
        assert questions_in_python(api) == ANSWERS


def test_a_generated_typescript_client_asks_every_question(typescript_story: Path, address: str) -> None:
    answers = json.loads(run_node(typescript_story, "built/questions.js", address, ADMIN, PASSWORD))

    assert answers == ANSWERS


def test_a_generated_python_client_tells_the_story(python_package: str, address: str) -> None:
    with PythonClient(python_package, address) as api:
        trail = story_in_python(api)

    assert the_end_of(trail) == STORY


def test_a_generated_typescript_client_tells_the_story(typescript_story: Path, address: str) -> None:
    trail = json.loads(run_node(typescript_story, "built/story.js", address, ADMIN, PASSWORD))

    assert the_end_of(trail) == STORY


def test_it_tells_the_story_of_a_program_and_its_keys_too(typescript_story: Path, address: str) -> None:
    trail = json.loads(run_node(typescript_story, "built/machines.js", address, ADMIN, PASSWORD))

    assert the_end_of(trail, "service_account.created") == MACHINES


def the_end_of(trail: list[str], first: str = "permission.created") -> list[str]:
    """From the first thing that the story itself does."""
    return trail[len(trail) - trail[::-1].index(first) - 1 :]
