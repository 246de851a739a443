"""Reads a policy bundle: exact bytes in, an indexed and checked `Policy` out.

Decides what a well-formed bundle is; a bundle that breaks any of the invariants below is
refused whole, with every problem named at its line. Does not verify who signed the bundle.

* every purpose has a label and at least one rule; rule ids are unique and begin with their purpose
* STATUTE stands alone: no authority can be required beside it; EMERGENCY is no rule's basis
* a report-in role or a prohibited kind is in no rule, so nothing can answer it
* a later rule for the same purpose and role allows no more than an earlier one
* VIEW_ONLY and its notice go together
* flag acts: whoever reviews is in no row; whoever may learn of a flag for a purpose, if only in an emergency, may
  report the youth located for it, and nobody may for a purpose by which no flag is learned of; whoever keeps flags may
  claim the purpose, and report
* the emergency modality stays within FS2 and FS6 and four hours, whatever the data say (DOMAIN §3.2)
"""

import tomllib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from hashlib import sha256
from importlib.resources import files
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

from gateway.protocol.names import (
    OVERSEERS,
    REPORT_IN_ROLES,
    ROLES,
    ROLES_BY_KIND,
    ROLES_HELD_BY_KIND,
    AgencyKind,
    Basis,
    DisclosureMode,
    EvidenceKind,
    FieldSet,
    FlagAct,
    NameSyntaxError,
    Notice,
    Obligation,
    Purpose,
    Retention,
    Role,
    YouthPrecondition,
    parse_role,
)
from gateway.protocol.outcomes import Reason
from gateway.protocol.policy.bundle_faults import BundleError, Fault, placed, shape_faults, unread
from gateway.protocol.policy.fieldsets import ACK, FLAG_STATUS, REVIEW, mask_of
from gateway.protocol.policy.rules import EmergencyRule, FlagActRule, Policy, Rule, RuleId
from gateway.protocol.policy.toml_places import TomlPlaces
from gateway.protocol.setting_names import Path
from gateway.protocol.strict_yaml import Problem

CALIFORNIA: Final = "california-2026-11.toml"
"""File name of the shipped bundle, beside this module."""
MAX_BYTES: Final = 256 * 1024
MAX_EMERGENCY_SECONDS: Final = 4 * 60 * 60
_EMERGENCY_MASK: Final = mask_of((FieldSet.FS2_FLAG_LOCATE, FieldSet.FS6_JURISDICTION_CONTACT))


def _roles(name: str) -> str:
    try:
        _expand((name,))
    except NameSyntaxError:
        raise ValueError(f'no such role "{name}"; homeward policy show lists them') from None
    return name


