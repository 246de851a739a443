"""The adapter's own keys: made here, kept in files of mode 0600, never sent.

Decides which keys an adapter has, how they lie on disk, and the statements by which the county root certifies their
public halves. Does not decide which key may sign what; the directory's readers do.

    county-root.key   signs the statements; may be moved off this machine after joining
    envelope.key      machine-only envelopes        assertion.key  user assertions
    authority.key     authorities                   record.key     sealed records, as source
    flag.key          flag statements, for the county as a whole (its statement names no agency)
    seal.key          opens sealed records          commitment.key keys HMACs of references and pseudonyms
"""

import os
import secrets
import stat
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.protocol.directory import certify
from gateway.protocol.names import AgencyId, county_of
from gateway.protocol.sealing import SealKey
from gateway.protocol.signing import SigningKey
from homeward.gateway.v1.directory_pb2 import (
    KEY_USE_ASSERTION,
    KEY_USE_AUTHORITY,
    KEY_USE_ENVELOPE,
    KEY_USE_FLAG,
    KEY_USE_RECORD,
    KEY_USE_SEAL,
    KeyStatement,
    KeyUse,
)
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.replacing import replace_file

KEY_LIFE: Final = timedelta(days=365)
BACKDATING: Final = timedelta(minutes=5)
"""Clocks of two machines differ; a key of this minute must count on both."""
COMMITMENT_KEY_LENGTH: Final = 32


class KeyFile(StrEnum):
    """Names of the private key files."""

    COUNTY_ROOT = "county-root.key"
    ENVELOPE = "envelope.key"
    ASSERTION = "assertion.key"
    AUTHORITY = "authority.key"
    RECORD = "record.key"
    FLAG = "flag.key"
    SEAL = "seal.key"
    COMMITMENT = "commitment.key"


class KeyFileUnusable(Exception):
    """A key file is missing, damaged, or readable by others. `file` and `why` name no key material."""

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"{file}: {why}")
        self.file = file
        self.why = why


@dataclass(frozen=True, slots=True)
class Keyring:
    """Private keys of one adapter."""

    envelope: SigningKey = field(repr=False)
    assertion: SigningKey = field(repr=False)
    authority: SigningKey = field(repr=False)
    record: SigningKey = field(repr=False)
    flag: SigningKey = field(repr=False)
    seal: SealKey = field(repr=False)
    commitment: bytes = field(repr=False)
    """32 bytes; keys every commitment and pseudonym that leaves the county."""

    @property
    def publics(self) -> dict[KeyUse, bytes]:
        """The public keys that the county root certifies."""
        return {
            KEY_USE_ENVELOPE: self.envelope.public_bytes,
            KEY_USE_ASSERTION: self.assertion.public_bytes,
            KEY_USE_AUTHORITY: self.authority.public_bytes,
            KEY_USE_RECORD: self.record.public_bytes,
            KEY_USE_FLAG: self.flag.public_bytes,
            KEY_USE_SEAL: self.seal.public_bytes,
        }


def generate_keyring() -> Keyring:
    """Fresh keys from the operating system's randomness."""
    return Keyring(
        envelope=SigningKey.generate(),
        assertion=SigningKey.generate(),
        authority=SigningKey.generate(),
        record=SigningKey.generate(),
        flag=SigningKey.generate(),
        seal=SealKey.generate(),
        commitment=secrets.token_bytes(COMMITMENT_KEY_LENGTH),
    )


def write_keyring(keys: Path, keyring: Keyring) -> None:
    """The directory `keys` (created, mode 0700) holds these keys, one file each, mode 0600."""
    make_private_directory(keys)
    for file, raw in _raw(keyring).items():
        write_secret(keys / file, raw)


def load_keyring(keys: Path) -> Keyring:
    """The keys in the directory. Raises `KeyFileUnusable` for the first file that cannot be used."""
    return Keyring(
        envelope=load_signing_key(keys / KeyFile.ENVELOPE),
        assertion=load_signing_key(keys / KeyFile.ASSERTION),
        authority=load_signing_key(keys / KeyFile.AUTHORITY),
        record=load_signing_key(keys / KeyFile.RECORD),
        flag=load_signing_key(keys / KeyFile.FLAG),
        seal=_load_seal_key(keys / KeyFile.SEAL),
        commitment=read_secret(keys / KeyFile.COMMITMENT, length=COMMITMENT_KEY_LENGTH),
    )


def load_signing_key(path: Path) -> SigningKey:
    """The Ed25519 key in the file (32 raw bytes). Raises `KeyFileUnusable`."""
    return SigningKey.from_private_bytes(read_secret(path, length=32))


def key_statements(keyring: Keyring, root: SigningKey, *, agency: AgencyId, now: datetime) -> list[SignedEnvelope]:
    """One statement for each public key, signed by the county root, valid from five minutes ago for a year."""
    return [certify(_statement(use, public, agency=agency, now=now), root) for use, public in keyring.publics.items()]


def make_private_directory(path: Path) -> None:
    """The directory exists, for its owner alone."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def write_secret(path: Path, raw: bytes) -> None:
    """The file holds these bytes durably, mode 0600."""
    replace_file(path, raw, mode=0o600)


def read_secret(path: Path, *, length: int | None = None) -> bytes:
    """The bytes of a file that only its owner can read. Raises `KeyFileUnusable`."""
    try:
        mode = path.stat().st_mode
        raw = path.read_bytes()
    except OSError as exc:
        raise KeyFileUnusable(path.name, "cannot be read") from exc
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileUnusable(path.name, "others than its owner may open it; set its mode to 0600")
    if length is not None and len(raw) != length:
        raise KeyFileUnusable(path.name, f"must have exactly {length} bytes")
    return raw


def _load_seal_key(path: Path) -> SealKey:
    return SealKey.from_private_bytes(read_secret(path, length=96))


def _raw(keyring: Keyring) -> dict[KeyFile, bytes]:
    return {
        KeyFile.ENVELOPE: keyring.envelope.private_bytes,
        KeyFile.ASSERTION: keyring.assertion.private_bytes,
        KeyFile.AUTHORITY: keyring.authority.private_bytes,
        KeyFile.RECORD: keyring.record.private_bytes,
        KeyFile.FLAG: keyring.flag.private_bytes,
        KeyFile.SEAL: keyring.seal.private_bytes,
        KeyFile.COMMITMENT: keyring.commitment,
    }


def _statement(use: KeyUse, public: bytes, *, agency: AgencyId, now: datetime) -> KeyStatement:
    effective, expire = Timestamp(), Timestamp()
    effective.FromDatetime(now - BACKDATING)
    expire.FromDatetime(now + KEY_LIFE)
    return KeyStatement(
        use=use,
        # A flag key speaks for the county: were an agency named, every finder would learn its kind.
        agency="" if use == KEY_USE_FLAG else agency,
        county=county_of(agency),
        public_key=public,
        effective_time=effective,
        expire_time=expire,
    )
