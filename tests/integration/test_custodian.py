"""The custodian: what it signs, what it evaluates, for whom and how often, on real logs."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.errors import EvidenceInvalid
from adapters.node.receipts import Expected, check_receipt, request_digest
from audit.checkpoint import LogKey
from audit.entry import FieldClass, open_class
from audit.reader import Selection
from gateway.cards import GatewayCard, read_card
from gateway.config import load_custodian
from gateway.errors import Conflict, EnvelopeInvalid, Error, ErrorReason, Invalid
from gateway.members.ca import make_root
from gateway.protocol import oprf
from gateway.protocol.directory import certify, sign_directory
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId
from gateway.protocol.sharing import public_share
from gateway.protocol.signing import SigningKey
from gateway.state import State
from gateway.tokens.ceremony import deal
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
from tests.unit.members.batches import A_RECORD, SUITE, batch, blinded, check_proof, record
from tests.unit.members.world import County, World, make_world

AGENCY = AgencyId("06037.cwa")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path)
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
    inputs = [bytes([number]) for number in range(A_RECORD)]
    blinds, elements = blinded(inputs)
    answers = [
        await holder.evaluate(AGENCY, batch(county, elements))
        for holder in (world.gateway.evaluator, world.custodian.evaluator)
    ]
    evaluations = {answer.share_index: list(answer.elements) for answer in answers}
    outputs = oprf.finalize(SUITE.group, inputs, blinds=blinds, evaluations=evaluations, threshold=2)
    again, other_elements = blinded(inputs)
    once_more = [
        await holder.evaluate(AGENCY, batch(county, other_elements))
        for holder in (world.gateway.evaluator, world.custodian.evaluator)
    ]
    evaluations = {answer.share_index: list(answer.elements) for answer in once_more}
    assert oprf.finalize(SUITE.group, inputs, blinds=again, evaluations=evaluations, threshold=2) == outputs
    view = world.gateway.office.view()
    assert view is not None
    for holder, answer in zip(view.holders, answers, strict=True):
        assert holder.share_index == answer.share_index
        check_proof(holder.share_commitment, elements, answer)


async def test_each_holder_gives_the_receipt_of_its_own_log_which_the_directory_names(
    world: World, county: County
) -> None:
    view = world.gateway.office.view()
    assert view is not None
    said = batch(county, record())
    expected = Expected(frozenset({Kind.TOKEN_EVALUATED}), request_digest(said.payload))
    logs = [LogKey(holder.log_origin, holder.log_key) for holder in view.holders]
    assert logs[0] == LogKey(view.message.log_origin, view.message.log_key)
    for number, evaluator in enumerate((world.gateway.evaluator, world.custodian.evaluator)):
        answer = await evaluator.evaluate(AGENCY, said)
        kept = check_receipt(answer.receipt, logs[number], expected)
        assert set(kept.opened) == {"kind", "request"}
        with pytest.raises(EvidenceInvalid):
            check_receipt(answer.receipt, logs[1 - number], expected)


async def test_an_evaluation_is_a_leaf_that_counts_and_holds_no_element(world: World, county: County) -> None:
    elements = record()
    await world.gateway.evaluator.evaluate(AGENCY, batch(county, elements))
    leaf = world.leaf(len(world.kinds()) - 1)
    counted = (b"token.evaluated", b"1", str(A_RECORD).encode(), b"LOOKUP")
    assert (leaf["kind"], leaf["records"], leaf["elements"], leaf["use"]) == counted
    assert not any(element in value for value in leaf.values() for element in elements)


async def refusal(evaluator: Evaluator, envelope: SignedEnvelope, agency: AgencyId = AGENCY) -> ErrorReason:
    with pytest.raises(Error) as caught:
        await evaluator.evaluate(agency, envelope)
    return caught.value.reason


@pytest.mark.parametrize("changes", [{"epoch": "e2"}, {"generation": 2}], ids=["epoch", "generation"])
async def test_another_epoch_or_generation_is_refused(world: World, county: County, changes: dict[str, object]) -> None:
    for holder in (world.gateway, world.custodian):
        envelope = batch(county, record(), **changes)
        assert await refusal(holder.evaluator, envelope) == ErrorReason.EPOCH_UNKNOWN


@pytest.mark.parametrize("case", ["stranger's key", "another use", "another agency", "altered"])
async def test_only_an_envelope_key_of_the_agency_counts(world: World, county: County, case: str) -> None:
    envelope, agency = batch(county, record()), AGENCY
    if case == "stranger's key":
        county.signing[KEY_USE_ENVELOPE] = SigningKey.generate()
        envelope = batch(county, record())
    elif case == "another use":
        county.signing[KEY_USE_ENVELOPE] = county.signing[directory_pb2.KEY_USE_ASSERTION]
        envelope = batch(county, record())
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
    envelope = batch(stranger, record())
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


def _demonstrate(message: Directory) -> None:
    message.demo = True


def _reshare(message: Directory) -> None:
    other = deal(SUITE.group, threshold=2, holders=2, random_bytes=os.urandom)
    del message.sharing.commitments[:]
    message.sharing.commitments.extend(other.commitments)


def _next_generation(message: Directory) -> None:
    message.sharing.generation += 1


def _unshare(message: Directory) -> None:
    message.ClearField("sharing")


def _slip_in(message: Directory) -> None:
    message.holders[0].share_commitment = SUITE.group.multiply_base(b"\x07" + bytes(31))


def _evaluate_elsewhere(message: Directory) -> None:
    message.holders[0].log_key = SigningKey.generate().public_bytes


def _share_a_log(message: Directory) -> None:
    another = message.holders.add()
    another.CopyFrom(message.holders[1])
    another.share_index, another.directory_key = 3, SigningKey.generate().public_bytes


def _log_elsewhere(message: Directory) -> None:
    message.holders[1].log_key = SigningKey.generate().public_bytes


def _one_root(message: Directory) -> None:
    message.holders[0].ca_certificate = message.holders[1].ca_certificate


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
        (_demonstrate, "demo"),
        (_reshare, "sharing"),
        (_next_generation, "sharing"),
        (_unshare, "sharing"),
        (_slip_in, "share_commitment"),
        (_one_root, "operator"),
        (_evaluate_elsewhere, "log"),
        (_log_elsewhere, "own_entry"),
        (_share_a_log, "log_key"),
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


async def test_both_holders_list_the_commitments_of_the_token_key_in_their_logs(world: World, county: County) -> None:
    commitments = b"".join(world.dealing.commitments)
    keys = State(world.directory / "cu", "custodian").read_class_keys()
    signed = [world.leaf(index) for index, kind in enumerate(world.kinds()) if kind == "directory.signed"]
    for entry in world.custodian.ledger.reader.entries(Selection()):
        opened = {opening.name: opening.value for opening in open_class(entry, FieldClass.OP, keys.op)}
        signed += [opened] if entry.kind == "directory.signed" else []
    assert len(signed) >= 3
    for leaf in signed:
        stated = (leaf["epoch"], leaf["generation"], leaf["threshold"], leaf["commitments"])
        assert stated == (b"e1", b"1", b"2", commitments)


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


@pytest.mark.parametrize("shared", ["operator", "ca_certificate", "directory_key", "log_key"])
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
        log_key=SigningKey.generate().public_bytes,
        log_origin="exchange.example/custodian/another",
    )
    setattr(request, shared, getattr(second, shared))
    with pytest.raises(Conflict) as caught:
        await world.gateway.administration.trust_holder(request)
    field = "ca_fingerprint" if shared == "ca_certificate" else shared
    rule = "unique" if shared in ("directory_key", "log_key") else "one_operator"
    assert caught.value.fields == (f"{field}: {rule}",)


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
        log_key=SigningKey.generate().public_bytes,
        log_origin="exchange.example/custodian/another",
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
