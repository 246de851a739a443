"""Tokens of the county's identity provider: every way in which one does not count, and which roles one gives."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from adapters.errors import Denied, Invalid, Unauthenticated
from adapters.staff import LOGIN_UNKNOWN, Staff, StaffConfig, StaffFault, StaffTokens, bearer, choose_role
from adapters.staff_keys import MIN_INTERVAL, JwksConfig, KeySet, KeySetUnreadable, parse_keys
from gateway.protocol.names import Role

NOW = datetime(2026, 11, 24, 11, 10, tzinfo=UTC)
ISSUER, AUDIENCE = "https://login.county-b.example/invented", "homeward-adapter"
SUBJECT = "invented.worker@county-b.example"
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = Ed25519PrivateKey.generate()
RSA_KEY = rsa.generate_private_key(65537, 2048)


def jwks() -> dict[str, Any]:
    return {
        "keys": [
            ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True) | {"kid": "ec", "use": "sig", "alg": "ES256"},
            OKPAlgorithm.to_jwk(ED_KEY.public_key(), as_dict=True) | {"kid": "ed"},
            RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True) | {"kid": "rsa"},
        ]
    }


def config(**changes: Any) -> StaffConfig:
    given = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "jwks": JwksConfig(url="https://login.county-b.example/keys"),
        "roles": {"Placement": ("CWA.placement_worker",), "Duty": ("CWA.duty_officer", "CWA.case_worker")},
    }
    return StaffConfig(**(given | changes))


def tokens(**changes: Any) -> StaffTokens:
    keys = KeySet(jwks, now=lambda: NOW)
    return StaffTokens(config(**changes), keys, pseudonym_key=b"p" * 32, now=lambda: NOW)


def claims(**changes: Any) -> dict[str, Any]:
    issued = int(NOW.timestamp()) - 60
    return {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": AUDIENCE,
        "iat": issued,
        "exp": issued + 3600,
        "auth_time": issued - 300,
        "groups": ["Placement", "Somebody else's group"],
    } | changes


def token(body: dict[str, Any] | None = None, *, key: Any = EC_KEY, algorithm: str = "ES256", **header: Any) -> str:
    names = {"kid": "ec", "typ": "JWT"} | header
    return jwt.encode(claims() if body is None else body, key, algorithm=algorithm, headers=names)


def segments(body: str, **header: Any) -> str:
    """A token whose body is exactly this text, signed for what it is."""
    names = json.dumps({"alg": "ES256", "kid": "ec", "typ": "JWT"} | header)
    signing_input = b".".join(base64.urlsafe_b64encode(each.encode()).rstrip(b"=") for each in (names, body))
    signature = ECAlgorithm(ECAlgorithm.SHA256).sign(signing_input, EC_KEY)
    return (signing_input + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in claims().items() if key != name}


def repeated_claim() -> str:
    text = json.dumps(claims())
    return segments(text[:-1] + ', "sub": "another.worker"}')


def swapped_signature() -> str:
    head, body, signature = token().split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[-1] ^= 1
    return ".".join((head, body, base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()))


def keyed_with_the_public_key() -> str:
    return jwt.encode(claims(), ED_KEY.public_key().public_bytes_raw(), algorithm="HS256", headers={"kid": "ed"})


ISSUED = int(NOW.timestamp())
DEFECTS: dict[str, tuple[Callable[[], str], StaffFault]] = {
    "longer than 8 KB": (lambda: token(claims(padding="x" * 9000)), StaffFault.TOO_LONG),
    "not three segments": (lambda: token() + ".x", StaffFault.MALFORMED),
    "not base64": (lambda: "é.e30.e30", StaffFault.MALFORMED),
    "not JSON": (lambda: segments("{"), StaffFault.MALFORMED),
    "not an object": (lambda: segments("[1]"), StaffFault.MALFORMED),
    "a claim twice": (repeated_claim, StaffFault.MALFORMED),
    "no key identifier": (lambda: segments(json.dumps(claims()), kid=None), StaffFault.MALFORMED),
    "critical extension": (lambda: token(crit=["b64"], b64=True), StaffFault.MALFORMED),
    "another type": (lambda: token(typ="user-attr+jwt"), StaffFault.TYPE),
    "an unknown key": (lambda: token(kid="other"), StaffFault.KEY),
    "another algorithm than the key's": (
        lambda: token(key=ED_KEY, algorithm="EdDSA", kid="ec"),
        StaffFault.ALGORITHM,
    ),
    "HMAC under the public key": (keyed_with_the_public_key, StaffFault.ALGORITHM),
    "unsigned": (lambda: jwt.encode(claims(), None, algorithm="none", headers={"kid": "ec"}), StaffFault.ALGORITHM),
    "a wrong signature": (swapped_signature, StaffFault.SIGNATURE),
    "another signer": (lambda: token(key=ec.generate_private_key(ec.SECP256R1())), StaffFault.SIGNATURE),
    "no subject": (lambda: token(without("sub")), StaffFault.CLAIMS),
    "no end": (lambda: token(without("exp")), StaffFault.CLAIMS),
    "no issue time": (lambda: token(without("iat")), StaffFault.CLAIMS),
    "an empty subject": (lambda: token(claims(sub="")), StaffFault.CLAIMS),
    "a time that is true": (lambda: segments(json.dumps(claims(iat=True))), StaffFault.CLAIMS),
    "a time that is no number": (lambda: segments(json.dumps(claims(exp=1.5))), StaffFault.CLAIMS),
    "a time beyond the calendar": (lambda: segments(json.dumps(claims(exp=10**18))), StaffFault.CLAIMS),
    "another issuer": (lambda: token(claims(iss="https://login.county-c.example")), StaffFault.ISSUER),
    "another audience": (lambda: token(claims(aud="another-service")), StaffFault.AUDIENCE),
    "several audiences": (lambda: token(claims(aud=[AUDIENCE, "another-service"])), StaffFault.AUDIENCE),
    "a life of a day": (lambda: token(claims(exp=ISSUED + 86_400)), StaffFault.LIFETIME),
    "an end before its beginning": (lambda: token(claims(exp=ISSUED - 61)), StaffFault.LIFETIME),
    "expired": (lambda: token(claims(iat=ISSUED - 7200, exp=ISSUED - 31)), StaffFault.EXPIRED),
    "issued in the future": (lambda: token(claims(iat=ISSUED + 60, exp=ISSUED + 600)), StaffFault.NOT_YET),
    "not valid yet": (lambda: token(claims(nbf=ISSUED + 60)), StaffFault.NOT_YET),
    "a login in the future": (lambda: token(claims(auth_time=ISSUED + 60)), StaffFault.NOT_YET),
}


@pytest.mark.parametrize("defect", DEFECTS)
async def test_a_token_with_a_defect_is_refused_for_that_defect(defect: str) -> None:
    make, fault = DEFECTS[defect]
    with pytest.raises(Unauthenticated) as caught:
        await tokens().verify(make())
    assert caught.value.fault == fault


def test_every_fault_of_a_token_has_a_defect_that_shows_it() -> None:
    shown = {fault for _, fault in DEFECTS.values()} | {StaffFault.MISSING, StaffFault.REPEATED}
    assert shown == set(StaffFault)


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"), [(EC_KEY, "ES256", "ec"), (ED_KEY, "EdDSA", "ed"), (RSA_KEY, "RS256", "rsa")]
)
async def test_a_sound_token_counts_under_the_one_algorithm_of_its_key(key: Any, algorithm: str, kid: str) -> None:
    found = await tokens().verify(token(key=key, algorithm=algorithm, kid=kid))
    assert found.roles == {"CWA.placement_worker"}
    assert found.login == datetime.fromtimestamp(ISSUED - 360, UTC)


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt"])
async def test_access_tokens_are_accepted_under_both_names(kind: str) -> None:
    assert (await tokens().verify(token(typ=kind))).roles


async def test_thirty_seconds_of_clock_difference_are_tolerated() -> None:
    late = token(claims(iat=ISSUED - 3600, exp=ISSUED - 29))
    early = token(claims(iat=ISSUED + 29, exp=ISSUED + 600))
    assert (await tokens().verify(late)).roles == (await tokens().verify(early)).roles


async def test_a_token_without_login_time_is_never_a_fresh_login() -> None:
    assert (await tokens().verify(token(without("auth_time")))).login == LOGIN_UNKNOWN


async def test_a_token_without_groups_gives_no_role() -> None:
    for body in (without("groups"), claims(groups="not a list"), claims(groups=[1, None]), claims(groups=[])):
        assert (await tokens().verify(token(body))).roles == frozenset()


async def test_several_groups_give_the_union_of_their_roles() -> None:
    found = await tokens().verify(token(claims(groups=["Placement", "Duty"])))
    assert found.roles == {"CWA.placement_worker", "CWA.duty_officer", "CWA.case_worker"}


async def test_the_worker_is_known_outside_by_a_keyed_pseudonym_only() -> None:
    first, again = await tokens().verify(token()), await tokens().verify(token())
    other = await tokens().verify(token(claims(sub="another.worker")))
    elsewhere = StaffTokens(config(), KeySet(jwks, now=lambda: NOW), pseudonym_key=b"q" * 32, now=lambda: NOW)
    assert first.pseudonym == again.pseudonym
    assert len({first.pseudonym, other.pseudonym, (await elsewhere.verify(token())).pseudonym}) == 3
    assert SUBJECT not in repr(first)
    assert "invented" not in first.pseudonym


def staff(*roles: str) -> Staff:
    return Staff("p", frozenset(Role(role) for role in roles), NOW)


def test_the_only_role_need_not_be_named() -> None:
    assert choose_role(staff("CWA.case_worker"), "") == "CWA.case_worker"


def test_a_named_role_must_be_held() -> None:
    both = staff("CWA.case_worker", "CWA.supervisor")
    assert choose_role(both, "CWA.supervisor") == "CWA.supervisor"
    with pytest.raises(Denied):
        choose_role(both, "CWA.duty_officer")


def test_one_of_several_roles_must_be_named() -> None:
    with pytest.raises(Invalid) as caught:
        choose_role(staff("CWA.case_worker", "CWA.supervisor"), "")
    assert caught.value.fields == ("role: several_held",)


def test_nobody_without_a_role_may_call() -> None:
    with pytest.raises(Denied):
        choose_role(staff(), "")


def test_the_bearer_token_is_the_one_in_the_metadata() -> None:
    assert bearer((("x", "y"), ("authorization", "Bearer abc"))) == "abc"


@pytest.mark.parametrize(
    ("metadata", "fault"),
    [
        ((), StaffFault.MISSING),
        ((("authorization", "Basic abc"),), StaffFault.MISSING),
        ((("authorization", "Bearer "),), StaffFault.MISSING),
        ((("authorization", "Bearer a"), ("authorization", "Bearer a")), StaffFault.REPEATED),
    ],
)
def test_no_token_two_tokens_or_another_scheme_are_refused(metadata: Any, fault: StaffFault) -> None:
    with pytest.raises(Unauthenticated) as caught:
        bearer(metadata)
    assert caught.value.fault == fault


# --- the key set


def test_symmetric_and_encryption_keys_do_not_count() -> None:
    octets = {"kty": "oct", "kid": "h", "k": "c2VjcmV0", "alg": "HS256"}
    encryption = jwks()["keys"][0] | {"use": "enc", "kid": "e"}
    assert set(parse_keys({"keys": [octets, encryption, *jwks()["keys"]]})) == {"ec", "ed", "rsa"}


def test_a_key_for_an_algorithm_that_is_not_its_own_does_not_count() -> None:
    assert parse_keys({"keys": [jwks()["keys"][0] | {"alg": "ES384"}]}) == {}


def test_a_set_with_a_private_key_a_short_key_or_two_keys_of_one_name_is_not_used() -> None:
    private = {"keys": [ECAlgorithm.to_jwk(EC_KEY, as_dict=True) | {"kid": "ec"}]}
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - the point
    small = {"keys": [RSAAlgorithm.to_jwk(short.public_key(), as_dict=True) | {"kid": "s"}]}
    twice = {"keys": [jwks()["keys"][0], jwks()["keys"][0]]}
    for document in (private, small, twice, {}, {"keys": 1}):
        with pytest.raises(KeySetUnreadable):
            parse_keys(document)


class Provider:
    """An identity provider whose set can change or be away."""

    def __init__(self) -> None:
        self.document: dict[str, Any] | None = {"keys": []}
        self.reads = 0

    def read(self) -> dict[str, Any]:
        self.reads += 1
        if self.document is None:
            raise KeySetUnreadable("away")
        return self.document


async def test_a_new_key_is_found_and_invented_identifiers_do_not_flood_the_provider() -> None:
    moment = [NOW]
    provider = Provider()
    keys = KeySet(provider.read, now=lambda: moment[0])
    for number in range(50):
        assert await keys.key(f"invented-{number}") is None
    assert provider.reads == 1
    provider.document = jwks()
    moment[0] += MIN_INTERVAL + timedelta(seconds=1)
    assert await keys.key("ec") is not None
    assert provider.reads == 2


async def test_a_provider_that_is_away_does_not_lock_out_keys_already_known() -> None:
    moment = [NOW]
    provider = Provider()
    provider.document = jwks()
    keys = KeySet(provider.read, now=lambda: moment[0])
    assert await keys.key("ec") is not None
    provider.document = None
    moment[0] += timedelta(hours=1)
    assert await keys.key("ec") is not None
    assert provider.reads == 2


def test_a_key_set_is_fetched_over_https_or_read_from_a_file_and_not_both() -> None:
    for wrong in ({"url": "http://login.county-b.example"}, {}, {"url": "https://x.example", "file": "keys.json"}):
        with pytest.raises(ValueError):
            JwksConfig(**wrong)  # type: ignore[arg-type]


def test_the_file_cannot_name_a_role_that_does_not_exist() -> None:
    with pytest.raises(ValueError):
        config(roles={"Group": ("CWA.invented_role",)})
