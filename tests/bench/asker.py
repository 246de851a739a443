"""Workers of joined agencies who ask: their questions with everything a county signs, made before the clock starts.

Decides what a question of the benchmark looks like: the product's own messages, an identifier, a `jti` and an assertion
of its own for each, signed with the keys that `homeward join` left behind. Signing is the caller's cost and is not
measured; an assertion lives at most two minutes, so questions are made right before they are asked.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

from adapters.channel_identity import CA_FILE, CHAIN_FILE, KEY_FILE, load_identity
from adapters.keyring import Keyring, load_keyring
from adapters.membership import Membership, read_membership
from adapters.node.identifiers import new_assertion_id, new_request_id
from gateway.protocol.assertion import Claims, sign_assertion
from gateway.protocol.names import EvidenceKind, FieldSet, Purpose, Role
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import to_wire
from gateway.rpc.incoming import batch_item
from homeward.gateway.v1.envelope_pb2 import Evidence, TokenSet
from homeward.gateway.v1.exchange_pb2 import (
    CheckFlagRequest,
    CheckFlagsRequest,
    FlagQuery,
    FlagQueryBatch,
    RecordsQuery,
    RequestRecordsRequest,
)
from tests.bench.load import Peer

SERVICE: Final = "/homeward.gateway.v1.ExchangeService/"
_LIFE: Final = timedelta(seconds=120)
_LOGIN_AGO: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Item:
    """One question about one youth, as its answer will be judged."""

    digest: bytes
    """Request digest that the answer's receipt must name, 32 bytes."""
    expected: Outcome


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request as it is sent, and what was asked with it."""

    message: bytes = field(repr=False)
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Tokens of a youth and what the exchange must say."""

    tokens: TokenSet = field(repr=False)
    expected: Outcome


@dataclass(frozen=True, slots=True)
class Asker:
    """One worker in one role for one purpose."""

    membership: Membership
    keyring: Keyring = field(repr=False)
    thumbprint: bytes
    state: Path
    role: Role
    purpose: Purpose
    evidence: EvidenceKind

    @classmethod
    def of(cls, state: Path, role: Role, purpose: Purpose, evidence: EvidenceKind) -> Self:
        """A worker of the agency whose adapter joined with this state directory."""
        identity = load_identity(state)
        return cls(
            read_membership(state), load_keyring(state / "keys"), identity.thumbprint, state, role, purpose, evidence
        )

    @property
    def peer(self) -> Peer:
        """The gateway, as this agency's adapter dials it."""
        host, _, port = self.membership.gateway_address.rpartition(":")
        keys = self.state / "keys"
        return Peer(host, int(port), keys / CA_FILE, keys / CHAIN_FILE, keys / KEY_FILE)

    def flag_check(self, wanted: Wanted) -> Prepared:
        """CheckFlag about this youth."""
        payload = self._flag_query(wanted).SerializeToString()
        request = CheckFlagRequest(payload=payload, user_assertion=self.assertion(payload))
        return Prepared(request.SerializeToString(), (Item(sha256(payload).digest(), wanted.expected),))

    def flag_checks(self, wanted: Sequence[Wanted]) -> Prepared:
        """CheckFlags about these youths under one assertion."""
        payload = FlagQueryBatch(queries=[self._flag_query(each) for each in wanted]).SerializeToString()
        request = CheckFlagsRequest(payload=payload, user_assertion=self.assertion(payload))
        digest = sha256(payload).digest()
        items = tuple(
            Item(sha256(batch_item(digest, position)).digest(), each.expected) for position, each in enumerate(wanted)
        )
        return Prepared(request.SerializeToString(), items)

    def records(self, wanted: Wanted, field_sets: Sequence[FieldSet]) -> Prepared:
        """RequestRecords about this youth."""
        payload = RecordsQuery(
            request_id=self._request_id(),
            tokens=wanted.tokens,
            evidence=self._evidence(),
            field_sets=[to_wire(each) for each in field_sets],  # type: ignore[misc]
            page_size=50,
            page=1,
            recipient_key_id=self.keyring.seal.key_id,
        ).SerializeToString()
        request = RequestRecordsRequest(payload=payload, user_assertion=self.assertion(payload))
        return Prepared(request.SerializeToString(), (Item(sha256(payload).digest(), wanted.expected),))

    def assertion(self, payload: bytes) -> str:
        """The county's word on these bytes."""
        now = datetime.now(UTC)
        claims = Claims(
            issuer=self.membership.agency,
            subject="invented-worker-1",
            actor=self.membership.spiffe_id,
            role=self.role,
            purpose=self.purpose,
            authority_id=None,
            request_digest=sha256(payload).digest(),
            channel_thumbprint=self.thumbprint,
            audience=self.membership.trust_domain,
            assertion_id=new_assertion_id(now, os.urandom),
            issued=now,
            expires=now + _LIFE,
            login=now - _LOGIN_AGO,
        )
        return sign_assertion(claims, self.keyring.assertion)

    def _flag_query(self, wanted: Wanted) -> FlagQuery:
        return FlagQuery(request_id=self._request_id(), tokens=wanted.tokens, evidence=self._evidence())

    def _evidence(self) -> list[Evidence]:
        kind = to_wire(self.evidence)
        return [Evidence(kind=kind, reference_commitment=os.urandom(32))]  # type: ignore[arg-type]

    def _request_id(self) -> bytes:
        return new_request_id(datetime.now(UTC), os.urandom)


def strangers(like: TokenSet) -> Callable[[], TokenSet]:
    """Tokens of somebody whom nobody lists, every time of another: of the same form, drawn at random."""

    def stranger() -> TokenSet:
        tokens = TokenSet()
        tokens.CopyFrom(like)
        tokens.tokens = os.urandom(len(tokens.tokens))
        return tokens

    return stranger
