"""The committed OpenAPI document is the one that is served, whichever Python serves it."""

import json
from http import HTTPStatus
from pathlib import Path

import pytest

from rbac_api.factory import close_app, create_app
from rbac_api.web.openapi import document as api
from tests.builders import Stage, settings_for

DOCUMENT = Path(__file__).parents[2] / "openapi" / "openapi.json"


def test_the_committed_document_is_the_one_that_is_served(stage: Stage) -> None:
    served = stage.caller().client.get("/openapi.json")

    assert DOCUMENT.read_bytes() == served.data + b"\n", "run `make openapi` and read the difference"


def test_the_document_does_not_depend_on_what_is_configured_nor_on_which_application_it_is_made_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    documents = set()
    for port in (8000, 9000):
        # described anew each time: this is why one description may serve all
        monkeypatch.setattr(api, "_DOCUMENTS", {})
        settings = settings_for("sqlite:////nowhere/rbac.db", port=port, issuer=f"https://{port}.example.com")
        app = create_app(settings, check_database=False)
        documents.add(app.extensions["rbac-openapi"].text())
        close_app(app)

    assert documents == {DOCUMENT.read_bytes().removesuffix(b"\n")}


@pytest.mark.parametrize("status", [413, 414, 416, 422])
def test_no_name_of_a_status_that_differs_between_pythons_is_in_it(status: int) -> None:
    """From 3.13 on 422 is UNPROCESSABLE_CONTENT and not UNPROCESSABLE_ENTITY; so are others."""
    text = json.dumps(json.loads(DOCUMENT.read_bytes()))

    assert HTTPStatus(status).name not in text
    assert "ENTITY" not in text
