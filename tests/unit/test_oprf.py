"""The token function: batches, shares, proofs, and what each of them refuses."""

import itertools
import random
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.protocol import oprf, ristretto
from gateway.protocol.oprf import BatchError, BatchFault, KeyShare, Mode, Suite
from gateway.protocol.ristretto import InvalidElement, InvalidScalar, Ristretto
from gateway.protocol.sharing import public_share
from gateway.tokens.ceremony import Dealing, ShareRefused, check_share, deal, deal_key

IDENTITY = bytes(32)
# RFC 9496 Appendix A.3: encodings above the field prime, negative ones, and ones that decode to no point.
BAD_ENCODINGS = [
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
]

INPUTS = [bytes([n]) for n in range(5)]


@pytest.fixture
def group() -> Ristretto:
    """The group on this machine's libsodium."""
    return ristretto.load_ristretto()


@pytest.fixture
def suite(group: Ristretto) -> Suite:
    """The suite that the product uses."""
    return Suite(group)


@pytest.fixture
def random_bytes() -> Callable[[int], bytes]:
    """Reproducible bytes, different at each call."""
    return random.Random(9497).randbytes


@pytest.fixture
def blinds(suite: Suite, random_bytes: Callable[[int], bytes]) -> list[bytes]:
    """Of the five inputs."""
    return blinds_for(suite, len(INPUTS), random_bytes)


@pytest.fixture
def blinded(suite: Suite, blinds: list[bytes]) -> list[bytes]:
    """Five elements as an adapter sends them."""
    return oprf.blind(suite, INPUTS, blinds)


def blinds_for(suite: Suite, count: int, random_bytes: Callable[[int], bytes]) -> list[bytes]:
    """So many blinds."""
    return oprf.random_scalars(suite, count, random_bytes=random_bytes)


def fault_of(act: Callable[[], object]) -> BatchFault:
    """The fault for which a batch is refused."""
    with pytest.raises(BatchError) as refusal:
        act()
    return refusal.value.fault


def refused(group: Ristretto, blinds: list[bytes], answers: Mapping[int, list[bytes]], *, threshold: int) -> BatchFault:
    """The fault for which no output is made of the answers."""
    return fault_of(lambda: oprf.finalize(group, INPUTS, blinds=blinds, evaluations=answers, threshold=threshold))


# --- the library


def test_system_and_bundled_libraries_pass_the_self_test_and_agree() -> None:
    bundled = ristretto.prepare_library(ristretto.bundled_library())
    system = ristretto.system_library()
    groups = [Ristretto(bundled)] + ([] if system is None else [Ristretto(ristretto.prepare_library(system))])
    for group in groups:
        ristretto.check_library(group)
    assert len({group.hash_to_group(b"same", b"domain") for group in groups}) == 1


def test_bundled_library_is_loaded_without_leaving_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert ristretto.bundled_library() is not None
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_multiplies_wrongly_fails_the_self_test(group: Ristretto) -> None:
    class Wrong(Ristretto):
        def multiply(self, scalar: bytes, element: bytes) -> bytes:
            return super().multiply(self.scalars.add(scalar, (1).to_bytes(32, "little")), element)

    with pytest.raises(ristretto.LibraryUnavailable):
        ristretto.check_library(Wrong(ristretto.load_library()))


def test_a_library_that_accepts_bad_points_fails_the_self_test() -> None:
    class Lax(Ristretto):
        def check(self, untrusted: bytes) -> None:
            return

    with pytest.raises(ristretto.LibraryUnavailable):
        ristretto.check_library(Lax(ristretto.load_library()))


def test_the_suite_that_is_loaded_makes_and_checks_the_proofs_of_the_rfc() -> None:
    oprf.check_proofs(oprf.load_suite())


def test_a_group_that_is_wrong_only_where_proofs_are_made_fails_their_self_test() -> None:
    class Slipping(Ristretto):
        def hash_to_scalar(self, message: bytes, domain: bytes) -> bytes:
            return self.scalars.add(super().hash_to_scalar(message, domain), b"\x01" + bytes(31))

    slipping = Slipping(ristretto.load_library())
    ristretto.check_library(slipping)
    with pytest.raises(ristretto.LibraryUnavailable):
        oprf.check_proofs(Suite(slipping))


def test_checking_that_takes_any_proof_fails_the_self_test(monkeypatch: pytest.MonkeyPatch, suite: Suite) -> None:
    monkeypatch.setattr(oprf, "verify_proof", lambda *_, **__: None)
    with pytest.raises(ristretto.LibraryUnavailable):
        oprf.check_proofs(suite)


