"""Makes the Python environment that `make demo` and `make test` run in, with the standard library only.

Decides where the environment is, which installer fills it (uv where it is on the path, else pip) and what is said when
that cannot be done. Does not decide which packages: requirements.lock does, and every one is checked against its hash.

1. An interpreter that is too old is told so in one sentence.
2. uv, where there is one; a uv that fails, or cannot be started, is reported and pip takes over.
3. `python -m venv`; where the system ships venv without ensurepip (Debian without python3-venv), an environment without
   pip, into which one pinned pip wheel is fetched from the package index and checked against the hash below.
4. The locked packages, then this checkout itself as an editable install, its modules compiled.

Environment: HOMEWARD_VENV (where to put it), PIP_INDEX_URL, PIP_CERT, https_proxy; pip's own configuration holds too.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import importlib.util
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
ROOMS = ("adapters", "audit", "deploy", "gateway", "proto")
OLDEST_PYTHON = (3, 11)

# By name and hash: an index lists files by name, not by age, so "the last one" is not the newest.
PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
# Only for the pip wheel, and only where neither the environment nor pip's configuration names an index: pip, which
# knows the default, is exactly what is missing then.
DEFAULT_INDEX = "https://pypi.org/simple"
TIMEOUT_SECONDS = 30

# What pip and uv print when the index cannot be reached; anything else is shown as they said it.
NETWORK_SIGNS = (
    "connection",
    "name resolution",
    "network is unreachable",
    "timed out",
    "proxy",
    "dns error",
    "failed to fetch",
    "no matching distribution found",
    "client error",
)


class Stopped(Exception):
    """The environment cannot be made; the text is the one sentence for the person who typed `make`."""


def main() -> int:
    """Exit status: 0 ready, 1 not, with one line on standard error that says what to do."""
    try:
        check_python(sys.version_info[:2])
        make_environment(Path(os.environ.get("HOMEWARD_VENV") or ROOT / ".venv"))
    except Stopped as reason:
        print(f"bootstrap: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bootstrap: stopped", file=sys.stderr)
        return 130
    return 0


def check_python(version: tuple[int, ...]) -> None:
    """Returns for a Python this code runs on; Stopped for an older one."""
    if version < OLDEST_PYTHON:
        raise Stopped(
            "Python {}.{} is too old, {}.{} or newer is needed; name one with: make demo PY=python3.12".format(
                *version[:2], *OLDEST_PYTHON
            )
        )


def make_environment(venv: Path) -> None:
    """`venv` holds the locked packages and this checkout; its stamp `.ready` is newer than what it was made from."""
    say(f"making {venv.name} (about a minute the first time)")
    uv = shutil.which("uv")
    if not (uv and fill_with_uv(uv, venv)):
        fill_with_pip(venv)
    name_rooms(venv)
    compile_rooms(python_of(venv))
    (venv / ".ready").touch()


def name_rooms(venv: Path) -> None:
    """Where this checkout's modules are is written in ASCII, as the way from the environment to them.

    Python reads such a file in the encoding of the locale before anything else: under LC_ALL=C one with another letter
    in it ends every process of the environment.
    """
    for file in venv.glob("lib/python*/site-packages/*.pth"):
        lines = file.read_bytes().decode("utf-8", "surrogateescape").splitlines()
        named = [os.path.relpath(line, file.parent) if Path(line).is_relative_to(ROOT) else line for line in lines]
        if named != lines and all(line.isascii() for line in named):
            file.write_text("".join(f"{line}\n" for line in named), encoding="ascii")


def compile_rooms(python: Path) -> None:
    """This checkout's modules are compiled, as an installer compiles what it copies.

    An editable install copies nothing, and where PYTHONDONTWRITEBYTECODE is set every process would compile all it
    imports: a command then takes a third longer to start. A checkout that cannot be written to works without.
    """
    command = [str(python), "-m", "compileall", "-q", *(str(ROOT / room) for room in ROOMS)]
    if run(command, dict(os.environ)).returncode != 0:
        say("this checkout's modules could not all be compiled; commands start more slowly")


def fill_with_uv(uv: str, venv: Path) -> bool:
    """True when uv made the whole environment; False, after saying so, leaves it to pip."""
    say("installing the locked packages with uv")
    environment = dict(os.environ)
    index = configured_index()
    if index and "UV_INDEX_URL" not in environment:
        environment.setdefault("UV_DEFAULT_INDEX", index)
    # Compiled once here, as pip does by itself: else each of the demonstration's processes compiles all it imports.
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(venv)]
    for command in (
        [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(venv)],
        [*install, "--require-hashes", "-r", str(LOCK)],
        [*install, "--no-deps", "--no-build-isolation", "-e", str(ROOT)],
    ):
        try:
            has_failed = run(command, environment).returncode != 0
        except Stopped as reason:
            say(str(reason))
            has_failed = True
        if has_failed:
            say("uv could not do it; trying pip")
            return False
    return True


def fill_with_pip(venv: Path) -> None:
    """The environment is complete; Stopped says what was missing."""
    python = python_of(venv)
    if not has_pip(python):
        create(venv)
    say("installing the locked packages with pip")
    pip = [str(python), "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check", "--retries=2", "install"]
    must(run([*pip, "--require-hashes", "-r", str(LOCK)], pip_environment()), "the locked packages")
    must(run([*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], pip_environment()), "this checkout")


def create(venv: Path) -> None:
    """An environment with a working pip at `venv`."""
    python = python_of(venv)
    if importlib.util.find_spec("venv") is None:
        raise Stopped("this Python has no venv module; install python3-venv or uv, and try again")
    venv_module = [sys.executable, "-m", "venv"]
    if has_ensurepip() and run([*venv_module, str(venv)], dict(os.environ)).returncode == 0 and has_pip(python):
        return
    say("this Python has no ensurepip; fetching one pip wheel instead")
    must(run([*venv_module, "--without-pip", str(venv)], dict(os.environ)), "the empty environment")
    with tempfile.TemporaryDirectory() as scratch:
        wheel = Path(scratch) / PIP_WHEEL
        wheel.write_bytes(fetch_pip(configured_index() or DEFAULT_INDEX))
        # A wheel is a zip archive and pip runs from inside one; so it installs itself.
        own = [str(python), str(wheel / "pip"), "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
        must(run(own, pip_environment()), "pip")


def fetch_pip(index: str) -> bytes:
    """The pinned pip wheel from `index` (PEP 691 JSON); Stopped where it is unreachable, absent or other bytes."""
    page = index.rstrip("/") + "/pip/"
    try:
        listing = json.loads(get(page, accept="application/vnd.pypi.simple.v1+json"))
        links = [entry["url"] for entry in listing["files"] if entry["filename"] == PIP_WHEEL]
        if not links:
            raise Stopped(f"the package index does not carry {PIP_WHEEL}; install python3-venv instead")
        content = get(urllib.parse.urljoin(page, links[0]), accept="*/*")
    except OSError as unreachable:
        is_untrusted = isinstance(getattr(unreachable, "reason", unreachable), ssl.SSLCertVerificationError)
        raise (untrusted() if is_untrusted else no_network()) from unreachable
    except (ValueError, KeyError) as malformed:
        raise Stopped("the package index does not speak JSON (PEP 691); install python3-venv instead") from malformed
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        raise Stopped(f"the package index sent another {PIP_WHEEL} than the pinned one; nothing was installed from it")
    return content


def get(url: str, accept: str) -> bytes:
    """The body at `url`, through https_proxy where set; a name and password in the URL become a header."""
    parts = urllib.parse.urlsplit(url)
    headers = {"Accept": accept}
    if parts.username:
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    bare = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    authorities = os.environ.get("PIP_CERT") or None
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError as unreadable:
        raise Stopped(f"PIP_CERT names {authorities}, which holds no certificates that can be read") from unreadable
    with urllib.request.urlopen(
        urllib.request.Request(bare, headers=headers), timeout=TIMEOUT_SECONDS, context=context
    ) as reply:
        body: bytes = reply.read()
    return body


def configured_index() -> str | None:
    """The index that pip would use here, from the environment or pip's files (later ones win); None where none says."""
    home = Path(os.path.expanduser("~"))
    files = [
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        home / ".config" / "pip" / "pip.conf",
        home / "AppData" / "Roaming" / "pip" / "pip.ini",
        *([Path(os.environ["PIP_CONFIG_FILE"])] if os.environ.get("PIP_CONFIG_FILE") else []),
    ]
    parser = configparser.RawConfigParser()
    try:
        parser.read(files, encoding="utf-8")
    except configparser.Error as malformed:
        raise Stopped(f"pip's configuration cannot be read: {type(malformed).__name__}") from malformed
    return os.environ.get("PIP_INDEX_URL") or parser.get("global", "index-url", fallback=None)


