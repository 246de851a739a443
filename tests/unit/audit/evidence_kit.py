"""A small log in memory, and bundles made of it: what the tests of evidence bundles share. Everything is invented."""

import json
import random
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import merkle
from audit.bundle import Evidence, Proved, Signed, make_bundle
from audit.checkpoint import LogSigner, decode_base64, encode_base64
from audit.entry import ClassKeys, Draft, Field, FieldClass, Place, StoredEntry, build_entry, open_class, open_parties
from audit.receipt import Receipt
from audit.sample import Sample, draw

SIGNER = LogSigner("log.example/homeward", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
KEYS = ClassKeys(b"o" * 32, b"r" * 32, b"h" * 32)
AGENCY = "06001.cwa"
WITNESSES = tuple(Ed25519PrivateKey.from_private_bytes(bytes([65 + number]) * 32) for number in range(3))
EARLIER, NEWEST = 7, 13
"""Sizes of the two states under which entries are proved."""
PROVES_PARTIES = 4
"""Of this entry it is open, too, who took part, as to the state's reviewers."""


def log_entries() -> list[StoredEntry]:
    """Thirteen entries; every second one is numbered for the agency, the last one records its reading."""
    made: list[StoredEntry] = []
    number, before = 0, bytes(32)
    for index in range(NEWEST):
        own: tuple[Field, ...] = ()
        if index % 2 == 0:
            number += 1
            own = (Field(FieldClass.REQ, "seq", number.to_bytes(8, "big")), Field(FieldClass.REQ, "prev", before))
        kind = b"audit.read" if index == NEWEST - 1 else b"access.decision"
        fields = (
            Field(FieldClass.OP, "kind", kind),
            Field(FieldClass.OP, "decision", b"DENY"),
            Field(FieldClass.REQ, "worker", b"worker-1 CWA.case_worker"),
            Field(FieldClass.HOLD, "county", b"06029"),
        )
        place = Place(index, 1_790_000_000_000 + 1000 * index, number if own else 0)
        draft = Draft(fields, requester=AGENCY)
        entry = build_entry(draft, place, keys=KEYS, own_fields=own, random_bytes=random.Random(index).randbytes).entry
        before = merkle.leaf_hash(entry.leaf) if own else before
        made.append(entry)
    return made


ENTRIES = log_entries()


def grown(size: int) -> tuple[dict[merkle.Coordinate, bytes], bytes]:
    """Every node of the tree of the first `size` entries, and its root."""
    nodes: dict[merkle.Coordinate, bytes] = {}
    stack: list[bytes] = []
    for at, entry in enumerate(ENTRIES[:size]):
        nodes[0, at] = merkle.leaf_hash(entry.leaf)
        nodes |= {(level, place): node for level, place, node in merkle.extend(at, stack, nodes[0, at])}
    return nodes, merkle.fold(stack)


def note(size: int) -> str:
    return SIGNER.sign(size, grown(size)[1])


def receipt(index: int, size: int) -> Receipt:
    """The agency's view of one entry: class `hold` stays closed to it."""
    entry = ENTRIES[index]
    path = merkle.assemble(merkle.inclusion_plan(index, size), grown(size)[0])
    openings = [*open_class(entry, FieldClass.OP, KEYS.op), *open_class(entry, FieldClass.REQ, KEYS.req)]
    openings += [open_parties(entry)] if index == PROVES_PARTIES else []
    openings.sort(key=lambda each: each.slot)
    return Receipt(index, entry.leaf, entry.digests, tuple(openings), path, note(size))


def cosigned(text: str, *, by: int, witnesses: Sequence[Ed25519PrivateKey] = WITNESSES) -> str:
    """The note with a cosignature of the first `by` witnesses (C2SP tlog-cosignature, Ed25519)."""
    signed = text.rpartition("\n\n")[0] + "\n"
    for number, key in enumerate(witnesses[:by]):
        message = f"cosignature/v1\ntime {1_790_000_100 + number}\n{signed}".encode()
        name, raw = f"witness-{number}.example", key.public_key().public_bytes_raw()
        key_id = sha256(name.encode() + b"\n\x04" + raw).digest()[:4]
        signature = key_id + (1_790_000_100 + number).to_bytes(8, "big") + key.sign(message)
        text += f"\u2014 {name} {encode_base64(signature)}\n"
    return text


def witness_policy(threshold: int, *, witnesses: Sequence[Ed25519PrivateKey] = WITNESSES) -> str:
    lines = []
    for number, key in enumerate(witnesses):
        name, raw = f"witness-{number}.example", b"\x04" + key.public_key().public_bytes_raw()
        key_id = sha256(name.encode() + b"\n" + raw).hexdigest()[:8]
        lines.append(f"witness w{number} {name}+{key_id}+{encode_base64(raw)}")
    return "\n".join([*lines, f"group g {threshold} w0 w1 w2", "quorum g", ""])


def evidence(*, complete: bool = True, cosignatures: int = 0, threshold: int = 0) -> Evidence:
    """Everything that concerns the agency, read on two pages."""
    indexes = range(0, NEWEST, 2)
    consistency = merkle.assemble(merkle.consistency_plan(EARLIER, NEWEST), grown(NEWEST)[0])
    # What witnesses have seen lags behind the log.
    earlier = cosigned(note(EARLIER), by=cosignatures)
    entries = []
    for index in indexes:
        proof = receipt(index, EARLIER if index < EARLIER else NEWEST)
        entries.append(Proved(proof, f"Entry {index} in words."))
    return Evidence(
        log_key=SIGNER.public,
        states=(Signed(earlier), Signed(note(NEWEST), consistency)),
        entries=tuple(entries),
        asked=("everything",),
        complete=complete,
        policy={"rules.toml": 'version = "invented"\n', "rules.txt": "Nobody may do anything.\n"},
        witness_policy=witness_policy(threshold) if threshold else "",
    )


def bundle(*, complete: bool = True, cosignatures: int = 0, threshold: int = 0) -> bytes:
    return make_bundle(evidence(complete=complete, cosignatures=cosignatures, threshold=threshold))


SEED: Final = "drawn in a meeting in Año Nuevo"


def sample_evidence() -> Evidence:
    """Three of the agency's entries, as the seed draws them."""
    whole = evidence(complete=False)
    population = tuple(each.receipt.index for each in whole.entries)
    drawn = draw(population, 3, seed=SEED, origin=SIGNER.public.origin)
    chosen = tuple(each for each in whole.entries if each.receipt.index in drawn)
    return replace(whole, entries=chosen, sample=Sample(SEED, population, NEWEST))


def files_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: Mapping[str, bytes], *, sums: bool = True) -> bytes:
    """A bundle of these files; whoever changes one can make its SHA256SUMS too, so by default it is made anew."""
    if sums:
        lines = [f"{sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files) if name != "SHA256SUMS"]
        files = {**files, "SHA256SUMS": "".join(lines).encode()}
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


Change = Callable[[dict[str, bytes]], None]


def edited(name: str, row: int, edit: Callable[[dict[str, object]], object]) -> Change:
    """Changes one JSON line of a file."""

    def change(files: dict[str, bytes]) -> None:
        rows = [json.loads(line) for line in files[name].decode().splitlines()]
        edit(rows[row])
        files[name] = "".join(json.dumps(each) + "\n" for each in rows).encode()

    return change


def changed(change: Change, *, sums: bool = True, data: bytes | None = None) -> bytes:
    files = files_of(data or bundle())
    change(files)
    return packed(files, sums=sums)


_BOTH = ("entries.jsonl", "proofs.jsonl")


def _later(leaf: object) -> bytes:
    raw = decode_base64(str(leaf))
    return raw[:8] + bytes([raw[8] ^ 1]) + raw[9:]


def _flip(row: dict[str, object], name: str) -> None:
    text = str(row[name])
    row[name] = ("B" if text[0] == "A" else "A") + text[1:]


def _openings(row: dict[str, object]) -> list[dict[str, object]]:
    return row["openings"]  # type: ignore[return-value]  # JSON


def _drop(name: str) -> Change:
    def change(files: dict[str, bytes]) -> None:
        del files[name]

    return change


def _without(row: int) -> Change:
    def change(files: dict[str, bytes]) -> None:
        for name in ("entries.jsonl", "proofs.jsonl"):
            lines = files[name].decode().splitlines(keepends=True)
            files[name] = "".join(lines[:row] + lines[row + 1 :]).encode()

    return change


def _checkpoints(edit: Callable[[list[dict[str, object]]], object]) -> Change:
    def change(files: dict[str, bytes]) -> None:
        kept = json.loads(files["checkpoints.json"])
        edit(kept)
        files["checkpoints.json"] = json.dumps(kept).encode()

    return change


def _other_log(files: dict[str, bytes]) -> None:
    other = LogSigner(SIGNER.public.origin, Ed25519PrivateKey.from_private_bytes(b"t" * 32))
    files["log.vkey"] = (other.public.vkey() + "\n").encode()


FORGERS: Final = tuple(Ed25519PrivateKey.from_private_bytes(bytes([97 + number]) * 32) for number in range(3))
"""Witnesses of the forger's making, under the names of the true ones."""


def _other_witnesses(files: dict[str, bytes]) -> None:
    files["witness-policy.txt"] = witness_policy(1, witnesses=FORGERS).encode()
    _checkpoints(lambda kept: kept[1].update(note=cosigned(note(NEWEST), by=1, witnesses=FORGERS)))(files)


def _without_witnesses(files: dict[str, bytes]) -> None:
    del files["witness-policy.txt"]
    _checkpoints(lambda kept: kept[0].update(note=note(EARLIER)))(files)


def _forked(kept: list[dict[str, object]]) -> None:
    kept[0]["note"] = SIGNER.sign(EARLIER, bytes(32))


def _twice(name: str, written: bytes, *, beside: bytes) -> bytes:
    """A bundle, of a sample where that is meant, in whose file something more is written before what it said."""
    data = make_bundle(sample_evidence()) if name == "sample.json" else bundle()
    change = lambda files: files.update({name: files[name].replace(beside, written + beside, 1)})  # noqa: E731
    return changed(change, data=data)


def _sampled(**said: object) -> bytes:
    """The sample's bundle, which says something else of its draw."""

    def change(files: dict[str, bytes]) -> None:
        files["sample.json"] = json.dumps(json.loads(files["sample.json"]) | said).encode()

    return changed(change, data=make_bundle(sample_evidence()))


def _cherry_picked() -> bytes:
    """Entries that somebody chose, with the draw of another sample beside them."""
    chosen = changed(lambda files: [_without(0)(files) for _ in range(4)] and None, data=bundle(complete=False))
    drawn = files_of(make_bundle(sample_evidence()))["sample.json"]
    return changed(lambda files: files.update({"sample.json": drawn}), data=chosen)


_NOT_DRAWN = "the entries are not those that the seed draws"
_NO_POPULATION = "what the sample is drawn from is malformed, out of order, or not in the log"
_SAMPLES: Final = {
    "a sample that was chosen": (_cherry_picked(), _NOT_DRAWN),
    "a sample by another seed": (_sampled(seed="another"), _NOT_DRAWN),
    "a sample of others": (_sampled(population=[1, 2, 3, 5, 7]), _NOT_DRAWN),
    "a sample of one entry twice": (_sampled(population=[0, 2, 2, 4, 6, 8, 10, 12]), _NO_POPULATION),
    "a sample of entries that are none": (_sampled(population=list(range(10_000)), before=10_000), _NO_POPULATION),
    "a sample of entries behind its end": (_sampled(before=9), _NO_POPULATION),
    "a sample of what is no entry": (_sampled(population=[False, 2, 4, 6, 8, 10, 12]), _NO_POPULATION),
    "a sample by another rule": (_sampled(rule="homeward/sample/v2"), _NO_POPULATION),
}


TWICE = "a name stands twice in an object"
TOO_FEW = "no checkpoint has the cosignatures that the policy asks for"
MUTANTS: Mapping[str, tuple[bytes, str]] = {
    "a file was changed": (
        changed(edited("entries.jsonl", 0, lambda row: row.update(sentence="x")), sums=False),
        "was changed after the bundle was made",
    ),
    "a file was added": (changed(lambda files: files.update(extra=b"x"), sums=False), "does not belong"),
    "a file is missing": (changed(_drop("proofs.jsonl")), "proofs.jsonl is missing"),
    "a name twice in the manifest": (_twice("manifest.json", b'"complete":false,', beside=b'"complete":'), TWICE),
    "a name twice in the checkpoints": (_twice("checkpoints.json", b'"note":"",', beside=b'"note":'), TWICE),
    "a name twice in an entry": (_twice("entries.jsonl", b'"sentence":"x",', beside=b'"sentence":'), TWICE),
    "a name twice in an opening, written in two ways": (
        _twice("entries.jsonl", b'"n\\u0061me":"kind",', beside=b'"name":'),
        TWICE,
    ),
    "a name twice in a proof": (_twice("proofs.jsonl", b'"state":9,', beside=b'"state":'), TWICE),
    "a name twice in a sample": (_twice("sample.json", b'"seed":"x",', beside=b'"seed":'), TWICE),
    "a value of a field": (
        changed(edited("entries.jsonl", 1, lambda row: _openings(row)[1].update(value=encode_base64(b"ALLOW")))),
        "entry 2: the field decision is not what was written",
    ),
    "a name of a field": (
        changed(edited("entries.jsonl", 1, lambda row: _openings(row)[1].update(name="outcome"))),
        "entry 2: the field outcome is not what was written",
    ),
    "a field moved to another place": (
        changed(edited("entries.jsonl", 1, lambda row: _openings(row)[1].update(slot=0))),
        "entry 2: the open fields are out of order",
    ),
    "who took part": (
        changed(edited("entries.jsonl", 2, lambda row: _openings(row)[-1].update(value=encode_base64(b"a 9  0")))),
        "entry 4: the field parties is not what was written",
    ),
    "a field under the name of who took part": (
        changed(edited("entries.jsonl", 1, lambda row: _openings(row)[1].update(name="parties"))),
        "entry 2: the open fields are out of order",
    ),
    "a digest": (
        changed(edited("entries.jsonl", 1, lambda row: _flip(row, "digests"))),
        "entry 2: the digests are not those",
    ),
    "a leaf's time": (
        changed(edited("entries.jsonl", 1, lambda row: row.update(leaf=encode_base64(_later(row["leaf"]))))),
        "entry 2: it is not in the log",
    ),
    "an entry at another place": (
        changed(lambda files: [edited(name, 1, lambda row: row.update(index=3))(files) for name in _BOTH] and None),
        "entry 3: it is not in the log",
    ),
    "entries out of order": (
        changed(lambda files: [edited(name, 1, lambda row: row.update(index=0))(files) for name in _BOTH] and None),
        "entry 0: the entries are out of order",
    ),
    "a proof that is too short": (
        changed(edited("proofs.jsonl", 1, lambda row: row["hashes"].pop())),  # type: ignore[attr-defined]
        "entry 2: an inclusion path is too short",
    ),
    "a proof of another state": (
        changed(edited("proofs.jsonl", 1, lambda row: row.update(state=1))),
        "entry 2: ",
    ),
    "a proof of no state": (
        changed(edited("proofs.jsonl", 1, lambda row: row.update(state=-1))),
        "entry 2: it names a checkpoint that is not there",
    ),
    "an entry withheld": (changed(_without(2)), "between number 2 and it is withheld"),
    "the first entry withheld": (changed(_without(0)), "between number 0 and it is withheld"),
    "another log's key": (changed(_other_log), "a checkpoint is not signed by the log"),
    "a checkpoint's size": (
        changed(_checkpoints(lambda kept: kept[1].update(note=str(kept[1]["note"]).replace("\n13\n", "\n14\n")))),
        "a checkpoint is not signed by the log",
    ),
    "two histories": (changed(_checkpoints(_forked)), "the log"),
    "a consistency proof left out": (
        changed(_checkpoints(lambda kept: kept[1].update(consistency=[]))),
        "a consistency proof is missing",
    ),
    "too few cosignatures": (
        changed(lambda files: files.update({"witness-policy.txt": witness_policy(3).encode()}),
                data=bundle(cosignatures=2, threshold=2)),
        TOO_FEW,
    ),
    "text that is no JSON": (
        changed(lambda files: files.update({"entries.jsonl": b"{"})),
        "a file of the bundle is malformed",
    ),
    **_SAMPLES,
    "a value of another type": (
        changed(edited("entries.jsonl", 1, lambda row: row.update(openings=7))),
        "a file of the bundle is malformed",
    ),
}  # fmt: skip
"""What somebody could change in a bundle, its sums made anew where that is possible, and what both verifiers say."""

OWN_POLICY_MUTANTS: Mapping[str, tuple[bytes, str]] = {
    "witnesses of the forger's making": (changed(_other_witnesses, data=bundle(threshold=2)), TOO_FEW),
    "the policy taken away with the cosignatures": (
        changed(_without_witnesses, data=bundle(cosignatures=2, threshold=2)),
        TOO_FEW,
    ),
}
"""What looks whole by what the bundle says of its witnesses: found with `witness_policy(2)` from elsewhere."""
