"""Golden cases: what the bundle must decide in situations people can read, as data.

Reads the cases beside the bundle and runs them through the same functions as a real call,
authorities and their dates included. A case whose refusal arose after a youth was looked for
is compared, as the caller sees it, with the same request for an unknown youth. The people and
agencies in the cases are invented.
"""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

from gateway.protocol.authority import Authority, AuthorityFacts, Subject, Use, check
from gateway.protocol.decide import Decision, Located, RequestFacts, YouthFacts, decide_request, decide_youth
from gateway.protocol.names import (
    AgencyKind,
    AuthorityId,
    Basis,
    DisclosureMode,
    EvidenceKind,
    FieldSet,
    FlagState,
    Grantor,
    NameSyntaxError,
    Notice,
    Obligation,
    Purpose,
    Restriction,
    parse_agency_id,
    parse_role,
)
from gateway.protocol.outcomes import REASONS, Outcome, Phase, Reason
from gateway.protocol.policy.fieldsets import expand
from gateway.protocol.policy.rules import Policy

CALIFORNIA: Final = "golden-california-2026-11.toml"
"""File name of the shipped cases, beside this module."""
_YOUTH: Final = frozenset({b"\x01" * 32})
_OTHER_YOUTH: Final = frozenset({b"\x02" * 32})


class GoldenError(ValueError):
    """The file of cases is malformed. Cases are invented, so the text may quote them."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Authority(_Strict):
    basis: Basis
    grantor: Grantor
    purposes: frozenset[Purpose]
    field_sets: frozenset[FieldSet]
    effective: AwareDatetime
    expire: AwareDatetime
    expires_at_majority: StrictBool = False
    revoked: StrictBool = False
    for_another_youth: StrictBool = False


class _Youth(_Strict):
    located: Located
    coverage_complete: StrictBool = True
    owner: StrictStr | None = None
    flag: FlagState | None = None
    restriction: Restriction = Restriction.NONE
    placed_in_callers_county: StrictBool = False
    agreement: StrictBool = True


class _Expect(_Strict):
    permit: StrictBool
    outcome: Outcome
    reason: Reason
    field_sets: tuple[FieldSet, ...] = ()
    basis: Basis | None = None
    mode: DisclosureMode | None = None
    notices: tuple[Notice, ...] = ()
    obligations: tuple[Obligation, ...] = ()


class Case(_Strict):
    """One situation and what the policy must make of it."""

    id: Annotated[StrictStr, Field(pattern=r"^[A-Z][0-9]{2}[a-z]?$")]
    title: StrictStr
    at: AwareDatetime
    agency: StrictStr
    kind: AgencyKind
    role: StrictStr
    purpose: Purpose
    asks: tuple[FieldSet, ...]
    evidence: frozenset[EvidenceKind] = frozenset()
    login_age_seconds: StrictInt | None = None
    emergency_uses: StrictInt = 0
    authority: _Authority | None = None
    youth: _Youth | None = None
    """None: the request alone must be refused."""
    expect: _Expect


class _Cases(_Strict):
    case: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of one case; no differences means it passed."""

    case: Case
    decision: Decision
    differences: tuple[str, ...]


def load_california_cases() -> tuple[Case, ...]:
    """The cases that ship with the bundle."""
    return parse_cases((files(__package__) / CALIFORNIA).read_text(encoding="utf-8"))


def parse_cases(text: str) -> tuple[Case, ...]:
    """The cases of a TOML file, ids unique. Raises `GoldenError`."""
    try:
        cases = _Cases.model_validate(tomllib.loads(text)).case
    except (tomllib.TOMLDecodeError, ValidationError) as problem:
        raise GoldenError(str(problem)) from problem
    ids = [case.id for case in cases]
    repeated = sorted({each for each in ids if ids.count(each) > 1})
    if repeated or not cases:
        raise GoldenError(f"ids used twice: {', '.join(repeated)}" if repeated else "no cases")
    return cases


