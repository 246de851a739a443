"""The JWT matrix: every defect is refused with its own fault (SECURITY §3.1(3), AN-07)."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest

from gateway.protocol.assertion import AssertionFault, AssertionRefused, Claims, sign_assertion, verify_assertion
from gateway.protocol.directory import open_directory
from gateway.protocol.names import AgencyId, AuthorityId, Purpose, Role
from gateway.protocol.signing import SigningKey
from tests.unit.protocol.county_keys import AGENCY, NOW, CountyKeys

KEYS = CountyKeys.make()
VIEW = open_directory(KEYS.signed(), KEYS.pins)
PAYLOAD = b"exact request bytes"
THUMBPRINT = bytes(range(32))
CLAIMS = Claims(
    issuer=AgencyId(AGENCY),
    subject="w-3f",
    actor="spiffe://exchange.example/county/06037/cwa/adapter/a1",
    role=Role("CWA.hotline_screener"),
    purpose=Purpose.HOTLINE_SCREEN,
    authority_id=AuthorityId(bytes(16)),
    request_digest=hashlib.sha256(PAYLOAD).digest(),
    channel_thumbprint=THUMBPRINT,
    audience="exchange.example",
    assertion_id="j-1",
    issued=NOW,
    expires=NOW + timedelta(seconds=120),
    login=NOW - timedelta(hours=1),
)


def verify(token: str, **changes: Any) -> Claims:
    given = {"directory": VIEW, "payload": PAYLOAD, "now": NOW, "channel_thumbprint": THUMBPRINT} | changes
    return verify_assertion(token, **given)


def fault(token: str, **changes: Any) -> AssertionFault:
    with pytest.raises(AssertionRefused) as refused:
        verify(token, **changes)
    return refused.value.fault


def raw(header: object, body: object, key: SigningKey = KEYS.assertion) -> str:
    def part(value: object) -> str:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    signed = f"{part(header)}.{part(body)}"
    return f"{signed}.{part(key.private.sign(signed.encode()))}"


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


GOOD = sign_assertion(CLAIMS, KEYS.assertion)
HEADER, BODY = parts_of(GOOD)


def test_what_was_signed_is_what_is_read() -> None:
    assert verify(GOOD) == CLAIMS
    assert verify(sign_assertion(replace(CLAIMS, authority_id=None), KEYS.assertion)).authority_id is None


def test_the_hand_made_form_used_below_is_accepted_when_nothing_is_wrong() -> None:
    assert verify(raw(HEADER, BODY)) == CLAIMS


def test_the_source_verifies_without_the_channel() -> None:
    assert verify(GOOD, channel_thumbprint=None) == CLAIMS


def test_another_body_another_channel_and_another_exchange_are_refused() -> None:
    assert fault(GOOD, payload=b"other request bytes") is AssertionFault.REQUEST
    assert fault(GOOD, channel_thumbprint=bytes(32)) is AssertionFault.BINDING
    elsewhere = sign_assertion(replace(CLAIMS, audience="other.example"), KEYS.assertion)
    assert fault(elsewhere) is AssertionFault.AUDIENCE


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(149.9, None), (150, AssertionFault.EXPIRED), (-30, None), (-30.1, AssertionFault.NOT_YET)],
)
def test_time_is_half_open_with_thirty_seconds_of_leeway(seconds: float, expected: AssertionFault | None) -> None:
    now = NOW + timedelta(seconds=seconds)
    if expected is None:
        assert verify(GOOD, now=now) == CLAIMS
    else:
        assert fault(GOOD, now=now) is expected


def test_a_life_beyond_two_minutes_or_backwards_is_refused() -> None:
    for seconds in (121, 0, -1):
        token = sign_assertion(replace(CLAIMS, expires=NOW + timedelta(seconds=seconds)), KEYS.assertion)
        assert fault(token) is AssertionFault.LIFETIME


def test_another_countys_key_and_an_edited_role_are_refused() -> None:
    stranger = SigningKey.generate()
    assert fault(sign_assertion(CLAIMS, stranger)) is AssertionFault.KEY
    assert fault(raw(HEADER, BODY, key=stranger)) is AssertionFault.SIGNATURE
    head, _, signature = GOOD.split(".")
    body = base64.urlsafe_b64encode(json.dumps(BODY | {"role": "CWA.supervisor"}).encode()).rstrip(b"=").decode()
    assert fault(f"{head}.{body}.{signature}") is AssertionFault.SIGNATURE


def test_an_envelope_key_cannot_sign_for_a_user() -> None:
    header = HEADER | {"kid": KEYS.envelope.key_id.hex()}
    assert fault(raw(header, BODY, key=KEYS.envelope)) is AssertionFault.KEY


@pytest.mark.parametrize("other", [str.upper, lambda kid: f" {kid}", lambda kid: f"{kid[:2]} {kid[2:]}"])
def test_a_key_has_one_name(other: Callable[[str], str]) -> None:
    assert fault(raw(HEADER | {"kid": other(HEADER["kid"])}, BODY)) is AssertionFault.KEY


@pytest.mark.parametrize("missing", sorted(set(BODY) - {"authority"}))
def test_every_claim_is_required(missing: str) -> None:
    assert (
        fault(raw(HEADER, {name: value for name, value in BODY.items() if name != missing})) is AssertionFault.MALFORMED
    )


@pytest.mark.parametrize(
    "change",
    [
        {"aud": ["exchange.example", "other.example"]},
        {"aud": ["exchange.example"]},
        {"exp": 1e10},
        {"exp": True},
        {"iat": "now"},
        {"exp": 10**12},
        {"exp": 10**17},
        {"exp": 10**20},
        {"iat": -(10**17)},
        {"role": "CWA.nobody"},
        {"purpose": "CURIOSITY"},
        {"authority": "zz"},
        {"authority": "00"},
        {"authority": "AB" * 16},
        {"authority": "ab " * 16},
        {"req": "AA"},
        {"req": BODY["req"] + "="},
        {"cnf": {"x5t#S256": BODY["cnf"]["x5t#S256"], "jkt": "x"}},
        {"cnf": {}},
        {"act": {"sub": "a", "act": {"sub": "b"}}},
        {"iss": "06037"},
        {"jti": ""},
        {"sub": "x" * 65},
        {"sub": "seen at Elm Street"},
        {"sub": "w-3f\n"},
        {"jti": "ran again"},
        {"scope": "everything"},
    ],
)
def test_a_claim_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    assert fault(raw(HEADER, BODY | change)) is AssertionFault.MALFORMED


@pytest.mark.parametrize(
    "header",
    [
        HEADER | {"alg": "none"},
        HEADER | {"alg": "HS256"},
        HEADER | {"typ": "JWT"},
        HEADER | {"typ": "at+jwt"},
        HEADER | {"jku": "https://keys.example/jwks"},
        HEADER | {"jwk": {"kty": "OKP"}},
        HEADER | {"crit": ["exp"]},
        {"alg": "EdDSA", "typ": "user-attr+jwt"},
        [],
        b"not json",
        b"[" * 2000,
    ],
)
def test_a_header_of_another_shape_is_refused(header: object) -> None:
    assert fault(raw(header, BODY)) is AssertionFault.MALFORMED


def test_an_hmac_keyed_with_the_public_key_is_no_signature() -> None:
    header, body, _ = GOOD.split(".")
    forged = base64.urlsafe_b64encode(json.dumps(HEADER | {"alg": "HS256"}).encode()).rstrip(b"=").decode()
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        f"{forged}.{body}".encode(), KEYS.assertion.public_bytes
    )
    token = f"{forged}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert fault(token) is AssertionFault.MALFORMED
    assert header


def test_a_claim_that_stands_twice_is_refused_because_two_readers_could_differ() -> None:
    doubled = json.dumps(BODY)[:-1] + ', "role": "CWA.supervisor"}'
    assert fault(raw(HEADER, doubled.encode())) is AssertionFault.MALFORMED


def test_size_and_form_are_bounded() -> None:
    assert fault(GOOD + "A" * 4096) is AssertionFault.MALFORMED
    assert fault("a.b") is AssertionFault.MALFORMED
    assert fault("") is AssertionFault.MALFORMED
    assert fault("....") is AssertionFault.MALFORMED


def test_a_refusal_carries_nothing_of_the_assertion() -> None:
    with pytest.raises(AssertionRefused) as refused:
        verify(raw(HEADER, BODY | {"sub": "CANARY"}, key=SigningKey.generate()))
    assert "CANARY" not in str(refused.value)
