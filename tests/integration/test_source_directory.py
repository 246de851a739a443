"""The directory and the pepper of counties, as two adapters keep them against a gateway that behaves."""

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.keyring import KeyFileUnusable
from adapters.node.alerts import Alerts, Arrival
from adapters.node.directory_keeper import DirectoryKeeper
from adapters.node.errors import Missing, NotReady
from adapters.node.identifiers import timestamp
from adapters.node.node import Node
from adapters.node.pepper import PepperFiles, PepperRefused
from adapters.node.rpcs import FETCH_PEPPER, GET_DIRECTORY, CallFailed, CallFault
from gateway.protocol.succession import ALERTS_OF_A_LOG
from homeward.gateway.v1.directory_pb2 import (
    PEPPER_STATE_ABSENT,
    Directory,
    FetchPepperRequest,
    LogSuccession,
    SignedDirectory,
    SignedSuccession,
)
from homeward.gateway.v1.link_pb2 import Alert
from tests.integration.source_kit import Gateway, make_node, membership, prepare
from tests.unit.node import world
from tests.unit.node.world import ASKER, SOURCE, THIRD


@pytest.fixture
async def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def source(tmp_path: Path, gateway: Gateway) -> AsyncIterator[Node]:
    node = make_node(tmp_path / "source", gateway)
    yield node
    node.store.close()


@pytest.fixture
async def asker(tmp_path: Path, gateway: Gateway) -> AsyncIterator[Node]:
    node = make_node(tmp_path / "asker", gateway, ASKER)
    yield node
    node.store.close()


# --- directory


async def test_without_a_directory_nothing_is_ready(source: Node) -> None:
    with pytest.raises(NotReady) as caught:
        source.directory()
    assert caught.value.missing is Missing.DIRECTORY


async def test_a_directory_that_only_the_gateway_signed_does_not_count(source: Node, gateway: Gateway) -> None:
    def alone(message: Directory) -> SignedDirectory:
        signed = world.signed(message)
        del signed.signatures[1]
        return signed

    await source.keeper.refresh()
    gateway.edit, gateway.sign = lambda message: setattr(message, "version", 8), alone
    await source.keeper.refresh()
    assert (source.keeper.version, source.keeper.fault) == (7, "signature")


async def test_an_older_directory_does_not_replace_a_newer_one(source: Node, gateway: Gateway) -> None:
    await source.keeper.refresh()
    gateway.edit = lambda message: setattr(message, "version", 6)
    await source.keeper.refresh()
    assert (source.keeper.version, source.keeper.fault) == (7, "version")


async def test_the_version_is_remembered_across_restarts(source: Node, gateway: Gateway, tmp_path: Path) -> None:
    await source.keeper.refresh()
    source.store.close()
    gateway.edit = lambda message: setattr(message, "version", 6)
    again = make_node(tmp_path / "source", gateway)
    assert again.directory().version == 7
    await again.keeper.refresh()
    assert (again.keeper.version, again.keeper.fault) == (7, "version")
    again.store.close()


async def test_a_directory_of_other_signers_is_not_believed_after_joining_elsewhere(source: Node) -> None:
    await source.keeper.refresh()
    pins = replace(membership(SOURCE), gateway_key=bytes(32)).pins
    log = source.membership.log
    other = DirectoryKeeper(store=source.store, pins=pins, log=log, gateway=source.gateway, is_listed=lambda _: True)
    with pytest.raises(NotReady):
        other.current()


async def test_an_adapter_whose_county_waits_for_admission_is_not_ready(source: Node, gateway: Gateway) -> None:
    gateway.edit = lambda message: message.members.__delitem__(0)
    await source.keeper.refresh()
    with pytest.raises(NotReady) as caught:
        source.directory()
    assert caught.value.missing is Missing.LISTING


async def test_a_gateway_that_is_down_leaves_the_directory_in_force(source: Node, gateway: Gateway) -> None:
    await source.keeper.refresh()
    gateway.failing[GET_DIRECTORY.path] = CallFailed(CallFault.UNAVAILABLE)
    with pytest.raises(CallFailed):
        await source.keeper.refresh()
    assert source.directory().version == 7


async def test_a_policy_this_release_does_not_carry_stops_questions(source: Node, gateway: Gateway) -> None:
    gateway.edit = lambda message: setattr(message, "policy_digest", bytes(32))
    await source.keeper.refresh()
    with pytest.raises(NotReady) as caught:
        source.policy()
    assert caught.value.missing is Missing.POLICY


def goes_on(closed: str, origin: str, *, key: bytes = bytes(32)) -> SignedSuccession:
    message = LogSuccession(
        trust_domain=world.DOMAIN, closed_origin=closed, closed_key=hashlib.sha256(closed.encode()).digest(),
        closed_checkpoint="note", kept_count=2, closed_size=5, log_origin=origin, log_key=key,
        create_time=timestamp(world.NOW),
    )  # fmt: skip
    return SignedSuccession(succession=message.SerializeToString())


async def test_who_joins_after_a_declared_loss_is_told_of_what_the_log_in_force_alerts_of(
    source: Node, gateway: Gateway
) -> None:
    """Alerts are numbered anew from there; waiting for the first of all, it would be told of nothing for ever."""
    first = Alert(sequence=2 * ALERTS_OF_A_LOG + 1)

    def edit(message: Directory) -> None:
        between = hashlib.sha256(b"log-2").digest()
        message.successions.extend(
            [goes_on("log-1", "log-2", key=between), goes_on("log-2", message.log_origin, key=message.log_key)]
        )

    gateway.edit = edit
    alerts = Alerts(source.store)
    assert alerts.accept(first, world.NOW) is Arrival.GAP
    await source.keeper.refresh()
    assert alerts.accept(first, world.NOW) is Arrival.STORED
    assert alerts.accept(Alert(sequence=2 * ALERTS_OF_A_LOG + 2), world.NOW) is Arrival.STORED