@pytest.mark.parametrize("encoding", BAD_ENCODINGS)
def test_bad_encodings_are_refused_by_every_operation(group: Ristretto, encoding: str) -> None:
    bad, good, scalar = bytes.fromhex(encoding), group.multiply_base(b"\x05" + bytes(31)), b"\x03" + bytes(31)
    for act in (lambda: group.check(bad), lambda: group.multiply(scalar, bad), lambda: group.add(good, bad)):
        with pytest.raises(InvalidElement):
            act()


@pytest.mark.parametrize("element", [IDENTITY, b"", b"\x02" * 31, b"\x02" * 33], ids=["identity", "0", "31", "33"])
def test_identity_and_wrong_lengths_are_refused_by_every_operation(group: Ristretto, element: bytes) -> None:
    good, scalar = group.multiply_base(b"\x05" + bytes(31)), b"\x03" + bytes(31)
    for act in (
        lambda: group.check(element),
        lambda: group.multiply(scalar, element),
        lambda: group.add(element, good),
    ):
        with pytest.raises(InvalidElement):
            act()


def test_a_sum_that_is_the_identity_is_refused(group: Ristretto) -> None:
    element = group.multiply_base(b"\x05" + bytes(31))
    minus_one = group.scalars.subtract(bytes(32), b"\x01" + bytes(31))
    with pytest.raises(InvalidElement):
        group.add(element, group.multiply(minus_one, element))


@pytest.mark.parametrize(
    "scalar",
    [bytes(32), ristretto.ORDER.to_bytes(32, "little"), b"\xff" * 32, b"\x01" * 31],
    ids=["zero", "order", "large", "short"],
)
def test_scalars_that_are_not_canonical_and_non_zero_are_refused(group: Ristretto, scalar: bytes) -> None:
    with pytest.raises(InvalidScalar):
        group.scalars.parse(scalar)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_inverting_many_scalars_gives_what_inverting_each_gives(suite: Suite, count: int) -> None:
    scalars, secrets = suite.group.scalars, blinds_for(suite, count, random.Random(count).randbytes)
    assert scalars.invert_all(secrets) == [scalars.invert(secret) for secret in secrets]
    with pytest.raises(InvalidScalar):
        scalars.invert_all([*secrets, bytes(32), *secrets])


# --- one key


def test_output_does_not_depend_on_the_blind(suite: Suite, random_bytes: Callable[[int], bytes]) -> None:
    key = oprf.derive_key_pair(suite, bytes(32), info=b"test").secret
    outputs, elements = set(), set()
    for _ in range(3):
        blinds = blinds_for(suite, 1, random_bytes)
        blinded = oprf.blind(suite, [b"same"], blinds)
        evaluated = oprf.evaluate(suite.group, key, blinded)
        answers = {1: evaluated}
        outputs.update(oprf.finalize(suite.group, [b"same"], blinds=blinds, evaluations=answers, threshold=1))
        elements.update(blinded)
    assert outputs == {oprf.evaluate_directly(suite, key, b"same")}
    assert len(elements) == 3


def test_modes_give_unrelated_outputs_under_one_key(group: Ristretto) -> None:
    key = oprf.derive_key_pair(Suite(group), bytes(32), info=b"test").secret
    outputs = {oprf.evaluate_directly(Suite(group, mode), key, b"same") for mode in Mode}
    assert len(outputs) == len(Mode)


def test_a_token_is_the_first_sixteen_bytes_of_an_output() -> None:
    assert oprf.to_token(bytes(range(64))) == bytes(range(16))
    with pytest.raises(ValueError):
        oprf.to_token(bytes(63))


# --- batches


@pytest.mark.parametrize("bad", [IDENTITY, *map(bytes.fromhex, BAD_ENCODINGS), b"", b"\x02" * 31, b"\x02" * 33])
@pytest.mark.parametrize("position", [0, 5])
def test_one_bad_element_refuses_the_whole_batch(
    group: Ristretto, blinded: list[bytes], bad: bytes, position: int
) -> None:
    share = KeyShare(1, b"\x07" + bytes(31))
    batch = [*blinded[:position], bad, *blinded[position:]]
    assert fault_of(lambda: oprf.evaluate_share(group, share, batch)) is BatchFault.INVALID_ELEMENT


def test_a_repeated_element_refuses_the_whole_batch(group: Ristretto, blinded: list[bytes]) -> None:
    share, batch = KeyShare(1, b"\x07" + bytes(31)), [*blinded, blinded[0]]
    assert fault_of(lambda: oprf.evaluate_share(group, share, batch)) is BatchFault.REPEATED_ELEMENT


