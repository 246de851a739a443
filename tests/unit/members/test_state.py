"""Settings, cards, share files and the state directory: what is accepted, and what a refusal may show."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.cards import CardBroken, CustodianCard, GatewayCard, read_card
from gateway.config import CustodianConfig, GatewayConfig
from gateway.protocol.addresses import split_address
from gateway.protocol.ristretto import InvalidElement, load_ristretto
from gateway.protocol.strict_yaml import DocumentErrors, load
from gateway.state import LogInUse, State, StateBroken, StateExists
from gateway.tokens.ceremony import ShareRefused, deal
from gateway.tokens.share_file import DealtShare, ShareFileBroken, read_share

GROUP = load_ristretto()
DEALING = deal(GROUP, threshold=2, holders=2, random_bytes=os.urandom)
SHARE = DealtShare("e1", DEALING.shares[1], DEALING.commitments)

SETTINGS = """\
trust_domain: "exchange.example"
name: "gw1"
listen: "127.0.0.1:8443"
address: "gw.exchange.example:8443"
enroll_listen: "[::1]:8444"
enroll_address: "gw.exchange.example:8444"
log_origin: "exchange.example/log"
"""


def test_settings_need_nothing_but_names_and_addresses() -> None:
    config = load(SETTINGS, GatewayConfig, origin="gateway.yaml")
    assert config.budgets.lookups_a_day == 200
    assert not config.demo
    # A disclosure leaves once its entry is durable, and none does once nobody has seen the log grow for so long.
    assert (config.witnesses.release, config.witnesses.limit) == ("sequenced", timedelta(minutes=15))


CUSTODIAN_SETTINGS = """\
trust_domain: exchange.example
operator: auditor
listen: 127.0.0.1:8445
address: custodian.example:8445
log_origin: custodian.example/log
"""


@pytest.mark.parametrize(("text", "model"), [(SETTINGS, GatewayConfig), (CUSTODIAN_SETTINGS, CustodianConfig)])
def test_messages_are_recorded_in_a_demonstration_alone(
    text: str, model: type[GatewayConfig] | type[CustodianConfig]
) -> None:
    recording = text + "sandbox: {record_messages: received}\n"
    assert load(recording + "demo: true\n", model, origin="settings").sandbox.record_messages is not None
    with pytest.raises(DocumentErrors) as refused:
        load(recording + "certificate_life: 1m\n", model, origin="settings")
    lines = text.count("\n")
    assert [(each.line, each.field, each.sentence) for each in refused.value.problems] == [
        (lines + 1, "sandbox.record_messages", "needs demo: true"),
        (lines + 2, "certificate_life", "between 10m and 7d"),
    ]


def test_all_faults_of_a_file_are_told_at_once_with_their_places() -> None:
    text = SETTINGS.replace("8443", "no-port", 1) + "certificate_life: 1m\nbudgets: {lookups_a_day: 0}\ndemmo: true\n"
    text += "witnesses:\n  policy: counties.policy\n  quorum: 2\n  limit: 1s\n"
    with pytest.raises(DocumentErrors) as refused:
        load(text, GatewayConfig, origin="gateway.yaml")
    places = [(problem.line, problem.field) for problem in refused.value.problems]
    assert places == [
        (3, "listen"),
        (8, "certificate_life"),
        (9, "budgets.lookups_a_day"),
        (10, "demmo"),
        (13, "witnesses.quorum"),
        (14, "witnesses.limit"),
    ]


@pytest.mark.parametrize(
    ("address", "parts"), [("gw:1", ("gw", 1)), ("[::1]:8443", ("::1", 8443)), ("127.0.0.1:0", ("127.0.0.1", 0))]
)
def test_an_address_is_a_host_and_a_port(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize(
    "address", ["", "gw", ":8443", "gw:", "gw:x", "::1:8443", "gw:65536", "gw:-1", "[gw]:1", "a b:1", "gw:01"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError):
        split_address(address)


@pytest.mark.parametrize("name", ["address", "enroll_address"])
def test_nobody_is_told_to_dial_a_port_that_is_found_when_the_process_starts(name: str) -> None:
    lines = [f"{name}: gw.example:0" if line.startswith(f"{name}:") else line for line in SETTINGS.splitlines()]
    with pytest.raises(DocumentErrors) as refused:
        load("\n".join(lines), GatewayConfig, origin="gateway.yaml")
    ((field, line),) = [(each.field, each.line) for each in refused.value.problems]
    assert (field, lines[line - 1]) == (name, f"{name}: gw.example:0")


@pytest.mark.parametrize("everywhere", ["0.0.0.0:8443", "[::]:8443", "[0::0]:8443", "[::ffff:0.0.0.0]:8443"])
@pytest.mark.parametrize("name", ["address", "enroll_address"])
def test_nobody_is_told_to_dial_every_address_at_once(name: str, everywhere: str) -> None:
    """It would stand in each invitation, and every county would look for what is wrong with its firewall."""
    settings = {
        "trust_domain": "exchange.example",
        "name": "gw1",
        "log_origin": "exchange.example/log",
        "listen": everywhere,
        "address": "gw.example:8443",
        "enroll_listen": everywhere,
        "enroll_address": "gw.example:8444",
    }
    GatewayConfig(**settings)
    with pytest.raises(ValidationError) as refused:
        GatewayConfig(**settings | {name: everywhere})
    assert [fault["loc"] for fault in refused.value.errors()] == [(name,)]


def test_a_share_survives_its_file() -> None:
    assert read_share(SHARE.to_bytes(), GROUP) == SHARE


def test_a_share_file_is_bound_to_its_dealer() -> None:
    other = deal(GROUP, threshold=2, holders=2, random_bytes=os.urandom)
    with pytest.raises(ShareRefused):
        read_share(DealtShare("e1", other.shares[1], DEALING.commitments).to_bytes(), GROUP)


@given(st.binary(max_size=200) | st.binary(max_size=120).map(lambda tail: b"HWSHARE1" + tail))
def test_bytes_that_are_no_share_file_are_refused(data: bytes) -> None:
    with pytest.raises((ShareFileBroken, ShareRefused, InvalidElement, ValueError)):
        read_share(data, GROUP)


@given(st.integers(min_value=0, max_value=len(SHARE.to_bytes()) - 1), st.integers(min_value=1, max_value=255))
def test_a_flipped_byte_is_never_another_usable_share(position: int, flip: int) -> None:
    data = bytearray(SHARE.to_bytes())
    data[position] ^= flip
    try:
        found = read_share(bytes(data), GROUP)
    except ValueError:
        return
    # Only the names of epoch and generation are not bound by the commitments; another one is never asked for.
    assert found.share == SHARE.share
    assert (found.epoch, found.generation) != (SHARE.epoch, SHARE.generation)


def test_a_share_never_shows_its_secret() -> None:
    assert SHARE.share.secret.hex() not in repr(SHARE)
    assert repr(SHARE.share.secret) not in repr(SHARE)


def test_a_card_with_an_unknown_or_a_spoiled_field_is_refused_by_name() -> None:
    card = b'{"trust_domain": "exchange.example", "name": "gw1", "address": "gw:1", "directory_key": "00", "more": 1}'
    with pytest.raises(CardBroken) as refused:
        read_card(card, GatewayCard)
    assert str(refused.value) == "ca, directory_key, epoch, more, token_key"


@pytest.mark.parametrize("data", [b"", b"HWSHARE1\xff\xfe", b"[]", b"\x00" * 40_000])
def test_a_file_of_any_bytes_that_is_no_card_is_refused(data: bytes) -> None:
    with pytest.raises(CardBroken):
        read_card(data, CustodianCard)


def state_in(path: Path) -> State:
    state = State(path / "gw", "gateway")
    state.make()
    return state


def test_a_secret_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    state.write_secret("some.key", b"first")
    assert state.secret("some.key").stat().st_mode & 0o777 == 0o600
    assert state.directory.stat().st_mode & 0o777 == 0o700
    with pytest.raises(StateExists):
        state.write_secret("some.key", b"second")
    assert state.read_secret("some.key") == b"first"


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    state.write_secret("some.key", b"secret")
    state.secret("some.key").chmod(0o640)
    with pytest.raises(StateBroken, match="others than its owner may read it"):
        state.read_secret("some.key")


def test_a_secret_of_another_length_is_refused_without_showing_it(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    state.write_secret("some.key", b"canary")
    with pytest.raises(StateBroken) as refused:
        state.read_secret("some.key", length=32)
    assert "canary" not in str(refused.value)


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "gw").mkdir()
    (tmp_path / "gw" / "notes.txt").write_text("mine")
    with pytest.raises(StateExists):
        state_in(tmp_path)


def test_one_process_at_a_time_may_append(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    with state.writing(), pytest.raises(LogInUse), state.writing():
        pass
    with state.writing():
        pass


def test_a_path_too_long_for_a_socket_gets_a_short_one(tmp_path: Path) -> None:
    near, far = State(tmp_path / "gw", "gateway"), State(tmp_path / ("x" * 120), "gateway")
    assert near.admin_socket == tmp_path / "gw" / "admin.sock"
    assert len(str(far.admin_socket)) < 100
    assert far.admin_socket != State(tmp_path / ("y" * 120), "gateway").admin_socket
