"""FS7: from a youth's entries in the log to an accounting that the youth, or counsel, can read.

Decides what counts as a disclosure (a permit to another agency by which flag status was answered, or a record was
released), and every word of the paper. What staff of the own agency read is internal use (S12); a refusal disclosed
nothing. A sealed matter is not accounted for at all (DOMAIN §3.5).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Final

from adapters.audit_entries import said
from adapters.county_names import agency_text
from audit.accounting import Disclosure, Line
from audit.export import Table
from audit.paper import Paper
from gateway.protocol.log_kinds import Kind, parse_grant, parse_obligations
from gateway.protocol.names import Basis, FieldSet, Obligation, Purpose
from gateway.protocol.policy import english
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.fieldsets import mask_of
from homeward.county.v1.access_pb2 import AccessEntry

_FLAG_STATUS: Final = frozenset({"FS0", "FS1"})
_SHORT: Final = {field_set.partition("_")[0]: field_set for field_set in FieldSet}
_COLUMNS: Final = ("First date", "Last date", "Times", "Who received it", "What was disclosed", "For what purpose",
                   "On what legal basis", "Entries of the log")  # fmt: skip
_WIDTHS: Final = (4, 4, 3, 7, 9, 7, 8, 4)
TITLE: Final = "Accounting of disclosures"
_NOTES: Final = (
    "A disclosure is listed when something about the youth was given to another agency through the exchange.",
    "What staff of the youth's own agency read, and questions that were refused, are not disclosures.",
    "Several disclosures of the same to one agency for one purpose are one line (45 CFR 164.528(b)(3)).",
    "The law lets some be left out for a time, or to protect another person (compare 45 CFR 164.528(a)).",
    "This paper does not say whether any were left out. Sealed matters are never in it.",
    "Legal references are those of the exchange's rules; county counsel has not confirmed every one of them.",
    "Each line names its entries in the exchange's log. Anybody can check them: ask for an evidence bundle.",
)


@dataclass(frozen=True, slots=True)
class Account:
    """What goes on the paper."""

    agency: str
    start: date | None
    end: date
    lines: Sequence[Line]
    log: str
    """Origin of the log, and how many entries it had."""


def disclosures_of(entries: Iterable[AccessEntry], *, agency: str, zone: tzinfo) -> list[Disclosure]:
    """What left about the youth for other agencies than this one."""
    found: list[Disclosure] = []
    for entry in entries:
        fields = said(entry)
        given, basis = parse_grant(fields.get("fields", ""))
        # A decision that names an authority has no field for who asked: an entry holds so many, and no more.
        recipient, kind = entry.requester_agency or fields.get("requester", ""), fields.get("kind")
        is_answer = kind == Kind.DECISION and frozenset(given) <= _FLAG_STATUS
        if fields.get("decision") != "ALLOW" or not (is_answer or kind == Kind.OUTCOME) or recipient in ("", agency):
            continue
        obliged = parse_obligations(fields.get("fields", ""))
        if obliged and Obligation.ACCOUNT not in obliged:
            # The policy that decided says so; where an entry says nothing of it, the youth is rather told.
            continue
        at = datetime.fromisoformat(entry.create_time.ToJsonString()).astimezone(zone)
        shown = tuple(each for each in given if each != "FS0") or given
        found.append(Disclosure(entry.index, at, recipient, shown, fields.get("purpose", ""), basis))
    return found


def table_of(account: Account) -> Table:
    """The lines, for a spreadsheet."""
    notes = (*_head(account), *_sentences(account), *_NOTES)
    return Table(TITLE, _COLUMNS, tuple(_row(line) for line in account.lines), notes)


def each_of(account: Account, disclosures: Iterable[Disclosure]) -> Table:
    """Every disclosure in a row of its own, for a spreadsheet."""
    singles = (
        Line(d.at.date(), d.at.date(), 1, d.recipient, d.given, d.purpose, d.basis, (d.index,)) for d in disclosures
    )
    return Table("Each disclosure", _COLUMNS, tuple(_row(line) for line in singles), _head(account))


def paper_of(account: Account) -> Paper:
    """The lines, for a reader."""
    return Paper(
        title=TITLE,
        head=_head(account),
        sentences=_sentences(account),
        columns=_COLUMNS,
        widths=_WIDTHS,
        rows=[tuple(str(cell) for cell in _row(line)) for line in account.lines],
        notes=_NOTES,
        footer=f"{TITLE}, {account.end.isoformat()}",
    )


def _head(account: Account) -> tuple[str, ...]:
    since = f"from {account.start.isoformat()} " if account.start is not None else ""
    return (
        "Prepared for: ____________________________ (the youth, or counsel; filled in by hand)",
        f"Prepared by: {agency_text(account.agency)}",
        f"Period: {since}to {account.end.isoformat()}",
        f"Source: {account.log}",
    )


def _sentences(account: Account) -> tuple[str, ...]:
    count = sum(line.count for line in account.lines)
    if not count:
        return ("No disclosure is listed for this period.",)
    times = "1 disclosure" if count == 1 else f"{count} disclosures"
    to = len({line.recipient for line in account.lines})
    return (f"{times} to {'1 agency' if to == 1 else f'{to} agencies'}.",)


def _row(line: Line) -> tuple[str | int, ...]:
    return (
        line.first.isoformat(),
        line.last.isoformat(),
        line.count,
        agency_text(line.recipient),
        _given_text(line.given),
        load_california().labels[Purpose(line.purpose)] if line.purpose in Purpose.__members__ else line.purpose,
        _basis_text(line),
        ", ".join(map(str, line.entries[:12])) + (", ..." if len(line.entries) > 12 else ""),
    )


def _given_text(given: Sequence[str]) -> str:
    known = [_SHORT[each] for each in given if each in _SHORT]
    # A set that another one includes is not told twice.
    outer = [each for each in known if not any(each != other and _includes(other, each) for other in known)]
    return "; ".join(english.FIELD_SETS[each] for each in outer) or "; ".join(given)


def _includes(outer: FieldSet, inner: FieldSet) -> bool:
    return mask_of((outer,)) & mask_of((inner,)) == mask_of((inner,))


def _basis_text(line: Line) -> str:
    if line.basis not in Basis.__members__:
        return line.basis
    basis = Basis(line.basis)
    words = english.AUTHORITIES[basis].capitalize()
    if basis is Basis.EMERGENCY:
        return f"{words} (emergency access, reviewed afterwards)"
    rules = [rule for rule in load_california().rules if rule.purpose == line.purpose and basis in rule.bases]
    citations = dict.fromkeys(citation for rule in rules for citation in rule.citations)
    return f"{words}: {'; '.join(citations)}" if citations else words