RoleNames = Annotated[StrictStr, AfterValidator(_roles)]
"""A role, or every one of a kind: `CWA.*`."""
Text = Annotated[StrictStr, Field(min_length=1, max_length=400)]
Identifier = Annotated[StrictStr, Field(pattern=r"^[A-Z_]+\.[a-z_]{1,40}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Row(_Strict):
    id: Identifier
    roles: tuple[RoleNames, ...] = Field(min_length=1)
    citations: tuple[Text, ...] = Field(min_length=1)
    evidence_all: tuple[EvidenceKind, ...] = ()
    field_sets: tuple[FieldSet, ...] = Field(min_length=1)
    mode: DisclosureMode
    retention: Retention
    notices: tuple[Notice, ...] = ()
    obligations: tuple[Obligation, ...] = ()


class _RuleRow(_Row):
    purpose: Purpose
    basis: tuple[Basis, ...] = Field(min_length=1)
    evidence_any: tuple[EvidenceKind, ...] = ()
    youth_all: tuple[YouthPrecondition, ...] = ()
    active_flag_waived_by: tuple[EvidenceKind, ...] = ()
    counsel_question: StrictStr = ""


class _FlagActRow(_Strict):
    id: Identifier
    act: FlagAct
    purposes: tuple[Purpose, ...] = Field(min_length=1)
    roles: tuple[RoleNames, ...] = Field(min_length=1)
    citations: tuple[Text, ...] = Field(min_length=1)


class _EmergencyRow(_Row):
    overrides: tuple[Reason, ...] = Field(min_length=1)
    max_life_seconds: StrictInt = Field(gt=0, le=MAX_EMERGENCY_SECONDS)
    max_login_age_seconds: StrictInt = Field(gt=0, le=3600)
    max_uses: StrictInt = Field(gt=0, le=100)
    uses_period_days: StrictInt = Field(gt=0, le=366)


class _Bundle(_Strict):
    format: Literal["homeward/policy/v1"]
    version: Annotated[StrictStr, Field(pattern=r"^[a-z0-9-]{1,64}$")]
    jurisdiction: Annotated[StrictStr, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
    effective_date: date
    counsel_confirmed: StrictBool
    prohibited_kinds: tuple[AgencyKind, ...]
    purposes: dict[Purpose, Text]
    rules: tuple[_RuleRow, ...]
    flag_acts: tuple[_FlagActRow, ...] = ()
    emergency: _EmergencyRow


def load_california() -> Policy:
    """The bundle that ships with this package."""
    return parse_bundle((files(__package__) / CALIFORNIA).read_bytes())


def parse_bundle(data: bytes, *, origin: str = "policy bundle", to_replay: bool = False) -> Policy:
    """The policy these exact bytes state; its digest is SHA-256 over them.

    Raises `BundleError` with every problem found; `origin` names the file in them. The bytes are untrusted until their
    signature was checked. `to_replay`: nothing is asked of the flag acts as a whole, nor that there are any. An earlier
    bundle decided what was asked under it all the same; one without flag acts lets nobody report a missing youth.
    """
    if len(data) > MAX_BYTES:
        raise BundleError([Problem(origin, 1, 1, "", f"longer than {MAX_BYTES} bytes", "")])
    try:
        text = data.decode("utf-8")
        document = tomllib.loads(text)
    except ValueError as problem:
        raise BundleError([unread(origin, problem)]) from problem
    faults: list[Fault] = []
    try:
        bundle = _Bundle.model_validate(document)
        faults += _problems(bundle)
        faults += _flag_act_problems(bundle) if bundle.flag_acts and not to_replay else ()
    except ValidationError as problem:
        faults += shape_faults(problem)
        faults += _faults_of_good_rows(document)
    if not to_replay and not document.get("flag_acts"):
        faults.append((("flag_acts",), "missing"))
    if faults:
        places = TomlPlaces(text)
        raise BundleError(placed(origin, places, document, fault) for fault in faults)
    return _policy(bundle, sha256(data).digest())


def _faults_of_good_rows(document: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with rules whose form is right, in a bundle of which another part is not."""
    rules = document.get("rules")
    kinds = document.get("prohibited_kinds")
    named = [each for each in kinds if isinstance(each, str)] if isinstance(kinds, list) else []
    prohibited = [AgencyKind(each) for each in named if each in AgencyKind.__members__]
    for number, row in enumerate(rules if isinstance(rules, list) else ()):
        with suppress(ValidationError):
            rule = _RuleRow.model_validate(row)
            yield from _row_problems(("rules", number), rule, prohibited)
            yield from _rule_problems(("rules", number), rule)
    acts = document.get("flag_acts")
    for number, row in enumerate(acts if isinstance(acts, list) else ()):
        with suppress(ValidationError):
            yield from _flag_act_row_problems(("flag_acts", number), _FlagActRow.model_validate(row))
    with suppress(ValidationError):
        yield from _emergency_problems(_EmergencyRow.model_validate(document.get("emergency")), prohibited)


def _problems(bundle: _Bundle) -> Iterator[Fault]:
    seen = {bundle.emergency.id}
    listed: tuple[tuple[str, tuple[_RuleRow | _FlagActRow, ...]], ...] = (
        ("rules", bundle.rules),
        ("flag_acts", bundle.flag_acts),
    )
    for table, rows in listed:
        for number, row in enumerate(rows):
            if row.id in seen:
                yield (table, number, "id"), "id is used twice"
            seen.add(row.id)
    for purpose in Purpose:
        if purpose not in bundle.purposes:
            yield ("purposes",), f"{purpose} has no label"
        if all(row.purpose is not purpose for row in bundle.rules):
            yield ("purposes", purpose), f"{purpose} has no rule"
    for number, rule in enumerate(bundle.rules):
        yield from _row_problems(("rules", number), rule, bundle.prohibited_kinds)
        yield from _rule_problems(("rules", number), rule)
    yield from _emergency_problems(bundle.emergency, bundle.prohibited_kinds)
    yield from _order_problems(bundle)


def _emergency_problems(row: _EmergencyRow, prohibited: Collection[AgencyKind]) -> Iterator[Fault]:
    yield from _row_problems(("emergency",), row, prohibited)
    if mask_of(row.field_sets) & ~_EMERGENCY_MASK:
        yield ("emergency", "field_sets"), "gives more than FS2 and FS6"


def _row_problems(path: Path, row: _Row, prohibited: Collection[AgencyKind]) -> Iterator[Fault]:
    for name in row.roles:
        roles = _expand((name,))
        if not REPORT_IN_ROLES.isdisjoint(roles):
            yield (*path, "roles"), f"{name} only reports in"
        if any(role in ROLES_HELD_BY_KIND[kind] for role in roles for kind in prohibited):
            yield (*path, "roles"), f"{name} belongs to a prohibited kind of agency"
        if not _is_review(row) and any(role in ROLES_HELD_BY_KIND[kind] for role in roles for kind in OVERSEERS):
            yield (*path, "roles"), f"{name} oversees, and may do nothing but review"
    if (row.mode is DisclosureMode.VIEW_ONLY) != (Notice.INSPECT_ONLY in row.notices):
        yield (*path, "mode"), "VIEW_ONLY and the notice INSPECT_ONLY go together"


def _is_review(row: _Row) -> bool:
    is_purpose = isinstance(row, _RuleRow) and row.purpose is Purpose.OVERSIGHT_AUDIT
    return is_purpose and mask_of(row.field_sets) == REVIEW


def _rule_problems(path: Path, row: _RuleRow) -> Iterator[Fault]:
    if not row.id.startswith(f"{row.purpose}."):
        yield (*path, "id"), "id does not begin with its purpose"
    if Basis.STATUTE in row.basis and len(row.basis) > 1:
        yield (*path, "basis"), "STATUTE stands alone; an authority cannot gate it"
    if Basis.EMERGENCY in row.basis:
        yield (*path, "basis"), "an emergency is a modality, not a rule's basis"
    if row.active_flag_waived_by and YouthPrecondition.ACTIVE_FLAG not in row.youth_all:
        yield (*path, "active_flag_waived_by"), "waives a flag it does not require"


def _order_problems(bundle: _Bundle) -> Iterator[Fault]:
    allowed: dict[tuple[Purpose, Role], int] = {}
    for number, row in enumerate(bundle.rules):
        for role in _expand(row.roles):
            mask = mask_of(row.field_sets)
            if mask & ~allowed.setdefault((row.purpose, role), mask):
                yield ("rules", number, "field_sets"), f"allows {role} more than an earlier rule does"


def _flag_act_row_problems(path: Path, row: _FlagActRow) -> Iterator[Fault]:
    if not row.id.startswith(f"{row.act}."):
        yield (*path, "id"), "id does not begin with its act"


def _flag_act_problems(bundle: _Bundle) -> Iterator[Fault]:
    may = _flag_act_roles(bundle)
    ruled = {(row.purpose, role) for row in bundle.rules for role in _expand(row.roles)}
    by_rule, learns = _learns(bundle.rules), _learns(bundle.rules) | _learns_in_emergency(bundle.emergency)
    reviewers = {role for purpose, role in ruled if purpose is Purpose.OVERSIGHT_AUDIT}
    barred = reviewers.union(*(ROLES_HELD_BY_KIND[kind] for kind in bundle.prohibited_kinds))
    for number, row in enumerate(bundle.flag_acts):
        path: Path = ("flag_acts", number)
        yield from _flag_act_row_problems(path, row)
        for role in sorted(barred.intersection(_expand(row.roles))):
            yield (*path, "roles"), f"{role} reviews, or belongs to a prohibited kind of agency, and reports nothing"
        if row.act is FlagAct.REPORT_LOCATED:
            others = set(row.purposes) - {purpose for purpose, _ in by_rule}
            blind = {purpose for purpose in others for role in _expand(row.roles) if (purpose, role) not in learns}
            yield from (((*path, "purposes"), f"for {purpose} nobody learns of a flag") for purpose in sorted(blind))
    acts: Path = ("flag_acts",)
    for purpose, role in sorted(learns - may[FlagAct.REPORT_LOCATED]):
        yield acts, f"{role} may learn of a flag for {purpose}, and not report the youth located"
    for purpose, role in sorted(may[FlagAct.KEEP_OWN_FLAG] - ruled):
        yield acts, f"{role} keeps flags for {purpose}, and no rule lets it claim that"
    for act in (FlagAct.REPORT_MISSING, FlagAct.REPORT_LOCATED):
        for purpose, role in sorted(may[FlagAct.KEEP_OWN_FLAG] - may[act]):
            yield acts, f"{role} keeps flags for {purpose}, and has no {act}"


def _learns(rows: Iterable[_RuleRow]) -> set[tuple[Purpose, Role]]:
    telling = [row for row in rows if mask_of(row.field_sets) & FLAG_STATUS & ~ACK]
    return {(row.purpose, role) for row in telling for role in _expand(row.roles)}


def _learns_in_emergency(row: _EmergencyRow) -> set[tuple[Purpose, Role]]:
    tells = mask_of(row.field_sets) & FLAG_STATUS & ~ACK
    return {(purpose, role) for purpose in Purpose for role in _expand(row.roles)} if tells else set()


def _flag_act_roles(bundle: _Bundle) -> dict[FlagAct, set[tuple[Purpose, Role]]]:
    may: dict[FlagAct, set[tuple[Purpose, Role]]] = {act: set() for act in FlagAct}
    for row in bundle.flag_acts:
        may[row.act] |= {(purpose, role) for purpose in row.purposes for role in _expand(row.roles)}
    return may


def _expand(names: Iterable[str]) -> tuple[Role, ...]:
    """Roles named, `KIND.*` expanded, in the order of the roles table. Raises `NameSyntaxError`."""
    found: set[Role] = set()
    for name in names:
        kind, _, rest = name.partition(".")
        if rest == "*" and kind in AgencyKind.__members__ and ROLES_BY_KIND[AgencyKind(kind)]:
            found |= ROLES_BY_KIND[AgencyKind(kind)]
        else:
            found.add(parse_role(name))
    return tuple(role for role in ROLES if role in found)


def _policy(bundle: _Bundle, digest: bytes) -> Policy:
    rules = tuple(_rule(row) for row in bundle.rules)
    emergency = _emergency(bundle.emergency)
    index: defaultdict[tuple[Purpose, Role], tuple[Rule, ...]] = defaultdict(tuple)
    for rule in rules:
        for role in rule.roles:
            index[rule.purpose, role] += (rule,)
    act_roles: defaultdict[tuple[FlagAct, Purpose], frozenset[Role]] = defaultdict(frozenset)
    for act, pairs in _flag_act_roles(bundle).items():
        for purpose, role in pairs:
            act_roles[act, purpose] |= {role}
    return Policy(
        version=bundle.version,
        jurisdiction=bundle.jurisdiction,
        effective_date=bundle.effective_date,
        counsel_confirmed=bundle.counsel_confirmed,
        digest=digest,
        prohibited_kinds=frozenset(bundle.prohibited_kinds),
        labels={purpose: bundle.purposes[purpose] for purpose in Purpose},
        rules=rules,
        flag_acts=tuple(
            FlagActRule(RuleId(row.id), row.act, row.purposes, _expand(row.roles), row.citations)
            for row in bundle.flag_acts
        ),
        emergency=emergency,
        index=dict(index),
        flag_act_roles=dict(act_roles),
        by_id={emergency.rule_id: emergency, **{rule.rule_id: rule for rule in rules}},
    )


def _rule(row: _RuleRow) -> Rule:
    return Rule(
        rule_id=RuleId(row.id),
        purpose=row.purpose,
        roles=_expand(row.roles),
        bases=row.basis,
        citations=row.citations,
        evidence_all=frozenset(row.evidence_all),
        evidence_any=frozenset(row.evidence_any),
        youth_all=frozenset(row.youth_all),
        youth_waived_by=frozenset(row.active_flag_waived_by),
        mask=mask_of(row.field_sets),
        mode=row.mode,
        retention=row.retention,
        notices=row.notices,
        obligations=row.obligations,
        counsel_question=row.counsel_question,
    )


def _emergency(row: _EmergencyRow) -> EmergencyRule:
    return EmergencyRule(
        rule_id=RuleId(row.id),
        roles=frozenset(_expand(row.roles)),
        evidence_all=frozenset(row.evidence_all),
        overrides=frozenset(row.overrides),
        citations=row.citations,
        mask=mask_of(row.field_sets),
        max_life_seconds=row.max_life_seconds,
        max_login_age_seconds=row.max_login_age_seconds,
        max_uses=row.max_uses,
        uses_period_days=row.uses_period_days,
        mode=row.mode,
        retention=row.retention,
        notices=row.notices,
        obligations=row.obligations,
    )
