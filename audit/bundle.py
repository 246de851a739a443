"""An evidence bundle: entries with all that is needed to check them without us, in one file.

Decides the files of a bundle and their form (format 1). Everything is stored uncompressed, in a fixed order and with a
fixed date, so that the same evidence gives the same bytes everywhere and a page in a browser can read it. Does not
decide what an entry says in words, or which rules were in force: those come as texts.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Final

from audit.checkpoint import Checkpoint, LogKey, parse_checkpoint
from audit.continuity import Continuity, numbered
from audit.errors import EvidenceError, EvidenceReason
from audit.merkle import check_consistency
from audit.note import encode_base64
from audit.receipt import Receipt
from audit.sample import RULE, Sample, draw

FORMAT: Final = "homeward/evidence-bundle/v1"
_CARRIED: Final = ("README.txt", "verify.html", "verify.py")
# The earliest date a zip file can hold: a bundle says nothing of when it was made but what its checkpoints say.
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_READABLE: Final = 0o644 << 16
_UNIX: Final = 3


@dataclass(frozen=True, slots=True)
class Proved:
    """One entry, its sentence, and its receipt under one of the bundle's states."""

    receipt: Receipt = field(repr=False)
    sentence: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """One signed state of the log, and the proof that it begins with the state before it in the bundle."""

    note: str
    consistency: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What goes into a bundle."""

    log_key: LogKey
    states: tuple[Signed, ...]
    """In the order of their sizes; at least one."""
    entries: tuple[Proved, ...] = field(repr=False)
    """In the order of the log."""
    asked: tuple[str, ...]
    """What was asked for, in words, a line each."""
    complete: bool = False
    """Whether these are all entries of one agency, the newest being the reading itself."""
    policy: Mapping[str, str] = field(default_factory=dict, repr=False)
    """File names and texts of the rules."""
    witness_policy: str = ""
    """C2SP tlog-policy; empty where no cosignature is asked for."""
    sample: Sample | None = field(default=None, repr=False)
    """What the entries are a sample of; None where they are none."""


def make_bundle(evidence: Evidence) -> bytes:
    """The bundle's bytes. Raises EvidenceError for evidence that does not hold: nobody is handed a broken bundle."""
    states = _check_states(evidence)
    placed = _check_entries(evidence, states)
    files = {
        "manifest.json": _json(_manifest(evidence, states)) + "\n",
        "log.vkey": evidence.log_key.vkey() + "\n",
        "checkpoints.json": _json(
            [{"note": each.note, "consistency": [*map(encode_base64, each.consistency)]} for each in evidence.states]
        )
        + "\n",
        "entries.jsonl": _lines(_entry(each) for each in evidence.entries),
        "proofs.jsonl": _lines(
            _proof(each.receipt, state) for each, state in zip(evidence.entries, placed, strict=True)
        ),
        "report.txt": _report(evidence, states),
        **{f"policy/{name}": text for name, text in evidence.policy.items()},
        **{name: (resources.files("audit.bundled") / name).read_text("utf-8") for name in _CARRIED},
    }
    if evidence.sample is not None:
        files["sample.json"] = _json(_drawn(evidence, evidence.sample, states[-1].size)) + "\n"
    if evidence.witness_policy:
        files["witness-policy.txt"] = evidence.witness_policy
    return _zip({name: text.encode("utf-8") for name, text in files.items()})


def _check_states(evidence: Evidence) -> list[Checkpoint]:
    states = [parse_checkpoint(each.note, evidence.log_key) for each in evidence.states]
    if not states:
        raise EvidenceError(EvidenceReason.SIZE, "a bundle needs a checkpoint")
    for place in range(1, len(states)):
        older, newer = states[place - 1], states[place]
        check_consistency(
            old_size=older.size,
            old_root=older.root,
            size=newer.size,
            root=newer.root,
            proof=evidence.states[place].consistency,
        )
    return states


def _check_entries(evidence: Evidence, states: Sequence[Checkpoint]) -> list[int]:
    """For each entry, the place of the state that covers it."""
    places = {state: place for place, state in enumerate(states)}
    placed: list[int] = []
    following = Continuity()
    for each in evidence.entries:
        checkpoint = each.receipt.verify(evidence.log_key)
        if checkpoint not in places:
            text = "an entry is proved under a checkpoint that the bundle does not hold"
            raise EvidenceError(EvidenceReason.INCLUSION, text, index=each.receipt.index)
        placed.append(places[checkpoint])
        if evidence.complete:
            number = numbered(each.receipt)
            if number is None:
                raise EvidenceError(EvidenceReason.SEQUENCE, "an entry shows no number", index=each.receipt.index)
            following.follow(number)
    return placed


def _manifest(evidence: Evidence, states: Sequence[Checkpoint]) -> dict[str, object]:
    return {
        "format": FORMAT,
        "origin": evidence.log_key.origin,
        "asked": list(evidence.asked),
        "complete": evidence.complete,
        "entries": len(evidence.entries),
        "newest_size": states[-1].size,
    }


def _drawn(evidence: Evidence, sample: Sample, size: int) -> dict[str, object]:
    bounds = [-1, *sample.population, sample.before, size + 1]
    if sorted({*bounds}) != bounds:
        raise EvidenceError(EvidenceReason.FORMAT, "the population is out of order, or not in the log that is shown")
    indexes = [each.receipt.index for each in evidence.entries]
    if indexes != draw(sample.population, len(indexes), seed=sample.seed, origin=evidence.log_key.origin):
        raise EvidenceError(EvidenceReason.FORMAT, "the entries are not those that the seed draws of the population")
    return {"rule": RULE, "seed": sample.seed, "before": sample.before, "population": list(sample.population)}


def _entry(each: Proved) -> dict[str, object]:
    receipt = each.receipt
    return {
        "index": receipt.index,
        "leaf": encode_base64(receipt.leaf),
        "digests": encode_base64(receipt.digests),
        "openings": [
            {"slot": o.slot, "name": o.name, "value": encode_base64(o.value), "salt": encode_base64(o.salt)}
            for o in receipt.openings
        ],
        "sentence": each.sentence,
    }


def _proof(receipt: Receipt, state: int) -> dict[str, object]:
    return {"index": receipt.index, "state": state, "hashes": [*map(encode_base64, receipt.inclusion_hashes)]}


def _report(evidence: Evidence, states: Sequence[Checkpoint]) -> str:
    count, newest = len(evidence.entries), states[-1]
    whole = "every entry that concerns one agency" if evidence.complete else "a selection"
    lines = [
        "REPORT",
        "",
        f"Log:       {evidence.log_key.origin}, {newest.size} entries, root {newest.root.hex()}",
        f"Contents:  {count} entr{'y' if count == 1 else 'ies'}, {whole}",
        *(f"Asked for: {line}" for line in evidence.asked),
        "",
        *(f"{each.receipt.index:>10}  {each.sentence}" for each in evidence.entries),
        "",
        "Sentences are for reading. What is proved are the fields: python3 verify.py --show, or verify.html.",
    ]
    return "\n".join(lines) + "\n"


def _zip(files: Mapping[str, bytes]) -> bytes:
    sums = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted({**files, "SHA256SUMS": sums.encode()}.items()):
            item = zipfile.ZipInfo(name, _DATE)
            item.external_attr, item.create_system = _READABLE, _UNIX
            archive.writestr(item, data)
    return buffer.getvalue()


def _lines(rows: Iterable[dict[str, object]]) -> str:
    return "".join(_json(row) + "\n" for row in rows)


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