def test_empty_and_over_long_batches_are_refused_and_the_longest_is_not(group: Ristretto) -> None:
    share = KeyShare(1, b"\x07" + bytes(31))
    batch = [group.multiply_base(n.to_bytes(32, "little")) for n in range(1, oprf.MAX_BATCH + 2)]
    assert fault_of(lambda: oprf.evaluate_share(group, share, [])) is BatchFault.EMPTY
    assert fault_of(lambda: oprf.evaluate_share(group, share, batch)) is BatchFault.TOO_LONG
    assert len(oprf.evaluate_share(group, share, batch[:-1])) == oprf.MAX_BATCH


def test_refusals_do_not_repeat_the_element(group: Ristretto, blinded: list[bytes]) -> None:
    with pytest.raises(BatchError) as refusal:
        oprf.evaluate_share(group, KeyShare(1, b"\x07" + bytes(31)), [*blinded, b"\x02" * 31])
    assert str(refusal.value) == "batch refused: INVALID_ELEMENT"


def test_an_answer_of_another_length_than_the_question_is_refused(
    group: Ristretto, blinds: list[bytes], blinded: list[bytes]
) -> None:
    answers = {1: blinded[:3]}
    assert refused(group, blinds, answers, threshold=1) is BatchFault.LENGTH_MISMATCH


# --- shares


@pytest.mark.parametrize(("threshold", "holders"), [(2, 2), (2, 3), (3, 5), (5, 5)])
def test_any_threshold_of_shares_evaluates_like_the_whole_key(
    suite: Suite,
    blinds: list[bytes],
    blinded: list[bytes],
    random_bytes: Callable[[int], bytes],
    threshold: int,
    holders: int,
) -> None:
    key = oprf.derive_key_pair(suite, bytes(32), info=b"test")
    dealing = deal_key(suite.group, key.secret, threshold=threshold, holders=holders, random_bytes=random_bytes)
    expected = [oprf.evaluate_directly(suite, key.secret, text) for text in INPUTS]
    answers = {share.index: oprf.evaluate_share(suite.group, share, blinded) for share in dealing.shares}
    for indices in itertools.combinations(answers, threshold):
        chosen = {index: answers[index] for index in indices}
        assert oprf.finalize(suite.group, INPUTS, blinds=blinds, evaluations=chosen, threshold=threshold) == expected
    assert oprf.finalize(suite.group, INPUTS, blinds=blinds, evaluations=answers, threshold=threshold) == expected
    assert dealing.public_key == key.public


@pytest.mark.parametrize("threshold", [2, 0])
def test_fewer_answers_than_the_threshold_are_refused(
    group: Ristretto, blinds: list[bytes], blinded: list[bytes], threshold: int
) -> None:
    assert refused(group, blinds, {1: blinded}, threshold=threshold) is BatchFault.TOO_FEW_SHARES


def test_combining_with_a_wrong_share_gives_another_result(
    suite: Suite, blinds: list[bytes], blinded: list[bytes], random_bytes: Callable[[int], bytes]
) -> None:
    first, second = (deal(suite.group, threshold=2, holders=2, random_bytes=random_bytes) for _ in range(2))
    right = {share.index: oprf.evaluate_share(suite.group, share, blinded) for share in first.shares}
    wrong = right | {2: oprf.evaluate_share(suite.group, second.shares[1], blinded)}
    outputs = [
        oprf.finalize(suite.group, INPUTS, blinds=blinds, evaluations=answers, threshold=2)
        for answers in (right, wrong)
    ]
    assert not set(outputs[0]) & set(outputs[1])


@pytest.mark.parametrize("index", [0, 256, -1])
def test_share_indices_outside_1_to_255_are_refused(
    group: Ristretto, blinds: list[bytes], blinded: list[bytes], index: int
) -> None:
    assert fault_of(lambda: KeyShare(index, bytes(32))) is BatchFault.INVALID_SHARE_INDEX
    answers = {index: blinded, 2: blinded}
    assert refused(group, blinds, answers, threshold=2) is BatchFault.INVALID_SHARE_INDEX


def test_answers_of_different_length_are_refused(group: Ristretto, blinds: list[bytes], blinded: list[bytes]) -> None:
    answers = {1: blinded, 2: blinded[:-1]}
    assert refused(group, blinds, answers, threshold=2) is BatchFault.LENGTH_MISMATCH


