"""What a reader of the log asks for: the part that columns of the log answer, and the part that opened fields answer.

Decides what a filter may say, and that conditions on what an entry says are met by fields its reader may open and by
nothing else: a filter must not tell what the entry would not. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from audit.reader import Selection, Side, seats
from gateway.errors import ErrorReason, Invalid
from gateway.exchange.concordance import (
    COUNTERPART,
    HOLDER,
    REQUESTER,
    ROLE,
    WORKER,
    Alternative,
    Question,
    shown_to_whoever_asked,
)
from gateway.exchange.journal import ALLOW, DENY
from gateway.exchange.openings import Opened, Stand, texts, word_of
from gateway.protocol.names import ROLES, AgencyId, Basis, Purpose
from gateway.protocol.outcomes import Outcome, Reason
from homeward.audit.v1 import log_pb2
from homeward.audit.v1.service_pb2 import EntryQuery

_SIDES: Final[Mapping[int, Side]] = {
    log_pb2.AGENCY_SIDE_UNSPECIFIED: Side.EITHER,
    log_pb2.AGENCY_SIDE_REQUESTER: Side.REQUESTER,
    log_pb2.AGENCY_SIDE_HOLDER: Side.HOLDER,
}
_LARGEST: Final = (1 << 63) - 1
"""No index is beyond this, and no database binds more."""
_DECISIONS: Final[Mapping[int, str]] = {log_pb2.DECISION_ALLOW: ALLOW, log_pb2.DECISION_DENY: DENY}
_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "reason": frozenset({*Reason.__members__, *ErrorReason.__members__}),
    "purpose": frozenset(Purpose.__members__),
    "outcome": frozenset(Outcome.__members__),
    "basis": frozenset(Basis.__members__),
    "role": frozenset(ROLES),
}
"""What may be written under each of these; another word would select nothing and look like an empty log."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What an entry must say, by the name it is asked under; empty: anything."""

    op: Mapping[str, str]
    """On class `op`."""
    worker: str
    role: str
    counterpart: str

    def needs_words(self, chosen: Selection) -> bool:
        """Whether anything is asked that the log's columns do not answer, each of which is an index of its own."""
        return bool(self.op or self.worker or self.role or (self.counterpart and chosen.counterpart is None))

    def question(self, chosen: Selection, reader: AgencyId) -> Question:
        """What a concordance of the log is asked: for every entry that could meet the conditions, by what its reader
        may see of it."""
        asked: list[Alternative] = []
        for asking, holding in seats(chosen):
            if asking in (None, reader):
                asked.append(self._asked_by(reader, holding))
            if asking != reader and not self.worker and not self.role:
                # Of another agency's entries no worker is open.
                asked.append(self._not_asked_by(reader, asking, holding))
        return asked, list(chosen.kinds)

    def _asked_by(self, reader: AgencyId, holding: str | None) -> Alternative:
        alternative: Alternative = [(REQUESTER, reader, True)]
        alternative += [(HOLDER, holding, True)] if holding is not None else []
        words = {COUNTERPART: self.counterpart, WORKER: self.worker, ROLE: self.role}
        words |= {shown_to_whoever_asked(name): word for name, word in self.op.items()}
        return [*alternative, *((name, word, True) for name, word in words.items() if word)]

    def _not_asked_by(self, reader: AgencyId, asking: str | None, holding: str | None) -> Alternative:
        alternative: Alternative = [(REQUESTER, reader, False)]
        # To whoever holds, the other side is whoever asked; of what others did, the seat says it already.
        asked_by = asking or (self.counterpart if holding == reader else None)
        words = {REQUESTER: asked_by, HOLDER: holding, **self.op}
        return [*alternative, *((name, word, True) for name, word in words.items() if word)]

    def hold(self, opened: Opened) -> bool:
        """Whether the fields this reader may see meet the conditions."""
        said = texts({each.name: each.value for each in opened.openings})
        return self._worker_holds(said) and self._op_holds(said) and self._is_with(opened)

    def _worker_holds(self, said: Mapping[str, str]) -> bool:
        pseudonym, _, role = said.get("worker", "").partition(" ")
        return self.worker in ("", pseudonym) and self.role in ("", role)

    def _op_holds(self, said: Mapping[str, str]) -> bool:
        return all(word_of(said, name) == value for name, value in self.op.items())

    def _is_with(self, opened: Opened) -> bool:
        if not self.counterpart:
            return True
        if opened.stand is Stand.OVERSEES:
            return self.counterpart in (opened.entry.requester, opened.entry.holder)
        return opened.counterpart == self.counterpart


def conditions(wanted: log_pb2.EntryFilter) -> Conditions:
    """The conditions of a filter that `selection` let pass."""
    op = {
        "decision": _DECISIONS.get(wanted.decision, ""),
        "reason": wanted.reason,
        "purpose": wanted.purpose,
        "outcome": wanted.outcome,
        "basis": wanted.basis,
    }
    given = {name: value for name, value in op.items() if value}
    return Conditions(given, wanted.worker, wanted.role, wanted.counterpart_agency)


def selection(query: EntryQuery, agency: AgencyId, *, oversees: bool) -> Selection:
    """What the columns of the log can answer without telling more than the entries do. Raises `Invalid`."""
    wanted = query.filter
    if wanted.agency not in ("", agency) and not oversees:
        raise _invalid("filter.agency: own")
    _check_words(wanted)
    return Selection(
        agency=(wanted.agency or None) if oversees else agency,
        side=_SIDES[wanted.side],
        # To an overseer both sides are open; to a member who is asked about may be what an answer hid.
        counterpart=(wanted.counterpart_agency or None) if oversees else None,
        kinds=tuple(wanted.kinds),
        start=min(wanted.start_index, _LARGEST),
        end=min(wanted.tree_size or _LARGEST, _LARGEST),
        start_ms=_ms(wanted.start_time, "filter.start_time") if wanted.HasField("start_time") else None,
        end_ms=_ms(wanted.end_time, "filter.end_time") if wanted.HasField("end_time") else None,
    )


def following(chosen: Selection, after: int, end: int) -> Selection:
    """The selection after this index and before `end`."""
    return Selection(
        agency=chosen.agency,
        side=chosen.side,
        counterpart=chosen.counterpart,
        kinds=chosen.kinds,
        start=max(chosen.start, min(after, _LARGEST - 1) + 1),
        end=min(chosen.end if chosen.end is not None else end, end),
        start_ms=chosen.start_ms,
        end_ms=chosen.end_ms,
    )


def _check_words(wanted: log_pb2.EntryFilter) -> None:
    for name, allowed in _WORDS.items():
        word = getattr(wanted, name)
        if word and word not in allowed:
            raise _invalid(f"filter.{name}: known")


def _ms(timestamp: Timestamp, name: str) -> int:
    try:
        return timestamp.ToMilliseconds()
    except ValueError as exc:
        raise _invalid(f"{name}: timestamp") from exc


def _invalid(*fields: str) -> Invalid:
    return Invalid(ErrorReason.INVALID_REQUEST, fields=fields)
