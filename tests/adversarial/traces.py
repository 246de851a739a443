"""What a call left behind: entries of the log, work orders in the counties, alerts, and what counts as disclosed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from adapters.audit_account import disclosures_of
from adapters.node.identifiers import timestamp
from audit.accounting import Disclosure
from audit.entry import FieldClass, StoredEntry, open_class
from gateway.protocol.decide import Decision, DecisionInput, decide
from gateway.protocol.log_kinds import parse_grant
from gateway.protocol.names import AgencyId, Basis
from gateway.protocol.policy.bundle import load_california
from gateway.replay import read_keys
from gateway.store.inputs import open_input
from gateway.store.youth_keys import FileYouthKeys
from homeward.county.v1.access_pb2 import AccessEntry, AccessField
from tests.adversarial.stage import Stage
from tests.adversarial.town import Leaf, Town, utc_now

ANSWERS: Final = ("access.decision", "access.outcome")


@dataclass(frozen=True)
class Mark:
    """How things stood before a call."""

    stage: Stage
    size: int
    orders: Mapping[AgencyId, int]
    alerts: frozenset[tuple[object, ...]]

    @classmethod
    def put(cls, stage: Stage) -> "Mark":
        return cls(stage, stage.town.size(), _orders(stage), frozenset(_alerts(stage.town)))

    def answers(self) -> list[Leaf]:
        """Decisions and releases since."""
        return [leaf for leaf in self.stage.town.news(self.size) if leaf.kind in ANSWERS]

    def releases(self) -> list[Leaf]:
        """What left, or did not, after a decision."""
        return [leaf for leaf in self.answers() if leaf.kind == "access.outcome"]

    def entries(self) -> list[StoredEntry]:
        """The same, as they are stored."""
        return [entry for entry in self.stage.town.entries(self.size) if entry.kind in ANSWERS]

    def asked(self) -> set[AgencyId]:
        """Agencies whose source was asked for a record since."""
        return {agency for agency, count in _orders(self.stage).items() if count != self.orders[agency]}

    def alerted(self) -> set[tuple[AgencyId, int]]:
        """Who was sent an alert since, and of which kind."""
        return {(agency, kind) for agency, _, kind in self.alerts_since()}

    def alerts_since(self) -> list[tuple[AgencyId, int, int]]:
        """The alerts themselves: to whom, the number in that agency's sequence, and the kind."""
        new = set(_alerts(self.stage.town)) - self.alerts
        return sorted((AgencyId(str(row[0])), int(str(row[1])), int(str(row[2]))) for row in new)

    def disclosures(self, owner: str) -> list[Disclosure]:
        """What the owner's accounting lists of it."""
        return disclosures_of(map(_as_read, self.answers()), agency=owner, zone=UTC)

    def basis(self) -> Basis:
        """What the log says the last answer rested on."""
        _, basis = parse_grant(self.answers()[-1].op["fields"])
        return Basis(basis)


def decided_again(town: Town, entry: StoredEntry) -> Decision:
    """The decision that the policy makes of the argument to which an entry about a youth is committed."""
    state = town.state
    kept = FileYouthKeys(
        state.youth_keys, wrapping_key=state.read_secret("youth-wrap.key", length=32), random_bytes=os.urandom
    )
    try:
        key = read_keys(state.youth_keys, state.read_class_keys(), kept).marks[entry.tag]
    finally:
        kept.close()
    (digest,) = [each.value for each in open_class(entry, FieldClass.YOUTH, key) if each.name == "input"]
    (sealed,) = [row[1] for row in town.rows("decision_input")["decision_input"] if row[0] == entry.index]
    assert isinstance(sealed, bytes)
    return decide(load_california(), DecisionInput.from_bytes(open_input(sealed, key, digest=digest)))


def _orders(stage: Stage) -> dict[AgencyId, int]:
    def count(agency: AgencyId) -> int:
        with stage.houses[agency].adapter.node.store.read() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM work").scalar_one())

    return {agency: count(agency) for agency in stage.houses}


def _alerts(town: Town) -> list[tuple[object, ...]]:
    return [tuple(row[:5]) for row in town.rows("alert")["alert"]]


def _as_read(leaf: Leaf) -> AccessEntry:
    fields: list[Any] = [AccessField(name=name, value=value) for name, value in leaf.op.items()]
    return AccessEntry(
        index=leaf.index, create_time=timestamp(utc_now()), fields=fields, requester_agency=leaf.requester or ""
    )
