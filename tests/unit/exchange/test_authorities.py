"""Authorities: recorded complete and by their issuer alone, revoked at once by whom they bind, listed to parties."""

import asyncio
import os
from collections.abc import Iterable
from datetime import timedelta

import pytest

from gateway.errors import Conflict, ErrorReason, Invalid
from gateway.exchange.journal import Kind
from gateway.protocol.envelope import wrap
from gateway.protocol.match_keys import naming_digests
from gateway.protocol.names import (
    AgencyId,
    AuthorityId,
    Basis,
    FieldSet,
    Grantor,
    Purpose,
    Role,
    SubjectHandle,
)
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.wire_names import to_wire
from gateway.store import tables
from homeward.gateway.v1 import authority_pb2 as pb
from homeward.gateway.v1.codes_pb2 import OUTCOME_ANSWERED, OUTCOME_NOT_PERMITTED, OUTCOME_RECORDED
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.link_pb2 import ALERT_KIND_AUTHORITY_REVOKED
from tests.unit.exchange.members import KERN, LA, POLICE, SF, STRTP, Youth, handle_of, staff, stamp
from tests.unit.exchange.surroundings import pairwise
from tests.unit.exchange.world import World

ANA = Youth("Ana Invented")


def consent(world: World, **changes: object) -> pb.Authority:
    """A complete consent that Los Angeles records for a team at the STRTP; with these fields changed."""
    message = pb.Authority(
        authority_id=os.urandom(16),
        basis=to_wire(Basis.CONSENT),  # type: ignore[arg-type]
        grantor=to_wire(Grantor.NMD_SELF),  # type: ignore[arg-type]
        issuer_agency=LA,
        subject=pb.AuthoritySubject(handle=handle_of(LA, ANA)),
        purposes=[to_wire(Purpose.CFT_COORDINATION)],  # type: ignore[list-item]
        field_sets=[to_wire(FieldSet.FS4_PLACEMENT_SUMMARY)],  # type: ignore[list-item]
        recipient_agencies=[STRTP],
        effective_time=stamp(world.clock() - timedelta(hours=1)),
        expire_time=stamp(world.clock() + timedelta(days=90)),
        evidence_commitment=b"e" * 32,
        language_version_hash=b"l" * 32,
        copy_given_to_youth=True,
    )
    for name, value in changes.items():
        message.ClearField(name)  # type: ignore[arg-type]
        message.MergeFrom(pb.Authority(**{name: value}))  # type: ignore[arg-type]
    return message


async def record(
    world: World,
    message: pb.Authority,
    *,
    agency: AgencyId = LA,
    envelope: SignedEnvelope | None = None,
    request_id: bytes = b"",
    role: Role | None = None,
) -> pb.RecordAuthorityResponse:
    signed = envelope or wrap(message, world.membership.members[AgencyId(message.issuer_agency)].authority)
    asked = pb.AuthorityRecord(request_id=request_id or os.urandom(16), authority=signed)
    request = world.signed(pb.RecordAuthorityRequest, asked, staff(agency, Purpose.CFT_COORDINATION, role))
    return await world.as_peer(agency, lambda: world.authority.RecordAuthority(request, None))


async def revoke(
    world: World, authority_id: bytes, *, agency: AgencyId = LA, request_id: bytes = b"", role: Role | None = None
) -> pb.RevokeAuthorityResponse:
    asked = pb.AuthorityRevocation(request_id=request_id or os.urandom(16), authority_id=authority_id)
    request = world.signed(pb.RevokeAuthorityRequest, asked, staff(agency, Purpose.CFT_COORDINATION, role))
    return await world.as_peer(agency, lambda: world.authority.RevokeAuthority(request, None))


async def listed(
    world: World, agency: AgencyId, *, live_only: bool = False, size: int = 0, token: bytes = b""
) -> pb.ListAuthoritiesResponse:
    asked = pb.AuthorityFilter(request_id=os.urandom(16), live_only=live_only, page_size=size, page_token=token)
    request = world.signed(pb.ListAuthoritiesRequest, asked, staff(agency, Purpose.CFT_COORDINATION))
    return await world.as_peer(agency, lambda: world.authority.ListAuthorities(request, None))


def identifiers(authorities: Iterable[pb.ListedAuthority]) -> list[bytes]:
    return [pb.Authority.FromString(each.authority.payload).authority_id for each in authorities]


async def test_a_recorded_consent_is_live_and_its_leaf_names_no_youth(world: World) -> None:
    handle = await world.register(LA, ANA)
    message, before = consent(world), world.size()
    answer = await record(world, message)
    assert answer.outcome == OUTCOME_RECORDED
    kept = await world.setting.authorities.get(message.authority_id)  # type: ignore[arg-type]
    assert kept is not None
    assert not kept.revoked
    (leaf,) = await world.leaves(before)
    assert (leaf.kind, leaf.op["basis"]) == (Kind.AUTHORITY_RECORDED, "CONSENT")
    named = message.authority_id.hex().encode()
    assert leaf.youth == {"handle": handle, "authority": named, "signed": kept.envelope.signature}
    assert not set(leaf.youth.values()) & set(leaf.req.values())


