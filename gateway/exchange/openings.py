"""Which fields of an entry a reader of the log may open. Pure.

A reader stands to an entry as the agency that asked, as the agency that holds the youth, as both,
or as an overseer who is neither. To the agency that asked, every refusal after a youth was looked
for must stay one and the same refusal (ARCHITECTURE §6, Outcomes): this is where that would be
lost again, days later and by the hundred, if the log opened to it why.

- asked: `op` and `req`, without the digest of the decision's argument, by which a guess of what
  the exchange knows could be confirmed, and which stands there only where the entry is about nobody;
  of an entry that is veiled, only what is the same for every youth
- holds: `op`, `hold` and `youth`, by which an issuer knows which authority was revoked, too; of `req`
  nothing, because another agency's workers are not its own, and not that digest, by which a guess of
  their role could be confirmed
- both: everything
- overseer: `op`, and who took part with which number (`audit/body.py`), so that nobody need be believed whose entry it
  is, nor that none of an agency's is left out. To the two sides it stays closed: it names the holder, and counts what
  the other side does.

Which entries are veiled is decided by their own reason, and for the decision of a record call by the
entry that closed the call (`ends`): a permit that was withdrawn before anything left must look like
the refusal of an unknown youth, then and here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from audit.entry import ClassKeys, FieldClass, Opening, StoredEntry, open_class, open_parties, read_values
from gateway.exchange.authority_leaves import NAMELESS
from gateway.exchange.journal import ALLOW, DENY, Kind
from gateway.protocol.log_kinds import parse_grant
from gateway.protocol.names import AgencyId
from gateway.protocol.outcomes import REASONS, Outcome, Phase, Reason

NEVER_TO_REQUESTER: Final = frozenset({"input"})
NEVER_TO_HOLDER: Final = frozenset({"input"})
VEILED: Final = frozenset({"kind", "purpose", "policy", "worker", "request", "seq", "prev"})
"""Of the decision of a record call that came to nothing: what is the same for every youth."""
_VEILED_REFUSAL: Final = VEILED | {"decision", "outcome", "decided", "sealed"}
"""Of a refusal that its caller was told: all but the reason."""
_NAMELESS: Final = ("handle", NAMELESS)
_FLAG_CHECK: Final = frozenset({"FS0", "FS1"})


class Stand(Enum):
    """How a reader stands to an entry."""

    ASKED = auto()
    HOLDS = auto()
    BOTH = auto()
    OVERSEES = auto()


@dataclass(frozen=True, slots=True)
class Opened:
    """An entry with the fields its reader may see."""

    entry: StoredEntry = field(repr=False)
    stand: Stand
    openings: tuple[Opening, ...] = field(repr=False)
    counterpart: str
    """Agency on the other side, as far as this reader may know it; empty otherwise."""

    @property
    def requester(self) -> str:
        """Agency that asked or acted: open to whoever has a stand to the entry."""
        return self.entry.requester

    @property
    def holder(self) -> str:
        """Agency that holds what was asked for; empty where an answer hid it from whoever asked."""
        return self.counterpart if self.stand is Stand.ASKED else self.entry.holder

    def value(self, name: str) -> str:
        """Text of an opened field; empty when it is not open."""
        return next((each.value.decode("utf-8", "replace") for each in self.openings if each.name == name), "")


def stand_of(entry: StoredEntry, agency: AgencyId, *, oversees: bool) -> Stand | None:
    """How this agency stands to the entry; None when it is not concerned."""
    asked, holds = entry.requester == agency, entry.holder == agency
    if asked and holds:
        return Stand.BOTH
    if asked:
        return Stand.ASKED
    if holds:
        return Stand.HOLDS
    return Stand.OVERSEES if oversees else None


def open_entry(
    entry: StoredEntry, stand: Stand, keys: ClassKeys, *, youth_key: bytes | None, ended: Mapping[int, bool]
) -> Opened:
    """The entry with the fields this reader may see.

    `ended` tells for the index of a decision whether its caller learned of the permit (`ends`). `youth_key` is None
    when the youth's key is not known, or was destroyed: then those fields stay closed for good.
    """
    op = open_class(entry, FieldClass.OP, keys.op)
    if stand is Stand.OVERSEES:
        return _opened(entry, stand, [*op, open_parties(entry)], counterpart="")
    if stand is Stand.ASKED:
        return _to_requester(entry, op + open_class(entry, FieldClass.REQ, keys.req), ended)
    fields = op + open_class(entry, FieldClass.HOLD, keys.hold)
    if stand is Stand.BOTH:
        fields += open_class(entry, FieldClass.REQ, keys.req)
    if youth_key is not None:
        about = [
            each for each in open_class(entry, FieldClass.YOUTH, youth_key) if (each.name, each.value) != _NAMELESS
        ]
        fields += tuple(each for each in about if stand is Stand.BOTH or each.name not in NEVER_TO_HOLDER)
    return _opened(entry, stand, fields, counterpart=entry.requester)


def asker_shows(kind: str, said: Mapping[str, str], *, came_to_nothing: bool) -> tuple[frozenset[str] | None, bool]:
    """Which names of an entry the agency that asked may see (None: all), and whether it may know the holder.

    `said` are the entry's fields, those of class `op` at least. Of a decision it counts whether the call came to
    nothing.
    """
    if kind == Kind.DECISION and came_to_nothing:
        return VEILED, False
    if _is_veiled_refusal(said):
        return _VEILED_REFUSAL, False
    # A report of somebody else's youth: whether it found one is not the reporter's to learn.
    return None, kind not in (Kind.FLAG_RAISED, Kind.REPORT_PRESENTED) or "state" in said


def depends_on_end(kind: str, said: Mapping[str, str]) -> bool:
    """Whether what is shown of this entry to who asked depends on the entry that closed the call.

    True of every decision of a record call that found somebody or nobody, permits among them: whoever searches must do
    the same work for each of them, or the time a search takes would tell what the entries do not. An entry does not say
    which call it decides, so it is true of a flag check that was UNDETERMINED, too, which no entry closes.
    """
    if kind != Kind.DECISION:
        return False
    if said.get("decision") == ALLOW:
        return not _is_flag_check(said)
    outcome = said.get("outcome")
    return outcome == Outcome.NO_DISCLOSABLE_RECORD or (
        outcome != Outcome.NO_ACTIVE_FLAG_FOUND and _is_veiled_refusal(said)
    )


def awaits_end(entry: StoredEntry, keys: ClassKeys) -> bool:
    """Likewise, of a stored entry."""
    return entry.kind == Kind.DECISION and depends_on_end(entry.kind, _op(entry, keys))


def closes(kind: str, said: Mapping[str, str]) -> tuple[int, bool] | None:
    """The index of the decision that an entry closes, and whether its caller learned that it was a permit."""
    if kind != Kind.OUTCOME or not said.get("decided", "").isdecimal():
        return None
    return int(said["decided"]), not _is_veiled_refusal(said)


def ends(outcomes: Iterable[StoredEntry], keys: ClassKeys) -> dict[int, bool]:
    """For each decision that these entries close, whether its caller learned that it was a permit."""
    return dict(each for entry in outcomes if (each := closes(entry.kind, _op(entry, keys))) is not None)


def word_of(said: Mapping[str, str], name: str) -> str:
    """What an entry says under a name that can be asked by; empty for nothing. The basis stands within a grant."""
    if name == "basis" and "fields" in said:
        return parse_grant(said["fields"])[1]
    return said.get(name, "")


def _to_requester(entry: StoredEntry, fields: Sequence[Opening], ended: Mapping[int, bool]) -> Opened:
    said = _values(fields)
    nothing = entry.kind == Kind.DECISION and _came_to_nothing(entry.index, said, ended)
    names, names_holder = asker_shows(entry.kind, said, came_to_nothing=nothing)
    shown = [each for each in fields if each.name not in NEVER_TO_REQUESTER and (names is None or each.name in names)]
    return _opened(entry, Stand.ASKED, shown, counterpart=entry.holder if names_holder else "")


def _came_to_nothing(index: int, said: Mapping[str, str], ended: Mapping[int, bool]) -> bool:
    """Whether this decides a record call of which its caller learned nothing, or has not yet."""
    return not ended[index] if index in ended else depends_on_end(Kind.DECISION, said)


def _is_flag_check(permit: Mapping[str, str]) -> bool:
    return set(parse_grant(permit.get("fields", ""))[0]) <= _FLAG_CHECK


def _is_veiled_refusal(said: Mapping[str, str]) -> bool:
    reason = said.get("reason", "")
    if said.get("decision") != DENY or reason not in Reason.__members__:
        return False
    return REASONS[Reason(reason)].phase is Phase.YOUTH


def _opened(entry: StoredEntry, stand: Stand, fields: Sequence[Opening], *, counterpart: str) -> Opened:
    return Opened(entry, stand, tuple(sorted(fields, key=lambda each: each.slot)), counterpart)


def _op(entry: StoredEntry, keys: ClassKeys) -> dict[str, str]:
    return texts(read_values(entry.nonce, entry.boxes[FieldClass.OP], FieldClass.OP, keys.op))


def _values(fields: Iterable[Opening]) -> dict[str, str]:
    return texts({each.name: each.value for each in fields})


def texts(values: Mapping[str, bytes]) -> dict[str, str]:
    """The values of fields by name, as text."""
    return {name: value.decode("utf-8", "replace") for name, value in values.items()}
