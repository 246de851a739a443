"""Makes a gateway: its settings, keys, certificates, log and card, all new, in an empty directory.

Decides which keys there are and that none leaves its file. The log and its tables are made here and nowhere else: a
serving gateway whose database is missing stops instead of beginning anew.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from audit.startup import create_log
from audit.store_sqlite import SqliteStore
from gateway.cards import PUBLIC_FILE, GatewayCard, card_bytes
from gateway.config import GATEWAY_FILE, GatewayConfig
from gateway.members.assembly import read_log_signer
from gateway.members.ca import make_intermediate, make_root, make_self_signed
from gateway.protocol.addresses import split_address
from gateway.protocol.directory import GATEWAY_SHARE
from gateway.protocol.escrow import public_key_text
from gateway.protocol.ristretto import Ristretto
from gateway.protocol.sealing import SealKey
from gateway.protocol.signing import SigningKey
from gateway.state import PRIVATE_FILE, State, key_pem, write_new
from gateway.store import tables
from gateway.store.youth_keys import FileYouthKeys
from gateway.tokens.share_file import OperatorRefused, read_share
from gateway.tokens.tables import holder_metadata

_CHECKED: Final = "# Settings of this gateway; `homeward gateway serve` checks them all at start."
_WITNESSES: Final = (
    "# How many linked adapters must have seen the log grow. Until this is set nobody must, and disclosure never stops",
    "# for want of witnesses; more settings: audit/README.md.",
    "# witnesses: { quorum: 2 }",
)
RECORD: Final = (
    "# A directory on other storage for the log's record of what it signed, so that a restored backup is noticed:",
    "# high_water: /mnt/elsewhere/record",
)
ENROLLMENT_LIFE: Final = timedelta(days=825)
_RANDOM_SECRETS: Final[dict[str, int]] = {
    # Of the log's classes op, req and hold.
    "log-classes.key": 96,
    "log.key": 32,
    "directory.key": 32,
    # Keys the blind index and pairwise handles by; without it the database matches nothing.
    "storage.key": 32,
    "handle.key": 32,
    # Wraps the audit keys of youths; keys.db and this file belong in different backups.
    "youth-wrap.key": 32,
    # Opens what the court custodian releases when a seal is lifted.
    "release.key": 96,
}


def found_gateway(
    state: State,
    config: GatewayConfig,
    share: bytes,
    *,
    group: Ristretto,
    now: Callable[[], datetime],
    random_bytes: Callable[[int], bytes],
) -> GatewayCard:
    """The directory holds a gateway that can serve. `share` is the share file with index 1.

    Raises `StateExists`, `ShareFileBroken`, `ShareRefused`, `OperatorRefused` for another index.
    """
    dealt = read_share(share, group)
    if dealt.share.index != GATEWAY_SHARE:
        raise OperatorRefused(f"share {dealt.share.index} is a custodian's; the gateway holds share 1")
    state.make()
    state.write_secret("share.bin", share)
    for name, length in _RANDOM_SECRETS.items():
        state.write_secret(name, random_bytes(length))
    root = make_authorities(state, config.trust_domain, now=now(), random_bytes=random_bytes)
    _make_enrollment_certificate(state, config, now=now(), random_bytes=random_bytes)
    write_new(state.directory / GATEWAY_FILE, settings_text(config).encode(), mode=PRIVATE_FILE)
    signer = read_log_signer(state, config.log_origin)
    create_log(
        SqliteStore(state.database), signer=signer, high_water=state.high_water, also=(tables.metadata, holder_metadata)
    )
    write_new(state.log_key, f"{signer.public.vkey()}\n".encode(), mode=PUBLIC_FILE)
    FileYouthKeys.create(state.youth_keys)
    release_key = SealKey.from_private_bytes(state.read_secret("release.key"))
    write_new(state.release_key, public_key_text(release_key.public_bytes).encode(), mode=PUBLIC_FILE)
    directory_key = SigningKey.from_private_bytes(state.read_secret("directory.key", length=32))
    card = GatewayCard(
        trust_domain=config.trust_domain,
        name=config.name,
        address=config.address,
        directory_key=directory_key.public_bytes.hex(),
        ca=root.decode(),
        epoch=dealt.epoch,
        token_key=dealt.sharing.commitments[0].hex(),
    )
    write_new(state.card, card_bytes(card), mode=PUBLIC_FILE)
    return card


def settings_text(config: GatewayConfig) -> str:
    """gateway.yaml with the settings that differ from one gateway to the next. JSON strings are YAML strings."""
    names = ("trust_domain", "name", "listen", "address", "enroll_listen", "enroll_address", "log_origin", "demo")
    lines = [f"{name}: {json.dumps(getattr(config, name))}" for name in names]
    return "\n".join([_CHECKED, *lines, *_WITNESSES, *RECORD, ""])


def make_authorities(state: State, owner: str, *, now: datetime, random_bytes: Callable[[int], bytes]) -> bytes:
    """The state has a root and an intermediate of its own; returns the root, PEM."""
    root = make_root(f"{owner} root", now=now, random_bytes=random_bytes)
    intermediate = make_intermediate(f"{owner} issuing", root, now=now, random_bytes=random_bytes)
    pem = root.certificate.public_bytes(Encoding.PEM)
    issuing = intermediate.certificate.public_bytes(Encoding.PEM)
    state.write_secret("ca-root.key", key_pem(root.key))
    state.write_secret("ca-intermediate.key", key_pem(intermediate.key))
    write_new(state.certificate("root"), pem, mode=PUBLIC_FILE)
    write_new(state.certificate("intermediate"), issuing, mode=PUBLIC_FILE)
    return pem


def _make_enrollment_certificate(
    state: State, config: GatewayConfig, *, now: datetime, random_bytes: Callable[[int], bytes]
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    hosts = dict.fromkeys(split_address(address)[0] for address in (config.enroll_address, config.enroll_listen))
    certificate = make_self_signed(key, list(hosts), now=now, life=ENROLLMENT_LIFE, random_bytes=random_bytes)
    state.write_secret("enroll.key", key_pem(key))
    write_new(state.certificate("enroll"), certificate.public_bytes(Encoding.PEM), mode=PUBLIC_FILE)
