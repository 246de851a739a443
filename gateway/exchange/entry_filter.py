"""What a reader of the log asks for: the part that columns of the log answer, and the part that opened fields answer.

Decides what a filter may say, and that conditions on what an entry says are met by fields its reader may open and by
nothing else: a filter must not tell what the entry would not. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from audit.entry import ClassKeys, FieldClass, read_values
from audit.reader import Glance, Promising, Selection, Side
from gateway.errors import ErrorReason, Invalid
from gateway.exchange.journal import ALLOW, DENY
from gateway.exchange.openings import Opened, Stand, shown_to_asker
from gateway.protocol.log_kinds import parse_grant
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
    """On class `op`, which is opened first: most entries fail here and nothing else of them is opened."""
    worker: str
    role: str
    counterpart: str

    def promising(self, keys: ClassKeys, *, reader: AgencyId | None) -> Promising:
        """Whether an entry could meet the conditions, by what its reader may see; `reader` is None for an overseer."""

        def could(seen: Glance) -> bool:
            if self.op:
                said: Mapping[str, str] | None = _texts(read_values(seen.nonce, seen.op, FieldClass.OP, keys.op))
                if said is not None and seen.requester == reader:
                    said = shown_to_asker(seen.kind, said)
                if said is not None and not self._op_holds(said):
                    return False
            if not self.worker and not self.role:
                return True
            return self._worker_holds(_texts(read_values(seen.nonce, seen.req, FieldClass.REQ, keys.req)))

        return could

    def hold(self, opened: Opened) -> bool:
        """Whether the fields this reader may see meet the conditions."""
        said = _texts({each.name: each.value for each in opened.openings})
        return self._worker_holds(said) and self._op_holds(said) and self._is_with(opened)

    def _worker_holds(self, said: Mapping[str, str]) -> bool:
        pseudonym, _, role = said.get("worker", "").partition(" ")
        return self.worker in ("", pseudonym) and self.role in ("", role)

    def _op_holds(self, said: Mapping[str, str]) -> bool:
        return all(_value(said, name) == value for name, value in self.op.items())

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


def _texts(values: Mapping[str, bytes]) -> dict[str, str]:
    return {name: value.decode("utf-8", "replace") for name, value in values.items()}


def _value(said: Mapping[str, str], name: str) -> str:
    if name == "basis" and "fields" in said:
        return parse_grant(said["fields"])[1]
    return said.get(name, "")


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
