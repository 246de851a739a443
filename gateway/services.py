"""What the main listener of a gateway serves: every service over the stores, the log and the links it needs.

Decides which part goes where. What a service does is its room's; when it may serve, `wiring` decides.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import grpc

from gateway.exchange.access import AccessLog
from gateway.exchange.authorities import AuthorityRecords
from gateway.exchange.setting import Setting
from gateway.exchange.spine import Exchange
from gateway.exchange.tally import Limits, Suspicion
from gateway.exchange.verdicts import Verdicts
from gateway.missing.flags import FlagReports
from gateway.missing.recording import Recording
from gateway.publishing.witnessed import WitnessedJournal
from gateway.recovery.presented import Presentations
from gateway.recovery.reported import PresentedReports
from gateway.rpc.access import AuditServicer
from gateway.rpc.authority import AuthorityServicer
from gateway.rpc.exchange import ExchangeServicer
from gateway.rpc.index import IndexServicer
from gateway.rpc.link import LinkServicer
from gateway.rpc.machine import MachineCalls
from gateway.rpc.membership import MembershipServicer
from gateway.rpc.missing import MissingServicer
from gateway.rpc.restoration import RestorationServicer
from gateway.rpc.review import ReviewServicer
from gateway.rpc.sealing import SealingServicer
from gateway.rpc.server import Add
from gateway.rpc.token import TokenServicer
from gateway.running import Running, utc_now
from gateway.store.alert_keys import AlertKeys
from gateway.store.alerts import Alerts
from gateway.store.authorities import SqlAuthorities
from gateway.store.authority_book import SqlAuthorityBook
from gateway.store.deeds import SqlDeeds
from gateway.store.entries import LogEntries
from gateway.store.flags import SqlFlags
from gateway.store.index import SqlIndex
from gateway.store.projections import SqlProjections
from gateway.store.proposed import LogProposals
from gateway.store.reliance import SqlReliance
from gateway.store.reviews import SqlReviews
from gateway.store.succession import SqlLosses
from gateway.store.tally import SqlTally
from gateway.tokens.index import Registrations
from homeward.audit.v1.service_pb2_grpc import add_AuditServiceServicer_to_server
from homeward.gateway.v1.authority_pb2_grpc import add_AuthorityServiceServicer_to_server
from homeward.gateway.v1.directory_pb2_grpc import add_MembershipServiceServicer_to_server
from homeward.gateway.v1.exchange_pb2_grpc import add_ExchangeServiceServicer_to_server
from homeward.gateway.v1.index_pb2_grpc import add_IndexServiceServicer_to_server
from homeward.gateway.v1.link_pb2_grpc import add_AdapterLinkServiceServicer_to_server
from homeward.gateway.v1.missing_pb2_grpc import add_MissingServiceServicer_to_server
from homeward.gateway.v1.restoration_pb2_grpc import add_RestorationServiceServicer_to_server
from homeward.gateway.v1.review_pb2_grpc import add_ReviewServiceServicer_to_server
from homeward.gateway.v1.sealing_pb2_grpc import add_SealingServiceServicer_to_server
from homeward.gateway.v1.token_pb2_grpc import add_TokenServiceServicer_to_server


@dataclass(frozen=True, slots=True)
class Services:
    """What the main listener serves, and what carries out revocations that were held."""

    adding: list[Add]
    admission: Exchange
    records: AuthorityRecords


def services_of(running: Running) -> Services:
    """The services of a gateway, each over the same setting."""
    alert_keys = AlertKeys(running.lookups, running.youth_keys)
    setting = _setting(running, alert_keys)
    exchange, machine = Exchange(setting), MachineCalls(running.directory, utc_now)
    ledger = running.members.ledger
    entries = ledger.entries
    deeds, flags = SqlDeeds(running.lookups, entries), SqlFlags(running.lookups, running.youth_keys)
    book = SqlAuthorityBook(running.lookups, running.authority_keys)
    records = AuthorityRecords(setting, book, deeds, listed=flags)
    missing = FlagReports(Recording(setting, flags, deeds))
    presented = Presentations(
        setting,
        book,
        flags,
        SqlLosses(running.lookups),
        PresentedReports(setting, deeds, missing),
        exchange.refusals,
    )
    sealing = running.seals.orders(setting, marked=entries, deeds=deeds, keys=running.class_keys)
    authority = AuthorityServicer(records, exchange, now=utc_now, revoking=running.revoking())
    proposals = LogProposals(ledger.reader, running.finding, running.class_keys)
    audit = AuditServicer(AccessLog(setting, entries, proposals, running.class_keys), exchange, now=utc_now)
    reviews = ReviewServicer(_verdicts(running, setting, entries), machine)
    served = [
        adding(add_ExchangeServiceServicer_to_server, _exchange(running, setting, exchange, machine)),
        adding(
            add_MissingServiceServicer_to_server,
            MissingServicer(missing, exchange, outcomes=running.outcomes, now=utc_now),
        ),
        adding(add_AuthorityServiceServicer_to_server, authority),
        adding(add_AuditServiceServicer_to_server, audit),
        adding(add_SealingServiceServicer_to_server, SealingServicer(*sealing, exchange, machine, now=utc_now)),
        adding(add_IndexServiceServicer_to_server, IndexServicer(_registrations(running), machine)),
        adding(add_ReviewServiceServicer_to_server, reviews),
        adding(add_RestorationServiceServicer_to_server, RestorationServicer(presented, machine)),
        adding(add_AdapterLinkServiceServicer_to_server, _link(running, machine, alert_keys)),
        adding(add_MembershipServiceServicer_to_server, MembershipServicer(running.members.membership)),
        adding(add_TokenServiceServicer_to_server, TokenServicer(running.members.evaluator)),
    ]
    return Services(served, exchange, records)


def _exchange(running: Running, setting: Setting, exchange: Exchange, machine: MachineCalls) -> ExchangeServicer:
    return ExchangeServicer(
        exchange,
        journal=running.journal,
        projections=setting.projections,
        machine=machine,
        pairwise=setting.pairwise,
        policy_version=running.policy.version,
        outcomes=running.outcomes,
        now=utc_now,
    )


def _verdicts(running: Running, setting: Setting, entries: LogEntries) -> Verdicts:
    return Verdicts(
        journal=running.journal,
        projections=setting.projections,
        youth_keys=running.youth_keys,
        reviews=setting.reviews,
        sources=running.links,
        pairwise=setting.pairwise,
        recall=running.seals.link_recall(setting, marked=entries, keys=running.class_keys),
        now=utc_now,
    )


def _registrations(running: Running) -> Registrations:
    return Registrations(
        running.members.ledger,
        directory=running.directory,
        at_rest=running.members.at_rest,
        prepare=running.youth_keys.prepare,
        acknowledged=running.links.last_acknowledged,
        now=utc_now,
        sealed_among=running.seals.sealed_among,
    )


def _link(running: Running, machine: MachineCalls, alert_keys: AlertKeys) -> LinkServicer:
    return LinkServicer(
        running.links,
        peers=running.peers,
        machine=machine,
        alerts=Alerts(running.lookups, alert_keys),
        journal=running.journal,
        directory=running.directory,
        attestations=running.publishing.attestations,
        own_entries=running.finding.own_entries,
        shown=running.publishing.shown,
        now=utc_now,
    )


def _setting(running: Running, alert_keys: AlertKeys) -> Setting:
    at_rest = running.members.at_rest
    return Setting(
        policy=running.policy,
        directory=running.directory,
        journal=WitnessedJournal(running.journal, running.publishing.witnessed),
        index=SqlIndex(running.lookups, at_rest, running.youth_keys, running.aside.find),
        authorities=SqlAuthorities(running.lookups, running.authority_keys),
        projections=SqlProjections(running.class_keys, alert_keys),
        youth_keys=running.youth_keys,
        sources=running.links,
        reviews=SqlReviews(running.lookups, at_rest, running.youth_keys),
        reliance=SqlReliance(running.lookups, at_rest, running.youth_keys),
        tally=_tally(running),
        pairwise=running.pairwise(),
        random_bytes=os.urandom,
        now=utc_now,
        until=_until,
        auto=running.config.matching.auto,
        read=partial(running.aside.read, at_rest),
        slot_seconds=running.config.negative_slot_ms / 1000,
    )


def _tally(running: Running) -> SqlTally:
    hold, day = running.config.hold, running.config.budgets
    suspicion = Suspicion(hold.lookups, hold.misses_percent) if hold.enabled else None
    limits = Limits(day.lookups_a_day, day.lookups_a_worker_a_day, running.config.matching.possible_a_day)
    return SqlTally(running.journal, limits, suspicion)


def adding(add: Callable[[Any, grpc.aio.Server], None], servicer: object) -> Add:
    """Adds the servicer to a server by the generated function."""
    return lambda server: add(servicer, server)


async def _until(moment: datetime) -> None:
    await asyncio.sleep(max(0.0, (moment - utc_now()).total_seconds()))
