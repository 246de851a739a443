"""The published vectors of RFC 9497 Appendix A.1 (ristretto255-SHA512), modes OPRF and VOPRF with proofs."""

from dataclasses import dataclass

import pytest

from gateway.protocol import oprf
from gateway.protocol.oprf import Mode, Suite
from gateway.protocol.ristretto import load_ristretto

SEED = bytes.fromhex("a3" * 32)
KEY_INFO = b"test key"
BLIND = "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706"
SECOND_BLIND = "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e"
SHORT_INPUT, LONG_INPUT = "00", "5a" * 17


@dataclass(frozen=True)
class Vector:
    """One vector; hexadecimal, lists for the batch of two."""

    name: str
    mode: Mode
    inputs: list[str]
    blinds: list[str]
    blinded: list[str]
    evaluated: list[str]
    outputs: list[str]
    proof_nonce: str = ""
    proof: str = ""


SECRET_KEYS = {
    Mode.OPRF: "5ebcea5ee37023ccb9fc2d2019f9d7737be85591ae8652ffa9ef0f4d37063b0e",
    Mode.VOPRF: "e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909",
}
VERIFIABLE_PUBLIC_KEY = "c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e"
SHORT_VERIFIABLE_OUTPUT = (
    "b58cfbe118e0cb94d79b5fd6a6dafb98764dff49c14e1770b566e42402da1a7d"
    "a4d8527693914139caee5bd03903af43a491351d23b430948dd50cde10d32b3c"
)
LONG_VERIFIABLE_OUTPUT = (
    "8a9a2f3c7f085b65933594309041fc1898d42d0858e59f90814ae90571a6df60"
    "356f4610bf816f27afdd84f47719e480906d27ecd994985890e5f539e7ea74b6"
)

VECTORS = [
    Vector(
        name="A.1.1 vector 1",
        mode=Mode.OPRF,
        inputs=[SHORT_INPUT],
        blinds=[BLIND],
        blinded=["609a0ae68c15a3cf6903766461307e5c8bb2f95e7e6550e1ffa2dc99e412803c"],
        evaluated=["7ec6578ae5120958eb2db1745758ff379e77cb64fe77b0b2d8cc917ea0869c7e"],
        outputs=[
            (
                "527759c3d9366f277d8c6020418d96bb393ba2afb20ff90df23fb7708264e2f3"
                "ab9135e3bd69955851de4b1f9fe8a0973396719b7912ba9ee8aa7d0b5e24bcf6"
            )
        ],
    ),
    Vector(
        name="A.1.1 vector 2",
        mode=Mode.OPRF,
        inputs=[LONG_INPUT],
        blinds=[BLIND],
        blinded=["da27ef466870f5f15296299850aa088629945a17d1f5b7f5ff043f76b3c06418"],
        evaluated=["b4cbf5a4f1eeda5a63ce7b77c7d23f461db3fcab0dd28e4e17cecb5c90d02c25"],
        outputs=[
            (
                "f4a74c9c592497375e796aa837e907b1a045d34306a749db9f34221f7e750cb4"
                "f2a6413a6bf6fa5e19ba6348eb673934a722a7ede2e7621306d18951e7cf2c73"
            )
        ],
    ),
    Vector(
        name="A.1.2 vector 1",
        mode=Mode.VOPRF,
        inputs=[SHORT_INPUT],
        blinds=[BLIND],
        blinded=["863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945"],
        evaluated=["aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e"],
        outputs=[SHORT_VERIFIABLE_OUTPUT],
        proof_nonce=SECOND_BLIND,
        proof=(
            "ddef93772692e535d1a53903db24367355cc2cc78de93b3be5a8ffcc6985dd06"
            "6d4346421d17bf5117a2a1ff0fcb2a759f58a539dfbe857a40bce4cf49ec600d"
        ),
    ),
    Vector(
        name="A.1.2 vector 2",
        mode=Mode.VOPRF,
        inputs=[LONG_INPUT],
        blinds=[BLIND],
        blinded=["cc0b2a350101881d8a4cba4c80241d74fb7dcbfde4a61fde2f91443c2bf9ef0c"],
        evaluated=["60a59a57208d48aca71e9e850d22674b611f752bed48b36f7a91b372bd7ad468"],
        outputs=[LONG_VERIFIABLE_OUTPUT],
        proof_nonce=SECOND_BLIND,
        proof=(
            "401a0da6264f8cf45bb2f5264bc31e109155600babb3cd4e5af7d181a2c9dc0a"
            "67154fabf031fd936051dec80b0b6ae29c9503493dde7393b722eafdf5a50b02"
        ),
    ),
    Vector(
        name="A.1.2 vector 3, a batch of two",
        mode=Mode.VOPRF,
        inputs=[SHORT_INPUT, LONG_INPUT],
        blinds=[BLIND, SECOND_BLIND],
        blinded=[
            "863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945",
            "90a0145ea9da29254c3a56be4fe185465ebb3bf2a1801f7124bbbadac751e654",
        ],
        evaluated=[
            "aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e",
            "cc5ac221950a49ceaa73c8db41b82c20372a4c8d63e5dded2db920b7eee36a2a",
        ],
        outputs=[
            SHORT_VERIFIABLE_OUTPUT,
            LONG_VERIFIABLE_OUTPUT,
        ],
        proof_nonce="419c4f4f5052c53c45f3da494d2b67b220d02118e0857cdbcf037f9ea84bbe0c",
        proof=(
            "cc203910175d786927eeb44ea847328047892ddf8590e723c37205cb74600b0a"
            "5ab5337c8eb4ceae0494c2cf89529dcf94572ed267473d567aeed6ab873dee08"
        ),
    ),
]
PROVEN = [vector for vector in VECTORS if vector.proof]


