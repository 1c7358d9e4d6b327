"""The schema of the feed's query; its answer is a signed text."""

from __future__ import annotations

from rbac_api.guard.revocation.denylist import CURSOR
from rbac_api.web.fields import Body, Text


class FeedQuery(Body):
    """The place to continue from."""

    since = Text(
        longest=33,
        pattern=CURSOR,
        error="Use the cursor exactly as an earlier answer gave it.",
        metadata={
            "description": (
                "`cursor` of an earlier answer, to get only what came after it; omit to get everything"
            )
        },
    )
