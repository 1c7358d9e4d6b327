"""Field types that refuse text that a database cannot store or a reader cannot see.

Each documents its rule in the OpenAPI document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypedDict, Unpack

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.decision import naming
from rbac_api.decision.naming import NameRule
from rbac_api.decision.texts import CONTROL, EMAIL, LINE, LINES, text_problem
from rbac_api.formats.paging import MAX_TOTAL
from rbac_api.value_checks import client_address

PLAIN, TEXT = LINE, LINES  # of free texts: in one line, in several
CONTROLS = f"^[^{CONTROL}]*$"
ID = {"format": "uuid", "example": "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"}
STORABLE = r"^[^\u0000]*$"
CURSOR = "^[A-Za-z0-9._-]*$"  # of URL-safe base64 and a signature; the signature decides
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
TOTAL = f"with `count=true`: the number of all matching items, counted up to {MAX_TOTAL}"

Data = Mapping[str, object] | None


class Options(TypedDict, total=False):
    """What any field takes."""

    required: bool
    allow_none: bool
    load_default: object
    data_key: str
    metadata: Mapping[str, object]


class Matches(validate.Regexp):
    """Requires that the whole text matches; a trailing newline does not pass ``$``."""

    def __call__(self, value: str) -> str:  # type: ignore[override]
        if not re.fullmatch(str(self.regex.pattern), value):
            raise ma.ValidationError(self.error or "Does not match the required format.")
        return value


class Shown(validate.Regexp):
    """Refuses invisible characters; the message says which one, and where."""

    def __call__(self, value: str) -> str:  # type: ignore[override]
        if problem := text_problem(value, str(self.regex.pattern)):
            raise ma.ValidationError(f"The text {problem}.")
        return value


class Text(fields.String):
    """A string of limited length (code points) and a documented pattern."""

    def __init__(
        self,
        *,
        longest: int,
        shortest: int = 0,
        pattern: str = PLAIN,
        error: str = "",
        **options: Unpack[Options],
    ) -> None:
        form = Shown(pattern) if pattern in (PLAIN, TEXT) else Matches(pattern, error=error)
        rules = [validate.Length(min=shortest or None, max=longest), form]
        super().__init__(validate=rules, **options)


class Verbatim(fields.String):
    """A string that is stored unchanged.

    The parser already refuses what a database cannot store; the pattern here documents it.
    """

    def __init__(self, *, longest: int, shortest: int = 1, **options: Unpack[Options]) -> None:
        options["metadata"] = {"pattern": STORABLE, **options.get("metadata", {})}
        super().__init__(validate=validate.Length(min=shortest, max=longest), **options)


class NewPassword(Verbatim):
    """A password that a user chooses; ``passwords.service`` checks it.

    The service refuses the example: a reader who executes it unchanged must not get a publicly known
    password.
    """

    def __init__(
        self, *, shortest: int = 1, description: str = "15 to 256 characters", **options: Unpack[Options]
    ) -> None:
        options["metadata"] = {
            "description": description,
            "minLength": 15,
            "maxLength": 256,
            "example": "*" * 16,
        }
        super().__init__(longest=1024, shortest=shortest, **options)


def name_schema(rule: NameRule) -> dict[str, str | int]:
    """Return a naming rule as JSON Schema."""
    return {"pattern": f"^{rule.pattern}$", "minLength": rule.shortest, "maxLength": rule.longest}


class _Name(fields.String):
    """A name that follows the rule of its kind. Every way in has the same message for one that does not."""

    rule: NameRule

    def __init__(self, **options: Unpack[Options]) -> None:
        options["metadata"] = {**name_schema(self.rule), **options.get("metadata", {})}
        super().__init__(validate=self._check, **options)

    def _check(self, value: str) -> None:
        if problem := self.rule.problem(value):
            raise ma.ValidationError(problem)


class RoleName(_Name):
    """A role's name."""

    rule = naming.ROLE


class ConstraintName(_Name):
    """A constraint's name."""

    rule = naming.CONSTRAINT


class PermissionName(_Name):
    """A permission's name, such as ``invoices:approve``."""

    rule = naming.PERMISSION


class DomainName(_Name):
    """A domain's name, such as ``acme.eu``."""

    rule = naming.DOMAIN


class Title(Text):
    """The name that another system knows a role or a permission by: free text on one line, or none."""

    def __init__(self, *, example: str) -> None:
        metadata = {
            "description": "the name that another system knows it by; null for none",
            "example": example,
        }
        super().__init__(longest=naming.MAX_TITLE_LENGTH, shortest=1, allow_none=True, metadata=metadata)


class Email(Text):
    """Text in the form of an e-mail address. Whether the address exists is not checked."""

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__(longest=320, shortest=3, pattern=EMAIL, error="Not an e-mail address.", **options)