async def test_who_is_here_already_follows_no_loss_that_leads_nowhere(source: Node, gateway: Gateway) -> None:
    await source.keeper.refresh()

    def edit(message: Directory) -> None:
        message.version = 8
        message.successions.append(goes_on("log-1", message.log_origin, key=message.log_key))

    gateway.edit = edit
    await source.keeper.refresh()
    assert Alerts(source.store).accept(Alert(sequence=ALERTS_OF_A_LOG + 1), world.NOW) is Arrival.GAP


async def test_losses_that_do_not_lead_to_the_log_in_force_make_no_first_directory(
    source: Node, gateway: Gateway
) -> None:
    gateway.edit = lambda message: message.successions.append(goes_on("log-1", "log-2"))
    await source.keeper.refresh()
    assert (source.keeper.version, source.keeper.fault) == (0, "log")


# --- pepper


def pepper_of(node: Node) -> bytes:
    return node.pepper.current(node.directory())


async def test_the_first_adapter_mints_and_every_member_opens_the_same_pepper(source: Node, asker: Node) -> None:
    await prepare(source, asker)
    assert pepper_of(source) == pepper_of(asker)
    assert len(pepper_of(source)) == 32


async def test_the_gateway_never_holds_the_pepper_in_clear(source: Node, asker: Node, gateway: Gateway) -> None:
    await prepare(source, asker)
    held = [part for sealed, offer, _ in gateway.offers.values() for part in (sealed, offer)]
    seen = b"".join(each.SerializeToString() for each in held)
    assert pepper_of(source) not in seen
    assert hashlib.sha256(pepper_of(source)).digest() in seen


async def test_whoever_has_the_pepper_seals_it_to_who_waits(source: Node, asker: Node, gateway: Gateway) -> None:
    await prepare(source)
    del gateway.offers[ASKER]
    await prepare(asker)
    with pytest.raises(NotReady):
        pepper_of(asker)
    await source.pepper.step()
    await asker.pepper.step()
    assert pepper_of(asker) == pepper_of(source)


async def test_the_pepper_is_not_minted_twice(source: Node, asker: Node, gateway: Gateway) -> None:
    await source.keeper.refresh()
    await asker.keeper.refresh()
    held, gateway.offers = gateway.offers, {}
    await source.pepper.step()
    first, gateway.offers = gateway.offers, {}
    # The asker asked before the source's offer arrived, and offers after it.
    answer = await asker.gateway.call(FETCH_PEPPER, FetchPepperRequest(epoch="e1"), seconds=1)
    assert answer.state == PEPPER_STATE_ABSENT
    gateway.offers = first
    with pytest.raises(CallFailed) as caught:
        await asker.pepper._mint(asker.directory(), asker.directory().epochs["e1"])
    assert (caught.value.reason, held) == ("PEPPER_CONFLICT", {})
    with pytest.raises(NotReady):
        pepper_of(asker)
    await asker.pepper.step()
    assert pepper_of(asker) == pepper_of(source)


async def test_a_pepper_the_directory_does_not_commit_to_is_refused(
    source: Node, asker: Node, gateway: Gateway
) -> None:
    await prepare(source)
    gateway.edit = commit_to(bytes(32))
    await asker.keeper.refresh()
    with pytest.raises(PepperRefused) as caught:
        await asker.pepper.step()
    assert caught.value.why == "directory_commits_to_another"
    await source.keeper.refresh()
    with pytest.raises(NotReady):
        pepper_of(source)


def commit_to(digest: bytes) -> Callable[[Directory], None]:
    def edit(message: Directory) -> None:
        message.version, message.pepper_commitment = 8, digest

    return edit


async def test_a_gateway_that_hides_the_pepper_does_not_get_a_second_one(source: Node, gateway: Gateway) -> None:
    gateway.edit = commit_to(hashlib.sha256(b"the first").digest())
    await source.keeper.refresh()
    with pytest.raises(PepperRefused) as caught:
        await source.pepper.step()
    assert (caught.value.why, gateway.offers) == ("absent_but_committed", {})


@pytest.mark.parametrize("tampering", ["sealed", "offer", "swapped"])
async def test_a_pepper_that_was_tampered_with_is_refused(
    source: Node, asker: Node, gateway: Gateway, tampering: str
) -> None:
    await prepare(source)
    await asker.keeper.refresh()
    sealed, offer, commitment = gateway.offers[ASKER]
    if tampering == "sealed":
        sealed.sealed = sealed.sealed[:-1] + bytes([sealed.sealed[-1] ^ 1])
    elif tampering == "offer":
        offer.signature = offer.signature[:-1] + bytes([offer.signature[-1] ^ 1])
    else:
        gateway.offers[ASKER] = (gateway.offers[THIRD][0], offer, commitment)
    with pytest.raises(PepperRefused):
        await asker.pepper.step()
    with pytest.raises(NotReady):
        pepper_of(asker)


async def test_the_pepper_outlives_a_restart_in_a_file_for_its_owner_alone(
    source: Node, gateway: Gateway, tmp_path: Path
) -> None:
    await prepare(source)
    before = pepper_of(source)
    source.store.close()
    file = tmp_path / "source" / "keys" / "pepper-e1.key"
    assert file.stat().st_mode & 0o777 == 0o600
    again = make_node(tmp_path / "source", gateway)
    assert pepper_of(again) == before
    file.chmod(0o644)
    again.pepper.files = PepperFiles(tmp_path / "source" / "keys")
    with pytest.raises(KeyFileUnusable):
        pepper_of(again)
    again.store.close()
