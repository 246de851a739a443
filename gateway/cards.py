"""Cards: what operators tell each other about their processes, as small JSON files.

Decides what is on them. Everything is public; what makes a card trustworthy is who handed it over.
"""

from typing import Annotated, Final, TypeVar

from cryptography import x509
from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from gateway.config import Address, Name, Origin, TrustDomain
from gateway.protocol.strict_yaml import StrictModel
from gateway.state import State, write_new

MAX_BYTES = 16 * 1024
PUBLIC_FILE: Final = 0o644


def _certificate(pem: str) -> str:
    x509.load_pem_x509_certificate(pem.encode())
    return pem


HexKey = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""32 bytes, hexadecimal."""
CertificatePem = Annotated[str, StringConstraints(max_length=8192), AfterValidator(_certificate)]


class CardBroken(ValueError):
    """The text is not a card of the expected kind. Names the fields at fault."""


class GatewayCard(StrictModel):
    """What a custodian's operator needs of the gateway."""

    trust_domain: TrustDomain
    name: Name
    address: Address
    directory_key: HexKey
    ca: CertificatePem
    """Root certificate."""
    epoch: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
    token_key: HexKey
    """Public key of the whole token key: the same for all shares of one ceremony, and after every refresh."""


class CustodianCard(StrictModel):
    """What the gateway's operator needs of a custodian."""

    operator: Name
    address: Address
    directory_key: HexKey
    ca_certificate: CertificatePem
    """Root certificate."""
    share_index: Annotated[int, Field(ge=2, le=255)]
    share_commitment: HexKey
    log_origin: Origin
    log_key: HexKey
    """Raw Ed25519 key that signs its log's checkpoints."""


C = TypeVar("C", GatewayCard, CustodianCard)


def read_card(data: bytes, kind: type[C]) -> C:
    """The card in this file. Raises `CardBroken`."""
    if len(data) > MAX_BYTES:
        raise CardBroken("longer than a card can be")
    try:
        return kind.model_validate_json(data, strict=True)
    except ValidationError as exc:
        faults = {".".join(map(str, error["loc"])) or "(document)" for error in exc.errors(include_url=False)}
        raise CardBroken(", ".join(sorted(faults))) from None


def card_bytes(card: GatewayCard | CustodianCard) -> bytes:
    """The card as it is written."""
    return (card.model_dump_json(indent=2) + "\n").encode()


def renew_card(state: State, kind: type[C], **changes: str) -> None:
    """The state's card says this, and all else as before. Raises `CardBroken`."""
    card = read_card(state.card.read_bytes(), kind)
    renewed = state.card.with_suffix(".new")
    renewed.unlink(missing_ok=True)
    write_new(renewed, card_bytes(card.model_copy(update=changes)), mode=PUBLIC_FILE)
    renewed.replace(state.card)
