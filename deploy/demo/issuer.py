"""A token issuer for each agency of the sandbox: it stands where a county's identity provider would.

Decides the key (ES256), the groups and the claims. Not for anything but invented people: whoever can read the key file
is every member of the agency's staff. The adapter sees what it would see of a real provider, a key set and tokens.
"""

import json
import os
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

AUDIENCE: Final = "homeward-adapter"
ROLES_CLAIM: Final = "groups"
LIFE: Final = timedelta(hours=8)
_ALGORITHM: Final = "ES256"
_KEY_FILE: Final = "issuer.key"
JWKS_FILE: Final = "jwks.json"


def issuer_name(letter: str) -> str:
    """The `iss` of an agency's tokens."""
    return f"https://login.county-{letter.lower()}.example/sandbox"


def group_of(role: str) -> str:
    """The group of the identity provider whose members hold this role."""
    return "sandbox-" + role.lower().replace(".", "-").replace("_", "-")


def make_issuer(directory: Path) -> None:
    """A fresh key (mode 0600) and its public key set are in the directory."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(directory / _KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    public |= {"kid": secrets.token_hex(8), "use": "sig", "alg": _ALGORITHM}
    (directory / JWKS_FILE).write_text(json.dumps({"keys": [public]}, indent=1) + "\n", encoding="utf-8")


def issue_token(
    directory: Path, *, letter: str, roles: Sequence[str], worker: str, now: datetime, life: timedelta = LIFE
) -> str:
    """A token of this agency's staff: `worker` logged in at `now`, with the groups of these roles."""
    key = load_pem_private_key((directory / _KEY_FILE).read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the issuer's key is not one this module made")
    (public,) = json.loads((directory / JWKS_FILE).read_text(encoding="utf-8"))["keys"]
    issued = int(now.timestamp())
    claims = {
        "iss": issuer_name(letter),
        "sub": worker,
        "aud": AUDIENCE,
        "iat": issued,
        "exp": issued + int(life.total_seconds()),
        "auth_time": issued,
        "jti": secrets.token_hex(16),
        ROLES_CLAIM: [group_of(role) for role in roles],
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": public["kid"], "typ": "JWT"})
