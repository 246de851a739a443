"""Whom to believe: a C2SP tlog-policy, which names logs, witnesses, groups of them and the quorum.

Decides the grammar and whether a set of witnesses meets the quorum. A policy is trusted, but its file may have been
edited by hand, so every mistake is refused with its line.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from audit.checkpoint import LogKey
from audit.errors import EvidenceError, EvidenceReason
from audit.note import KeyKind, VerifierKey, parse_verifier_key

NONE: Final = "none"
MAX_BYTES: Final = 256 * 1024
MAX_LINES: Final = 1024
_ALLOWED: Final = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]*")
_THRESHOLD: Final = re.compile(r"[1-9][0-9]{0,4}")
_WITNESS_KINDS: Final = (KeyKind.COSIGNATURE_ED25519, KeyKind.COSIGNATURE_MLDSA44)


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness of the policy. `url` is its submission prefix; empty where it is reached in another way."""

    name: str
    key: VerifierKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """At least `threshold` of the members must have witnessed a checkpoint."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy. Groups stand in the order in which they were defined: each refers only to what stands before."""

    logs: tuple[LogKey, ...]
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    quorum: str

    def is_met_by(self, keys: Collection[VerifierKey]) -> bool:
        """True if valid cosignatures by these keys are enough."""
        if self.quorum == NONE:
            return True
        met = {witness.name: witness.key in keys for witness in self.witnesses}
        for group in self.groups:
            met[group.name] = sum(met[member] for member in group.members) >= group.threshold
        return met[self.quorum]

    def text(self) -> str:
        """Returns the policy as a file."""
        lines = [f"log {key.vkey()}" for key in self.logs]
        lines += [f"witness {each.name} {each.key.vkey()} {each.url}".rstrip() for each in self.witnesses]
        lines += [f"group {each.name} {each.threshold} {' '.join(each.members)}" for each in self.groups]
        return "\n".join([*lines, f"quorum {self.quorum}"]) + "\n"


def k_of(threshold: int, witnesses: tuple[Witness, ...], *, logs: tuple[LogKey, ...] = ()) -> Policy:
    """Returns the policy that asks for `threshold` of these witnesses; zero asks for none."""
    if not threshold:
        return Policy(logs, witnesses, (), NONE)
    group = Group("witnesses", threshold, tuple(each.name for each in witnesses))
    return Policy(logs, witnesses, (group,), group.name)


class _Draft:
    """A policy while its lines are read."""

    def __init__(self) -> None:
        self.logs: list[LogKey] = []
        self.witnesses: list[Witness] = []
        self.groups: list[Group] = []
        self.names: set[str] = set()
        self.member_of: set[str] = set()
        self.quorum = ""

    def log(self, words: list[str]) -> None:
        _expect(len(words) in (1, 2), "log <vkey> [<url>]")
        key = parse_verifier_key(words[0])
        _expect(key.kind is KeyKind.ED25519, "a log's key is an Ed25519 key")
        _expect(all(known.raw != key.raw for known in self.logs), "two logs have one key")
        self.logs.append(LogKey(key.name, key.raw))

    def witness(self, words: list[str]) -> None:
        _expect(len(words) in (2, 3), "witness <name> <vkey> [<url>]")
        key = parse_verifier_key(words[1])
        _expect(key.kind in _WITNESS_KINDS, "a witness's key is a cosignature key")
        _expect(all(known.key.raw != key.raw for known in self.witnesses), "two witnesses have one key")
        self._name(words[0])
        self.witnesses.append(Witness(words[0], key, words[2] if len(words) == 3 else ""))

    def group(self, words: list[str]) -> None:
        _expect(len(words) >= 3, "group <name> all|any|<k> <name>...")
        members = tuple(words[2:])
        _expect(len(set(members)) == len(members) and self.member_of.isdisjoint(members), "a member is named twice")
        _expect(self.names.issuperset(members), "a member is not defined above")
        named = {"all": len(members), "any": 1}
        threshold = named.get(words[1]) or (int(words[1]) if _THRESHOLD.fullmatch(words[1]) else 0)
        _expect(1 <= threshold <= len(members), "the threshold is not between 1 and the number of members")
        self._name(words[0])
        self.member_of.update(members)
        self.groups.append(Group(words[0], threshold, members))

    def set_quorum(self, words: list[str]) -> None:
        _expect(len(words) == 1 and not self.quorum, "one line: quorum <name>")
        _expect(words[0] == NONE or words[0] in self.names, "the quorum is not defined above")
        self.quorum = words[0]

    def _name(self, name: str) -> None:
        _expect(name != NONE and name not in self.names, "the name is taken")
        self.names.add(name)


def parse_policy(data: bytes) -> Policy:
    """Returns the policy in a file. Raises EvidenceError(FORMAT) with the line that cannot be read."""
    if len(data) > MAX_BYTES or data.count(b"\n") > MAX_LINES or not _ALLOWED.fullmatch(data):
        raise EvidenceError(EvidenceReason.FORMAT, "the policy is too long or has control characters")
    draft = _Draft()
    words = {"log": draft.log, "witness": draft.witness, "group": draft.group, "quorum": draft.set_quorum}
    for number, line in enumerate(data.split(b"\n"), start=1):
        # Octets above ASCII are opaque names: they come through unchanged, whatever their encoding.
        found = [word.decode("utf-8", "surrogateescape") for word in re.split(rb"[ \t]+", line.strip(b" \t")) if word]
        if not found or found[0].startswith("#"):
            continue
        try:
            _expect(found[0] in words, "a line begins with log, witness, group or quorum")
            words[found[0]](found[1:])
        except EvidenceError as fault:
            raise EvidenceError(EvidenceReason.FORMAT, f"line {number} of the policy: {fault}") from None
    if not draft.quorum:
        raise EvidenceError(EvidenceReason.FORMAT, "the policy has no quorum line")
    return Policy(tuple(draft.logs), tuple(draft.witnesses), tuple(draft.groups), draft.quorum)


def _expect(holds: bool, text: str) -> None:
    if not holds:
        raise EvidenceError(EvidenceReason.FORMAT, text)
