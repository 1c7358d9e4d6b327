"""The names of roles, permissions and domains, and which domain is in which.

The same rules as in ``rbac_api.decision``, which this package does not import; a test compares them.
"""

from __future__ import annotations

import re

ROOT = "root"
"""The domain that all others are in."""
_LABEL = r"[a-z0-9][a-z0-9-]{0,62}"
_ROLE = re.compile(
    rf"(?=.{{1,127}}$)[A-Za-z][A-Za-z0-9._-]{{0,126}}(@(?!root(\.|$)){_LABEL}(\.{_LABEL}){{0,7}})?"
)
_NO_ROLE = (
    "{!r} is not a role name. Use a letter, then letters, digits, '.', '_' or '-'; then, if it is at home in"
    " a domain, '@' and the domain's name; at most 127 characters."
)
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_PERMISSION = re.compile(f"(?=.{{3,200}}$){_PART}(:{_PART}){{1,3}}")
_NO_PERMISSION = (
    "{!r} is not a permission name. Use two to four parts joined by ':', such as invoices:approve; each part"
    " is a letter or digit, then letters, digits, '.', '_' or '-'; at most 200 characters."
)
_DOMAIN = re.compile(rf"root|(?!root\.){_LABEL}(\.{_LABEL}){{0,7}}")
_LONGEST_DOMAIN = 255


def role_name(role: str) -> str:
    """Return the role; ``ValueError`` if it cannot be a role's name."""
    if not _ROLE.fullmatch(role):
        raise ValueError(_NO_ROLE.format(role))
    return role


def permission_name(permission: str) -> str:
    """Return the permission; ``ValueError`` if it cannot be a permission's name."""
    if not _PERMISSION.fullmatch(permission):
        raise ValueError(_NO_PERMISSION.format(permission))
    return permission


def is_domain(name: object) -> bool:
    """Return True for what can be a domain's name."""
    return isinstance(name, str) and len(name) <= _LONGEST_DOMAIN and bool(_DOMAIN.fullmatch(name))


def is_in(domain: str, other: str) -> bool:
    """Return True if a domain is the other one, or in it."""
    return other in (ROOT, domain) or domain.startswith(other + ".")
