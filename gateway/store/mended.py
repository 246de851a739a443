"""After a declared loss, what makes the projections what the log says again; and what of them is lost.

Decides, row by row, with `compared`'s judgment of each:

1. what entries say whole is written from them: denied names, suspended members, seals, epochs, heartbeats' figures
2. what nobody ever said goes: youths listed by an agency that registered none, parties that an authority does not name
3. an authority or a flag whose row is not what the log says goes, because an entry holds digests of what it said and
   never that itself: its county signed it, and its adapter presents it again (`recovery.presented`)
4. of an authority that was revoked a stub is left, so that nobody presents it again as standing
5. what notices must be beside that, alerts and entries say (`notice_rows`)
6. an alert that no entry names as it is, or whose notice is lost, goes, and nobody can say any more what a lost one
   said: the adapters that were not told of it yet are told that one is missing

Which rows are lost is counted, and the count is an entry (`tables.mended`): one more that is missing later is found.
What nobody can compare (`compared`) is left as it is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, bindparam, delete, insert, select, update

from audit.log import Append
from audit.statement import Params, Statement, upsert
from audit.transaction import Tx
from gateway.exchange.journal import Kind, Value, draft
from gateway.ports import Rows
from gateway.protocol.names import AuthorityId
from gateway.store import tables
from gateway.store.compared import (
    DENIED,
    EPOCH,
    LISTING,
    SEAL,
    SUSPENDED,
    Compared,
    StoredAuthorities,
    compare_flags,
    compare_whole,
    listed_by_nobody,
    read_authorities,
)
from gateway.store.derived import Derived, Opened, derive
from gateway.store.told import ComparedAlerts, compare_alerts, untold_digest

Moment = Callable[[AuthorityId, int], bytes | None]
"""When an authority was revoked, as it rests in its row; None where its youth was sealed."""
_A, _P, _S, _C = tables.authority.c, tables.authority_party.c, tables.subject.c, tables.notice_copy.c
_SUSPEND: Final = Statement(
    update(tables.member).where(tables.member.c.agency == bindparam("agency_")).values(suspended=bindparam("is_")),
    "is_", "agency_",
)  # fmt: skip
_DROPS: Final = {
    DENIED: Statement(delete(tables.denied).where(tables.denied.c.name == bindparam("key_")), "key_"),
    SEAL: Statement(delete(tables.seal).where(tables.seal.c.seal_id == bindparam("key_")), "key_"),
    LISTING: Statement(delete(tables.listing).where(tables.listing.c.owner == bindparam("key_")), "key_"),
    EPOCH: Statement(delete(tables.epoch).where(tables.epoch.c.name == bindparam("key_")), "key_"),
}
_PUTS: Final = {
    DENIED: upsert(tables.denied, "name"),
    SEAL: upsert(tables.seal, "seal_id"),
    LISTING: upsert(tables.listing, "owner"),
    EPOCH: upsert(tables.epoch, "name"),
}
_DROP_AUTHORITY: Final = Statement(delete(tables.authority).where(_A.authority_id == bindparam("authority_")))
_PUT_STUB: Final = Statement(insert(tables.authority))
_DROP_PARTY: Final = Statement(
    delete(tables.authority_party).where(
        and_(_P.authority_id == bindparam("authority_"), _P.agency == bindparam("agency_"))
    ),
    "authority_", "agency_",
)  # fmt: skip
_PUT_PARTY: Final = Statement(insert(tables.authority_party))
_DROP_ALERT: Final = Statement(
    delete(tables.alert).where(
        and_(tables.alert.c.agency == bindparam("agency_"), tables.alert.c.sequence == bindparam("sequence_"))
    ),
    "agency_", "sequence_",
)  # fmt: skip
_DROP_COPY: Final = Statement(
    delete(tables.notice_copy).where(
        and_(_C.notice_id == bindparam("notice_"), _C.agency == bindparam("agency_"))
    ),
    "notice_", "agency_",
)  # fmt: skip
_PUT_COPY: Final = upsert(tables.notice_copy, "notice_id", "agency")
_DROP_NOTICE: Final = Statement(
    delete(tables.sent_notice).where(tables.sent_notice.c.notice_id == bindparam("notice_"))
)
_PUT_NOTICE: Final = upsert(tables.sent_notice, "notice_id")
_DROP_FLAG: Final = Statement(delete(tables.flag).where(tables.flag.c.flag_id == bindparam("flag_")))
_DROP_TOKENS: Final = Statement(
    delete(tables.index_token).where(
        tables.index_token.c.ref.in_(select(_S.ref).where(_S.owner == bindparam("owner_")))
    ),
    "owner_",
)
_DROP_LISTED: Final = Statement(delete(tables.subject).where(_S.owner == bindparam("owner_")))
_NEVER: Final = 0
"""A heartbeat of before a declared loss counts for nothing; whoever sent it sends another."""


@dataclass(frozen=True, slots=True)
class Mending:
    """What is to be done, and how many authorities, flags and alerts are lost."""

    rows: Rows
    authorities: int
    flags: int
    alerts: int = 0
    untold: bytes = b""
    """`told.untold_digest` of these alerts."""

    def append(self) -> Append:
        """The rows are as the log says, and an entry says how many are lost, in one transaction."""
        op: dict[str, Value] = {"authorities": self.authorities, "flags": self.flags, "rows": len(self.rows)}
        if self.untold:
            op |= {"alerts": self.alerts, "untold": self.untold.hex()}
        return Append(draft(Kind.TABLES_MENDED, op=op), rows=self.rows)


def plan_mending(tx: Tx, opened: Opened, moment: Moment) -> Mending | None:
    """What makes the projections what the log says; None where they are. The loss is in the log.

    Raises EvidenceError(PROJECTION) where that cannot be said, because a key or a count of one is missing.
    """
    derived = derive(tx, opened)
    rows = [each for compared in compare_whole(tx, derived) for each in _whole(compared)]
    for owner in listed_by_nobody(tx, derived):
        rows += [(_DROP_TOKENS, (owner,)), (_DROP_LISTED, (owner,))]
    judged = read_authorities(tx, derived, opened)
    stubs = dict(_stubs(judged, derived, moment))
    rows += [(_DROP_AUTHORITY, (each,)) for each in sorted(judged.wrong)]
    rows += [(_PUT_STUB, stub) for _, stub in sorted(stubs.items())]
    rows += [(_DROP_PARTY, each) for each in sorted(judged.kept - judged.parties)]
    rows += [(_PUT_PARTY, (agency, each)) for each, agency in sorted(judged.parties - judged.kept)]
    flags = compare_flags(tx, derived, opened)
    rows += [(_DROP_FLAG, (each,)) for each in sorted(flags.wrong)]
    wrong = {each for each in derived.authorities if each in judged.wrong}
    lost = {each for each in judged.missing | wrong if not derived.may_lack_authority(derived.authorities[each])}
    lost -= stubs.keys()
    wrong_flags = flags.wrong & derived.flags.keys()
    lost_flags = flags.missing | {each for each in wrong_flags if not derived.may_lack_flag(each)}
    alerts = compare_alerts(tx, derived.keys.op, derived.epochs)
    rows += [(_DROP_ALERT, each) for each in sorted(alerts.wrong, key=repr)]
    rows += list(_notices(alerts))
    # A command that was cut short has counted already what is missing.
    is_counted = derived.is_mended(tx) and not (
        derived.unaccounted_authorities(lost)
        or derived.unaccounted_flags(lost_flags)
        or derived.unaccounted_alerts(alerts.missing)
    )
    if not rows and (is_counted or not (lost or lost_flags or alerts.missing)):
        return None
    return Mending(tuple(rows), len(lost), len(lost_flags), len(alerts.missing), untold_digest(alerts.missing))


def _whole(compared: Compared) -> Iterator[tuple[Statement, Params]]:
    for key in sorted(compared.wrong()):
        said = compared.said.get(key)
        if compared.what == SUSPENDED:
            yield _SUSPEND, (int(said is not None), key)
        elif said is None:
            yield _DROPS[compared.what], (key,)
        else:
            values = said if isinstance(said, tuple) else (said,)
            yield _PUTS[compared.what], (key, *values, *((_NEVER,) if compared.what == LISTING else ()))


def _notices(alerts: ComparedAlerts) -> Iterator[tuple[Statement, Params]]:
    for key, copy in sorted(alerts.copies.items(), key=repr):
        yield (_DROP_COPY, key) if copy is None else (_PUT_COPY, (*key, *copy))
    for notice_id, sent in sorted(alerts.notices.items(), key=repr):
        yield (_DROP_NOTICE, (notice_id,)) if sent is None else (_PUT_NOTICE, (notice_id, *sent))


def _stubs(judged: StoredAuthorities, derived: Derived, moment: Moment) -> Iterator[tuple[bytes, Params]]:
    for each in {*judged.absent, *judged.wrong}:
        known = derived.authorities.get(each)
        if known is not None and known.revoke_ms is not None:
            revocation = moment(AuthorityId(each), known.revoke_ms)
            # Whose youth was sealed meanwhile can never be on record again.
            if revocation is not None:
                yield each, (each, known.issuer, b"", revocation, known.leaf_index)
