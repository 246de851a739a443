"""Makes a custodian: its settings, keys, own certificate authority, log and card, in an empty directory.

Decides that a custodian shares nothing with the gateway but the trust domain and the epoch: its root, its keys and its
log are its own, or the split of the token key would be theater (TOKENS §6).
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Final

from audit.checkpoint import LogKey
from audit.startup import create_log
from audit.store_sqlite import SqliteStore
from gateway.cards import PUBLIC_FILE, CustodianCard, GatewayCard, card_bytes
from gateway.config import CUSTODIAN_FILE, CustodianConfig
from gateway.members.assembly import read_log_signer
from gateway.members.founding import RECORD, make_authorities
from gateway.protocol.directory import GATEWAY_SHARE
from gateway.protocol.ristretto import Ristretto
from gateway.protocol.signing import SigningKey
from gateway.state import PRIVATE_FILE, State, write_new
from gateway.tokens.share_file import DealtShare, OperatorRefused, read_share
from gateway.tokens.tables import custodian_metadata, holder_metadata

GATEWAY_CARD: Final = "gateway-card.json"
_TOGETHER: Final = 2
"""Shares that gateway and custodian hold together."""
_RANDOM_SECRETS: Final[dict[str, int]] = {"log-classes.key": 96, "log.key": 32, "directory.key": 32}


def found_custodian(
    state: State,
    config: CustodianConfig,
    gateway: GatewayCard,
    share: bytes,
    *,
    group: Ristretto,
    now: Callable[[], datetime],
    random_bytes: Callable[[int], bytes],
) -> CustodianCard:
    """The directory holds a custodian that can serve.

    Raises `StateExists`, `ShareFileBroken`, `ShareRefused`, `OperatorRefused`.
    """
    dealt = read_share(share, group)
    if dealt.share.index == GATEWAY_SHARE:
        raise OperatorRefused("share 1 is the gateway's")
    if config.operator == gateway.name and len(dealt.commitments) <= _TOGETHER and not config.demo:
        raise OperatorRefused("the gateway's operator would hold enough shares to make tokens alone")
    if dealt.epoch != gateway.epoch:
        raise OperatorRefused("the share is of another epoch than the gateway's")
    if dealt.commitments[0].hex() != gateway.token_key:
        # Every token made with it would meet nothing, and that reads as "nobody looks".
        raise OperatorRefused("the share is of another ceremony than the gateway's")
    state.make()
    state.write_secret("share.bin", share)
    for name, length in _RANDOM_SECRETS.items():
        state.write_secret(name, random_bytes(length))
    root = make_authorities(state, config.operator, now=now(), random_bytes=random_bytes)
    write_new(state.directory / CUSTODIAN_FILE, settings_text(config).encode(), mode=PRIVATE_FILE)
    write_new(state.directory / GATEWAY_CARD, card_bytes(gateway), mode=PRIVATE_FILE)
    signer = read_log_signer(state, config.log_origin)
    create_log(
        SqliteStore(state.database),
        signer=signer,
        high_water=state.high_water,
        also=(holder_metadata, custodian_metadata),
    )
    write_new(state.log_key, f"{signer.public.vkey()}\n".encode(), mode=PUBLIC_FILE)
    card = _card(state, config, dealt, group, ca=root, log=signer.public)
    write_new(state.card, card_bytes(card), mode=PUBLIC_FILE)
    return card


def _card(
    state: State, config: CustodianConfig, dealt: DealtShare, group: Ristretto, *, ca: bytes, log: LogKey
) -> CustodianCard:
    directory_key = SigningKey.from_private_bytes(state.read_secret("directory.key", length=32))
    return CustodianCard(
        operator=config.operator,
        address=config.address,
        directory_key=directory_key.public_bytes.hex(),
        ca_certificate=ca.decode(),
        share_index=dealt.share.index,
        share_commitment=dealt.public(group).hex(),
        log_origin=log.origin,
        log_key=log.raw.hex(),
    )


def settings_text(config: CustodianConfig) -> str:
    """custodian.yaml with the settings that differ from one custodian to the next. JSON strings are YAML strings."""
    names = ("trust_domain", "operator", "listen", "address", "log_origin", "demo")
    lines = [f"{name}: {json.dumps(getattr(config, name))}" for name in names]
    return "\n".join(
        ["# Settings of this custodian; `homeward custodian serve` checks them all at start.", *lines, *RECORD, ""]
    )
