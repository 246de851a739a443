"""What an agency says of a flag of its own, whatever order reports, answers and silence come in: held to a model that
knows everything that was stated, and what became of each report."""

import secrets
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.node.flags import OwnFlags, take_back_flag
from adapters.node.own_flag import FlagIssuer, OwnFlag
from adapters.node.rpcs import RAISE_FLAG, UPDATE_FLAG
from adapters.node.store import Store, open_store
from adapters.node.tables import receipt, request, stated_flag
from gateway.protocol.names import FlagId, HandlingCode, SubjectHandle
from gateway.protocol.signing import SigningKey
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.records_pb2 import FlagCasework, FlagLocate
from tests.unit.node.world import NOW

KEY, HANDLE, FLAG = SigningKey.generate(), SubjectHandle(bytes(16)), FlagId(bytes(range(16)))
CODES = (HandlingCode.CALL_DUTY_LINE, HandlingCode.CALL_DUTY_LINE_AND_KEEP_SAFE)
Said = tuple[HandlingCode, int]


@dataclass
class Report:
    """One report that stated a version; `answer` is what became of it."""

    request_id: bytes
    version: int
    said: Said
    statement: SignedEnvelope
    answer: str = ""


@dataclass
class Agency:
    """The flag as it is on disk, and beside it everything that happened."""

    store: Store
    flags: OwnFlags = field(init=False)
    issuer: FlagIssuer = field(default_factory=lambda: FlagIssuer("06075", KEY))
    reports: list[Report] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.flags = OwnFlags(self.store)

    def state(self, said: Said, *, anew: bool) -> None:
        """A report states this; or, where `anew` is false and there is a flag, the very version that is there."""
        known = self.flags.by_id(FLAG)
        if known is None:
            if self.reports:
                return
            made = self.issuer.raised(FLAG, HANDLE, handling_code=said[0], learned=NOW, locate=FlagLocate(), now=NOW)
            made = replace(made, casework=FlagCasework(prior_flag_count=said[1]))
            self.flags.keep(made)
        elif anew or not self._is_stated(known.version):
            made = self.issuer.changed(
                known, now=NOW, handling_code=said[0], casework=FlagCasework(prior_flag_count=said[1])
            )
            self.flags.keep(made)
        else:
            made = known
        sent = Report(secrets.token_bytes(16), made.version, said_of(made), made.statement)
        self.reports.append(sent)
        with self.store.write() as connection:
            connection.execute(
                request.insert().values(
                    request_id=sent.request_id,
                    method=(RAISE_FLAG if made.version == 1 else UPDATE_FLAG).name,
                    digest=b"",
                    payload=made.statement.SerializeToString(),
                    create_ms=0,
                )
            )

    def answer(self, number: int, answer: str) -> None:
        """The exchange records or refuses a report that had no answer so far, counted from the newest."""
        waiting = [each for each in reversed(self.reports) if not each.answer]
        if not waiting:
            return
        report = waiting[number % len(waiting)]
        report.answer = answer
        with self.store.write() as connection:
            if answer == "recorded":
                row = {"request_id": report.request_id, "leaf_index": 0, "proof": "", "create_ms": 0}
                connection.execute(receipt.insert().values(**row))
            else:
                connection.execute(request.delete().where(request.c.request_id == report.request_id))
        if answer == "recorded":
            self.flags.recorded(FLAG, report.version, self._again)
        else:
            with self.store.write() as connection:
                take_back_flag(connection, report.statement, self._again)

    def expected(self) -> Said | None:
        """What must be said now; None for no flag."""
        if not self.reports:
            return None
        by_version: dict[int, list[Report]] = {}
        for each in self.reports:
            by_version.setdefault(each.version, []).append(each)
        kept = {version: each for version, each in by_version.items() if any(one.answer != "refused" for one in each)}
        recorded = [version for version, each in by_version.items() if any(one.answer == "recorded" for one in each)]
        newest = max(by_version)
        if newest in kept:
            stands = newest
        elif recorded:
            stands = max(recorded)
        elif kept:
            stands = max(kept)
        else:
            return None
        return by_version[stands][0].said

    def _is_stated(self, version: int) -> bool:
        return any(each.version == version for each in self.reports)

    def _again(self, flag: OwnFlag) -> OwnFlag:
        return self.issuer.changed(flag, now=NOW)


def said_of(flag: OwnFlag) -> Said:
    return flag.handling_code, flag.casework.prior_flag_count


SAID = st.tuples(st.sampled_from(CODES), st.integers(0, 2))
STATED = st.tuples(st.just("state"), SAID, st.sampled_from([True, True, True, False]))
ANSWERED = st.tuples(st.sampled_from(["recorded", "refused"]), st.sampled_from([0, 0, 0, 1, 2]))
STEPS = st.lists(st.one_of(STATED, ANSWERED), min_size=3, max_size=16)


FIRST, OTHER = (CODES[0], 0), (CODES[1], 1)


# What takes back is no report's: once all that was stated is refused, nothing is left of it either.
@example(
    [
        ("state", FIRST, True), ("state", OTHER, True), ("refused", 0), ("state", OTHER, True), ("refused", 0),
        ("refused", 0),
    ]
)  # fmt: skip
@settings(max_examples=250, deadline=None)
@given(STEPS)
def test_what_is_said_of_a_flag_is_what_the_exchange_can_have(steps: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        agency = Agency(open_store(Path(place) / "adapter.db"))
        for step in steps:
            if step[0] == "state":
                agency.state(step[1], anew=bool(step[2]))  # type: ignore[arg-type]
            else:
                agency.answer(int(step[1]), str(step[0]))  # type: ignore[call-overload]
            flag, expected = agency.flags.by_id(FLAG), agency.expected()
            assert (None if flag is None else said_of(flag)) == expected
            if flag is None:
                with agency.store.read() as connection:
                    assert connection.execute(stated_flag.select()).all() == []
                break
        agency.store.close()
