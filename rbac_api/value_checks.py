"""Checks the text of single settings. A message says what is wrong, and never contains the text itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from limits import parse_many

DATABASES = ("sqlite:////", "postgresql://", "postgres://", "postgresql+psycopg://")
STORES = ("redis://", "rediss://", "unix://")
HOST_FAULT = (
    "HOST must be an address of this machine or a name of it, without scheme and port; set the port in PORT."
    " 127.0.0.1 or ::1 for this machine alone, 0.0.0.0 or :: for all of its addresses"
)
_LABEL = "(?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:[A-Za-z0-9_]{_LABEL}\.)*[A-Za-z_]{_LABEL}\.?")
SHORTEST_RSA = 2048
_BLOCK = re.compile(rb"-----BEGIN ([^-\n]+)-----")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_HOST = re.compile(r"[a-z0-9._:-]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_WITH_PORT = re.compile(r'"?(?:\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?|([0-9.]{7,15}):[0-9]{1,5})"?')
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]{1,64}){1,8}")


def is_host(text: str) -> bool:
    """Return True for an IPv4 address, an IPv6 address with or without brackets, or a host name.

    A zone is refused, because neither URLs nor gunicorn accept one.
    """
    if text.startswith("["):
        return text.endswith("]") and ":" in text and _address(text[1:-1]) is not None
    return _address(text) is not None or _HOST_NAME.fullmatch(text) is not None


def canonical_host(text: str) -> str:
    """Return the canonical form of a host: the shortest form of an address, without brackets."""
    bare = text.strip("[]")
    return str(_address(bare) or bare)


def nearest_host(host: str) -> str:
    """Return the address at which the machine itself reaches a host: loopback for all addresses."""
    address = _address(host)
    return {4: "127.0.0.1", 6: "::1"}[address.version] if address and address.is_unspecified else host


def host_in_url(host: str) -> str:
    """Return the host with IPv6 in brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def own_url(host: str, port: int) -> str:
    """Return the URL of a listening server, for the machine on which it runs."""
    return f"http://{host_in_url(nearest_host(host))}:{port}"


def is_loopback(host: str) -> bool:
    """Return True if no other machine can reach this host."""
    address = _address(host)
    return address.is_loopback if address else host.rstrip(".").lower() in ("localhost", "ip6-localhost")


def is_loopback_url(text: str) -> bool:
    """Return True if no other machine can reach the host of this URL."""
    parts = _split(text)
    return parts is not None and is_loopback(parts.hostname or "")


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text) if "%" not in text else None
    except ValueError:
        return None


def browser_origin(text: str) -> str | None:
    """Return the origin as a browser sends it (RFC 6454 section 6.2); None if the text is not an origin.

    Lower case, host in Punycode, no default port, no slash at the end. Apps have their own schemes, such as
    ``capacitor://localhost``. ``null`` and ``file://`` mean any page from a file, and are refused.
    """
    parts = _split(text.removesuffix("/"))
    if parts is None or not parts.hostname or "@" in parts.netloc or parts.path or "?" in text or "#" in text:
        return None
    if not _SCHEME.fullmatch(parts.scheme) or parts.scheme == "file":
        return None
    try:
        host = parts.hostname if ":" in parts.hostname else parts.hostname.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    if not _HOST.fullmatch(host):
        return None
    host = host_in_url(host)
    port = parts.port if parts.port != _DEFAULT_PORTS.get(parts.scheme) else None
    return f"{parts.scheme}://{host}" if port is None else f"{parts.scheme}://{host}:{port}"


def browser_origins(texts: Iterable[str]) -> frozenset[str]:
    """Return the entries of ``RBAC_CORS_ORIGINS`` as browsers send them."""
    return frozenset(filter(None, map(browser_origin, texts)))


def origin_faults(texts: Iterable[str]) -> list[str]:
    """Return what is wrong with each invalid entry of ``RBAC_CORS_ORIGINS``."""
    faults = []
    for position, text in enumerate(texts, start=1):
        if text == "*":
            faults.append("RBAC_CORS_ORIGINS may not be '*': requests carry credentials, so name each origin")
        elif browser_origin(text) is None:
            faults.append(
                f"RBAC_CORS_ORIGINS: entry {position} is no origin, which is scheme://host[:port] "
                "and no more;"
                " a page from a file has none that could be allowed"
            )
    return faults