async def test_an_authority_by_tokens_needs_no_listed_youth(world: World) -> None:
    digests = sorted(naming_digests(world.tokens(ANA)))
    subject = pb.AuthoritySubject(token_digests=pb.SubjectTokenDigests(digests=digests))
    assert (await record(world, consent(world, subject=subject))).outcome == OUTCOME_RECORDED


LACKING = [
    ("copy_given_to_youth", False, "authority.copy_given_to_youth: required"),
    ("language_version_hash", b"", "authority.language_version_hash: required"),
    ("issuer_agency", SF, "authority.issuer_agency: own"),
    ("grantor", to_wire(Grantor.AGENCY_STATUTORY), "authority.grantor: power"),
    ("subject", pb.AuthoritySubject(handle=bytes(16)), "authority.subject.handle: unknown"),
]


@pytest.mark.parametrize(("name", "value", "field"), LACKING)
async def test_an_authority_that_lacks_something_is_refused_by_the_name_of_the_field(
    world: World, name: str, value: object, field: str
) -> None:
    await world.register(LA, ANA)
    message = consent(world, **{name: value})
    with pytest.raises(Invalid) as refused:
        await record(world, message)
    assert refused.value.reason is ErrorReason.AUTHORITY_INVALID
    assert field in refused.value.fields
    assert not world.rows(tables.authority)
    assert (await world.leaves())[-1].op["reason"] == "AUTHORITY_INVALID"


async def test_an_authority_that_is_over_or_an_emergency_of_five_hours_is_refused(world: World) -> None:
    await world.register(LA, ANA)
    over = consent(world, expire_time=stamp(world.clock()))
    emergency = {"basis": to_wire(Basis.EMERGENCY), "grantor": to_wire(Grantor.EMERGENCY_CLAIMANT)}
    start = world.clock()
    long = consent(world, **emergency, effective_time=stamp(start), expire_time=stamp(start + timedelta(hours=5)))
    for message, field in ((over, "authority.expire_time: future"), (long, "authority.expire_time: emergency")):
        with pytest.raises(Invalid) as refused:
            await record(world, message)
        assert refused.value.fields == (field,)
    short = consent(world, **emergency, effective_time=stamp(start), expire_time=stamp(start + timedelta(hours=4)))
    assert (await record(world, short)).outcome == OUTCOME_RECORDED


async def test_an_authority_signed_with_another_key_is_refused(world: World) -> None:
    await world.register(LA, ANA)
    message = consent(world)
    members = world.membership.members
    for key in (members[SF].authority, members[LA].envelope):
        with pytest.raises(Invalid) as refused:
            await record(world, message, envelope=wrap(message, key))
        assert refused.value.fields == ("authority: signed_by_issuer",)


async def test_an_authority_presented_again_is_on_record_again_and_another_under_its_identifier_is_not(
    world: World,
) -> None:
    await world.register(LA, ANA)
    message = consent(world)
    first, again = await record(world, message), await record(world, message)
    assert again.outcome == OUTCOME_RECORDED
    assert again.receipt.index > first.receipt.index
    assert len(world.rows(tables.authority)) == 1
    wider = consent(world, authority_id=message.authority_id, recipient_agencies=[STRTP, POLICE])
    with pytest.raises(Conflict) as refused:
        await record(world, wider)
    assert refused.value.reason is ErrorReason.ID_REUSED


async def test_one_authority_recorded_twice_at_once_stands_once(world: World) -> None:
    await world.register(LA, ANA)
    message = consent(world)
    answers = await asyncio.gather(record(world, message), record(world, message))
    assert {each.outcome for each in answers} == {OUTCOME_RECORDED}
    assert len(world.rows(tables.authority)) == 1


async def test_a_retried_record_is_answered_with_the_same_leaf(world: World) -> None:
    await world.register(LA, ANA)
    message, identifier = consent(world), os.urandom(16)
    first = await record(world, message, request_id=identifier)
    size = world.size()
    again = await record(world, message, request_id=identifier)
    assert again.receipt.index == first.receipt.index
    assert world.size() == size


async def test_a_role_that_the_agency_cannot_have_records_nothing(world: World) -> None:
    await world.register(LA, ANA)
    answer = await record(world, consent(world), role=Role("LEA.patrol"))
    assert answer.outcome == OUTCOME_NOT_PERMITTED
    assert not world.rows(tables.authority)
    assert (await world.leaves())[-1].op["purpose"] == Purpose.CFT_COORDINATION
    await record(world, message := consent(world))
    await revoke(world, message.authority_id, role=Role("LEA.patrol"))
    refused = (await world.leaves())[-1]
    assert (refused.kind, refused.op["decision"], "purpose" in refused.op) == (Kind.DECISION, "DENY", False)


