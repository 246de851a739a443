"""The custodian: what it signs, what it evaluates, for whom and how often, on real logs."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cards import GatewayCard, read_card
from gateway.config import Budgets, load_custodian
from gateway.errors import Conflict, EnvelopeInvalid, Error, ErrorReason, Invalid
from gateway.members.ca import make_root
from gateway.protocol import oprf
from gateway.protocol.directory import certify, sign_directory
from gateway.protocol.names import AgencyId
from gateway.protocol.signing import SigningKey
from gateway.state import State
from gateway.tokens.ceremony import deal, public_share
from gateway.tokens.evaluate import Evaluator
from gateway.tokens.founding import found_custodian
from gateway.tokens.share_file import DealtShare, OperatorRefused
from homeward.gateway.v1 import directory_pb2
from homeward.gateway.v1.admin_pb2 import TrustHolderRequest
from homeward.gateway.v1.directory_pb2 import (
    KEY_USE_ENVELOPE,
    Directory,
    SignedDirectory,
)
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.token_pb2 import (
    EVALUATION_USE_REGISTRATION,
    EvaluateResponse,
)
from tests.unit.members.batches import SUITE, batch, blinded, check_proof
from tests.unit.members.world import County, World, make_world

AGENCY = AgencyId("06037.cwa")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path, budgets=Budgets(lookups_a_day=3, registrations_a_day=5))
    await made.trust()
    yield made
    await made.close()


@pytest.fixture
async def county(world: World) -> County:
    one = County(clock=world.clock)
    await world.enroll(one)
    await world.admit(one)
    assert await world.gateway.office.step()
    return one


# --- what it evaluates


async def test_both_holders_together_give_what_the_whole_key_gives(world: World, county: County) -> None:
    inputs = [b"one", b"two", b"three"]
    blinds, elements = blinded(inputs)
    answers = [
        await holder.evaluate(AGENCY, batch(county, elements))
        for holder in (world.gateway.evaluator, world.custodian.evaluator)
    ]
    combined = oprf.combine(SUITE.group, {answer.share_index: list(answer.elements) for answer in answers}, threshold=2)
    outputs = oprf.finalize(SUITE.group, inputs, blinds=blinds, evaluated=combined)
    again, other_elements = blinded(inputs)
    once_more = [
        await holder.evaluate(AGENCY, batch(county, other_elements))
        for holder in (world.gateway.evaluator, world.custodian.evaluator)
    ]
    combined = oprf.combine(
        SUITE.group, {answer.share_index: list(answer.elements) for answer in once_more}, threshold=2
    )
    assert oprf.finalize(SUITE.group, inputs, blinds=again, evaluated=combined) == outputs
    view = world.gateway.office.view()
    assert view is not None
    for holder, answer in zip(view.holders, answers, strict=True):
        assert holder.share_index == answer.share_index
        check_proof(holder.share_commitment, elements, answer)


async def test_an_evaluation_is_a_leaf_that_counts_and_holds_no_element(world: World, county: County) -> None:
    _, elements = blinded([b"one", b"two"])
    await world.gateway.evaluator.evaluate(AGENCY, batch(county, elements))
    leaf = world.leaf(len(world.kinds()) - 1)
    assert (leaf["kind"], leaf["records"], leaf["elements"], leaf["use"]) == (b"token.evaluated", b"1", b"2", b"LOOKUP")
    assert not any(element in value for value in leaf.values() for element in elements)


IDENTITY = bytes(32)
NOT_CANONICAL = b"\xff" * 32


@pytest.mark.parametrize(
    "spoil",
    [
        lambda elements: [*elements, IDENTITY],
        lambda elements: [*elements, NOT_CANONICAL],
        lambda elements: [*elements, elements[0]],
    ],
    ids=["identity", "not canonical", "repeated"],
)
async def test_one_bad_element_refuses_the_whole_batch_and_is_charged(
    world: World, county: County, spoil: Callable[[list[bytes]], list[bytes]]
) -> None:
    elements = spoil(blinded([b"one"])[1])
    assert await refusal(world.gateway.evaluator, batch(county, elements)) == ErrorReason.ELEMENT_INVALID
    for _ in range(2):
        await world.gateway.evaluator.evaluate(AGENCY, batch(county, blinded([b"x"])[1]))
    assert await refusal(world.gateway.evaluator, batch(county, elements)) == ErrorReason.BUDGET_EXHAUSTED


async def refusal(evaluator: Evaluator, envelope: SignedEnvelope, agency: AgencyId = AGENCY) -> ErrorReason:
    with pytest.raises(Error) as caught:
        await evaluator.evaluate(agency, envelope)
    return caught.value.reason


async def test_more_elements_than_the_records_account_for_are_refused(world: World, county: County) -> None:
    _, elements = blinded([bytes([number]) for number in range(81)])
    assert await refusal(world.gateway.evaluator, batch(county, elements)) == ErrorReason.INVALID_REQUEST
    await world.gateway.evaluator.evaluate(AGENCY, batch(county, elements, record_count=2))


async def test_another_epoch_is_refused(world: World, county: County) -> None:
    envelope = batch(county, blinded([b"one"])[1], epoch="e2")
    assert await refusal(world.gateway.evaluator, envelope) == ErrorReason.EPOCH_UNKNOWN


async def test_the_days_budget_is_each_uses_own_and_ends_with_the_day(world: World, county: County) -> None:
    evaluator = world.gateway.evaluator
    _, elements = blinded([b"one"])
    await evaluator.evaluate(AGENCY, batch(county, elements, record_count=3))
    assert await refusal(evaluator, batch(county, elements)) == ErrorReason.BUDGET_EXHAUSTED
    assert world.kinds()[-1] == "access.refused"
    await evaluator.evaluate(AGENCY, batch(county, elements, use=EVALUATION_USE_REGISTRATION, record_count=5))
    world.clock.advance(timedelta(days=1))
    await evaluator.evaluate(AGENCY, batch(county, elements))


async def test_fifty_batches_at_once_do_not_pass_the_budget(world: World, county: County) -> None:
    _, elements = blinded([b"one"])
    work = [world.gateway.evaluator.evaluate(AGENCY, batch(county, elements)) for _ in range(50)]
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    assert sum(isinstance(outcome, EvaluateResponse) for outcome in outcomes) == 3


@pytest.mark.parametrize("case", ["stranger's key", "another use", "another agency", "altered"])
async def test_only_an_envelope_key_of_the_agency_counts(world: World, county: County, case: str) -> None:
    envelope, agency = batch(county, blinded([b"one"])[1]), AGENCY
    if case == "stranger's key":
        county.signing[KEY_USE_ENVELOPE] = SigningKey.generate()
        envelope = batch(county, blinded([b"one"])[1])
    elif case == "another use":
        county.signing[KEY_USE_ENVELOPE] = county.signing[directory_pb2.KEY_USE_ASSERTION]
        envelope = batch(county, blinded([b"one"])[1])
    elif case == "another agency":
        agency = AgencyId("06001.cwa")
    else:
        envelope.payload += b"\x00"
    for evaluator in (world.custodian.evaluator, world.gateway.evaluator):
        with pytest.raises(EnvelopeInvalid):
            await evaluator.evaluate(agency, envelope)
    refused = world.leaf(len(world.kinds()) - 1)
    assert (refused["kind"], refused["reason"]) == (b"access.refused", b"ENVELOPE_INVALID")
    assert (refused["agency"], refused["asked"]) == (agency.encode(), b"Evaluate")


async def test_the_custodian_evaluates_only_for_counties_in_a_directory_it_signed(world: World) -> None:
    stranger = County(fips="06001", clock=world.clock)
    await world.enroll(stranger)
    await world.gateway.office.step()
    await world.gateway.office.step()
    envelope = batch(stranger, blinded([b"one"])[1])
    with pytest.raises(EnvelopeInvalid):
        await world.custodian.evaluator.evaluate(AgencyId(stranger.agency), envelope)


# --- what it signs


def redirected(world: World, change: Callable[[Directory], None], *, key: SigningKey | None = None) -> SignedDirectory:
    """The published directory with a change, signed by the gateway again: what a malicious gateway would send."""
    current = world.gateway.office.current()
    assert current is not None
    message = Directory.FromString(current.directory)
    message.version += 1
    change(message)
    raw = message.SerializeToString()
    signer = key or gateway_key(world)
    return SignedDirectory(directory=raw, signatures=[sign_directory(raw, signer)])


def gateway_key(world: World) -> SigningKey:
    return SigningKey.from_private_bytes(world.gateway_state.read_secret("directory.key"))


async def refused_rule(world: World, signed: SignedDirectory) -> str:
    with pytest.raises(Invalid) as caught:
        await world.custodian.countersigning.countersign(signed)
    assert caught.value.reason == ErrorReason.DIRECTORY_INVALID
    return caught.value.fields[0].removeprefix("directory: ")


async def test_an_unchanged_directory_of_a_higher_version_is_signed(world: World, county: County) -> None:
    signature, waiting = await world.custodian.countersigning.countersign(redirected(world, lambda _: None))
    assert signature is not None
    assert waiting == ()


async def test_a_county_the_gateway_minted_waits_and_is_not_signed(world: World, county: County) -> None:
    def mint(message: Directory) -> None:
        minted = County(fips="06099", clock=world.clock)
        message.counties.add(
            fips=minted.fips,
            root_key=minted.root.public_bytes,
            duty_line="+15555550102",
            hotline="+15555550103",
        )

    signature, waiting = await world.custodian.countersigning.countersign(redirected(world, mint))
    assert signature is None
    assert waiting == ("06099",)


async def test_a_swapped_county_root_waits_and_is_not_signed(world: World, county: County) -> None:
    def swap(message: Directory) -> None:
        impostor = County(clock=world.clock)
        message.counties[0].root_key = impostor.root.public_bytes
        del message.counties[0].flag_keys[:]
        del message.members[0].keys[:]

    signature, waiting = await world.custodian.countersigning.countersign(redirected(world, swap))
    assert signature is None
    assert waiting == ("06037",)


async def test_a_key_the_county_did_not_certify_is_refused(world: World, county: County) -> None:
    def slip_in(message: Directory) -> None:
        own = SigningKey.generate()
        statement = county.statement(KEY_USE_ENVELOPE, own.public_bytes)
        message.members[0].keys.append(certify(statement, gateway_key(world)))

    assert await refused_rule(world, redirected(world, slip_in)) == "key"


def _readdress(message: Directory) -> None:
    message.holders[1].address = "127.0.0.1:9"


def _double(message: Directory) -> None:
    message.holders[0].operator = message.holders[1].operator


def _drop_gateway(message: Directory) -> None:
    del message.holders[0]


def _move(message: Directory) -> None:
    message.trust_domain = "other.example"


def _lower(message: Directory) -> None:
    message.version -= 1
    message.create_time.seconds += 1


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (_readdress, "own_entry"),
        (_double, "operator"),
        (_drop_gateway, "gateway_entry"),
        (_move, "exchange"),
        (_lower, "version"),
    ],
)
async def test_a_directory_that_breaks_a_rule_is_refused(
    world: World, county: County, change: Callable[[Directory], None], rule: str
) -> None:
    assert await refused_rule(world, redirected(world, change)) == rule


async def test_two_contents_never_get_one_version(world: World, county: County) -> None:
    first = redirected(world, lambda _: None)
    assert (await world.custodian.countersigning.countersign(first))[0] is not None
    assert (await world.custodian.countersigning.countersign(first))[0] is not None

    def other(message: Directory) -> None:
        message.counties[0].hotline = "+15555550199"

    assert await refused_rule(world, redirected(world, other)) == "version"


async def test_a_directory_another_key_signed_is_refused(world: World, county: County) -> None:
    signed = redirected(world, lambda _: None, key=SigningKey.generate())
    assert await refused_rule(world, signed) == "signature"


# --- what operators may not do


async def test_the_gateways_operator_cannot_hold_a_second_share(world: World) -> None:
    card = read_card((world.directory / "gw" / "card.json").read_bytes(), GatewayCard)
    share = DealtShare("e1", world.dealing.shares[1], world.dealing.commitments).to_bytes()
    config = load_custodian(world.directory / "cu").model_copy(update={"operator": card.name})
    state = State(world.directory / "second", "custodian")
    with pytest.raises(OperatorRefused):
        found_custodian(state, config, card, share, group=world.group, now=world.clock, random_bytes=os.urandom)
    assert not state.directory.exists()


@pytest.mark.parametrize("shared", ["operator", "ca_certificate", "directory_key"])
async def test_two_holders_must_share_nothing(world: World, county: County, shared: str) -> None:
    view = world.gateway.office.view()
    assert view is not None
    second = view.message.holders[1]
    root = make_root("another root", now=world.clock(), random_bytes=os.urandom).certificate
    request = TrustHolderRequest(
        share_index=3,
        operator="another",
        address="127.0.0.1:9",
        ca_certificate=root.public_bytes(Encoding.DER),
        directory_key=SigningKey.generate().public_bytes,
        share_commitment=public_share(world.group, world.dealing.commitments, 3),
    )
    setattr(request, shared, getattr(second, shared))
    with pytest.raises(Conflict) as caught:
        await world.gateway.administration.trust_holder(request)
    field = "ca_fingerprint" if shared == "ca_certificate" else shared
    assert caught.value.fields == (f"{field}: unique",)


def card_of_another(world: World) -> TrustHolderRequest:
    """The card of another operator, own root and key, for the share that the custodian has."""
    view = world.gateway.office.view()
    assert view is not None
    return TrustHolderRequest(
        share_index=2,
        operator="another",
        address="127.0.0.1:9",
        ca_certificate=make_root("another root", now=world.clock(), random_bytes=os.urandom).certificate.public_bytes(
            Encoding.DER
        ),
        directory_key=SigningKey.generate().public_bytes,
        share_commitment=view.message.holders[1].share_commitment,
    )


async def test_a_second_card_for_one_share_puts_no_holder_out(world: World, county: County) -> None:
    before = (await world.gateway.administration.status()).holders
    with pytest.raises(Conflict) as caught:
        await world.gateway.administration.trust_holder(card_of_another(world))
    assert caught.value.fields == ("share_index: unique",)
    assert (await world.gateway.administration.status()).holders == before


async def test_a_share_of_another_ceremony_is_refused(world: World, county: County) -> None:
    other = deal(world.group, threshold=2, holders=3, random_bytes=os.urandom)
    request = card_of_another(world)
    request.share_index, request.share_commitment = 3, public_share(world.group, other.commitments, 3)
    with pytest.raises(Conflict) as caught:
        await world.gateway.administration.trust_holder(request)
    assert caught.value.fields == ("share_commitment: of this ceremony",)


async def test_a_holder_that_moved_is_trusted_again(world: World, county: County) -> None:
    request = card_of_another(world)
    request.operator = world.custodian_card.operator
    await world.gateway.administration.trust_holder(request)
    assert (await world.gateway.administration.status()).holders == [world.custodian_card.operator]
