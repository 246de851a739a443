"""From fetched entries to an evidence bundle, and to a sample of them without identity.

Decides what a bundle says was asked, which rules it carries, and that a sample opens nothing by which a youth or a
worker could be found. The bundle's form is decided in `audit.bundle`, the draw in `audit.sample`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files

from adapters.audit_entries import Found, opened_of
from adapters.node.access_words import sentence
from audit.bundle import Evidence, Proved, Signed
from audit.receipt import Receipt
from audit.sample import IMPERSONAL, Sample, draw
from gateway.protocol.policy import english
from gateway.protocol.policy.bundle import CALIFORNIA, load_california


def whole_evidence(found: Found, asked: Sequence[str], *, witness_policy: str = "") -> Evidence:
    """Every entry of the agency; the last one is the reading itself."""
    if found.reading is None:
        raise AssertionError("what is fetched was read")
    proofs = (*found.proofs, found.reading)
    return replace(_evidence(found, proofs, asked, witness_policy), complete=True)


def chosen_evidence(found: Found, asked: Sequence[str], *, witness_policy: str = "") -> Evidence:
    """The entries that were selected."""
    return _evidence(found, found.proofs, asked, witness_policy)


def sampled(found: Found, count: int, seed: str) -> tuple[Receipt, ...]:
    """So many of the entries, drawn by the seed, with nothing of a person open."""
    indexes = draw((proof.index for proof in found.proofs), count, seed=seed, origin=found.log_key.origin)
    wanted = frozenset(indexes)
    return tuple(_impersonal(proof) for proof in found.proofs if proof.index in wanted)


def told(receipt: Receipt) -> str:
    """The entry in words, from its open fields."""
    return sentence(*opened_of(receipt))


def sample_evidence(
    found: Found, drawn: Sequence[Receipt], asked: Sequence[str], *, seed: str, before: int, witness_policy: str = ""
) -> Evidence:
    """A bundle of the drawn entries, and of which entries they were drawn from."""
    sample = Sample(seed, tuple(proof.index for proof in found.proofs), before)
    return replace(_evidence(found, drawn, asked, witness_policy), sample=sample)


def rules() -> Mapping[str, str]:
    """The policy bundle this release carries: as data, and in English."""
    policy = load_california()
    data = (files("gateway.protocol.policy") / CALIFORNIA).read_text("utf-8")
    words = [english.banner(policy), ""]
    words += [f"{rule.rule_id}\n  {english.sentence(rule, policy)}\n" for rule in policy.rules]
    words.append(f"{policy.emergency.rule_id}\n  {english.emergency_sentence(policy.emergency)}")
    return {CALIFORNIA: data, CALIFORNIA.replace(".toml", ".txt"): "\n".join(words) + "\n"}


def _evidence(found: Found, proofs: Sequence[Receipt], asked: Sequence[str], witness_policy: str) -> Evidence:
    return Evidence(
        log_key=found.log_key,
        states=tuple(Signed(state.note, state.consistency) for state in found.states),
        entries=tuple(Proved(proof, told(proof)) for proof in proofs),
        asked=tuple(asked),
        policy=rules(),
        witness_policy=witness_policy,
    )


def _impersonal(receipt: Receipt) -> Receipt:
    return replace(receipt, openings=tuple(each for each in receipt.openings if each.name in IMPERSONAL))
