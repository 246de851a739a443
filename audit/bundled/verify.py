#!/usr/bin/env python3
"""Checks an evidence bundle of a Homeward audit log. Needs Python 3.9 and `pip install cryptography`; no network.
    python3 verify.py                                 in the unpacked bundle
    python3 verify.py bundle.zip [--log-key FILE] [--policy FILE] [--show]

Prints one line a check, then a verdict; with --show every proved field first. Exit status: 0 verified, 6 broken or not
witnessed as asked, 2 it could not be tried. In this order, stopping at the first thing that does not hold except 2b:
1. every file is one that SHA256SUMS lists, and there is no other; of a changed one it is said what that breaks
2. each checkpoint is signed by the log; b those cosignatures count whose keys --policy names, else witness-policy.txt
3. each checkpoint's tree begins with the tree of the one before it
4. each entry: its open fields hash to its digests, its digests to its leaf, its leaf leads to a checkpoint's root
5. where the bundle says that it is complete: the agency's own numbers have no gap; a sample: its seed draws it again
"""

import argparse
import base64
import hashlib
import hmac
import json
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    print("This needs the package cryptography:  pip install cryptography\nOr open verify.html in a browser.")
    raise SystemExit(2) from None

FORMAT, LABEL, SLOTS, DIGEST, FIELDS, LARGEST = "homeward/evidence-bundle/v1", b"homeward/audit/v1", 16, 32, 15, 1 << 30
RULE, TEXTS = "homeward/sample/v1", ("manifest.json", "log.vkey", "entries.jsonl", "proofs.jsonl", "checkpoints.json")


class Broken(Exception):
    """Something does not hold; the text says what and where."""


class Unusable(Exception):
    """No bundle, or unreadable."""


def read_bundle(path: Path) -> dict[str, bytes]:
    """Every file of the bundle, by name."""
    if path.is_dir():
        found = {each.relative_to(path).as_posix(): each for each in sorted(path.rglob("*")) if each.is_file()}
        return {name: each.read_bytes() for name, each in found.items() if "__pycache__" not in name}
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as exc:
        raise Unusable(f"{path} is not a readable zip file") from exc
    with archive:
        items = archive.infolist()
        if len({item.filename for item in items}) != len(items) or sum(item.file_size for item in items) > LARGEST:
            raise Broken("the archive names a file twice, or is larger than a bundle can be")
        for item in items:
            del item.CRC  # It would end here what SHA256SUMS finds, too, and can tell the place of.
        try:
            return {item.filename: archive.read(item) for item in items}
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error):
            raise Broken("the archive was damaged after the bundle was made") from None


def check_sums(files: dict[str, bytes]) -> str:
    """Which file was changed, in words; empty for none. Every one is listed, and every listed one is there."""
    if "SHA256SUMS" not in files:
        raise Unusable("there is no SHA256SUMS: this is not an evidence bundle")
    listed, changed = dict[str, str](), ""
    for line in text_of(files, "SHA256SUMS").splitlines():
        digest, gap, name = line.partition("  ")
        if not gap or name in listed:
            raise Broken("SHA256SUMS has a malformed line")
        listed[name] = digest
    for name in sorted({*listed, *files, *TEXTS} - {"SHA256SUMS"}):
        if name not in files or name not in listed:
            raise Broken(f"the file {name} {'does not belong to the bundle' if name in files else 'is missing'}")
        if hashlib.sha256(files[name]).hexdigest() != listed[name]:
            changed = changed or f"the file {name} was changed after the bundle was made"
    return changed


def text_of(files: dict[str, bytes], name: str) -> str:
    try:
        return files[name].decode("utf-8")
    except UnicodeDecodeError:
        raise Broken(f"the file {name} is not text") from None


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):  # People read one of the two, and programs the other.
        raise Broken("a name stands twice in an object")
    return dict(pairs)


said_once = json.JSONDecoder(object_pairs_hook=once).decode


