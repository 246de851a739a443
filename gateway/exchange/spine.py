"""The way of one disclosure, steps 4 to 13, in the order they happen.

 4  authenticate   who asks (`authenticate`)
 6  authority      what the named consent, order or agreement is worth (`protocol/authority`)
 5  decide (a)     what the request alone settles, that worth among it (`protocol/decide`)
 7  locate         tokens to at most one youth (`locate`); decide (b) (`settle`)
 8  journal        the DECISION leaf is durable; a flag check is answered from here
 9  work order     over the source's own stream; 10 and 11 happen at the source
12  journal        revocation re-checked and RELEASE durable, in one transaction
13  reply

Everything refused up to step 6 depends on the request alone. From step 7 on the only
refusal is the uniform negative, with the same leaves and in the same time (`slot`). Every
refusal leaves through the journal; nothing leaves before it is written down.

Of a flag check without an authority, 5 and 7 may have been taken when it was read (`Caller.ahead`), from the same
facts; that counts once, and only while the directory it was settled under is in force.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from google.protobuf.message import Message

from audit.entry import KEY_BYTES, Draft, YouthKey
from audit.sequencer import Append
from gateway.errors import AssertionInvalid, Error, ErrorReason, Invalid, Unauthenticated
from gateway.exchange import leaves
from gateway.exchange.alerting import Telling, tell
from gateway.exchange.asked import Asked, Result, looks_unknown, next_slot, read_result, shown
from gateway.exchange.authenticate import authenticate
from gateway.exchange.call import Call, Caller, Query
from gateway.exchange.circumstances import Known
from gateway.exchange.cohort import Cohorts
from gateway.exchange.deed import Moved, both, on_what_stands
from gateway.exchange.facts import authority_facts, request_facts
from gateway.exchange.locate import Found, check_core
from gateway.exchange.orders import work_order
from gateway.exchange.receipts import receipt_message
from gateway.exchange.refusals import Refusals
from gateway.exchange.reviews import Review, review_alerts
from gateway.exchange.setting import Setting
from gateway.exchange.settle import Settled, settle, settled_by_request
from gateway.exchange.tally import FoundToday, asker_of
from gateway.ports import Entered, Guard, KeptAuthority, NewAlert, Rows, SourceUnreachable, own_youth
from gateway.protocol.assertion import AssertionRefused
from gateway.protocol.authority import Authority, AuthorityFacts
from gateway.protocol.authority_wire import AuthorityInvalid, open_authority
from gateway.protocol.decide import Decision, RequestFacts, between_pages, decide_request
from gateway.protocol.directory import KeyUnknown
from gateway.protocol.names import OPAQUE_LENGTH, AuthorityId, Basis
from gateway.protocol.names import Call as Family
from gateway.protocol.outcomes import Reason
from gateway.protocol.policy.conditions import claims_emergency
from gateway.protocol.policy.facts import milliseconds
from homeward.gateway.v1.directory_pb2 import KEY_USE_SEAL
from homeward.gateway.v1.exchange_pb2 import SOURCE_STATUS_UNSPECIFIED, FlagQuery, SealedRecord

M = TypeVar("M", bound=Message)


class Exchange:
    """Runs the spine."""

    def __init__(self, setting: Setting) -> None:
        self.cohorts = Cohorts()
        """Whoever asks many questions at once, or one of many who do, asks them within `member`."""
        # Looked up with each entry: an exchange is made over a journal that fails, too, and says so when it is asked.
        self.refusals = Refusals(lambda append: setting.journal.enter(append), setting.now)
        self._at = setting
        self._known = Known(
            setting.directory,
            listings=lambda: setting.index.listings(),
            records=lambda: setting.index.records(),
            auto=setting.auto,
            now=setting.now,
        )
        self._found_today = FoundToday()

    async def admit(self, call: Call, message_type: type[M]) -> tuple[Caller, M]:
        """Step 4: the caller and its message, or a refusal that is on record.

        Raises `Unauthenticated` and its kinds, `Invalid`, `Unavailable`.
        """
        await self.cohorts.abreast()
        try:
            try:
                known = await self._known.of_flag_checks() if message_type is FlagQuery else None
                claims, faults, message, ahead = await self._at.read(call, self._at.directory(), message_type, known)
            except AssertionRefused as refused:
                raise AssertionInvalid(ErrorReason(f"ASSERTION_{refused.fault}")) from refused
            await self.cohorts.abreast()
            caller = authenticate(call, claims, self._at.directory(), ahead=ahead)
            if faults:
                raise Invalid(ErrorReason.INVALID_REQUEST, fields=faults)
        except (Unauthenticated, Invalid) as refusal:
            await self.refuse(call, refusal)
            raise
        if not isinstance(message, message_type):
            raise TypeError("read as a message of another type")
        return caller, message

    async def refuse(self, call: Call, refusal: Error) -> None:
        """A known caller's message that is refused before any decision is on record, or counted (`refusals`)."""
        await self.refusals.record(call, refusal.reason)
        refusal.on_record = True

    async def run(self, caller: Caller, query: Query) -> Result:
        """Answer one question, or refuse it; either way leave a durable trace first.

        Raises `Conflict` for a request or assertion used before, `Invalid` for a question that cannot be asked,
        `Exhausted` while the agency's look-ups are held or the day's questions are asked, `Unavailable` when the log
        cannot be written.
        """
        ahead = await self._standing(caller.ahead, query)
        if ahead is None:
            self._check(caller, query)
        await self.cohorts.abreast()
        # The first try alone: what was settled ahead is what has moved when there is a second.
        tries = iter((ahead,))
        return await on_what_stands(lambda: self._answer(caller, query, next(tries, None)))

    async def _answer(self, caller: Caller, query: Query, ahead: Settled | None) -> Result:
        kept, authority = await self._authority(caller)  # 6
        worth = authority_facts(authority, caller, query, revoked=kept is not None and kept.revoked)
        request = request_facts(caller, query, worth, emergency_uses=await self._emergencies(caller, worth))
        settled = ahead or await self._settle(caller, query, request, authority)  # 5, 7
        decision, found, youth = settled.decision, settled.found, settled.youth
        under = caller.claims.authority_id if kept is not None and found.candidate is None else None
        key = await self._key(found, under)
        statement = await self._statement(query, decision, found)
        asked = Asked(caller, query, kept, found, key, request, youth, settled.committed, authority, under)
        decision = between_pages(decision) if query.page > 1 else decision
        decided, decision = await self._decide(asked, decision)  # 8
        if youth is None or query.family is Family.FLAG_CHECK:
            told = shown(decided, decision, query.family)
            # As with what a source says: it must not outlast the permit.
            return Result(decision, found, settled.stale, told, statement=statement if decision.permit else b"")
        sealed: SealedRecord | None = None
        status: int = SOURCE_STATUS_UNSPECIFIED
        if decision.permit:
            sealed, status, reason = await self._ask(asked, decision, decided)  # 9, 10, 11
            decision = decision if reason is None else asked.ended(decision, reason)
        if looks_unknown(decision):
            # Before the leaf and not after it: its time is in the receipt.
            await self._slot(asked)
        released, decision = await self._release(asked, decision, decided, sealed)  # 12
        if looks_unknown(decision):
            # What a source said, or that it was asked, must not outlast the permit.
            sealed, status = None, SOURCE_STATUS_UNSPECIFIED
        if released.guarded:
            await self._slot(asked)
        told = shown(decided, decision, query.family)
        return Result(decision, found, settled.stale, told, released, sealed, status)  # 13

    def _check(self, caller: Caller, query: Query) -> None:
        check_core(query.tokens)
        if query.tokens.epoch not in self._at.directory().epochs:
            # Tokens of any other epoch meet nothing in the index, and that must not read as "nobody looks".
            raise Invalid(ErrorReason.EPOCH_UNKNOWN)
        if query.family is Family.FLAG_CHECK:
            return
        try:
            self._at.directory().key(caller.agency, KEY_USE_SEAL, query.recipient_key_id, caller.call.received_at)
        except KeyUnknown as exc:
            raise Invalid(ErrorReason.KEY_UNKNOWN) from exc

    async def _standing(self, ahead: Settled | None, query: Query) -> Settled | None:
        """What was settled ahead, if nothing changed since that it rests on."""
        at, epoch = self._at, query.tokens.epoch
        if ahead is None or ahead.directory is not at.directory() or not self._known.is_listed_in(epoch):
            return None
        if ahead.youth is not None and ahead.stale != await self._known.stale(query.family, epoch):
            return None
        # Whoever keeps no key of a youth sees no flag of it (`SubjectIndex.look_up`).
        flagged = [each for each in ahead.found.likely if each.flag is not None]
        keys = [await at.youth_keys.find(each.owner, each.handle) for each in flagged]
        return None if None in keys else ahead

    async def _settle(
        self, caller: Caller, query: Query, request: RequestFacts, authority: Authority | None
    ) -> Settled:
        at, epoch = self._at, query.tokens.epoch
        directory, first = at.directory(), decide_request(at.policy, request)  # 5
        if not first.permit:
            return settled_by_request(at.policy, directory, request, first)
        await self.cohorts.abreast()
        circumstances = await self._known.of(query.family, (epoch,))
        candidates, verdicts = await at.index.look_up(caller.agency, query.tokens)
        if not self._known.is_listed_in(epoch):
            # The epoch ended since: whoever is not found may have been erased with it a moment ago.
            circumstances = await self._known.of(query.family, (epoch,))
        return settle(  # 7
            at.policy,
            at.directory(),
            request,
            first,
            tokens=query.tokens,
            authority=authority,
            candidates=candidates,
            verdicts=verdicts,
            circumstances=circumstances,
        )

    async def _statement(self, query: Query, decision: Decision, found: Found) -> bytes:
        """What a permitted flag check tells. Opened before the leaf: without the key, it is another answer."""
        if not decision.permit or query.family is not Family.FLAG_CHECK or found.candidate is None:
            return b""
        statement = await self._at.index.statement(found.candidate)
        if statement is None:
            raise Moved
        return statement

    async def _slot(self, asked: Asked) -> None:
        at = self._at
        await at.until(next_slot(asked.caller.call.received_at, at.now(), at.slot_seconds))

    async def _authority(self, caller: Caller) -> tuple[KeptAuthority | None, Authority | None]:
        if caller.claims.authority_id is None:
            return None, None
        kept = await self._at.authorities.get(caller.claims.authority_id)
        if kept is None:
            return None, None
        try:
            return kept, open_authority(kept.envelope, self._at.directory(), caller.call.received_at)
        except AuthorityInvalid:
            # Its issuer's key no longer counts: the same as an authority nobody recorded.
            return None, None

    async def _emergencies(self, caller: Caller, worth: AuthorityFacts | None) -> int:
        if worth is None or worth.basis is not Basis.EMERGENCY:
            return 0
        return await self._at.authorities.emergency_uses(
            caller.agency, caller.claims.subject, self._emergency_period(caller)
        )

    def _emergency_period(self, caller: Caller) -> int:
        return milliseconds(caller.call.received_at - timedelta(days=self._at.policy.emergency.uses_period_days))

    async def _key(self, found: Found, under: AuthorityId | None) -> YouthKey:
        keys, candidate = self._at.youth_keys, found.candidate
        own = own_youth(under) if under is not None else (candidate.owner, candidate.handle) if candidate else None
        asked = keys.ask(*own) if own is not None else None
        # All of a cohort have asked before any goes on, and all wait for the one that has to: else a question about
        # somebody could be overtaken by one about nobody that came after it.
        await self.cohorts.abreast()
        await keys.at_hand()
        if asked is not None:
            try:
                return await asked
            except Moved:
                if under is not None:
                    raise
                # Sealed since it was looked up: the entry is refused in its own transaction and opens for nobody.
        # A key nobody keeps: an entry about nobody takes as long to make as one about a youth.
        return YouthKey(self._at.random_bytes(KEY_BYTES), 0)

    async def _decide(self, asked: Asked, decision: Decision) -> tuple[Entered, Decision]:
        at, refused = self._at, list[Decision]()

        def refusal(reason: Reason) -> Draft:
            # The writer may run a guard twice; the last word counts.
            refused[:] = [asked.ended(decision, reason)]
            return asked.decision_leaf(refused[0], policy=at.policy.version)

        leaf = asked.decision_leaf(decision, policy=at.policy.version)
        # Whoever is in the same cohort has made theirs.
        await self.cohorts.abreast()
        # A refusal of the request alone says nothing of whom it is about. A further page counts: that it is one is the
        # caller's word, and its tokens may be any.
        asker = asker_of(asked.caller.agency, asked.caller.claims.subject, asked.caller.call.received_at)
        heard = None if asked.facts is None else self._found_today.heard(asker, asked.query.request_id, asked.found)
        budget, count = at.tally.asked(asker, heard)
        once = at.projections.once(asked.caller, asked.query)
        guard = both(budget, once.guard)
        await self.cohorts.abreast()
        if decision.permit and asked.query.family is Family.FLAG_CHECK:
            # This leaf is the release: what ended since the authority was read ends the permit here.
            guard = both(guard, self._releasable(asked, decision, refusal))
        if asked.under is not None:
            guard = both(guard, at.authorities.speaks(asked.under))
        rows = once.rows
        if decision.permit and asked.query.family is Family.FLAG_CHECK:
            rows += self._relied(asked, asked.youth)
        kept = asked.youth if asked.candidate is not None or asked.under is not None else None
        rows += at.projections.committed(asked.committed, kept)
        if asked.facts is not None and claims_emergency(asked.request):
            # Counted whatever the youth made of it: what is left of the quota must not tell whether there was one.
            since_ms, seen = self._emergency_period(asked.caller), asked.request.emergency_uses
            guard = both(guard, at.projections.emergencies_stand(asked.caller, since_ms=since_ms, seen=seen))
            rows += at.projections.emergency(asked.caller)
        await self.cohorts.abreast()
        opened, reviewing = await self._reviews(asked, decision)
        for review, reviewed in opened:
            # A sealed youth's handle must not come back with a question that was under way.
            guard = both(guard, at.reviews.openable(review))
            rows += reviewed
        told = await tell(at.projections, at.youth_keys, at.sources, (*asked.decision_alerts(decision), *reviewing))
        entered = await at.journal.enter(
            Append(leaf, guard, rows, count, told.says, told.then, is_brief=True, seeks=once.seeks)
        )
        await at.tally.settle(asker.agency)
        return entered, refused[0] if entered.guarded else decision

    async def _reviews(
        self, asked: Asked, decision: Decision
    ) -> tuple[list[tuple[Review, Rows]], tuple[NewAlert, ...]]:
        """The possible matches that this question leaves to people, and what the agencies are told of them."""
        at, query = self._at, asked.query
        opened: list[tuple[Review, Rows]] = []
        alerts: tuple[NewAlert, ...] = ()
        for candidate in asked.to_review(at.policy, decision, at.directory()):
            review = asked.review(candidate, at.random_bytes(OPAQUE_LENGTH))
            key = await at.youth_keys.next(candidate.owner, candidate.handle)
            opened.append((review, at.reviews.opened(review, query.tokens, key)))
            alerts += review_alerts(
                review,
                pairwise=at.pairwise,
                create_ms=milliseconds(asked.caller.call.received_at),
                purpose=asked.caller.claims.purpose,
                asked=query.tokens,
            )
        return opened, alerts

    def _releasable(self, asked: Asked, decision: Decision, refusal: Callable[[Reason], Draft]) -> Guard:
        relies, at, candidate = decision.basis is not Basis.STATUTE, self._at, asked.candidate
        guard = at.projections.releasable(asked.caller, refusal, relies_on_authority=relies)
        pair = asked.linked_pair()
        if pair is not None:
            guard = both(guard, at.reliance.linked(pair, refusal))
        if candidate is None:
            return guard
        return both(guard, at.projections.listed(candidate.owner, candidate.handle, refusal))

    def _relied(self, asked: Asked, youth: YouthKey) -> Rows:
        """What is told on the word of two agencies is recalled when one takes it back; `youth` is the entry's."""
        pair = asked.linked_pair()
        return () if pair is None else self._at.reliance.relied(pair, youth)

    async def _ask(
        self, asked: Asked, decision: Decision, decided: Entered
    ) -> tuple[SealedRecord | None, int, Reason | None]:
        at, candidate = self._at, asked.candidate
        if candidate is None:
            # No rule permits a record of nobody; if one did, it would be told like an unknown youth.
            return None, SOURCE_STATUS_UNSPECIFIED, Reason.NO_MATCH
        order = work_order(
            asked.caller,
            asked.query,
            decision,
            candidate=candidate,
            authority=asked.kept.envelope if asked.kept is not None else None,
            committed=asked.committed,
            receipt=receipt_message(decided.receipt(leaves.SOURCE_OPENS)),
            work_id=at.random_bytes(16),
            pairwise_handle=at.pairwise(asked.caller.agency, candidate.owner, candidate.handle),
            policy=at.policy.version,
        )
        try:
            return read_result(await at.sources.ask(candidate.owner, order, seconds=at.source_seconds))
        except SourceUnreachable as unreachable:
            return None, unreachable.status, Reason.SOURCE_UNAVAILABLE

    async def _release(
        self, asked: Asked, decision: Decision, decided: Entered, sealed: SealedRecord | None
    ) -> tuple[Entered, Decision]:
        at, youth = self._at, await self._key(asked.found, None)
        refused: list[Decision] = []

        def refusal(reason: Reason) -> Draft:
            # The writer may run a guard twice; the last word counts.
            refused[:] = [asked.ended(decision, reason)]
            return asked.outcome_leaf(refused[0], decided=decided.index, sealed=None, youth=youth)

        leaf = asked.outcome_leaf(decision, decided=decided.index, sealed=sealed, youth=youth)
        if not decision.permit:
            return await at.journal.enter(Append(leaf)), decision
        guard = self._releasable(asked, decision, refusal)
        rows, told = self._relied(asked, youth), Telling()
        with suppress(Moved):
            # Unless the youth was sealed meanwhile: then the entry is refused in its own transaction.
            told = await tell(at.projections, at.youth_keys, at.sources, asked.release_alerts(decision))
        entered = await at.journal.enter(Append(leaf, guard, rows, says=told.says, then=told.then))
        return entered, refused[0] if entered.guarded else decision
