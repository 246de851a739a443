"""The source side: from a work order to a sealed answer, or to a refusal that says nothing.

    1  take the order up, once                     work_log
    2  verify it alone                             order
    3  find the youth, decide on own facts         subjects, flags, settle
    4  read, minimize, check what was built        source, minimize, presence
    5  sign and seal to the requester's key        gateway.protocol.sealing

The only file of the source side with I/O; the rules are in the files named. Every refusal leaves as REFUSED, with its
reason in `adapter.db` and in this county's own log without any value; a fault of the county's own systems is ERROR and
never a negative.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from adapters.mapping.release import ReleaseRules
from adapters.node.errors import NotReady
from adapters.node.flags import OwnFlags
from adapters.node.majority import consent_outlived
from adapters.node.minimize import Bounds, Subject, minimize
from adapters.node.node import Node
from adapters.node.order import Here, VerifiedOrder, verify_order
from adapters.node.own_flag import OwnFlag, looked_for
from adapters.node.presence import field_sets_present
from adapters.node.refusal import OrderRefused, Refusal
from adapters.node.reviews import Reviews
from adapters.node.settle import OwnFacts, settle
from adapters.node.signing_ages import signed_out_of_age
from adapters.node.source import Source, SourceUnusable, placement_county_of
from adapters.node.subjects import Subjects
from adapters.node.work_log import ANSWERED, WorkLog
from adapters.records import Youth
from gateway.protocol.authority import Authority
from gateway.protocol.decide import CountyNarrowing, Decision
from gateway.protocol.directory import DirectoryView
from gateway.protocol.match_keys import naming_digests
from gateway.protocol.names import AgencyId, AgencyKind, Basis, FieldSet, FlagId, Obligation, SubjectHandle
from gateway.protocol.policy.fieldsets import expand
from gateway.protocol.sealing import SealContext, seal_record
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1.exchange_pb2 import SealedRecord
from homeward.gateway.v1.link_pb2 import (
    WORK_STATUS_ANSWERED,
    WORK_STATUS_ERROR,
    WORK_STATUS_REFUSED,
    WorkOrder,
    WorkResult,
)
from homeward.gateway.v1.records_pb2 import RecordAnswer

_FLAG_SETS: Final = frozenset({FieldSet.FS2_FLAG_LOCATE, FieldSet.FS3_FLAG_CASEWORK})
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Responder:
    """Answers work orders. Blocking; run it off the event loop. Usable from several threads."""

    node: Node
    source: Source
    subjects: Subjects
    flags: OwnFlags
    reviews: Reviews
    work: WorkLog
    release: ReleaseRules
    narrowing: CountyNarrowing
    zone: ZoneInfo
    """In which the county's days begin."""

    def answer(self, order: WorkOrder) -> WorkResult:
        """The result for the gateway; the order is unverified."""
        now = self.node.now()
        try:
            self.work.start(order.work_id, now)
        except OrderRefused as refused:
            # The first time it came, the row was written; that row is not to be touched.
            _log_refusal(refused.refusal)
            return _result(order, WORK_STATUS_REFUSED)
        try:
            sealed = self._sealed(order, now)
        except OrderRefused as refused:
            _log_refusal(refused.refusal)
            self.work.finish(order.work_id, refused.refusal)
            return _result(order, WORK_STATUS_REFUSED)
        except (NotReady, SourceUnusable) as fault:
            _LOG.error("work order not answered", extra={"kind": type(fault).__name__})
            self.work.finish(order.work_id, type(fault).__name__)
            return _result(order, WORK_STATUS_ERROR)
        self.work.finish(order.work_id, ANSWERED)
        return WorkResult(work_id=order.work_id, status=WORK_STATUS_ANSWERED, sealed_record=sealed)

    def _sealed(self, order: WorkOrder, now: datetime) -> SealedRecord:
        here = Here(self.node.agency, self.node.directory(), self.node.policy(), now)
        verified = verify_order(order, here)
        self.work.claim(
            order.work_id,
            decision_index=verified.decision_index,
            requester=verified.requester.agency,
            receipt=order.decision_receipt,
        )
        handle = SubjectHandle(order.grant.subject_handle)
        youth = self._youth(handle, now)
        flags = self._standing(handle, verified.requester.agency, now)
        decision = settle(verified, self._own_facts(verified, handle, youth, flags), here, self.narrowing)
        if decision.basis is Basis.CONSENT:
            self._check_consent(verified.authority, youth, now)
        if youth.held_for_human:
            raise OrderRefused(Refusal.HELD_FOR_HUMAN)
        flag = self._flag(FlagId(order.grant.flag_id), flags, decision)
        subject = Subject(
            youth=youth,
            flag=flag,
            earlier_flags=tuple(self.flags.of(handle)),
            data_as_of=self.source.data_as_of(),
            duty_line=here.directory.county(self.node.membership.county).duty_line,
            kind_of=_Kinds(here.directory),
        )
        answer = minimize(subject, self._bounds(verified, decision, now))
        return self._seal(order, verified, answer)

    def _youth(self, handle: SubjectHandle, now: datetime) -> Youth:
        local_id = self.subjects.local_id_of(handle)
        if local_id is None:
            raise OrderRefused(Refusal.SUBJECT_UNKNOWN)
        if self.source.is_stale(now):
            # Older than the county itself tolerates: what is not known now is neither denied nor told.
            raise SourceUnusable
        youth = self.source.by_local_id(local_id)
        if youth is None:
            raise OrderRefused(Refusal.SUBJECT_UNKNOWN)
        return youth

    def _check_consent(self, consent: Authority | None, youth: Youth, now: datetime) -> None:
        """What only this county can know of a consent, whoever recorded it: how old the youth is."""
        if consent_outlived(consent, youth.identity.birth_date, now):
            raise OrderRefused(Refusal.CONSENT_OUTLIVED)
        if signed_out_of_age(consent, youth.identity.birth_date, self.zone):
            raise OrderRefused(Refusal.GRANTOR_AGE)

    def _standing(self, handle: SubjectHandle, requester: AgencyId, now: datetime) -> Sequence[OwnFlag]:
        """The youth's flags, oldest first, without an open one that nobody has affirmed for as long as a statement
        holds: it is no active flag to another agency (DOMAIN §4a row 5), and still the county's own to see and mend.
        """
        flags = self.flags.of(handle)
        if requester == self.node.agency:
            return flags
        return [flag for flag in flags if not flag.is_open or flag.expires > now]

    def _own_facts(
        self, verified: VerifiedOrder, handle: SubjectHandle, youth: Youth, flags: Sequence[OwnFlag]
    ) -> OwnFacts:
        tokens = self.subjects.registered(handle, verified.query.tokens.epoch)
        if tokens is None:
            raise OrderRefused(Refusal.SUBJECT_UNKNOWN)
        newest = looked_for(flags) or (flags[-1] if flags else None)
        return OwnFacts(
            handle=handle,
            tokens=tokens,
            flag=newest.state if newest is not None else None,
            restriction=youth.restriction,
            placement_county=placement_county_of(youth) or self.node.membership.county,
            confirmed=self.reviews.is_confirmed(
                handle, verified.requester.agency, naming_digests(verified.query.tokens)
            ),
        )

    def _flag(self, named: FlagId, flags: Sequence[OwnFlag], decision: Decision) -> OwnFlag | None:
        """The flag that the answer is about. Staff of the county itself are shown how the last one ended, too."""
        if _FLAG_SETS.isdisjoint(decision.field_sets):
            return None
        if not named:
            last = flags[-1] if flags and Obligation.INTERNAL_USE in decision.obligations else None
            return looked_for(flags) or last
        flag = next((flag for flag in flags if flag.flag_id == named), None)
        if flag is None:
            raise OrderRefused(Refusal.FLAG_UNKNOWN)
        return flag

    def _bounds(self, verified: VerifiedOrder, decision: Decision, now: datetime) -> Bounds:
        query = verified.query
        asked = expand(from_wire(FieldSet, number) for number in query.field_sets)
        if decision.mode is None:
            raise OrderRefused(Refusal.DECIDED_OTHERWISE)
        return Bounds(
            request_digest=verified.digest,
            granted=frozenset(decision.field_sets),
            asked=frozenset(asked),
            purpose=verified.request.purpose,
            role=verified.request.role,
            mode=decision.mode,
            obligations=frozenset(decision.obligations),
            release=self.release,
            page=query.page or 1,
            page_size=query.page_size,
            today=now.astimezone(self.zone).date(),
        )

    def _seal(self, order: WorkOrder, verified: VerifiedOrder, answer: RecordAnswer) -> SealedRecord:
        # Minimizing is right by construction; an answer that shows more all the same must not leave.
        if not field_sets_present(answer) <= frozenset(verified.granted):
            raise OrderRefused(Refusal.DECIDED_OTHERWISE)
        context = SealContext(
            request_digest=verified.digest,
            pairwise_handle=order.grant.pairwise_handle,
            requester=verified.requester.agency,
            source=self.node.agency,
            field_sets=verified.decided,
            recipient_key_id=order.grant.recipient_key_id,
            page=answer.page,
            decision_index=verified.decision_index,
        )
        return seal_record(
            answer, context=context, recipient_key=verified.recipient_key, source_key=self.node.keyring.record
        )


class _Kinds:
    """Kinds of member agencies, from one directory."""

    def __init__(self, directory: DirectoryView) -> None:
        self._directory = directory

    def __call__(self, agency: AgencyId) -> AgencyKind | None:
        member = self._directory.member(agency)
        return member.kind if member is not None else None


def _log_refusal(refusal: Refusal) -> None:
    _LOG.warning("work order refused", extra={"reason": refusal})


def _result(order: WorkOrder, status: int) -> WorkResult:
    return WorkResult(work_id=order.work_id, status=status)  # type: ignore[arg-type]