def decoded(texts: list[str]) -> list[bytes]:
    """The bytes of each hexadecimal text."""
    return [bytes.fromhex(text) for text in texts]


def named(vector: Vector) -> str:
    """The name of a vector in the test report."""
    return vector.name


@pytest.fixture(scope="module", params=list(Mode), ids=lambda mode: mode.name)
def mode(request: pytest.FixtureRequest) -> Mode:
    """Each of the two modes."""
    value: Mode = request.param
    return value


def test_key_pair_is_derived_as_the_rfc_derives_it(mode: Mode) -> None:
    pair = oprf.derive_key_pair(Suite(load_ristretto(), mode), SEED, info=KEY_INFO)
    assert pair.secret.hex() == SECRET_KEYS[mode]
    if mode is Mode.VOPRF:
        assert pair.public.hex() == VERIFIABLE_PUBLIC_KEY


@pytest.mark.parametrize("vector", VECTORS, ids=named)
def test_blinded_elements_are_those_of_the_rfc(vector: Vector) -> None:
    suite = Suite(load_ristretto(), vector.mode)
    assert oprf.blind(suite, decoded(vector.inputs), decoded(vector.blinds)) == decoded(vector.blinded)


@pytest.mark.parametrize("vector", VECTORS, ids=named)
def test_evaluated_elements_are_those_of_the_rfc(vector: Vector) -> None:
    key = bytes.fromhex(SECRET_KEYS[vector.mode])
    assert oprf.evaluate(load_ristretto(), key, decoded(vector.blinded)) == decoded(vector.evaluated)


@pytest.mark.parametrize("vector", VECTORS, ids=named)
def test_outputs_are_those_of_the_rfc_with_and_without_blinding(vector: Vector) -> None:
    suite, inputs = Suite(load_ristretto(), vector.mode), decoded(vector.inputs)
    evaluations, blinds = {1: decoded(vector.evaluated)}, decoded(vector.blinds)
    blinded = oprf.finalize(suite.group, inputs, blinds=blinds, evaluations=evaluations, threshold=1)
    key = bytes.fromhex(SECRET_KEYS[vector.mode])
    assert blinded == decoded(vector.outputs)
    assert [oprf.evaluate_directly(suite, key, text) for text in inputs] == decoded(vector.outputs)


@pytest.mark.parametrize("vector", PROVEN, ids=named)
def test_proofs_are_those_of_the_rfc_and_verify(vector: Vector) -> None:
    suite = Suite(load_ristretto(), vector.mode)
    key = oprf.derive_key_pair(suite, SEED, info=KEY_INFO)
    blinded, evaluated = decoded(vector.blinded), decoded(vector.evaluated)
    nonce = bytes.fromhex(vector.proof_nonce)
    proof = oprf.generate_proof(suite, key, blinded=blinded, evaluated=evaluated, nonce=nonce)
    assert proof.hex() == vector.proof
    oprf.verify_proof(suite, key.public, blinded=blinded, evaluated=evaluated, proof=proof)


@pytest.mark.parametrize("vector", PROVEN, ids=named)
def test_a_vector_with_one_bit_changed_in_its_proof_is_refused(vector: Vector) -> None:
    suite = Suite(load_ristretto(), vector.mode)
    public = bytes.fromhex(VERIFIABLE_PUBLIC_KEY)
    blinded, evaluated = decoded(vector.blinded), decoded(vector.evaluated)
    for position in range(oprf.PROOF_LENGTH):
        proof = bytearray.fromhex(vector.proof)
        proof[position] ^= 1
        with pytest.raises(oprf.ProofError):
            oprf.verify_proof(suite, public, blinded=blinded, evaluated=evaluated, proof=bytes(proof))
