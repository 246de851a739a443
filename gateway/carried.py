"""What goes between the two processes of `aside`, as the plain values that `Apart` carries.

Decides forms alone, each with its way back. Both ends are one program in one version, so a form needs no version of its
own, and nothing is checked: what was wrong would have been wrong where it was made.
"""

from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Final

from audit.statement import Params
from gateway.exchange.circumstances import Circumstances
from gateway.exchange.locate import NOTHING, Candidate, FlagRow, Found
from gateway.exchange.settle import Settled, youth_facts
from gateway.protocol.assertion import Claims
from gateway.protocol.decide import Decision
from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import (
    AgencyId,
    Basis,
    DisclosureMode,
    FieldSet,
    FlagState,
    Notice,
    Obligation,
    Purpose,
    Restriction,
    Retention,
    SubjectHandle,
)
from gateway.protocol.outcomes import Outcome, Reason
from gateway.protocol.policy.facts import Located, milliseconds, moment_of
from gateway.protocol.policy.rules import RuleId

_NAMES: Final = tuple(each.name for each in fields(Claims))
_TIMES: Final = tuple(map(_NAMES.index, ("issued", "expires", "login")))
_PURPOSE: Final = _NAMES.index("purpose")
_DECISIONS_KEPT: Final = 1024
"""More than there are rules and reasons."""


def plain_claims(claims: Claims) -> Params:
    """Of an assertion that counts."""
    plain = [getattr(claims, name) for name in _NAMES]
    plain[_PURPOSE] = str(claims.purpose)
    for at in _TIMES:
        plain[at] = milliseconds(plain[at])
    return tuple(plain)


def claims_of(plain: Params) -> Claims:
    """`plain_claims`, back."""
    values = list(plain)
    values[_PURPOSE] = Purpose(values[_PURPOSE])
    for at in _TIMES:
        values[at] = moment_of(values[at])
    return Claims(*values)


def plain_circumstances(circumstances: Circumstances) -> Params:
    """Of the questions that follow."""
    return (tuple(circumstances.stale.items()), circumstances.records, circumstances.auto)


def circumstances_of(stale: Sequence[tuple[str, tuple[str, ...]]], records: int, auto: bool) -> Circumstances:
    """`plain_circumstances`, back."""
    return Circumstances(dict(stale), records, auto)


def plain_decision(decision: Decision) -> Params:
    """Of words alone."""
    return (
        decision.permit,
        str(decision.outcome),
        str(decision.reason),
        decision.rule_id,
        tuple(map(str, decision.field_sets)),
        tuple(map(str, decision.withheld)),
        _word(decision.basis),
        _word(decision.mode),
        _word(decision.retention),
        tuple(map(str, decision.notices)),
        tuple(map(str, decision.obligations)),
    )


@lru_cache(_DECISIONS_KEPT)
def decision_of(plain: Params) -> Decision:
    """`plain_decision`, back."""
    permit, outcome, reason, rule, granted, withheld, basis, mode, retention, notices, obligations = plain
    return Decision(
        permit=permit,
        outcome=Outcome(outcome),
        reason=Reason(reason),
        rule_id=None if rule is None else RuleId(rule),
        field_sets=tuple(map(FieldSet, granted)),
        withheld=tuple(map(FieldSet, withheld)),
        basis=None if basis is None else Basis(basis),
        mode=None if mode is None else DisclosureMode(mode),
        retention=None if retention is None else Retention(retention),
        notices=tuple(map(Notice, notices)),
        obligations=tuple(map(Obligation, obligations)),
    )


def plain_found(found: Found) -> Params | None:
    """None for nobody. Youths are carried once, and named by their place."""
    if found == NOTHING and not found.likely:
        return None
    one = () if found.candidate is None else (found.candidate,)
    youths = {id(each): each for each in (*one, *found.flagged, *found.unsettled, *found.likely)}
    places = {known: place for place, known in enumerate(youths)}
    return (
        tuple(map(_plain_candidate, youths.values())),
        str(found.located),
        # The candidate, if there is one, is the first of the youths.
        0 if one else None,
        _word(found.flag_state),
        tuple(places[id(each)] for each in found.flagged),
        tuple(places[id(each)] for each in found.unsettled),
        found.linked,
        tuple(places[id(each)] for each in found.likely),
    )


def found_of(plain: Params | None) -> Found:
    """`plain_found`, back."""
    if plain is None:
        return NOTHING
    youths, located, one, state, flagged, unsettled, linked, likely = plain
    all_of = [_candidate(*each) for each in youths]
    return Found(
        located=Located(located),
        candidate=None if one is None else all_of[one],
        flag_state=None if state is None else FlagState(state),
        flagged=tuple(all_of[place] for place in flagged),
        unsettled=tuple(all_of[place] for place in unsettled),
        linked=linked,
        likely=tuple(all_of[place] for place in likely),
    )


def plain_settled(settled: Settled) -> Params:
    """Without what both processes know: the directory, and what follows from it and from whom was found."""
    looked = settled.youth is not None
    return plain_decision(settled.decision), plain_found(settled.found), looked, settled.stale, settled.committed


def settled_of(plain: Params, asking: AgencyId, directory: DirectoryView) -> Settled:
    """`plain_settled`, back; of a question of this agency, under this directory."""
    decision, carried, looked, stale, committed = plain
    found = found_of(carried)
    youth = youth_facts(found, asking, None, directory, coverage_complete=not stale) if looked else None
    return Settled(decision_of(decision), found, youth, stale, committed, directory)


def _plain_candidate(candidate: Candidate) -> Params:
    flag = candidate.flag
    return (
        candidate.owner,
        bytes(candidate.handle),
        tuple(candidate.agreeing_keys),
        tuple(candidate.carried_keys),
        str(candidate.restriction),
        candidate.placement_county,
        None if flag is None else (flag.flag_id, str(flag.state), flag.version, flag.sealed),
    )


def _candidate(
    owner: str,
    handle: bytes,
    agreeing: Sequence[str],
    carried: Sequence[str],
    restriction: str,
    placement_county: str,
    flag: tuple[bytes, str, int, bytes] | None,
) -> Candidate:
    return Candidate(
        owner=AgencyId(owner),
        handle=SubjectHandle(handle),
        agreeing_keys=frozenset(agreeing),
        carried_keys=frozenset(carried),
        restriction=Restriction(restriction),
        placement_county=placement_county,
        flag=None if flag is None else FlagRow(flag[0], FlagState(flag[1]), flag[2], flag[3]),
    )


def _word(word: object) -> str | None:
    return None if word is None else str(word)
