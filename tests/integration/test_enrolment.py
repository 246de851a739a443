"""Membership on a real log: tickets, certificates, generations, revocation, the pepper, the directory office."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable
from contextlib import closing
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.channel_identity import thumbprint
from adapters.node.receipts import Expected, check_receipt, request_digest
from audit.checkpoint import LogKey
from gateway.errors import Conflict, EnvelopeInvalid, Error, ErrorReason, Invalid, Unauthenticated
from gateway.exchange.refusals import MOST
from gateway.members import roster
from gateway.members.deny import DenyList
from gateway.members.office import HolderSilent
from gateway.protocol.directory import certify
from gateway.protocol.envelope import wrap
from gateway.protocol.invitation import decode
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId, AgencyKind
from gateway.protocol.signing import SigningKey
from gateway.protocol.spiffe import parse_spiffe
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1 import admin_pb2, codes_pb2, directory_pb2
from homeward.gateway.v1.directory_pb2 import KEY_USE_ENVELOPE, OfferPepperRequest, PepperOffer, SealedPepper
from homeward.gateway.v1.enrollment_pb2 import EnrollResponse, Invitation
from tests.unit.members.world import County, World, certificate_request, make_world

URI = "spiffe://exchange.example/county/06037/cwa/adapter/a1"
AGENCY = AgencyId("06037.cwa")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path)
    await made.trust()
    yield made
    await made.close()


@pytest.fixture
def county(world: World) -> County:
    return County(clock=world.clock)


async def refused(work: Awaitable[object]) -> ErrorReason:
    with pytest.raises(Error) as caught:
        await work
    return caught.value.reason


# --- tickets


async def test_an_invitation_becomes_a_member_with_a_first_certificate(world: World, county: County) -> None:
    response = await world.gateway.enrollment.redeem(county.enrollment(await world.invite(county.agency)))
    leaf = x509.load_pem_x509_certificates(response.certificate_chain)[0]
    assert response.spiffe_id == URI
    assert response.generation == 1
    assert leaf.public_key() == county.tls.public_key()
    assert world.kinds() == ["holder.trusted", "enroll.invited", "enroll.redeemed"]


async def test_without_another_signer_no_invitation_is_written(tmp_path: Path) -> None:
    world = await make_world(tmp_path)
    assert await refused(world.invite("06037.cwa")) == ErrorReason.HOLDER_MISSING
    assert world.kinds() == []
    await world.close()


async def test_the_database_does_not_hold_what_redeems_a_ticket(world: World, county: County) -> None:
    invitation = await world.invite(county.agency)
    await world.gateway.ledger.close()
    stored = b"".join(path.read_bytes() for path in (world.directory / "gw").glob("gateway.db*"))
    await world.custodian.ledger.close()
    assert invitation.ticket not in stored
    assert county.agency.encode() in stored  # the search does find what is there


async def test_of_fifty_redemptions_at_once_exactly_one_gets_a_certificate(world: World) -> None:
    invitation = await world.invite("06037.cwa")
    rivals = [County(clock=world.clock) for _ in range(50)]
    outcomes = await asyncio.gather(
        *(world.gateway.enrollment.redeem(rival.enrollment(invitation)) for rival in rivals), return_exceptions=True
    )
    issued = [outcome for outcome in outcomes if isinstance(outcome, EnrollResponse)]
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Error)}
    assert len(issued) == 1
    assert reasons == {ErrorReason.TICKET_USED}
    assert world.kinds().count("enroll.redeemed") == 1
    assert len((await world.gateway.administration.status()).members[0].instances) == 1


async def test_fifty_repetitions_by_one_key_give_one_certificate(world: World, county: County) -> None:
    request = county.enrollment(await world.invite(county.agency))
    responses = await asyncio.gather(*(world.gateway.enrollment.redeem(request) for _ in range(50)))
    assert len({response.certificate_chain for response in responses}) == 1
    assert world.kinds().count("enroll.redeemed") == 1


async def test_a_ticket_past_its_end_is_refused_and_the_refusal_is_a_leaf(world: World, county: County) -> None:
    request = county.enrollment(await world.invite(county.agency))
    world.clock.advance(timedelta(hours=1))
    assert await refused(world.gateway.enrollment.redeem(request)) == ErrorReason.TICKET_EXPIRED
    assert world.kinds()[-1] == "access.refused"
    assert world.leaf(2)["reason"] == b"TICKET_EXPIRED"


async def test_a_spent_ticket_given_again_and_again_does_not_fill_the_log(world: World, county: County) -> None:
    invitation, rival = await world.invite(county.agency), County(clock=world.clock)
    await world.gateway.enrollment.redeem(county.enrollment(invitation))
    for _ in range(MOST + 7):
        assert await refused(world.gateway.enrollment.redeem(rival.enrollment(invitation))) == ErrorReason.TICKET_USED
    assert world.kinds().count("access.refused") == MOST
    world.clock.advance(timedelta(minutes=1))
    await world.gateway.ledger.refusals.settle()
    assert world.leaf(len(world.kinds()) - 1)["more"] == b"7"


async def test_even_the_key_that_spent_a_ticket_cannot_use_it_after_its_end(world: World, county: County) -> None:
    request = county.enrollment(await world.invite(county.agency))
    await world.gateway.enrollment.redeem(request)
    world.clock.advance(timedelta(hours=1))
    assert await refused(world.gateway.enrollment.redeem(request)) == ErrorReason.TICKET_USED


async def test_an_unknown_ticket_leaves_no_trace_in_the_log(world: World, county: County) -> None:
    request = county.enrollment(await world.invite(county.agency), ticket=bytes(32))
    before = world.kinds()
    assert await refused(world.gateway.enrollment.redeem(request)) == ErrorReason.TICKET_UNKNOWN
    assert world.kinds() == before


async def test_a_refused_key_does_not_burn_the_ticket(world: World, county: County) -> None:
    invitation = await world.invite(county.agency)
    weak = certificate_request(ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(Invalid) as caught:
        await world.gateway.enrollment.redeem(county.enrollment(invitation, certificate_request=weak))
    assert caught.value.fields == ("certificate_request: key_type",)
    await world.gateway.enrollment.redeem(county.enrollment(invitation))


# --- one adapter of an agency


async def test_a_second_adapter_of_an_agency_is_refused_until_the_first_is_revoked(
    world: World, county: County
) -> None:
    await world.enroll(county)
    invitation = await world.invite(county.agency)
    second = County(root=county.root, flag=county.flag, clock=world.clock)
    request = second.enrollment(invitation, instance="a2")
    assert await refused(world.gateway.enrollment.redeem(request)) == ErrorReason.ADAPTER_ENROLLED
    refusal = world.leaf(len(world.kinds()) - 1)
    assert (refusal["reason"], refusal["identity"].decode()) == (b"ADAPTER_ENROLLED", URI.replace("a1", "a2"))
    # The first may come back whenever it has to; a sister of the county is another agency.
    await world.enroll(county)
    await world.enroll(County(office="probation", root=county.root, flag=county.flag, clock=world.clock), "a2")
    await world.gateway.administration.revoke(admin_pb2.RevokeMemberRequest(subject=URI))
    assert (await world.gateway.enrollment.redeem(request)).generation == 1
    # Now that is the agency's adapter, and the revoked one is not beside it.
    assert await refused(world.enroll(county)) == ErrorReason.ADAPTER_ENROLLED
    await world.enroll(second, "a2")


async def test_a_redeemed_invitation_ends_every_certificate_that_the_agency_had_before(
    world: World, county: County
) -> None:
    denied, other = world.gateway.denied, DenyList()
    first = serial(await world.gateway.enrollment.redeem(county.enrollment(await world.invite(county.agency))))
    sister = County(office="probation", root=county.root, flag=county.flag, clock=world.clock)
    elsewhere = serial(await world.gateway.enrollment.redeem(sister.enrollment(await world.invite(sister.agency))))
    await renew(world, county, new_key(), 1)
    assert not denied.is_denied(first), "a renewal leaves the certificate before it to who waits for the answer"
    told: list[bool] = []
    denied.subscribe(lambda: told.append(denied.is_denied(first)))
    second = serial(await world.gateway.enrollment.redeem(county.enrollment(await world.invite(county.agency))))
    assert True in told, "open streams are asked whether they still count"
    await world.gateway.administration.revoke(admin_pb2.RevokeMemberRequest(subject=county.agency))
    another = County(root=county.root, flag=county.flag, clock=world.clock)
    request = another.enrollment(await world.invite(county.agency), instance="a2")
    third = serial(await world.gateway.enrollment.redeem(request))
    await other.refresh(world.gateway.ledger)
    for each in (denied, other):
        assert [each.is_denied(one) for one in (first, second, third, elsewhere)] == [True, True, False, False]
    # What has ended is no longer kept.
    world.clock.advance(timedelta(days=1))
    await other.refresh(world.gateway.ledger)
    assert not other.is_denied(first)


async def test_an_agency_whose_directory_is_lost_with_a_flag_open_is_back_once_no_statement_of_it_can_count(
    world: World, county: County
) -> None:
    await world.enroll(county)
    flag = "INSERT INTO flag VALUES (zeroblob(16), ?, zeroblob(16), 'ACTIVE', 1, zeroblob(64))"
    subject = "INSERT INTO subject VALUES (?, zeroblob(16), zeroblob(8), 'NONE', '', 0)"
    with closing(sqlite3.connect(world.gateway_state.database)) as connection, connection:
        for statement in (flag, subject):
            connection.execute(statement, (county.agency,))
    await world.gateway.administration.revoke(admin_pb2.RevokeMemberRequest(subject=county.agency))
    # The certificate is of a day; with it the adapter may have said at the last moment what counts for 31.
    world.clock.advance(timedelta(days=32) - timedelta(minutes=1))
    fresh = County(root=county.root, clock=world.clock)
    assert await refused(world.enroll(fresh)) == ErrorReason.FLAGS_OPEN
    world.clock.advance(timedelta(minutes=2))
    await world.enroll(fresh)
    with closing(sqlite3.connect(world.gateway_state.database)) as connection:
        assert connection.execute("SELECT count(*) FROM subject").fetchone() == (0,)


async def test_of_two_directories_that_join_before_anybody_is_listed_the_last_stands_alone(
    world: World, county: County
) -> None:
    early, late = await world.invite(county.agency), await world.invite(county.agency)
    other = County(root=county.root, clock=world.clock)
    first = serial(await world.gateway.enrollment.redeem(county.enrollment(early)))
    await world.gateway.enrollment.redeem(other.enrollment(late))
    known = {row.envelope for row in await world.gateway.ledger.read(roster.all_keys)}
    assert known == {each.SerializeToString() for each in other.statements()}
    assert world.gateway.denied.is_denied(first)
    with pytest.raises(EnvelopeInvalid):
        await renew(world, county, new_key(), 1)


def serial(response: EnrollResponse) -> str:
    return f"{x509.load_pem_x509_certificates(response.certificate_chain)[0].serial_number:032x}"


# --- the county's telephone lines


def lines(world: World, fips: str = "06037") -> tuple[str, str]:
    (county,) = [row for row in world.gateway.ledger.reader.read(roster.all_counties) if row.fips == fips]
    return county.duty_line, county.hotline


async def invite_with(world: World, agency: str, *, change: bool = False, **numbers: str) -> Invitation:
    request = admin_pb2.InviteRequest(agency=agency, kind=codes_pb2.AGENCY_KIND_FFA, change_lines=change, **numbers)
    request.life.FromTimedelta(timedelta(hours=1))
    return decode((await world.gateway.administration.invite(request)).line)


async def test_another_agency_of_a_county_does_not_become_the_line_that_callers_are_given(
    world: World, county: County
) -> None:
    early = await invite_with(world, "06037.ffa", duty_line="+15555550177", hotline="+15555550178")
    await world.enroll(county)
    of_first = lines(world)
    sister = County(office="ffa", root=county.root, flag=county.flag, clock=world.clock)
    before = world.kinds()
    with pytest.raises(Invalid) as caught:
        await invite_with(world, "06037.ffa", duty_line="+15555550177", hotline="+15555550178")
    assert caught.value.fields == ("duty_line: on_record", "hotline: on_record")
    assert world.kinds() == before
    # Nor by an invitation from before the county had any.
    await world.gateway.enrollment.redeem(sister.enrollment(early))
    assert lines(world) == of_first
    # The same numbers again, or none, change nothing.
    await invite_with(world, "06037.ffa", duty_line=of_first[0], hotline=of_first[1])
    again = await invite_with(world, "06037.ffa")
    await world.gateway.enrollment.redeem(sister.enrollment(again))
    assert lines(world) == of_first


async def test_lines_change_where_that_is_said_and_a_later_invitation_leaves_them(world: World, county: County) -> None:
    await world.enroll(county)
    before = await world.invite(county.agency)
    changing = await invite_with(world, "06037.ffa", change=True, duty_line="+15555550177")
    sister = County(office="ffa", root=county.root, flag=county.flag, clock=world.clock)
    await world.gateway.enrollment.redeem(sister.enrollment(changing))
    assert lines(world) == ("+15555550177", "+15555550101")
    await world.gateway.enrollment.redeem(county.enrollment(before))
    assert lines(world) == ("+15555550177", "+15555550101")


@pytest.mark.parametrize("first_redeemed", ["wrong", "right"])
async def test_of_two_changes_the_one_that_was_written_last_stands(
    world: World, county: County, first_redeemed: str
) -> None:
    await world.enroll(county)
    wrong = await invite_with(world, "06037.ffa", change=True, duty_line="+15555550171")
    right = await invite_with(world, "06037.ffa", change=True, duty_line="+15555550172")
    sister = County(office="ffa", root=county.root, flag=county.flag, clock=world.clock)
    for each in (wrong, right) if first_redeemed == "wrong" else (right, wrong):
        await world.gateway.enrollment.redeem(sister.enrollment(each))
    assert lines(world) == ("+15555550172", "+15555550101")


async def test_a_change_back_to_the_number_on_record_undoes_one_that_is_outstanding(
    world: World, county: County
) -> None:
    await world.enroll(county)
    before = lines(world)
    wrong = await invite_with(world, "06037.ffa", change=True, duty_line="+15555550171")
    back = await invite_with(world, "06037.ffa", change=True, duty_line=before[0])
    silent = await invite_with(world, "06037.ffa", change=True)
    sister = County(office="ffa", root=county.root, flag=county.flag, clock=world.clock)
    await world.gateway.enrollment.redeem(sister.enrollment(wrong))
    await world.gateway.enrollment.redeem(sister.enrollment(silent))
    assert lines(world) == ("+15555550171", before[1]), "where no number is given, none is meant"
    await world.gateway.enrollment.redeem(sister.enrollment(back))
    assert lines(world) == before


async def test_a_number_of_before_the_county_had_any_changes_none(world: World, county: County) -> None:
    first = await world.invite(county.agency)
    later = await invite_with(world, "06037.ffa", duty_line="+15555550177", hotline="+15555550178")
    await world.gateway.enrollment.redeem(county.enrollment(first))
    sister = County(office="ffa", root=county.root, flag=county.flag, clock=world.clock)
    await world.gateway.enrollment.redeem(sister.enrollment(later))
    assert lines(world) == ("+15555550100", "+15555550101")


# --- key statements


async def test_statements_by_another_root_are_refused(world: World, county: County) -> None:
    request = county.enrollment(await world.invite(county.agency))
    request.county_root_key = SigningKey.generate().public_bytes
    assert await refused(world.gateway.enrollment.redeem(request)) == ErrorReason.INVALID_REQUEST


async def test_statements_about_another_agency_are_refused(world: World, county: County) -> None:
    other = County(office="probation", root=county.root, clock=world.clock)
    request = county.enrollment(await world.invite(county.agency))
    del request.keys[:]
    request.keys.extend(other.statements())
    assert await refused(world.gateway.enrollment.redeem(request)) == ErrorReason.INVALID_REQUEST


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (codes_pb2.AGENCY_KIND_STATE, codes_pb2.AGENCY_KIND_AUDITOR),
        (codes_pb2.AGENCY_KIND_AUDITOR, codes_pb2.AGENCY_KIND_STATE),
    ],
)
async def test_a_member_that_asks_never_becomes_one_that_oversees_nor_the_other_way_round(
    world: World, county: County, first: codes_pb2.AgencyKind, then: codes_pb2.AgencyKind
) -> None:
    """As an overseer it would read in old entries what the answers to it hid."""
    early = await world.invite(county.agency, kind=then)
    await world.gateway.enrollment.redeem(county.enrollment(await world.invite(county.agency, kind=first)))
    with pytest.raises(Invalid) as caught:
        await world.invite(county.agency, kind=then)
    assert caught.value.fields == ("kind: oversees_or_asks",)
    # Nor by an invitation of before it joined.
    assert await refused(world.gateway.enrollment.redeem(county.enrollment(early))) == ErrorReason.INVALID_REQUEST
    assert {row.kind for row in await world.gateway.ledger.read(roster.all_members)} == {from_wire(AgencyKind, first)}
    # The control: the same kind again, and another that asks likewise.
    await world.invite(county.agency, kind=first)
    if first == codes_pb2.AGENCY_KIND_STATE:
        await world.invite(county.agency, kind=codes_pb2.AGENCY_KIND_CWA)


async def test_what_every_member_can_read_and_a_line_do_not_make_an_agencys_adapter(
    world: World, county: County
) -> None:
    await world.enroll(county)
    invitation, thief = await world.invite(county.agency), County(clock=world.clock)
    request = county.enrollment(invitation, certificate_request=certificate_request(thief.tls))
    own, signature = request.signature, county.enrollment(await world.invite(county.agency)).signature
    for stranger in (b"", signature, thief.enrollment(invitation).signature):
        request.signature = stranger
        with pytest.raises(Invalid) as caught:
            await world.gateway.enrollment.redeem(request)
        assert caught.value.fields == ("signature: envelope_key",)
    # Nor by a key of one's own beside it: statements of two envelope keys leave open whose the request is.
    request.signature = own
    request.keys.append(certify(county.statement(KEY_USE_ENVELOPE, thief.envelope_key.public_bytes), county.root))
    with pytest.raises(Invalid) as caught:
        await world.gateway.enrollment.redeem(request)
    assert caught.value.fields == ("keys: one_envelope_key",)
    assert (await world.gateway.enrollment.redeem(county.enrollment(invitation))).generation == 2


async def test_a_second_agency_of_a_county_must_bring_the_same_root(world: World, county: County) -> None:
    await world.enroll(county)
    stranger = County(office="probation", clock=world.clock)
    request = stranger.enrollment(await world.invite(stranger.agency))
    assert await refused(world.gateway.enrollment.redeem(request)) == ErrorReason.COUNTY_ROOT_DIFFERS
    sister = County(office="probation", root=county.root, flag=county.flag, clock=world.clock)
    await world.enroll(sister)
    assert [m.agency for m in (await world.gateway.administration.status()).members] == ["06037.cwa", "06037.probation"]


async def test_nobody_enrolls_a_key_that_is_another_agencys(world: World, county: County) -> None:
    await world.enroll(county)
    thief = County(fips="06001", signing=dict(county.signing), clock=world.clock)
    request = thief.enrollment(await world.invite(thief.agency))
    with pytest.raises(Invalid) as caught:
        await world.gateway.enrollment.redeem(request)
    assert caught.value.fields == ("keys[0]: unique",)
    assert [m.agency for m in (await world.gateway.administration.status()).members] == ["06037.cwa"]


# --- renewal


async def renew(world: World, county: County, key: ec.EllipticCurvePrivateKey, generation: int) -> int:
    request = directory_pb2.RenewCertificateRequest(envelope=county.renewal(key, generation))
    return (await world.gateway.membership.renew(parse_spiffe(URI), AGENCY, request)).generation


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


async def test_a_renewal_takes_the_next_generation_with_a_new_key(world: World, county: County) -> None:
    await world.enroll(county)
    assert await renew(world, county, new_key(), 1) == 2
    assert await renew(world, county, new_key(), 2) == 3
    assert world.kinds()[-2:] == ["certificate.renewed"] * 2


async def test_a_repeated_renewal_gives_the_same_certificate_and_locks_nobody(world: World, county: County) -> None:
    await world.enroll(county)
    key, entries = new_key(), 5
    assert [await renew(world, county, key, 1) for _ in range(entries)] == [2] * entries
    assert world.kinds().count("certificate.renewed") == 1
    assert not world.gateway.denied.is_denied(URI)


async def test_joining_and_each_renewal_bring_the_receipt_of_the_certificate_that_was_issued(
    world: World, county: County
) -> None:
    invitation = await world.invite(county.agency)
    log = LogKey(invitation.log_origin, invitation.log_key)
    joined = [await world.gateway.enrollment.redeem(county.enrollment(invitation)) for _ in range(2)]
    renewal = directory_pb2.RenewCertificateRequest(envelope=county.renewal(new_key(), 1))
    renewed = [await world.gateway.membership.renew(parse_spiffe(URI), AGENCY, renewal) for _ in range(2)]
    for kind, answers in ((Kind.ENROLL_REDEEMED, joined), (Kind.CERTIFICATE_RENEWED, renewed)):
        issued = Expected(frozenset({kind}), None, certificate=thumbprint(answers[0].certificate_chain))
        first, again = (check_receipt(answer.receipt, log, issued) for answer in answers)
        assert first.index == again.index, "a repetition leads to the entry of the first time"
    ends = {check_receipt(each[0].receipt, log, Expected(frozenset(Kind), None)).index for each in (joined, renewed)}
    assert len(ends) == 2


async def test_the_second_holder_of_a_copied_identity_locks_it_for_both(world: World, county: County) -> None:
    await world.enroll(county)
    told: list[bool] = []
    world.gateway.denied.subscribe(lambda: told.append(world.gateway.denied.is_denied(URI)))
    await renew(world, county, new_key(), 1)
    assert await refused(renew(world, county, new_key(), 1)) == ErrorReason.IDENTITY_LOCKED
    assert told == [True]
    assert world.kinds()[-1] == "identity.locked"


async def test_a_new_invitation_unlocks_a_locked_identity(world: World, county: County) -> None:
    await world.enroll(county)
    await renew(world, county, new_key(), 1)
    assert await refused(renew(world, county, new_key(), 1)) == ErrorReason.IDENTITY_LOCKED
    invitation = await world.invite(county.agency)
    county.tls = new_key()
    response = await world.gateway.enrollment.redeem(county.enrollment(invitation))
    assert response.generation == 3
    assert not world.gateway.denied.is_denied(URI)


async def test_a_renewal_with_a_key_used_before_is_refused(world: World, county: County) -> None:
    await world.enroll(county)
    with pytest.raises(Invalid) as caught:
        await renew(world, county, county.tls, 1)
    assert caught.value.fields == ("certificate_request: new_key",)
    assert not world.gateway.denied.is_denied(URI)


async def test_an_old_renewal_played_again_is_refused_and_locks_nobody(world: World, county: County) -> None:
    await world.enroll(county)
    old = directory_pb2.RenewCertificateRequest(envelope=county.renewal(new_key(), 1))
    await renew(world, county, new_key(), 1)
    world.clock.advance(timedelta(seconds=61))
    with pytest.raises(Invalid) as caught:
        await world.gateway.membership.renew(parse_spiffe(URI), AGENCY, old)
    assert caught.value.fields == ("create_time: fresh",)
    assert not world.gateway.denied.is_denied(URI)


@pytest.mark.parametrize("signer", ["stranger", "assertion", "neighbor"])
async def test_a_renewal_signed_by_another_key_is_refused(world: World, county: County, signer: str) -> None:
    await world.enroll(county)
    neighbor = County(fips="06001", clock=world.clock)
    await world.enroll(neighbor)
    keys = {
        "stranger": SigningKey.generate(),
        "assertion": county.signing[directory_pb2.KEY_USE_ASSERTION],
        "neighbor": neighbor.envelope_key,
    }
    county.signing[KEY_USE_ENVELOPE] = keys[signer]
    with pytest.raises(EnvelopeInvalid):
        await renew(world, county, new_key(), 1)


# --- revocation


async def test_a_revoked_agency_is_denied_and_its_keys_leave_the_directory(world: World, county: County) -> None:
    await world.enroll(county)
    await world.admit(county)
    assert await world.gateway.office.step()
    reply = await world.gateway.administration.revoke(admin_pb2.RevokeMemberRequest(subject=county.agency))
    assert world.gateway.denied.is_denied(county.agency)
    assert world.leaf(reply.leaf_index)["subject"] == county.agency.encode()
    assert await world.gateway.office.step()
    for view in (world.gateway.office.view(), world.custodian.countersigning.view()):
        member = view.member(AGENCY) if view else None
        assert member is not None
        assert member.suspended


async def test_a_start_waits_for_whom_the_directory_lists_and_for_nobody_who_was_revoked(
    world: World, county: County
) -> None:
    other = County(fips="06059", clock=world.clock)
    await world.enroll(county)
    await world.enroll(other)
    assert await world.gateway.knowing([]) == frozenset(), "nobody can link before it is listed"
    assert await world.gateway.knowing([AGENCY]) == {AGENCY}, "it did once: the directory that said so is lost"
    for each in (county, other):
        await world.admit(each)
    assert await world.gateway.office.step()
    assert await world.gateway.knowing([]) == {AGENCY, other.agency}
    stranger = AgencyId("06999.nobody")
    assert await world.gateway.knowing([stranger]) == {AGENCY, other.agency, stranger}
    await world.gateway.administration.revoke(admin_pb2.RevokeMemberRequest(subject=county.agency))
    # At once: the directory that says so may never be signed.
    assert await world.gateway.knowing([AGENCY]) == {other.agency}


async def test_revoking_one_adapter_leaves_the_agency(world: World, county: County) -> None:
    await world.enroll(county)
    await world.gateway.administration.revoke(admin_pb2.RevokeMemberRequest(subject=URI))
    assert world.gateway.denied.is_denied(URI)
    assert not world.gateway.denied.is_denied(county.agency)


@pytest.mark.parametrize("subject", ["06999.nobody", "spiffe://exchange.example/county/06037/cwa/adapter/a9"])
async def test_nobody_is_revoked_who_never_enrolled(world: World, county: County, subject: str) -> None:
    await world.enroll(county)
    before = world.kinds()
    revocation = world.gateway.administration.revoke(admin_pb2.RevokeMemberRequest(subject=subject))
    assert await refused(revocation) == ErrorReason.MEMBER_UNKNOWN
    assert world.kinds() == before


async def test_an_agency_that_joins_again_comes_back_without_the_keys_it_was_revoked_for(
    world: World, county: County
) -> None:
    await world.enroll(county)
    await world.gateway.administration.revoke(admin_pb2.RevokeMemberRequest(subject=county.agency))
    again = County(root=county.root, clock=world.clock)
    await world.enroll(again)
    await world.admit(county)
    assert await world.gateway.office.step()
    view = world.gateway.office.view()
    member = view.member(AGENCY) if view else None
    assert member is not None
    assert not member.suspended
    assert again.envelope_key.key_id in member.keys
    assert county.envelope_key.key_id not in member.keys


async def test_another_process_on_the_same_database_follows(world: World, county: County) -> None:
    await world.enroll(county)
    other, changed = DenyList(), asyncio.Event()
    other.subscribe(changed.set)
    following = asyncio.create_task(other.follow(world.gateway.ledger, poll_seconds=0.02))
    await world.gateway.administration.revoke(admin_pb2.RevokeMemberRequest(subject=county.agency))
    async with asyncio.timeout(5):
        await changed.wait()
    assert other.is_denied(county.agency)
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


# --- the directory office


async def test_nothing_is_published_without_another_signer(tmp_path: Path) -> None:
    world = await make_world(tmp_path)
    assert not await world.gateway.office.step()
    assert world.gateway.office.current() is None
    await world.close()


async def test_a_county_nobody_admitted_waits_and_delays_nobody_else(world: World, county: County) -> None:
    await world.enroll(county)
    await world.admit(county)
    stranger = County(fips="06001", clock=world.clock)
    await world.enroll(stranger)
    office = world.gateway.office
    assert not await office.step()
    assert office.waiting_counties == {"06001"}
    view = office.view()
    assert view is not None
    assert [member.agency for member in view.members()] == ["06037.cwa"]
    assert (await world.gateway.membership.directory(0)).pending_count == 1
    await world.admit(stranger)
    assert await office.step()
    view = office.view()
    assert view is not None
    assert [member.agency for member in view.members()] == ["06001.cwa", "06037.cwa"]


async def test_asking_again_makes_no_version_and_no_leaf(world: World, county: County) -> None:
    await world.enroll(county)
    office = world.gateway.office
    for _ in range(3):
        assert not await office.step()
    entries = len(world.kinds())
    for _ in range(20):
        assert not await office.step()
    assert len(world.kinds()) == entries


async def test_versions_only_grow_and_subscribers_hear_of_each(world: World, county: County) -> None:
    heard: list[int] = []
    office = world.gateway.office
    office.subscribe(heard.append)
    assert await office.step()
    await world.enroll(county)
    await world.admit(county)
    assert await office.step()
    assert await office.step()
    assert heard == sorted(set(heard))
    assert len(heard) == 2
    assert (await world.gateway.membership.directory(heard[-1])).HasField("directory") is False
    assert (await world.gateway.membership.directory(heard[0])).HasField("directory") is True


async def test_a_silent_holder_delays_publishing_and_loses_nothing(world: World, county: County) -> None:
    await world.enroll(county)
    await world.admit(county)
    world.signers.silent = True
    with pytest.raises(HolderSilent):
        await world.gateway.office.step()
    assert world.gateway.office.current() is None
    world.signers.silent = False
    assert await world.gateway.office.step()


async def test_an_outage_is_one_line_of_log_and_the_next_outage_another(
    world: World, county: County, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.members.office.RETRY_SECONDS", 0.01)
    monkeypatch.setattr("gateway.members.office.POLL_SECONDS", 0.01)
    await world.enroll(county)
    await world.admit(county)
    office = world.gateway.office
    running = asyncio.create_task(office.run())
    for outage in (1, 2):
        world.signers.silent = True
        office.changed()
        await world.enroll(County(office=f"office-{outage}", root=county.root, flag=county.flag, clock=world.clock))
        await asyncio.sleep(0.3)
        assert [record.message for record in caplog.records].count("directory not published") == outage
        status = await world.gateway.administration.status()
        assert status.unpublished_since_time.ToDatetime(UTC) == world.clock()
        world.signers.silent = False
        async with asyncio.timeout(5):
            while office.view() is None or len(office.view().message.members) < outage + 1:  # type: ignore[union-attr]  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert not (await world.gateway.administration.status()).HasField("unpublished_since_time")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_the_office_publishes_by_itself_soon_after_an_admission(world: World, county: County) -> None:
    office, published = world.gateway.office, asyncio.Event()
    await world.enroll(county)
    assert not await office.step()
    office.subscribe(lambda _: published.set())
    running = asyncio.create_task(office.run())
    await world.admit(county)
    async with asyncio.timeout(5):
        await published.wait()
    view = office.view()
    assert view is not None
    assert view.member(AGENCY) is not None
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


# --- the pepper of counties


def offer(
    county: County, commitment: bytes, *agencies: County, sealed: bytes = b"stands for sealed bytes"
) -> OfferPepperRequest:
    parts = [SealedPepper(agency=one.agency, recipient_key_id=one.seal.key_id, sealed=sealed) for one in agencies]
    message = PepperOffer(epoch="e1", commitment=commitment, sealed_peppers=parts)
    return OfferPepperRequest(envelope=wrap(message, county.envelope_key))


async def test_the_entry_of_a_trusted_holder_names_its_log(world: World) -> None:
    leaf = world.leaf(world.kinds().index("holder.trusted"))
    assert leaf["log_key"].hex() == world.custodian_card.log_key


async def test_what_an_adapter_fetches_leaves_no_entry(world: World, county: County) -> None:
    await world.enroll(county)
    await world.admit(county)
    await world.gateway.office.step()
    before = world.kinds()
    assert (await world.gateway.membership.directory(0)).HasField("directory")
    await world.gateway.membership.fetch_pepper(AGENCY, "e1")
    assert world.kinds() == before


async def test_an_offer_brings_the_receipt_of_its_entry_also_where_it_comes_again(world: World, county: County) -> None:
    invitation = await world.enroll(county)
    await world.admit(county)
    await world.gateway.office.step()
    made = offer(county, b"\x01" * 32, county)
    said = Expected(frozenset({Kind.PEPPER_OFFERED}), request_digest(made.envelope.payload))
    log = LogKey(invitation.log_origin, invitation.log_key)
    for _ in range(2):
        answer = await world.gateway.membership.offer_pepper(AgencyId(county.agency), made)
        kept = check_receipt(answer.receipt, log, said)
        assert kept.index == len(world.kinds()) - 1


@pytest.fixture
async def pair(world: World, county: County) -> tuple[County, County]:
    other = County(fips="06001", clock=world.clock)
    for one in (county, other):
        await world.enroll(one)
        await world.admit(one)
    assert await world.gateway.office.step()
    return county, other


async def standing(world: World, county: County) -> directory_pb2.FetchPepperResponse:
    return await world.gateway.membership.fetch_pepper(AgencyId(county.agency), "e1")


async def test_the_first_offer_fixes_the_pepper_and_another_is_refused(
    world: World, pair: tuple[County, County]
) -> None:
    first, second = pair
    membership = world.gateway.membership
    assert (await standing(world, first)).state == directory_pb2.PEPPER_STATE_ABSENT
    await membership.offer_pepper(AgencyId(first.agency), offer(first, b"\x01" * 32, first))
    with pytest.raises(Conflict) as caught:
        await membership.offer_pepper(AgencyId(second.agency), offer(second, b"\x02" * 32, second))
    assert caught.value.reason == ErrorReason.PEPPER_CONFLICT
    assert (await standing(world, second)).state == directory_pb2.PEPPER_STATE_WAITING
    mine = await standing(world, first)
    assert mine.state == directory_pb2.PEPPER_STATE_AVAILABLE
    assert list(mine.waiting_agencies) == [second.agency]
    assert await world.gateway.office.step()
    view = world.gateway.office.view()
    assert view is not None
    assert view.message.pepper_commitment == b"\x01" * 32


async def test_a_part_in_use_is_never_replaced(world: World, pair: tuple[County, County]) -> None:
    first, second = pair
    membership = world.gateway.membership
    await membership.offer_pepper(AgencyId(first.agency), offer(first, b"\x01" * 32, first, second))
    before = await standing(world, second)
    spoiled = offer(first, b"\x01" * 32, second, sealed=b"spoiled")
    await membership.offer_pepper(AgencyId(first.agency), spoiled)
    assert (await standing(world, second)).sealed_pepper == before.sealed_pepper


async def test_a_member_that_joined_again_waits_for_a_part_to_its_new_key(
    world: World, pair: tuple[County, County]
) -> None:
    first, second = pair
    await world.gateway.membership.offer_pepper(AgencyId(first.agency), offer(first, b"\x01" * 32, first, second))
    world.clock.advance(timedelta(minutes=10))
    again = County(fips=second.fips, root=second.root, clock=world.clock)
    await world.enroll(again)
    assert (await standing(world, again)).state == directory_pb2.PEPPER_STATE_WAITING
    assert list((await standing(world, first)).waiting_agencies) == [again.agency]
    await world.gateway.membership.offer_pepper(AgencyId(first.agency), offer(first, b"\x01" * 32, again))
    assert (await standing(world, again)).sealed_pepper.recipient_key_id == again.seal.key_id


async def test_an_offer_in_anothers_name_is_refused(world: World, pair: tuple[County, County]) -> None:
    first, second = pair
    with pytest.raises(Unauthenticated):
        await world.gateway.membership.offer_pepper(AgencyId(second.agency), offer(first, b"\x01" * 32, first))


async def test_what_a_revoked_member_sealed_may_be_sealed_anew(world: World, pair: tuple[County, County]) -> None:
    first, second = pair
    third = County(fips="06003", clock=world.clock)
    await world.enroll(third)
    membership = world.gateway.membership
    await membership.offer_pepper(AgencyId(first.agency), offer(first, b"\x01" * 32, first, second, third))
    await world.gateway.administration.revoke(admin_pb2.RevokeMemberRequest(subject=first.agency))
    assert (await standing(world, third)).state == directory_pb2.PEPPER_STATE_WAITING
    await membership.offer_pepper(AgencyId(second.agency), offer(second, b"\x01" * 32, second, third))
    assert (await standing(world, third)).state == directory_pb2.PEPPER_STATE_AVAILABLE
