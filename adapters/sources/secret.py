"""Finds a secret by its reference: a systemd credential, an environment variable, a file, a program's output.

Decides where each is looked for and how much is read. The value is returned to the caller only; errors name the
reference's kind and never the value. Environment and the folder from which file names count come in as arguments.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from adapters.sources.config import SecretRef

MAX_SECRET_BYTES: Final = 64 * 1024
EXEC_SECONDS: Final = 10
_EXEC_ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "SYSTEMROOT")


class SecretUnavailable(Exception):
    """The secret cannot be found where its reference points. The text names the reference, never the value."""


def resolve(ref: SecretRef, *, environment: Mapping[str, str], base: Path = Path()) -> str:
    """The secret, without the line end behind it; a relative `file` counts from `base`.

    Raises `SecretUnavailable` when absent, empty or too long.
    """
    if ref.env is not None:
        value = environment.get(ref.env, "")
    elif ref.credential is not None:
        folder = environment.get("CREDENTIALS_DIRECTORY")
        if folder is None:
            raise SecretUnavailable("credential: CREDENTIALS_DIRECTORY is not set; is this run by systemd?")
        value = _file(Path(folder) / ref.credential, "credential")
    elif ref.file is not None:
        value = _file(base / ref.file, "file")
    else:
        value = _output(ref.exec or (), environment)
    value = value.rstrip("\r\n")
    if not value:
        raise SecretUnavailable("the reference leads to nothing")
    return value


def _file(path: Path, kind: str) -> str:
    try:
        with path.open("rb") as file:
            return _text(file.read(MAX_SECRET_BYTES + 1), kind)
    except OSError as exc:
        raise SecretUnavailable(f"{kind}: cannot be read ({type(exc).__name__})") from None


def _output(command: tuple[str, ...], environment: Mapping[str, str]) -> str:
    # The program sees only what it needs to start: other secrets may stand in our environment.
    allowed = {name: environment[name] for name in _EXEC_ENVIRONMENT if name in environment}
    try:
        done = subprocess.run(  # noqa: S603 - an absolute path from the county's own file, no shell
            command, capture_output=True, check=True, env=allowed, stdin=subprocess.DEVNULL, timeout=EXEC_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise SecretUnavailable(f"exec: the program failed ({type(exc).__name__})") from None
    return _text(done.stdout, "exec")


def _text(data: bytes, kind: str) -> str:
    if len(data) > MAX_SECRET_BYTES:
        raise SecretUnavailable(f"{kind}: longer than {MAX_SECRET_BYTES // 1024} KiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SecretUnavailable(f"{kind}: not UTF-8 text") from None
