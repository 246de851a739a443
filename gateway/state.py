"""The directory of a gateway or custodian: which file is where, and who may write the log.

Decides names, permissions and the one-writer lock. A secret is a file of mode 0600 in `secrets/`, written once and
never overwritten. Does not decide what the secrets are for.
"""

import hashlib
import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from audit.entry import KEY_BYTES, ClassKeys
from homeward.alone import NotAlone, alone

# sockaddr_un.sun_path holds 108 bytes on Linux and 104 elsewhere, the final NUL included.
_MAX_SOCKET_PATH: Final = 100
PRIVATE_FILE: Final = 0o600
PRIVATE_DIRECTORY: Final = 0o700


class StateExists(Exception):
    """There is already something where a new state is to be made. Names the file."""


class StateBroken(Exception):
    """A file of the state is missing or not what it should be. Names the file, never its content."""

    fix = ""
    """What to do where a backup of the secrets does not help."""

    def __init__(self, text: str, *, fix: str = "") -> None:
        super().__init__(text)
        self.fix = fix


class LogInUse(Exception):
    """Another process appends to this log."""


@dataclass(frozen=True, slots=True)
class State:
    """The directory of one process. `kind` is its short name, `gateway` or `custodian`."""

    directory: Path
    kind: str
    record: Path | None = None
    """Where the settings put the log's high-water record, relative to the directory; None: beside the database."""

    @property
    def database(self) -> Path:
        """Log and projections."""
        return self.directory / f"{self.kind}.db"

    @property
    def high_water(self) -> Path:
        """The log's record of its newest checkpoint, apart from the database."""
        return self.directory / (self.record or "") / "log.checkpoint"

    @property
    def youth_keys(self) -> Path:
        """Audit keys of youths, apart from the database they open entries of."""
        return self.directory / "keys.db"

    @property
    def held_revocations(self) -> Path:
        """Revocations that arrived while the log could not be written."""
        return self.directory / "revocations.held"

    @property
    def attestations(self) -> Path:
        """What agencies attested of their own entries, as they signed it; one file an agency."""
        return self.directory / "attestations"

    @property
    def explanations(self) -> Path:
        """Why the log stopped, in an operator's words; the log has their digests."""
        return self.directory / "explanations.txt"

    @property
    def log_key(self) -> Path:
        """The log's public key in C2SP text form, for auditors; hand it out by another way than the log."""
        return self.directory / "log.vkey"

    @property
    def release_key(self) -> Path:
        """The public key to which a court's custodian releases a sealed youth's key; for that custodian."""
        return self.directory / "release.pub"

    @property
    def card(self) -> Path:
        """What other operators need to know; public."""
        return self.directory / "card.json"

    def succession(self, number: int) -> Path:
        """The signed declaration that closed the log of this number, from 1."""
        return self.directory / f"succession-{number}.pb"

    def successions(self) -> list[Path]:
        """Every declaration that closed a log here, in order."""
        paths = itertools.takewhile(Path.is_file, map(self.succession, itertools.count(1)))
        return list(paths)

    def secret(self, name: str) -> Path:
        """The file of one secret."""
        return self.directory / "secrets" / name

    def certificate(self, name: str) -> Path:
        """The file of one CA certificate, PEM."""
        return self.directory / "ca" / f"{name}.pem"

    @property
    def admin_socket(self) -> Path:
        """The operator's socket of the serving process.

        In the directory itself where the path is short enough for a socket, else in an own directory of the user.
        """
        socket = self.directory.absolute() / "admin.sock"
        if len(os.fsencode(socket)) <= _MAX_SOCKET_PATH:
            return socket
        name = hashlib.sha256(os.fsencode(self.directory.absolute())).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"homeward-{os.getuid()}" / f"{name}.sock"

    def make(self) -> None:
        """The directory and its subdirectories exist, for their owner only. Raises `StateExists`."""
        if self.directory.exists() and any(self.directory.iterdir()):
            raise StateExists(str(self.directory))
        for path in (self.directory, self.directory / "secrets", self.directory / "ca"):
            path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
            path.chmod(PRIVATE_DIRECTORY)

    def write_secret(self, name: str, data: bytes) -> None:
        """The secret is on disk, readable by its owner only. Raises `StateExists`."""
        write_new(self.secret(name), data, mode=PRIVATE_FILE)

    def read_secret(self, name: str, *, length: int | None = None) -> bytes:
        """The secret. Raises `StateBroken` when the file is missing, has another length, or others may read it."""
        path = self.secret(name)
        try:
            if path.stat().st_mode & 0o077:
                raise StateBroken(f"{path}: others than its owner may read it", fix=f"chmod 600 {path}")
            data = path.read_bytes()
        except OSError as exc:
            raise StateBroken(f"{path}: {exc.strerror}") from exc
        if length is not None and len(data) != length:
            raise StateBroken(f"{path}: {length} bytes expected")
        return data

    def read_key(self, name: str) -> ec.EllipticCurvePrivateKey:
        """The private key of a certificate, from PEM. Raises `StateBroken`."""
        path = self.secret(name)
        try:
            key = load_pem_private_key(self.read_secret(name), password=None)
        except ValueError as exc:
            raise StateBroken(f"{path}: not a private key in PEM") from exc
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise StateBroken(f"{path}: not an elliptic-curve key")
        return key

    def read_certificate(self, name: str) -> x509.Certificate:
        """A CA certificate. Raises `StateBroken`."""
        path = self.certificate(name)
        try:
            return x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError) as exc:
            raise StateBroken(f"{path}: not a certificate in PEM") from exc

    def read_class_keys(self) -> ClassKeys:
        """The keys of the log's own field classes. Raises `StateBroken`."""
        raw = self.read_secret("log-classes.key", length=3 * KEY_BYTES)
        return ClassKeys(op=raw[:KEY_BYTES], req=raw[KEY_BYTES : 2 * KEY_BYTES], hold=raw[2 * KEY_BYTES :])

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Within the context this process alone may append. Raises `LogInUse` at once otherwise."""
        lock = self.directory / "log.lock"
        try:
            with alone(lock):
                yield
        except NotAlone as exc:
            raise LogInUse(f"{lock} is locked") from exc


def write_new(path: Path, data: bytes, *, mode: int) -> None:
    """A file with this content and mode is on disk that was not there before. Raises `StateExists`."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    except FileExistsError as exc:
        raise StateExists(str(path)) from exc
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The private key as PKCS #8 PEM without a passphrase; only for a secret file or the TLS library."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