def decoded(text: str, length: int = -1) -> bytes:
    raw = base64.b64decode(text)  # Passes over what is none, and then differs from it.
    if base64.b64encode(raw).decode() != text or length not in (-1, len(raw)):
        raise Broken("a value is not the base64 of what it should be")
    return raw


class Key:
    """A public key in the text form of signed notes: name+id+base64. Type 1 signs notes, type 4 cosigns them."""

    def __init__(self, vkey: str) -> None:
        parts = vkey.strip().split("+", 2)
        raw = decoded(parts[2]) if len(parts) == 3 else b""
        if len(raw) < 1:
            raise Broken("a key is not of the form name+id+base64")
        self.name, self.kind, self.raw = parts[0], raw[0], raw[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + raw).digest()[:4]
        if self.id.hex() != parts[1] or (self.kind in (1, 4) and len(self.raw) != 32):
            raise Broken("the id of a key does not belong to the key")

    def holds(self, signature: bytes, message: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The signed text, and (name, signature) of each line below it."""
    text, gap, lines = note.rpartition("\n\n")
    parts = [line.split(" ") for line in lines[:-1].split("\n")]
    if not gap or not lines.endswith("\n") or any(len(each) != 3 or each[0] != "\u2014" for each in parts):
        raise Broken("a checkpoint is not a signed note, or has a malformed signature line")
    return text + "\n", [(name, decoded(raw)) for _, name, raw in parts]


def open_checkpoint(note: str, key: Key) -> tuple[int, bytes]:
    """Size and root of a checkpoint that the log signed."""
    text, lines = split_note(note)
    ours = [raw[4:] for name, raw in lines if name == key.name and raw[:4] == key.id]
    if len(ours) != 1 or not key.holds(ours[0], text.encode()):
        raise Broken("a checkpoint is not signed by the log")
    body = text.split("\n")
    if len(body) != 4 or body[3] or body[0] != key.name or not body[1].isdecimal() or str(int(body[1])) != body[1]:
        raise Broken("a checkpoint is of another log, or is not three lines of which the second is its size")
    return int(body[1]), decoded(body[2], DIGEST)


def cosigned_by(note: str, witnesses: dict[str, Key]) -> set[str]:
    """Names of the witnesses whose cosignature on the checkpoint is valid (C2SP tlog-cosignature, Ed25519)."""
    text, lines = split_note(note)
    found = set()
    for name, raw in lines:
        message = f"cosignature/v1\ntime {int.from_bytes(raw[4:12], 'big')}\n{text}".encode()
        for known, key in witnesses.items():
            if key.kind == 4 and len(raw) == 4 + 8 + 64 and (name, raw[:4]) == (key.name, key.id):
                found |= {known} if key.holds(raw[12:], message) else set()
    return found


def read_policy(text: str) -> tuple[dict[str, Key], dict[str, tuple[int, list[str]]], str]:
    """Witnesses, groups and quorum of a C2SP tlog-policy."""
    witnesses, groups, quorum = dict[str, Key](), dict[str, tuple[int, list[str]]](), ""
    for line in text.splitlines():
        kind, *words = line.split() or ["#"]
        if kind == "witness" and len(words) >= 2:
            witnesses[words[0]] = Key(words[1])
        elif kind == "group" and len(words) >= 3:
            groups[words[0]] = ({"any": 1, "all": len(words) - 2}.get(words[1]) or int(words[1]), words[2:])
        elif kind == "quorum" and len(words) == 1:
            quorum = words[0]
        elif kind != "log" and not kind.startswith("#"):
            raise Broken("the witness policy has a line that is not understood")
    if not quorum:
        raise Broken("the witness policy has no quorum line")
    return witnesses, groups, quorum


def is_met(quorum: str, present: set[str], groups: dict[str, tuple[int, list[str]]]) -> bool:
    if quorum not in groups:
        return quorum == "none" or quorum in present
    least, members = groups[quorum]
    return sum(is_met(member, present, groups) for member in members) >= least


def ask_witnesses(policy: str, given: bool, notes: list[str], states: list[tuple[int, bytes]]) -> list[str]:
    """The newest checkpoint that enough witnesses cosigned, or FAIL; and whether the bundle's maker chose them."""
    if not policy:
        unread = sum(len(split_note(note)[1]) - 1 for note in notes)
        also = f"; {unread} cosignature(s) in the bundle were not checked" if unread else ""
        return [f"note  no witness was asked: the bundle has no policy; give one that you trust (--policy){also}"]
    witnesses, groups, quorum = read_policy(policy)
    came = "note  the witness policy came with the bundle; give one from elsewhere (--policy)"
    for note, state in zip(reversed(notes), reversed(states)):  # noqa: B905 - Python 3.9; one state a note
        present = cosigned_by(note, witnesses)
        if is_met(quorum, present, groups):
            seen = f"{len(present)} of {len(witnesses)} witnesses, as the {'given ' * given}policy asks"
            return [f"ok    the log's first {state[0]} entries are cosigned by {seen}", *([] if given else [came])]
    return ["FAIL  no checkpoint has the cosignatures that the policy asks for"]


def hashed(*parts: bytes) -> bytes:
    """SHA-256; of a leaf the first part is 0x00, of an inner node 0x01."""
    return hashlib.sha256(b"".join(parts)).digest()


def climbed(at: int, last: int, path: list[bytes], what: str) -> Iterator[tuple[bool, bytes]]:
    """Each sibling on the way up, and whether it is the left one (RFC 9162 sections 2.1.3.2 and 2.1.4.2)."""
    for sibling in path:
        if last == 0:
            raise Broken(f"{what} is too long")
        left = at & 1 == 1 or at == last
        yield left, sibling
        while left and not at & 1 and at:
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    if last:
        raise Broken(f"{what} is too short")


def root_from(root: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that an inclusion path leads to, from a leaf's hash."""
    if not 0 <= index < size:
        raise Broken("an entry lies beyond the end of the checkpoint's tree")
    for left, sibling in climbed(index, size - 1, path, "an inclusion path"):
        root = hashed(b"\1", sibling, root) if left else hashed(b"\1", root, sibling)
    return root


def check_consistency(old: tuple[int, bytes], new: tuple[int, bytes], path: list[bytes]) -> None:
    """The newer tree begins with the older."""
    (old_size, old_root), (new_size, new_root) = old, new
    if not 0 < old_size <= new_size:
        raise Broken("the checkpoints are not in order")
    if old_size == new_size:
        if old_root != new_root or path:
            raise Broken("two checkpoints of one size have different roots: the log shows two histories")
        return
    path = [old_root, *path] if old_size & (old_size - 1) == 0 else list(path)
    if not path:
        raise Broken("a consistency proof is missing")
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for left, sibling in climbed(at, last, path[1:], "a consistency proof"):
        first = hashed(b"\1", sibling, first) if left else first
        second = hashed(b"\1", sibling, second) if left else hashed(b"\1", second, sibling)
    if first != old_root or second != new_root:
        raise Broken("a later checkpoint does not begin with an earlier one: the log's past was changed")


def open_entry(row: dict[str, Any]) -> tuple[bytes, dict[str, bytes], int]:
    """Leaf, open fields by name, and how many digests stay closed; each field is what the leaf committed to."""
    leaf, digests = decoded(row["leaf"], 41), decoded(row["digests"], SLOTS * DIGEST)
    if leaf[0] != 1 or leaf[9:] != hashlib.sha256(LABEL + b"/entry\0" + bytes([SLOTS]) + digests).digest():
        raise Broken("the digests are not those the leaf commits to")
    fields, before = dict[str, bytes](), -1
    for opening in row["openings"]:
        slot, name = opening["slot"], opening["name"].encode("ascii")
        value, salt, last = decoded(opening["value"]), decoded(opening["salt"], DIGEST), name == b"parties"
        if (type(slot), slot == FIELDS) != (int, last) or not before < slot < SLOTS or not 0 < len(name) < 33:
            raise Broken("the open fields are out of order")
        before = slot
        digest = hashlib.sha256(LABEL + b"/field\0" + salt + bytes([len(name)]) + name + value).digest()
        if digest != digests[slot * DIGEST : (slot + 1) * DIGEST]:
            raise Broken(f"the field {opening['name']} is not what was written into the log")
        if fields.setdefault(opening["name"], value) != value:
            raise Broken(f"the field {opening['name']} says two things")
    return leaf, fields, FIELDS - sum(each["slot"] < FIELDS for each in row["openings"])


def check_entries(files: dict[str, bytes], states: list[tuple[int, bytes]]) -> list[dict[str, Any]]:
    """Each entry that is proved, with its open fields and how many are closed."""
    entries, proofs = ([*map(said_once, text_of(files, name).splitlines())] for name in TEXTS[2:4])
    if [row["index"] for row in entries] != [row["index"] for row in proofs]:
        raise Broken("entries.jsonl and proofs.jsonl do not speak of the same entries")
    opened, before = list[dict[str, Any]](), -1
    for row, proof in zip(entries, proofs):  # noqa: B905 - Python 3.9; the lengths were compared
        index = row["index"]
        try:
            if type(index) is not int or not before < index:
                raise Broken("the entries are out of order")
            before = index
            leaf, fields, left = open_entry(row)
            if type(proof["state"]) is not int or not 0 <= proof["state"] < len(states):
                raise Broken("it names a checkpoint that is not there")
            size, root = states[proof["state"]]
            if root_from(hashed(b"\0", leaf), index, size, [decoded(each, DIGEST) for each in proof["hashes"]]) != root:
                raise Broken("it is not in the log that the checkpoint signs")
        except Broken as fault:
            raise Broken(f"entry {index}: {fault}") from None
        opened.append({"index": index, "leaf": leaf, "fields": fields, "closed": left})
    return opened


def check_numbers(opened: list[dict[str, Any]]) -> int:
    """The agency's own numbers run from 1 without a gap, each naming the entry with the number before."""
    before = bytes(DIGEST)
    for number, entry in enumerate(opened):
        if [entry["fields"].get(name) for name in ("seq", "prev")] != [(number + 1).to_bytes(8, "big"), before]:
            raise Broken(f"entry {entry['index']}: an entry of the agency between number {number} and it is withheld")
        before = hashed(b"\0", entry["leaf"])
    return len(opened)


def check_sample(said: dict[str, Any], origin: str, opened: list[dict[str, Any]], size: int) -> str:
    """Its line of the report: the draw was made again, and gave these entries and no others."""
    before, population, drawn = said["before"], said["population"], [entry["index"] for entry in opened]
    bounds = [-1, *population, before, size + 1]
    if said["rule"] != RULE or {*map(type, bounds)} != {int} or sorted({*bounds}) != bounds:
        raise Broken("what the sample is drawn from is malformed, out of order, or not in the log")
    key = hashed("\0".join((RULE, origin, said["seed"])).encode())
    ranked = sorted(population, key=lambda index: hmac.digest(key, index.to_bytes(8, "big"), "sha256"))
    if sorted(ranked[: len(drawn)]) != drawn:
        raise Broken("the entries are not those that the seed draws")
    return f"ok    the seed {json.dumps(said['seed'])} draws these of {len(population)} entries before entry {before}"


def shown(entry: dict[str, Any]) -> str:
    """One entry as it was proved: its time and its open fields, bytes in hexadecimal."""
    texts = ((name, value.decode("utf-8", "replace"), value.hex()) for name, value in entry["fields"].items())
    words = [f"{name}={text if text.isprintable() and chr(0xFFFD) not in text else raw}" for name, text, raw in texts]
    seconds = int.from_bytes(entry["leaf"][1:9], "big") // 1000
    time = datetime.fromtimestamp(min(seconds, 253402300799), timezone.utc)  # noqa: UP017 - Python 3.9
    return f"entry {entry['index']}  {time:%Y-%m-%d %H:%M:%S} UTC  {'  '.join(words)}"


def verify(files: dict[str, bytes], pinned: "str | None", policy: "str | None", show: bool) -> list[str]:
    """The lines of a report on a bundle of which everything holds."""
    manifest = said_once(text_of(files, "manifest.json"))
    if manifest["format"] != FORMAT:
        raise Unusable("the bundle is of another format")
    key = Key(text_of(files, "log.vkey"))
    if pinned is not None and Key(pinned).raw != key.raw:
        raise Broken("the bundle is signed by another log's key than the one that was given")
    kept = said_once(text_of(files, "checkpoints.json"))
    states = [open_checkpoint(state["note"], key) for state in kept]
    said = [f"ok    {len(files) - 1} files are as the bundle was made"]
    said += [f"ok    {len(states)} checkpoint(s) signed by {key.name}, newest of {states[-1][0]} entries"]
    own = text_of(files, "witness-policy.txt") if "witness-policy.txt" in files else ""
    said += ask_witnesses(own if policy is None else policy, policy is not None, [at["note"] for at in kept], states)
    for older, newer, state in zip(states, states[1:], kept[1:]):  # noqa: B905 - Python 3.9
        check_consistency(older, newer, [decoded(each, DIGEST) for each in state["consistency"]])
    said += ["ok    each checkpoint's tree begins with the one before: nothing earlier was changed"] * (len(states) > 1)
    opened = check_entries(files, states)
    said = [*map(shown, opened), *said] if show else said
    said.append(f"ok    {len(opened)} entries are in the log, and every open field is what was written")
    if whole := manifest["complete"]:
        said.append(f"ok    the agency's numbers 1 to {check_numbers(opened)} have no gap")
    if drawn := "sample.json" in files:
        said.append(check_sample(said_once(text_of(files, "sample.json")), key.name, opened, states[-1][0]))
    count, closed = len(opened), sum(entry["closed"] > 0 for entry in opened)
    chosen = "the seed, or what it draws from" if drawn else "it"
    notes = {  # What is so by design, and what this check alone cannot know.
        f"{closed} of {count} entries keep fields closed that are not this reader's: by design, not damage": closed,
        f"a selection: that nothing else concerns the agency, or nobody chose {chosen}, is not shown": not whole,
        "the log's key came with the bundle; compare it with a copy from elsewhere (--log-key)": pinned is None,
    }
    return sorted(said + [f"note  {text}" for text, so in notes.items() if so], key=lambda line: line[:4] == "note")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--log-key", type=Path)
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args()
    pinned, policy = (each and each.read_text("utf-8", "replace") for each in (given.log_key, given.policy))
    status, said = judge(given.bundle, pinned, policy, given.show)
    print("\n".join(said))
    return status


def judge(path: Path, pinned: "str | None", policy: "str | None", show: bool = False) -> tuple[int, list[str]]:
    """Exit status and lines: what is found of the bundle, and the verdict last."""
    try:
        _ = pinned is None or Key(pinned), policy is None or read_policy(policy)
    except (Broken, ValueError):
        return 2, ["CANNOT TELL  the key or the policy that was given cannot be read"]
    changed, why = "", "what was changed is not what proves an entry"
    try:
        changed = check_sums(files := read_bundle(path))
        said = verify(files, pinned, policy, show)
        unseen = any(line.startswith("FAIL") for line in said)
        if not changed:
            return 6 * unseen, [*said, "NOT WITNESSED as the policy asks; all else holds" if unseen else "VERIFIED"]
    except (Broken, Unusable) as fault:
        if isinstance(fault, Unusable) and not changed:
            return 2, [f"CANNOT TELL  {fault}"]
        why = str(fault)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError):
        why = "a file of the bundle is malformed"
    return 6, [f"FAIL  {changed}: {why}" if changed else f"FAIL  {why}", "BROKEN: do not rely on this bundle"]


if __name__ == "__main__":
    raise SystemExit(main())
