"""`homeward policy`: read the rules of disclosure, ask what they give, run their golden cases.

Decides presentation only; every answer comes from the functions the gateway runs. Reads no
youth's data: `explain` speaks of a request, and lists what must hold of a youth besides.
"""

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import click

from gateway.policy_document import duties_document, identity_of, policy_document
from gateway.protocol.authority import AuthorityFacts, AuthorityStatus
from gateway.protocol.decide import Decision, RequestFacts, decide_request
from gateway.protocol.names import (
    ROLES,
    ROLES_BY_KIND,
    AgencyId,
    AgencyKind,
    Basis,
    Call,
    DisclosureMode,
    EvidenceKind,
    FieldSet,
    Obligation,
    Purpose,
    Role,
    YouthPrecondition,
)
from gateway.protocol.outcomes import OUTCOME_TEXT
from gateway.protocol.policy import english
from gateway.protocol.policy.bundle import MAX_BYTES, load_california, parse_bundle
from gateway.protocol.policy.bundle_faults import BundleError
from gateway.protocol.policy.duties import Side, county_duties
from gateway.protocol.policy.fieldsets import members
from gateway.protocol.policy.golden import CaseResult, load_california_cases, run
from gateway.protocol.policy.rules import Policy, Rule
from gateway.protocol.wire_names import WIRE_ENUMS, prefix_of
from homeward.failure import CommandFailure, ExitCode

