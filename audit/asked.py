"""What a verification was asked with: for each kind of evidence, the options that it can answer.

Decides which options are refused, and what is done in their place. An option that was passed over would let somebody
believe that it was checked, so it ends the command before anything is verified; so does a file of the reader's own that
cannot be read, because that says nothing of the evidence. `homeward verify` and `python -m audit` refuse the same.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from audit.checkpoint import LogKey
from audit.errors import EvidenceError, EvidenceReason
from audit.policy import Policy
from audit.row_file import is_table
from audit.verdict import (
    Verdict,
    is_proof,
    is_published,
    is_receipt,
    read_log_key,
    read_policy,
    verdict_on_proof,
    verdict_on_receipt,
    verdict_on_table,
)

Read = TypeVar("Read")
_BUNDLE_BEGINS: Final = b"PK\x03\x04"
_DATABASE_BEGINS: Final = b"SQLite format 3\0"


class Kind(StrEnum):
    """What was given to be verified."""

    PUBLISHED = "a published log"
    RECEIPT = "a receipt"
    BUNDLE = "an evidence bundle"
    TABLE = "a table with proofs"
    PROOF = "a proof of two histories"
    DATABASE = "a log's database"


_REFUSED: Final[Mapping[tuple[Kind, str], str]] = {
    (Kind.RECEIPT, "--policy"): "a receipt carries no cosignatures; verify the published log with it",
    (Kind.RECEIPT, "--checkpoint"): "homeward audit contradict compares a receipt and a checkpoint",
    (Kind.RECEIPT, "--max-age"): "verify the published log with it",
    (Kind.TABLE, "--policy"): "its checkpoints carry no cosignatures; verify the published log with it",
    (Kind.TABLE, "--checkpoint"): "verify the published log with it; a table has no proof that leads to it",
    (Kind.TABLE, "--max-age"): "verify the published log with it",
    (Kind.PROOF, "--policy"): "two signatures of the log are the proof, and no witness can undo it",
    (Kind.PROOF, "--checkpoint"): "two signatures of the log are the proof",
    (Kind.PROOF, "--max-age"): "a proof does not age",
    (Kind.BUNDLE, "--checkpoint"): "verify the published log with it; a bundle has no proof that leads to it",
    (Kind.BUNDLE, "--max-age"): "a bundle is kept, and old by nature; verify the published log with it",
    (Kind.DATABASE, "--policy"): "verify the published log with it; a database is not asked for cosignatures",
    (Kind.DATABASE, "--max-age"): "verify the published log with it; a database is not asked for cosignatures",
}


ON_FILES: Final[Mapping[Kind, Callable[..., Verdict]]] = {
    Kind.RECEIPT: verdict_on_receipt,
    Kind.TABLE: verdict_on_table,
    Kind.PROOF: verdict_on_proof,
}
"""What is verified of a file of each kind that stands alone: by its path, and `key`, the log's."""


class Unasked(Exception):
    """The command cannot be used like this; the text names the option and says what to do. Nothing was verified."""


def kind_of(place: str) -> Kind:
    """What is at the place: by its form where it is a directory or URL, by its first bytes where it is a file.

    Raises Unasked where nothing is.
    """
    if is_published(place):
        return Kind.PUBLISHED
    if not Path(place).is_file():
        raise Unasked(f"{place} is neither a file, a directory nor a URL")
    if is_receipt(Path(place)):
        return Kind.RECEIPT
    if _is_bundle(Path(place)):
        return Kind.BUNDLE
    if is_proof(Path(place)):
        return Kind.PROOF
    return Kind.TABLE if is_table(Path(place)) else Kind.DATABASE


def check_options(kind: Kind, given: Mapping[str, object]) -> None:
    """Every option that was given can be answered. Raises Unasked."""
    for option, value in given.items():
        if value and (kind, option) in _REFUSED:
            raise Unasked(f"{option} is not for {kind}: {_REFUSED[kind, option]}")
    if given.get("--max-age") and not given.get("--policy"):
        raise Unasked("--max-age is how old cosignatures may be, and --policy, which says whose they are, is not given")


def asked_key(path: Path) -> LogKey:
    """The log's key in the reader's file. Raises Unasked."""
    return _own("--log-key", path, read_log_key)


def asked_policy(path: Path) -> Policy:
    """The policy in the reader's file. Raises Unasked."""
    return _own("--policy", path, read_policy)


def check_kept(path: Path) -> None:
    """The reader's checkpoint is there; whether the log signed it is for the verification. Raises Unasked."""
    if not path.is_file():
        raise Unasked(f"--checkpoint {path} cannot be used: there is no such file")


def check_database(path: Path) -> None:
    """The file begins as a database does. Raises EvidenceError(STORE), which says it is of no kind at all."""
    try:
        with path.open("rb") as file:
            begins = file.read(len(_DATABASE_BEGINS))
    except OSError as exc:
        raise EvidenceError(EvidenceReason.STORE, f"{path} cannot be read") from exc
    if begins != _DATABASE_BEGINS:
        text = "the file begins like nothing that is verified here: another kind of file, or one cut short"
        raise EvidenceError(EvidenceReason.STORE, text)


def check_new(path: Path) -> None:
    """Nothing has this name yet, or an empty directory. Raises Unasked: what is there may be somebody's evidence."""
    if path.is_symlink() or (path.exists() and not (path.is_dir() and not any(path.iterdir()))):
        raise Unasked(f"{path} is there already and is not written over; give another name, or move it away")


def _own(option: str, path: Path, read: Callable[[Path], Read]) -> Read:
    try:
        return read(path)
    except EvidenceError as fault:
        raise Unasked(f"{option} {path} cannot be used: {fault}") from None


def _is_bundle(path: Path) -> bool:
    """A bundle that was cut short is one still: its end, by which a zip file is known otherwise, is what is missing."""
    try:
        with path.open("rb") as file:
            return file.read(len(_BUNDLE_BEGINS)) == _BUNDLE_BEGINS or zipfile.is_zipfile(path)
    except OSError:
        return False
