"""The policy as values: rules, flag acts, the emergency modality, and the indexed bundle.

Decides the shape of a rule. The rules themselves are data (`california-2026-11.toml`),
`bundle` reads them, `decide` applies them. A rule whose basis is STATUTE has no place for an
authority, so a bundle cannot make a consent gate a statutory purpose.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NewType

from gateway.protocol.names import (
    AgencyKind,
    Basis,
    DisclosureMode,
    EvidenceKind,
    FlagAct,
    Notice,
    Obligation,
    Purpose,
    Retention,
    Role,
    YouthPrecondition,
)
from gateway.protocol.outcomes import Reason

RuleId = NewType("RuleId", str)
"""Purpose, a dot, the role group; for example `MFC_LOCATE.casework`. Stable across versions."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: these roles, for this purpose, on this basis, receive at most these field sets."""

    rule_id: RuleId
    purpose: Purpose
    roles: tuple[Role, ...]
    bases: tuple[Basis, ...]
    """`(STATUTE,)`, or the kinds of authority of which one is required."""
    citations: tuple[str, ...]
    evidence_all: frozenset[EvidenceKind]
    evidence_any: frozenset[EvidenceKind]
    """One of these is required; empty: none is."""
    youth_all: frozenset[YouthPrecondition]
    youth_waived_by: frozenset[EvidenceKind]
    """Evidence in whose presence ACTIVE_FLAG is not required."""
    counsel_question: str
    """What county counsel must still settle about this row; empty when nothing is open."""
    mask: int
    """Field sets at most, expanded (`fieldsets`)."""
    mode: DisclosureMode
    retention: Retention
    notices: tuple[Notice, ...]
    obligations: tuple[Obligation, ...]

    @property
    def needs_authority(self) -> bool:
        """Whether an authority must be named in the request."""
        return self.bases != (Basis.STATUTE,)


@dataclass(frozen=True, slots=True)
class EmergencyRule:
    """The break-glass modality: what it may override, for whom, for how long, and how much it gives."""

    rule_id: RuleId
    roles: frozenset[Role]
    evidence_all: frozenset[EvidenceKind]
    overrides: frozenset[Reason]
    citations: tuple[str, ...]
    mask: int
    max_life_seconds: int
    max_login_age_seconds: int
    max_uses: int
    """Uses per user within `uses_period_days`, this one included."""
    uses_period_days: int
    mode: DisclosureMode
    retention: Retention
    notices: tuple[Notice, ...]
    obligations: tuple[Obligation, ...]


@dataclass(frozen=True, slots=True)
class FlagActRule:
    """One row: these roles, for these purposes, may say this of a missing youth."""

    rule_id: RuleId
    act: FlagAct
    purposes: tuple[Purpose, ...]
    roles: tuple[Role, ...]
    citations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the policy bundle, indexed for deciding."""

    version: str
    jurisdiction: str
    effective_date: date
    counsel_confirmed: bool
    digest: bytes = field(repr=False)
    """SHA-256 of the exact bytes of the bundle, 32 bytes."""
    prohibited_kinds: frozenset[AgencyKind] = field(repr=False)
    """Kinds of agency that receive nothing, for any purpose and in any emergency (WIC 831)."""
    labels: Mapping[Purpose, str] = field(repr=False)
    rules: tuple[Rule, ...] = field(repr=False)
    flag_acts: tuple[FlagActRule, ...] = field(repr=False)
    emergency: EmergencyRule = field(repr=False)
    index: Mapping[tuple[Purpose, Role], tuple[Rule, ...]] = field(repr=False)
    """Rules of a purpose for a role, in the bundle's order: the first whose conditions hold applies."""
    flag_act_roles: Mapping[tuple[FlagAct, Purpose], frozenset[Role]] = field(repr=False)
    """Roles that may do an act for a purpose; what is not listed, nobody may."""
    by_id: Mapping[RuleId, Rule | EmergencyRule] = field(repr=False)
    """Every rule of disclosure, the emergency modality included."""