@pytest.mark.parametrize("agency", [LA, STRTP])
async def test_issuer_and_recipient_revoke_and_the_others_are_told_to_stop(world: World, agency: AgencyId) -> None:
    handle = await world.register(LA, ANA)
    message = consent(world, recipient_agencies=[STRTP, KERN, AgencyId("06001.not-a-member")])
    await record(world, message)
    answer = await revoke(world, message.authority_id, agency=agency)
    assert answer.outcome == OUTCOME_RECORDED
    kept = await world.setting.authorities.get(message.authority_id)  # type: ignore[arg-type]
    assert kept is not None
    assert kept.revoked
    told = {LA, STRTP, KERN} - {agency}
    assert set(world.sources.alerted_agencies) == told
    for each in told:
        (alert,) = await world.alerts(each)
        assert (alert.kind, alert.acting_agency) == (ALERT_KIND_AUTHORITY_REVOKED, agency)
        assert alert.subject_handle == (handle if each == LA else pairwise(each, LA, SubjectHandle(handle)))
    leaf = (await world.leaves())[-1]
    assert (leaf.kind, leaf.entry.requester, leaf.entry.holder) == (Kind.AUTHORITY_REVOKED, agency, LA)
    assert leaf.entry.index == answer.receipt.index
    # Its assertion must name a purpose; nobody revokes for one, so neither entry nor alert gives it.
    assert "purpose" not in leaf.op
    assert not alert.purpose
    assert revoke_ms(world) == milliseconds(world.clock())


def revoke_ms(world: World) -> int | None:
    """When the one authority on record was revoked, as its row keeps it."""
    (row,) = world.rows(tables.authority)
    return world.authority_keys.open_moment(AuthorityId(row["authority_id"]), row["revocation"])


async def test_an_authority_revoked_again_stays_revoked_as_it_was(world: World) -> None:
    await world.register(LA, ANA)
    message = consent(world)
    await record(world, message)
    await revoke(world, message.authority_id)
    world.clock.advance(minutes=1)
    again = await revoke(world, message.authority_id, agency=STRTP)
    assert again.outcome == OUTCOME_RECORDED
    assert revoke_ms(world) == milliseconds(world.clock() - timedelta(minutes=1))
    assert len(await world.alerts(STRTP)) == 1
    assert not await world.alerts(LA)


async def test_somebody_elses_authority_and_none_at_all_are_one_refusal(world: World) -> None:
    await world.register(LA, ANA)
    message = consent(world)
    await record(world, message)
    for identifier in (message.authority_id, os.urandom(16)):
        with pytest.raises(Invalid) as refused:
            await revoke(world, identifier, agency=POLICE)
        assert (refused.value.reason, refused.value.fields) == (ErrorReason.AUTHORITY_NOT_FOUND, ())
    kept = await world.setting.authorities.get(message.authority_id)  # type: ignore[arg-type]
    assert kept is not None
    assert not kept.revoked


async def test_a_list_holds_the_partys_authorities_in_pages_and_is_a_leaf(world: World) -> None:
    await world.register(LA, ANA)
    messages = [consent(world) for _ in range(5)]
    for message in messages:
        await record(world, message)
    await record(world, consent(world, recipient_agencies=[KERN]))
    await revoke(world, messages[1].authority_id)
    before, token, found = world.size(), b"", list[bytes]()
    while True:
        page = await listed(world, STRTP, size=2, token=token)
        assert page.outcome == OUTCOME_ANSWERED
        assert len(page.authorities) <= 2
        found += identifiers(page.authorities)
        token = page.next_page_token
        if not token:
            break
    assert found == [message.authority_id for message in messages]
    assert [leaf.kind for leaf in await world.leaves(before)] == [Kind.AUTHORITY_LISTED] * 3
    assert not any("purpose" in leaf.op for leaf in await world.leaves(before))
    live = await listed(world, STRTP, live_only=True)
    assert identifiers(live.authorities) == [each.authority_id for each in messages if each is not messages[1]]
    everything = await listed(world, LA)
    revoked = [each.HasField("revoke_time") for each in everything.authorities]
    assert revoked == [False, True, False, False, False, False]
    assert all(each.recorded.create_time.seconds for each in everything.authorities)
    assert not (await listed(world, POLICE)).authorities


async def test_an_expired_authority_is_not_live(world: World) -> None:
    await world.register(LA, ANA)
    await record(world, consent(world, expire_time=stamp(world.clock() + timedelta(minutes=1))))
    world.clock.advance(minutes=2)
    assert not (await listed(world, LA, live_only=True)).authorities
    assert len((await listed(world, LA)).authorities) == 1


@pytest.mark.parametrize("token", [b"abc", b"\xff" * 8, b"\x80" + bytes(7), bytes(9)])
async def test_a_page_token_that_no_list_brought_is_refused_and_nothing_is_listed(world: World, token: bytes) -> None:
    before = world.size()
    with pytest.raises(Invalid) as caught:
        await listed(world, LA, token=token)
    assert caught.value.fields == ("page_token: own",)
    assert all(leaf.kind is not Kind.AUTHORITY_LISTED for leaf in await world.leaves(before))