def is_prefix(text: str) -> bool:
    """Return True for path segments of unreserved characters (RFC 3986 section 2.3), none only of dots."""
    return bool(_PREFIX.fullmatch(text)) and not re.search(r"/\.{1,2}(/|\Z)", text)


def is_issuer(text: str) -> bool:
    """Return True for an http or https URL without query and fragment (RFC 8414 section 2)."""
    parts = _web_address(text)
    return parts is not None and not any(sign in text for sign in "?#<>")


def is_web_address(text: str) -> bool:
    """Return True for an http or https URL of ASCII characters without user information and fragment."""
    return _web_address(text) is not None and text.isascii() and "#" not in text


def is_database(text: str) -> bool:
    """Return True for the URL of PostgreSQL, or of an SQLite file by its absolute path."""
    return text.startswith(DATABASES) and _split(text) is not None


def is_store(text: str) -> bool:
    """Return True for the URL of Redis or Valkey."""
    return text.startswith(STORES) and _split(text) is not None


def driver_faults(database: str, store: str) -> list[str]:
    """Return which packages are missing for these URLs of a database and of a store."""
    needed = (
        (
            "RBAC_DATABASE_URL",
            "postgresql",
            "psycopg",
            is_database(database) and not database.startswith("sqlite"),
        ),
        ("RBAC_REDIS_URL", "redis", "redis", is_store(store)),
    )
    return [
        f"{name} needs the package {module}, which is not installed: pip install 'rbac-api[{extra}]'"
        for name, extra, module, used in needed
        if used and find_spec(module) is None
    ]


def is_limit(text: str) -> bool:
    """Return True for limits in the ``limits`` library's notation: ``30 per minute; 200 per hour``.

    A limit of zero is refused, because it would refuse every request.
    """
    try:
        return all(limit.amount > 0 for limit in parse_many(text))
    except ValueError:
        return False


def pem_problem(pem: bytes, algorithm: str, *, checked: bool = False) -> str | None:
    """Return what is wrong with a private key of an algorithm; None if it is valid.

    ``checked``: see ``key_from_pem``.
    """
    blocks = [block for block in _BLOCK.findall(pem) if block != b"EC PARAMETERS"]
    if len(blocks) > 1:
        return f"holds {len(blocks)} keys or certificates in PEM: keep the one private key that is to sign"
    try:
        private: object = serialization.load_pem_private_key(
            pem, password=None, unsafe_skip_rsa_key_validation=checked
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "is not an unencrypted private key in PEM"
    if not _fits(private, algorithm):
        return (
            f"is not a key for {algorithm} (RS256 needs RSA of {SHORTEST_RSA} bits or more, ES256 "
            "the curve P-256)"
        )
    return None


def _fits(private: object, algorithm: str) -> bool:
    if algorithm == "EdDSA":
        return isinstance(private, ed25519.Ed25519PrivateKey)
    if algorithm == "ES256":
        return isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1)
    return isinstance(private, rsa.RSAPrivateKey) and private.key_size >= SHORTEST_RSA


def _web_address(text: str) -> SplitResult | None:
    parts = _split(text)
    fits = (
        parts is not None and parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    )
    return parts if fits else None


def _split(text: str) -> SplitResult | None:
    """Return the parts of a URL; None if it contains a space, an invalid port, or an unmatched bracket."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts if text.isprintable() and " " not in text else None


def client_address(text: str) -> str | None:
    """Return the address in the form of ``ipaddress``, as IPv4 if it is mapped in IPv6; None if invalid.

    Load balancers add a port (``192.0.2.7:51008``, ``[2001:db8::5]:443``). A zone (``%eth0``) has a meaning
    on one machine only, so an address with one is invalid.
    """
    found = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((found[1] or found[2]) if found else text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return None if address.scope_id else str(address.ipv4_mapped or address)
    return str(address)
