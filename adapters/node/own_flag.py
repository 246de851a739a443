"""What this agency states of a missing-from-care flag of its own, and what stays here until a grant asks.

Decides the statement: signed with the county's flag key, so that nobody else can invent a flag; valid for 30 days, so
that one forgotten here is answered from no longer; its version grows, so that an old one cannot replace a new one.
Details (FS2) and duties (FS3) are kept beside it and leave only inside a sealed answer.

Does not decide to raise or resolve: a person of the county does, through a call with a user assertion.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from adapters.node.identifiers import timestamp
from gateway.protocol.envelope import wrap
from gateway.protocol.names import (
    OPEN_FLAG_STATES,
    FlagId,
    FlagState,
    HandlingCode,
    SubjectHandle,
)
from gateway.protocol.signing import SigningKey
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from homeward.gateway.v1.records_pb2 import FlagCasework, FlagLocate

STATEMENT_LIFE: Final = timedelta(days=30)
"""An owner that has not re-affirmed a flag for 30 days is no longer looking (DOMAIN §4a row 5)."""
BACKDATING: Final = timedelta(minutes=5)
PRIOR_WINDOW: Final = timedelta(days=365)
HEARD: Final = 0
UNHEARD: Final = 1
"""Entries of the log were lost since: to be presented again (`present`)."""
REFUSED: Final = 2
"""Likewise, and the exchange does not take it as it is."""


@dataclass(frozen=True, slots=True)
class OwnFlag:
    """One flag as its owner knows it. Immutable; a change is another value with a higher version."""

    flag_id: FlagId
    handle: SubjectHandle = field(repr=False)
    state: FlagState
    handling_code: HandlingCode
    version: int
    learned: datetime
    """When the agency learned of the absence, UTC."""
    expires: datetime
    """End of the newest statement."""
    statement: SignedEnvelope = field(repr=False)
    locate: FlagLocate = field(repr=False)
    casework: FlagCasework = field(repr=False)
    recorded: bool = False
    """Whether the gateway has recorded this version."""
    unheard: int = HEARD

    def waits_for_person(self, now: datetime) -> bool:
        """Nobody finds this youth at the exchange before a person of the owner states the flag again, or ends it."""
        return self.is_open and (self.unheard == REFUSED or (self.unheard == UNHEARD and self.expires <= now))

    @property
    def ended_unheard(self) -> bool:
        """It ended here, and nobody knows whether it did at the exchange."""
        return not self.is_open and (not self.recorded or self.unheard != HEARD)

    @property
    def is_open(self) -> bool:
        """Somebody is still looking."""
        return self.state in OPEN_FLAG_STATES


@dataclass(frozen=True, slots=True)
class FlagIssuer:
    """Makes and signs what the county states."""

    county: str
    key: SigningKey = field(repr=False)

    def raised(
        self,
        flag_id: FlagId,
        handle: SubjectHandle,
        *,
        handling_code: HandlingCode,
        learned: datetime,
        locate: FlagLocate,
        now: datetime,
    ) -> OwnFlag:
        """A new flag, active, version 1, not yet recorded at the gateway."""
        draft = OwnFlag(
            flag_id=flag_id,
            handle=handle,
            state=FlagState.ACTIVE,
            handling_code=handling_code,
            version=1,
            learned=learned,
            expires=now,
            statement=SignedEnvelope(),
            locate=locate,
            casework=FlagCasework(),
        )
        return self._signed(draft, now)

    def changed(
        self,
        flag: OwnFlag,
        *,
        now: datetime,
        state: FlagState | None = None,
        handling_code: HandlingCode | None = None,
        locate: FlagLocate | None = None,
        casework: FlagCasework | None = None,
        learned: datetime | None = None,
    ) -> OwnFlag:
        """The next version, with what is given changed; with nothing given the flag is re-affirmed."""
        following = replace(
            flag,
            state=state or flag.state,
            handling_code=handling_code or flag.handling_code,
            locate=locate or flag.locate,
            casework=casework or flag.casework,
            learned=learned or flag.learned,
            version=flag.version + 1,
            recorded=False,
        )
        return self._signed(following, now)

    def _signed(self, flag: OwnFlag, now: datetime) -> OwnFlag:
        expires = now + STATEMENT_LIFE
        statement = FlagStatement(
            flag_id=flag.flag_id,
            county=self.county,
            state=to_wire(flag.state),  # type: ignore[arg-type]
            handling_code=to_wire(flag.handling_code),  # type: ignore[arg-type]
            version=flag.version,
            issue_time=timestamp(now - BACKDATING),
            expire_time=timestamp(expires),
        )
        return replace(flag, statement=wrap(statement, self.key), expires=expires)


def looked_for(flags: Sequence[OwnFlag]) -> OwnFlag | None:
    """The newest open one of a youth's flags, oldest first; None where nobody looks for the youth."""
    return next((flag for flag in reversed(flags) if flag.is_open), None)


def casework_of(flag: OwnFlag, earlier: Sequence[OwnFlag]) -> FlagCasework:
    """FS3 of a flag: its duties, and how often the youth was missing in the twelve months before."""
    since = flag.learned - PRIOR_WINDOW
    counted = [
        each
        for each in earlier
        if each.flag_id != flag.flag_id
        and each.state is not FlagState.ENTERED_IN_ERROR
        and since <= each.learned < flag.learned
    ]
    casework = FlagCasework()
    casework.CopyFrom(flag.casework)
    casework.prior_flag_count = min(len(counted), 99)
    return casework
