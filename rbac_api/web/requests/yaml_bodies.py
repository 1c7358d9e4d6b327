"""Bodies in YAML."""

from __future__ import annotations

from rbac_api.formats.http_errors import Unreadable
from rbac_api.formats.strict_yaml import YamlRefused, parse_yaml
from rbac_api.web.requests.arguments import check_depth_and_text


def strict_yaml(data: bytes) -> object:
    """Parse a body of YAML in UTF-8; 400 with the reason otherwise."""
    try:
        value = parse_yaml(data.decode("utf-8"))
    except UnicodeDecodeError as fault:
        raise Unreadable("The body is not UTF-8.") from fault
    except YamlRefused as fault:
        raise Unreadable(f"The body is not YAML in the form that is accepted here: {fault}.") from fault
    check_depth_and_text(value)
    return value
