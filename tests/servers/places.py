"""Where programs lie, which ports are free, and as whom a server may run."""

import os
import pwd
import shutil
import socket
import stat
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def package_folder(name: str) -> Path | None:
    """The folder of an installed package, found without importing it; None where it is not installed."""
    spec = find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def free_port() -> int:
    """A port of the loopback address that was free a moment ago; callers try again if it was taken since."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@cache
def lesser_identity() -> dict[str, Any]:
    """Popen arguments that give up root, empty for an ordinary user. PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def open_to_all(path: Path) -> bool:
    """True if another user can get at `path`: every folder above lets others in, and it lets them read."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents) and bool(
        path.stat().st_mode & stat.S_IROTH
    )


def server_folder(name: str) -> Path:
    """A new folder for one server, owned by whoever runs it and reachable for them."""
    homes = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    identity = lesser_identity()
    home = next((h for h in homes if not identity or (h.is_dir() and open_to_all(h))), homes[0])
    folder = Path(tempfile.mkdtemp(prefix=f"rbac-{name}-", dir=home))
    if identity:
        os.chown(folder, identity["user"], identity["group"])
    return folder


def on_path(*names: str) -> Path | None:
    """The first of these programs that the PATH knows."""
    return next((Path(found) for name in names if (found := shutil.which(name))), None)