def run(policy: Policy, cases: Iterable[Case]) -> tuple[CaseResult, ...]:
    """Every case decided under the policy, in order."""
    return tuple(_result(policy, case) for case in cases)


def request_of(case: Case) -> RequestFacts:
    """The request facts of a case, its authority checked at its time. Raises `GoldenError` for a bad name."""
    try:
        agency, role = parse_agency_id(case.agency), parse_role(case.role)
    except NameSyntaxError as problem:
        raise GoldenError(f"{case.id}: {problem}") from problem
    return RequestFacts(
        agency=agency,
        agency_kind=case.kind,
        role=role,
        purpose=case.purpose,
        field_sets=case.asks,
        evidence=case.evidence,
        authority=_authority(case, Use(case.purpose, case.asks, agency, role, token_digests=_YOUTH)),
        received_at=case.at,
        login_age_seconds=case.login_age_seconds,
        emergency_uses=case.emergency_uses,
    )


def _authority(case: Case, use: Use) -> AuthorityFacts | None:
    given = case.authority
    if given is None:
        return None
    authority = Authority(
        authority_id=AuthorityId(bytes(16)),
        basis=given.basis,
        grantor=given.grantor,
        issuer_agency=use.agency,
        subject=Subject(token_digests=_OTHER_YOUTH if given.for_another_youth else _YOUTH),
        purposes=given.purposes,
        field_sets=given.field_sets,
        recipient_agencies=frozenset({use.agency}),
        recipient_roles=frozenset(),
        effective_time=given.effective,
        expire_time=given.expire,
        expires_at_majority=given.expires_at_majority,
    )
    return check(authority, use, case.at, revoked=given.revoked)


def _youth_of(case: Case, youth: _Youth) -> YouthFacts:
    return YouthFacts(
        located=youth.located,
        coverage_complete=youth.coverage_complete,
        owner=None if youth.owner is None else parse_agency_id(youth.owner),
        flag=youth.flag,
        restriction=youth.restriction,
        placed_in_callers_county=youth.placed_in_callers_county,
        agreement_with_owner=youth.agreement,
        authority_covers_youth=case.authority is not None and not case.authority.for_another_youth,
    )


def _result(policy: Policy, case: Case) -> CaseResult:
    request = request_of(case)
    first = decide_request(policy, request)
    if case.youth is None:
        early = () if not first.permit else ("the request alone is not refused",)
        return CaseResult(case, first, (*early, *_differences(case.expect, first)))
    decision = decide_youth(policy, request, _youth_of(case, case.youth), first)
    differences = [] if first.permit else ["the request alone is refused already"]
    differences += _differences(case.expect, decision)
    row = REASONS[decision.reason]
    if row.phase is Phase.YOUTH and row.outcome is None:
        unknown = YouthFacts(located=Located.NONE, coverage_complete=case.youth.coverage_complete)
        if decide_youth(policy, request, unknown, first).public != decision.public:
            differences.append("does not look like an unknown youth")
    return CaseResult(case, decision, tuple(differences))


def _differences(expect: _Expect, decision: Decision) -> Iterator[str]:
    for name in ("permit", "outcome", "reason", "basis", "mode"):
        wanted, found = getattr(expect, name), getattr(decision, name)
        if wanted != found:
            yield f"{name}: expected {wanted}, got {found}"
    if expand(expect.field_sets) != decision.field_sets:
        yield f"field_sets: expected {_names(expand(expect.field_sets))}, got {_names(decision.field_sets)}"
    for notice in expect.notices:
        if notice not in decision.notices:
            yield f"notices: {notice} is missing"
    for obligation in expect.obligations:
        if obligation not in decision.obligations:
            yield f"obligations: {obligation} is missing"


def _names(field_sets: Iterable[FieldSet]) -> str:
    return " ".join(field_sets)