def has_ensurepip() -> bool:
    """Whether `python -m venv` can put pip into what it makes."""
    spec = importlib.util.find_spec("ensurepip")
    return spec is not None and spec.origin is not None  # an emptied directory is still found, as a namespace


def has_pip(python: Path) -> bool:
    """Whether the environment of `python` exists and its pip starts."""
    return python.exists() and run([str(python), "-m", "pip", "--version"], dict(os.environ)).returncode == 0


def python_of(venv: Path) -> Path:
    """The interpreter inside the environment, which need not exist yet."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pip_environment() -> dict[str, str]:
    """This environment without the settings that would make pip install somewhere else."""
    elsewhere = {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"}
    return {name: value for name, value in os.environ.items() if name not in elsewhere}


def run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The finished process, its output kept for `must`; Stopped where it could not be started."""
    try:
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Stopped(f"cannot start {command[0]}: {error.strerror}") from error


def must(done: subprocess.CompletedProcess[str], what: str) -> None:
    """Returns for a process that succeeded; Stopped with its cause otherwise."""
    if done.returncode == 0:
        return
    said = (done.stderr or done.stdout).strip()
    if "certificate_verify_failed" in said.lower():
        raise untrusted()
    if any(sign in said.lower() for sign in NETWORK_SIGNS):
        raise no_network()
    raise Stopped(f"could not install {what}:\n{said[-2000:]}")


def no_network() -> Stopped:
    """The one line for a machine without a route to the package index."""
    hint = "" if has_ensurepip() else "; `sudo apt install python3-venv` spares one download"
    return Stopped(
        f"cannot reach the Python package index; set https_proxy, or PIP_INDEX_URL to a mirror, and try again{hint}"
    )


def untrusted() -> Stopped:
    """The one line for a machine whose proxy or mirror has a certificate authority of its own."""
    return Stopped("the package index's certificate is of an unknown authority; name that authority's file in PIP_CERT")


def say(text: str) -> None:
    """One line of progress, at once."""
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
