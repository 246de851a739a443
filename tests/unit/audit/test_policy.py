"""Policies: the grammar of tlog-policy, its example, and every line that must be refused."""

import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit.checkpoint import LogKey
from audit.cosignature import Cosigner
from audit.errors import EvidenceError, EvidenceReason
from audit.note import VerifierKey
from audit.policy import Witness, k_of, parse_policy
from tests.unit.audit.refusals import parsed


def _key(name: str) -> VerifierKey:
    return Cosigner(name, Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b"."))).public


LOG = LogKey("log.example/homeward", b"l" * 32)
X = [_key(f"x{at}.example") for at in range(1, 4)]
Y = [_key(f"y{at}.example") for at in range(1, 4)]
EXAMPLE = "\n".join(
    [
        f"log {LOG.vkey()} https://log.example/homeward",
        "",
        *(f"witness X{at} {key.vkey()}" for at, key in enumerate(X, start=1)),
        "\tgroup  X-witnesses 2 X1 X2 X3 ",
        "  # the other organization",
        *(f"witness Y{at} {key.vkey()} https://y{at}.example/" for at, key in enumerate(Y, start=1)),
        "group Y-witnesses any Y1 Y2 Y3",
        "group X-and-Y all X-witnesses Y-witnesses",
        "quorum X-and-Y",
        "",
    ]
)


def test_the_example_of_the_specification_asks_for_two_of_x_and_one_of_y() -> None:
    policy = parse_policy(EXAMPLE.encode())
    assert policy.logs == (LOG,)
    assert policy.witnesses[3].url == "https://y1.example/"
    for count in range(7):
        for keys in itertools.combinations([*X, *Y], count):
            enough = len(set(keys) & set(X)) >= 2 and len(set(keys) & set(Y)) >= 1
            assert policy.is_met_by(set(keys)) is enough


def test_a_policy_goes_around_its_text() -> None:
    policy = parse_policy(EXAMPLE.encode())
    assert parse_policy(policy.text().encode()) == policy


@pytest.mark.parametrize("threshold", range(4))
def test_k_of_n_is_met_by_k_and_not_by_fewer(threshold: int) -> None:
    witnesses = tuple(Witness(f"w{at}", key) for at, key in enumerate(X))
    policy = parse_policy(k_of(threshold, witnesses).text().encode())
    for count in range(4):
        assert policy.is_met_by(X[:count]) is (count >= threshold)


X1, X2 = f"witness X1 {X[0].vkey()}\n", f"witness X2 {X[1].vkey()}\n"
BAD = {
    "no quorum": X1,
    "two quorums": X1 + "quorum X1\nquorum X1\n",
    "quorum undefined": X1 + "quorum X2\n",
    "quorum before its definition": "quorum X1\n" + X1,
    "unknown word": "wittness X1\nquorum none\n",
    "name twice": X1 + f"witness X1 {X[1].vkey()}\nquorum X1\n",
    "name none": f"witness none {X[0].vkey()}\nquorum none\n",
    "key twice": X1 + f"witness X2 {X[0].vkey()}\nquorum X1\n",
    "key of a log": f"witness X1 {LOG.vkey()}\nquorum X1\n",
    "log key twice": f"log {LOG.vkey()}\nlog {LogKey('other', LOG.raw).vkey()}\nquorum none\n",
    "log with a witness key": f"log {X[0].vkey()}\nquorum none\n",
    "threshold too high": X1 + "group G 2 X1\nquorum G\n",
    "threshold zero": X1 + "group G 0 X1\nquorum G\n",
    "threshold with a zero before it": X1 + X2 + "group G 02 X1 X2\nquorum G\n",
    "group without members": X1 + "group G any\nquorum G\n",
    "group of itself": X1 + "group G any G\nquorum G\n",
    "group of none": "group G any none\nquorum G\n",
    "member twice in one group": X1 + "group G 2 X1 X1\nquorum G\n",
    "member of two groups": X1 + "group G any X1\ngroup H any X1\nquorum G\n",
    "id of another key": X1.replace(X[0].key_id.hex(), X[1].key_id.hex()) + "quorum X1\n",
    "carriage return": X1.replace("\n", "\r\n") + "quorum X1\r\n",
    "nul": X1 + "quorum X1\n\0",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_a_mistake_is_refused(text: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        parse_policy(text.encode())
    assert caught.value.reason is EvidenceReason.FORMAT


WORDS = st.sampled_from(
    [b"log", b"witness", b"group", b"quorum", b"none", b"any", b"all", b"1", b"2", b"X1", b"X2", b"\n", b"#", b"\xff",
     LOG.vkey().encode(), X[0].vkey().encode(), X[1].vkey().encode()]
)  # fmt: skip


@given(st.lists(WORDS, max_size=30).map(b" ".join) | st.binary(max_size=200))
def test_any_bytes_are_a_policy_or_refused(data: bytes) -> None:
    policy = parsed(lambda: parse_policy(data))
    assert policy is None or policy.is_met_by({witness.key for witness in policy.witnesses})