class Flag(fields.Boolean):
    """``true`` or ``false`` and no other spelling; for query arguments."""

    truthy = {"true", True}  # noqa: RUF012
    falsy = {"false", False}  # noqa: RUF012

    def _deserialize(self, value: object, attr: str | None, data: Data, **kwargs: object) -> bool:
        if value is True or value is False or value in ("true", "false"):
            return value in (True, "true")
        raise self.make_error("invalid", input=value)


class Switch(fields.Boolean):
    """``true`` or ``false`` in a JSON body: no text, no ``1``."""

    def _deserialize(self, value: object, attr: str | None, data: Data, **kwargs: object) -> bool:
        if value is True or value is False:
            return value
        raise self.make_error("invalid", input=value)


class Count(fields.Integer):
    """A whole number in ASCII digits within bounds; for query arguments."""

    def __init__(self, *, low: int, high: int, **options: Unpack[Options]) -> None:
        super().__init__(strict=True, validate=validate.Range(low, high), **options)

    def _deserialize(self, value: object, attr: str | None, data: Data, **kwargs: object) -> int:
        if not (isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value)):
            raise self.make_error("invalid", input=value)
        return int(value)


class Whole(fields.Integer):
    """A whole number within bounds in a JSON body: no text, no ``1.0``, no ``true``."""

    default_error_messages = {"fraction": "Write the whole number without a fraction."}  # noqa: RUF012

    def __init__(self, *, low: int, high: int, **options: Unpack[Options]) -> None:
        super().__init__(strict=True, validate=validate.Range(low, high), **options)

    def _deserialize(self, value: object, attr: str | None, data: Data, **kwargs: object) -> int:
        if type(value) is not int:
            raise self.make_error("fraction" if isinstance(value, float) else "invalid", input=value)
        return value


class Moment(fields.Field[datetime]):
    """An RFC 3339 date-time with an offset. Nanoseconds, which some clients send, are cut to microseconds."""

    default_error_messages = {  # noqa: RUF012
        "invalid": "Give a time in RFC 3339 format, for instance 2026-11-22T17:00:00Z."
    }

    def _deserialize(self, value: object, attr: str | None, data: Data, **kwargs: object) -> datetime:
        if not (isinstance(value, str) and _RFC3339.fullmatch(value)):
            raise self.make_error("invalid")
        try:
            return datetime.fromisoformat(value.upper().replace("Z", "+00:00")).astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.make_error("invalid") from None


class Address(fields.String):
    """The address of a client in its stored form: ``2001:DB8:0::5`` becomes ``2001:db8::5``."""

    default_error_messages = {  # noqa: RUF012
        "address": "Give an IP address, for instance 203.0.113.7 or 2001:db8::5."
    }

    def __init__(self, *, description: str) -> None:
        form = [{"format": "ipv4"}, {"format": "ipv6"}]
        super().__init__(
            validate=validate.Length(min=1, max=64), metadata={"description": description, "anyOf": form}
        )

    def _deserialize(self, value: object, attr: str | None, data: Data, **kwargs: object) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if (address := client_address(text)) is None:
            raise self.make_error("address")
        return address


_SEARCHED = "a text anywhere in name, description or title; case and accents do not count"
_NEXT = {"description": "cursor of the next page; null on the last one", "example": "WzE4Nl0.kJx2Vd"}


class PageSchema(ma.Schema):
    """A page of a list, which adds its ``items``, see ``page_of``."""

    next = fields.String(required=True, allow_none=True, metadata=_NEXT)
    total = fields.Integer(metadata={"description": TOTAL, "example": 10_000})
    total_is_minimum = fields.Boolean(
        metadata={"description": "`true` if there are more than `total`", "example": True}
    )


def page_of(name: str, item: type[ma.Schema]) -> type[ma.Schema]:
    """Return the schema with this name of a page of items."""
    return type(name, (PageSchema,), {"items": fields.List(fields.Nested(item), required=True)})


class Body(ma.Schema):
    """A request body: unknown fields are refused."""

    class Meta:
        unknown = ma.RAISE


class OptionalBody(Body):
    """A request body that may be absent; ``StrictParser`` then reads an empty object."""


class PageQuery(Body):
    """The paging arguments that every list takes."""

    limit = Count(
        low=1, high=200, load_default=50, metadata={"description": "items per page, 1 to 200", "example": 50}
    )
    cursor = Verbatim(
        longest=2000,
        shortest=0,
        metadata={"description": "`next` of the previous page, with the same filters", "pattern": CURSOR},
    )
    count = Flag(load_default=False, metadata={"description": "`true` adds `total`"})


class NamedQuery(PageQuery):
    """Paging arguments and a search in name and description."""

    q = Text(longest=128, shortest=1, metadata={"description": _SEARCHED})