_ASKING_AGENCY = AgencyId("06000.example")
"""Stands for any agency: no rule looks at which agency asks."""
_STAFF = {Side.ASKING: "asking county", Side.OWNER: "owner county"}
_MODES = {DisclosureMode.VIEW_ONLY: "view", DisclosureMode.COPY_PERMITTED: "copy"}
_CALLS = {Call.FLAG_CHECK: "flag check", Call.RECORD: "record request"}
_BUNDLE = click.option(
    "--bundle",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Policy bundle to read instead of the one that ships.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")


class _Listed(click.Choice[str]):
    """A value of a shared list, also as the API spells it: `PURPOSE_HOTLINE_SCREEN` is HOTLINE_SCREEN."""

    def __init__(self, values: Iterable[StrEnum]) -> None:
        given = list(values)
        super().__init__([each.value for each in given])
        self._prefix = prefix_of(WIRE_ENUMS[type(given[0])])

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The value without the prefix; refused as any choice is."""
        return super().convert(value.removeprefix(self._prefix), param, ctx)


@click.group()
def policy() -> None:
    """Show, explain and test the rules of disclosure."""


@policy.command()
@_BUNDLE
@_JSON
def show(bundle: Path | None, as_json: bool) -> None:
    """Print every rule: a table, then one paragraph of English each."""
    rules = _load(bundle)
    if as_json:
        click.echo(json.dumps(policy_document(rules), indent=2))
        return
    click.echo(_banner(rules))
    click.echo("\n".join(_table(rules)))
    for rule in rules.rules:
        click.echo(f"\n{rule.rule_id}\n{_paragraph(english.sentence(rule, rules))}")
        if rule.counsel_question:
            click.echo(f"  For counsel: {rule.counsel_question}")
    click.echo(f"\n{rules.emergency.rule_id}\n{_paragraph(english.emergency_sentence(rules.emergency))}")
    click.echo("\nWhat staff may say of a missing youth; nobody else may")
    for each in rules.flag_acts:
        click.echo(f"\n{each.rule_id}\n{_paragraph(english.flag_act_sentence(each, rules))}")
    click.echo("\nRoles, as a county's file and the API name them")
    for roles in ROLES_BY_KIND.values():
        if roles:
            click.echo(_paragraph(", ".join(sorted(roles))))
    click.echo("\nLeft to county staff; the exchange hands each over as a code and does not see to it")
    for side in Side:
        for duty in county_duties(Obligation, side):
            click.echo(_paragraph(f"{duty} ({_STAFF[side]}): {english.OBLIGATIONS[duty]}"))


@policy.command()
@click.argument("purpose", type=_Listed(Purpose), metavar="PURPOSE")
@click.option("--role", required=True, type=click.Choice(list(ROLES)), metavar="ROLE", help="Who asks.")
@click.option("--evidence", multiple=True, type=_Listed(EvidenceKind), help="What the caller shows.")
@click.option(
    "--authority",
    type=_Listed(each for each in Basis if each is not Basis.STATUTE),
    help="A live authority of this kind that covers the request.",
)
@click.option(
    "--ask",
    multiple=True,
    type=_Listed(FieldSet),
    help="Field sets asked for, in one call; if left out, FS1 as a flag check and every one as a record request.",
)
@_BUNDLE
@_JSON
@click.pass_context
def explain(
    ctx: click.Context,
    purpose: str,
    role: str,
    evidence: tuple[str, ...],
    authority: str | None,
    ask: tuple[str, ...],
    bundle: Path | None,
    as_json: bool,
) -> None:
    """Say what a role would receive for PURPOSE, what not, and why. Exit status 3 when every call is denied."""
    rules = _load(bundle)
    asks = [tuple(FieldSet(each) for each in ask)] if ask else [(FieldSet.FS1_FLAG_STATUS,), tuple(FieldSet)]
    request = RequestFacts(
        agency=_ASKING_AGENCY,
        agency_kind=AgencyKind(role.partition(".")[0]),
        role=Role(role),
        purpose=Purpose(purpose),
        field_sets=asks[0],
        evidence=frozenset(EvidenceKind(each) for each in evidence),
        authority=_live(Basis(authority), rules) if authority else None,
        received_at=datetime.now(UTC),
        login_age_seconds=0,
    )
    explained = [_explained(rules, replace(request, field_sets=asked)) for asked in asks]
    if as_json:
        click.echo(json.dumps(_explain_document(rules, explained), indent=2))
    else:
        _print_explanation(rules, explained)
    permitted = any(each.decision.permit for each in explained)
    ctx.exit(int(ExitCode.OK if permitted else ExitCode.DENIED))


@policy.command()
@_BUNDLE
@_JSON
@click.pass_context
def test(ctx: click.Context, bundle: Path | None, as_json: bool) -> None:
    """Run the golden cases. Exit status 1 when one differs."""
    rules = _load(bundle)
    results = run(rules, load_california_cases())
    failed = [result for result in results if result.differences]
    if as_json:
        document = {"ok": not failed, "policy": identity_of(rules), "cases": [_case_document(each) for each in results]}
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(_banner(rules))
        for result in results:
            click.echo(f"{'FAIL' if result.differences else 'ok  '}  {result.case.id:<5} {result.case.title}")
            for difference in result.differences:
                click.echo(f"            {difference}")
        click.echo(f"{len(results) - len(failed)} of {len(results)} cases as expected")
    ctx.exit(int(ExitCode.FAILED if failed else ExitCode.OK))


def _load(bundle: Path | None) -> Policy:
    """The policy to speak of. Raises `CommandFailure` with every problem of a malformed bundle."""
    if bundle is None:
        return load_california()
    try:
        with bundle.open("rb") as file:
            return parse_bundle(file.read(MAX_BYTES + 1), origin=str(bundle))
    except OSError as problem:
        raise CommandFailure(
            "POL-002",
            "the policy bundle cannot be read",
            where=str(bundle),
            why=problem.strerror or type(problem).__name__,
            fix="check the path and its permissions",
        ) from problem
    except BundleError as problem:
        for each in problem.problems:
            click.echo(str(each), err=True)
        first, count = problem.problems[0], len(problem.problems)
        told = f"{first.field}: {first.sentence}" if first.field else first.sentence
        raise CommandFailure(
            "POL-001",
            "the policy bundle has a problem" if count == 1 else f"the policy bundle has {count} problems",
            where=f"{bundle}:{first.line}:{first.column}" if count == 1 else str(bundle),
            why=told if count == 1 else "each is printed above, with its line and column",
            fix="correct every problem named; nothing of a malformed bundle is used",
        ) from problem


def _live(basis: Basis, rules: Policy) -> AuthorityFacts:
    return AuthorityFacts(
        status=AuthorityStatus.LIVE,
        basis=basis,
        field_sets=tuple(FieldSet),
        life_seconds=rules.emergency.max_life_seconds,
    )


def _banner(rules: Policy) -> str:
    return f"{english.banner(rules)}\nsha256 {rules.digest.hex()}"


def _table(rules: Policy) -> list[str]:
    """One line per rule, columns aligned. Plain text, so that no console cuts or garbles it."""
    rows = [("Rule", "Basis", "Gives at most", "Mode")]
    rows += [(rule.rule_id, " or ".join(rule.bases), _short(rule.mask), _MODES[rule.mode]) for rule in rules.rules]
    last = rules.emergency
    rows.append((last.rule_id, Basis.EMERGENCY, _short(last.mask), _MODES[last.mode]))
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _paragraph(text: str) -> str:
    return textwrap.fill(text, width=100, initial_indent="  ", subsequent_indent="  ")


def _short(mask: int) -> str:
    return " ".join(each.partition("_")[0] for each in members(mask) if each is not FieldSet.FS0_ACK)


@dataclass(frozen=True, slots=True)
class _Explained:
    """What one call gets."""

    request: RequestFacts
    decision: Decision
    provided: tuple[YouthPrecondition, ...]
    """What must besides hold of the youth; empty for a refusal."""


def _explained(rules: Policy, request: RequestFacts) -> _Explained:
    decision = decide_request(rules, request)
    needed: set[YouthPrecondition] = set()
    rule = rules.by_id.get(decision.rule_id) if decision.permit and decision.rule_id else None
    if isinstance(rule, Rule):
        waived = {YouthPrecondition.ACTIVE_FLAG} if rule.youth_waived_by & request.evidence else set()
        needed |= rule.youth_all - waived
    if decision.permit and request.call is Call.FLAG_CHECK:
        # Whatever the rule waives: without an open flag there is no status to tell.
        needed.add(YouthPrecondition.ACTIVE_FLAG)
    return _Explained(request, decision, tuple(sorted(needed)))


def _print_explanation(rules: Policy, explained: Sequence[_Explained]) -> None:
    last = explained[-1]
    click.echo(f"{last.request.purpose} by {last.request.role}")
    click.echo(f"policy {rules.version} (sha256 {rules.digest.hex()[:8]}...)")
    if not rules.counsel_confirmed:
        click.echo("This policy is NOT CONFIRMED BY COUNSEL.")
    if len({each.decision.reason for each in explained}) == 1 and not last.decision.permit:
        # One cause refuses them all, and the last call asks for the most.
        _print_call(last, " or ".join(_CALLS[each.request.call] for each in explained))
        return
    for each in explained:
        _print_call(each, _CALLS[each.request.call])


def _print_call(explained: _Explained, call: str) -> None:
    decision = explained.decision
    word = "permitted" if decision.permit else "denied"
    click.echo(f"\n{call}: {word}  {decision.outcome}  {decision.reason}")
    click.echo(f"  rule      {decision.rule_id or 'none'}")
    click.echo(f"  basis     {decision.basis or 'none'}")
    click.echo(f"  granted   {', '.join(decision.field_sets)}")
    click.echo(f"  withheld  {', '.join(decision.withheld) or 'nothing that was asked for'}")
    for condition in explained.provided:
        click.echo(f"  provided  {english.PRECONDITIONS[condition]}")
    for line in english.explanation(decision):
        click.echo(f"  {line}")


def _explain_document(rules: Policy, explained: Sequence[_Explained]) -> Mapping[str, Any]:
    request = explained[0].request
    return {
        "permit": any(each.decision.permit for each in explained),
        "purpose": request.purpose,
        "role": request.role,
        "calls": [_call_document(each) for each in explained],
        "policy": identity_of(rules),
    }


def _call_document(explained: _Explained) -> Mapping[str, Any]:
    decision = explained.decision
    return {
        "call": explained.request.call,
        "permit": decision.permit,
        "outcome": decision.outcome,
        "message": OUTCOME_TEXT[decision.outcome],
        "reason": decision.reason,
        "rule": decision.rule_id,
        "basis": decision.basis,
        "granted": list(decision.field_sets),
        "withheld": list(decision.withheld),
        "provided": list(explained.provided),
        "mode": decision.mode,
        "retention": decision.retention,
        "notices": list(decision.notices),
        "obligations": list(decision.obligations),
        "county_duties": duties_document(decision.obligations),
        "why": list(english.explanation(decision)),
    }


def _case_document(result: CaseResult) -> dict[str, Any]:
    return {
        "id": result.case.id,
        "title": result.case.title,
        "ok": not result.differences,
        "outcome": result.decision.outcome,
        "reason": result.decision.reason,
        "differences": list(result.differences),
    }