@pytest.mark.parametrize("bad", [IDENTITY, *map(bytes.fromhex, BAD_ENCODINGS)])
@pytest.mark.parametrize("index", [1, 2])
def test_a_bad_element_in_any_answer_refuses_the_whole_batch(
    group: Ristretto, blinds: list[bytes], blinded: list[bytes], bad: bytes, index: int
) -> None:
    answers = {1: blinded, 2: blinded} | {index: [*blinded[:-1], bad]}
    assert refused(group, blinds, answers, threshold=2) is BatchFault.INVALID_ELEMENT


# --- the ceremony


@pytest.fixture
def dealing(group: Ristretto, random_bytes: Callable[[int], bytes]) -> Dealing:
    """A key in shares, any two of three."""
    return deal(group, threshold=2, holders=3, random_bytes=random_bytes)


def test_every_holder_can_check_its_share_against_the_commitments(group: Ristretto, dealing: Dealing) -> None:
    assert [share.index for share in dealing.shares] == [1, 2, 3]
    assert dealing.threshold == 2
    for share in dealing.shares:
        check_share(group, share, dealing.commitments)


def test_a_share_of_another_holder_or_with_a_bit_changed_is_refused(group: Ristretto, dealing: Dealing) -> None:
    share = dealing.shares[0]
    changed = bytes([share.secret[0] ^ 1]) + share.secret[1:]
    for bad in (KeyShare(2, share.secret), KeyShare(1, changed)):
        with pytest.raises(ShareRefused):
            check_share(group, bad, dealing.commitments)


@pytest.mark.parametrize(("threshold", "holders"), [(1, 1), (1, 3), (3, 2), (2, 256), (0, 0)])
def test_a_ceremony_in_which_one_holder_suffices_or_none_can_is_refused(
    group: Ristretto, random_bytes: Callable[[int], bytes], threshold: int, holders: int
) -> None:
    with pytest.raises(ValueError):
        deal(group, threshold=threshold, holders=holders, random_bytes=random_bytes)


def test_two_ceremonies_have_different_keys(group: Ristretto, random_bytes: Callable[[int], bytes]) -> None:
    keys = {deal(group, threshold=2, holders=2, random_bytes=random_bytes).public_key for _ in range(3)}
    assert len(keys) == 3


def test_no_secret_appears_when_a_value_is_printed(suite: Suite, dealing: Dealing) -> None:
    pair = oprf.derive_key_pair(suite, bytes(32), info=b"test")
    printed = repr((dealing, dealing.shares, pair))
    for secret in (pair.secret, *(share.secret for share in dealing.shares)):
        assert repr(secret) not in printed
        assert secret.hex() not in printed
    assert repr(pair.public) in printed


# --- proofs


def prove(suite: Suite, share: KeyShare, blinded: list[bytes]) -> tuple[list[bytes], bytes]:
    """What a holder answers, and its proof."""
    evaluated = oprf.evaluate_share(suite.group, share, blinded)
    pair = oprf.KeyPair(share.secret, suite.group.multiply_base(share.secret))
    nonce = blinds_for(suite, 1, random.Random(share.index).randbytes)[0]
    return evaluated, oprf.generate_proof(suite, pair, blinded=blinded, evaluated=evaluated, nonce=nonce)


def test_a_holder_proves_its_answer_under_the_key_the_commitments_give_it(
    suite: Suite, dealing: Dealing, blinded: list[bytes]
) -> None:
    for share in dealing.shares:
        evaluated, proof = prove(suite, share, blinded)
        public = public_share(suite.group, dealing.commitments, share.index)
        oprf.verify_proof(suite, public, blinded=blinded, evaluated=evaluated, proof=proof)


def test_an_answer_under_another_key_or_with_one_element_changed_is_not_proven(
    suite: Suite, dealing: Dealing, blinded: list[bytes]
) -> None:
    first, second = (public_share(suite.group, dealing.commitments, index) for index in (1, 2))
    evaluated, proof = prove(suite, dealing.shares[0], blinded)
    changed = [*evaluated[:-1], suite.group.multiply(b"\x02" + bytes(31), evaluated[-1])]
    swapped = [evaluated[1], evaluated[0], *evaluated[2:]]
    cases = [(second, evaluated, proof), (first, changed, proof), (first, swapped, proof), (first, evaluated, b"")]
    for public, answer, claimed in cases:
        with pytest.raises(oprf.ProofError):
            oprf.verify_proof(suite, public, blinded=blinded, evaluated=answer, proof=claimed)
