"""Tokenization in two steps, with real shares: equal youths get equal tokens, holders see only a constant count."""

import random
from collections.abc import Callable, Sequence

import pytest

from adapters.identity.errors import IncompleteIdentity, InvalidIdentity
from adapters.identity.scheme import load_scheme
from adapters.identity.tokenize import BlindedBatch, Blinding, Person
from gateway.protocol import oprf
from gateway.protocol.match_keys import CORE_KEYS
from gateway.protocol.matching.key_scheme import load_key_scheme, present_keys
from gateway.protocol.oprf import BatchError, BatchFault, Suite
from gateway.protocol.ristretto import load_ristretto
from gateway.tokens.ceremony import Dealing, deal
from homeward.gateway.v1.envelope_pb2 import TokenSet
from tests.unit.token_sets import tokens_by_key

PEPPER, EPOCH = bytes(range(32)), "2026-1"
PADS = {rule.name: rule.pad for rule in load_scheme().keys}
# Invented youths.
LUPE = Person({"given_name": "Guadalupe", "surname": "García-Ruiz", "date_of_birth": "20100408"})
LUPE_ELSEWHERE = Person({"given_name": "GUADALUPE", "surname": "garcia ruiz", "date_of_birth": "20100408"})
LUPE_SWAPPED = Person({"given_name": "Guadalupe", "surname": "García-Ruiz", "date_of_birth": "20100804"})
SEAN = Person({"given_name": "Sean", "surname": "O'Brien", "date_of_birth": "20081130"})


@pytest.fixture
def random_bytes() -> Callable[[int], bytes]:
    """Reproducible bytes, different at each call."""
    return random.Random(5).randbytes


@pytest.fixture
def blinding(random_bytes: Callable[[int], bytes]) -> Blinding:
    """A county's blinding under the scheme that ships."""
    return Blinding(Suite(load_ristretto()), load_scheme(), random_bytes=random_bytes)


@pytest.fixture
def dealing(random_bytes: Callable[[int], bytes]) -> Dealing:
    """The token key in shares, any two of three."""
    return deal(load_ristretto(), threshold=2, holders=3, random_bytes=random_bytes)


def ask(dealing: Dealing, batch: BlindedBatch, *, holders: Sequence[int] = (1, 2)) -> dict[int, list[bytes]]:
    """What these holders answer."""
    shares = [share for share in dealing.shares if share.index in holders]
    return {share.index: oprf.evaluate_share(load_ristretto(), share, batch.elements) for share in shares}


def tokenize(
    blinding: Blinding, dealing: Dealing, people: Sequence[Person], *, pepper: bytes = PEPPER, epoch: str = EPOCH
) -> list[TokenSet]:
    """Both steps with the first two holders."""
    batch = blinding.begin(people, pepper=pepper, epoch=epoch)
    return blinding.finish(batch, ask(dealing, batch), threshold=2)


def common(one: TokenSet, other: TokenSet) -> set[str]:
    """The keys of which two sets share a token."""
    left, right = tokens_by_key(one), tokens_by_key(other)
    return {key for key in left if set(left[key]) & set(right[key])}


def test_one_youth_typed_in_two_counties_shares_a_token_of_every_core_key(blinding: Blinding, dealing: Dealing) -> None:
    here, there, sean = tokenize(blinding, dealing, [LUPE, LUPE_ELSEWHERE, SEAN])
    assert common(here, there) == CORE_KEYS
    assert common(here, sean) == set()


def test_day_and_month_swapped_share_the_key_made_for_it(blinding: Blinding, dealing: Dealing) -> None:
    right, swapped = tokenize(blinding, dealing, [LUPE, LUPE_SWAPPED])
    assert common(right, swapped) == {"nick_skeleton_dob_swap", "name_year"}


def test_any_two_of_three_holders_make_the_same_tokens(blinding: Blinding, dealing: Dealing) -> None:
    batch = blinding.begin([LUPE], pepper=PEPPER, epoch=EPOCH)
    sets = [
        blinding.finish(batch, ask(dealing, batch, holders=holders), threshold=2)
        for holders in [(1, 2), (1, 3), (2, 3), (1, 2, 3)]
    ]
    assert all(other == sets[0] for other in sets)


def test_tokens_are_those_of_the_whole_function_on_the_keyed_inputs(blinding: Blinding, dealing: Dealing) -> None:
    batch = blinding.begin([LUPE], pepper=PEPPER, epoch=EPOCH)
    (tokens,) = blinding.finish(batch, ask(dealing, batch), threshold=2)
    # Interpolated at zero by hand, for indices 1 and 2: k = 2 * k_1 - k_2.
    scalars = load_ristretto().scalars
    first, second = dealing.shares[0].secret, dealing.shares[1].secret
    key = scalars.subtract(scalars.add(first, first), second)
    suite = Suite(load_ristretto())
    expected = [oprf.to_token(oprf.evaluate_directly(suite, key, text)) for text in batch.inputs]
    assert tokens.tokens == b"".join(expected)


@pytest.mark.parametrize(("pepper", "epoch"), [(bytes(32), EPOCH), (PEPPER, "2026-2")], ids=["pepper", "epoch"])
def test_another_pepper_or_epoch_shares_no_token(
    blinding: Blinding, dealing: Dealing, pepper: bytes, epoch: str
) -> None:
    (now,) = tokenize(blinding, dealing, [LUPE])
    (then,) = tokenize(blinding, dealing, [LUPE], pepper=pepper, epoch=epoch)
    assert common(now, then) == set()


def test_holders_see_as_many_elements_for_a_short_name_as_for_many_aliases(blinding: Blinding) -> None:
    many = Person(LUPE.identity, tuple({"surname": f"Alias{letter} Name{letter}"} for letter in "abcdef"))
    counts = {len(blinding.begin([person], pepper=PEPPER, epoch=EPOCH).elements) for person in (LUPE, SEAN, many)}
    assert counts == {load_scheme().elements}


def test_the_gateway_sees_as_many_distinct_tokens_for_every_youth(blinding: Blinding, dealing: Dealing) -> None:
    for tokens in tokenize(blinding, dealing, [LUPE, SEAN]):
        assert (tokens.epoch, tokens.scheme) == (EPOCH, load_scheme().version)
        assert present_keys(tokens) == CORE_KEYS
        assert {key: len(set(each)) for key, each in tokens_by_key(tokens).items()} == PADS
        assert len(tokens.tokens) == load_scheme().elements * oprf.TOKEN_LENGTH


def test_values_stand_in_random_places_among_the_dummies(blinding: Blinding, dealing: Dealing) -> None:
    places = set()
    reference = None
    for _ in range(12):
        (tokens,) = tokenize(blinding, dealing, [SEAN])
        values = tokens_by_key(tokens)["name_dob"]
        reference = set(values) if reference is None else reference & set(values)
        places.add(tuple(sorted(values)) if len(reference) != 1 else values.index(next(iter(reference))))
    assert reference is not None
    assert len(reference) == 1
    assert len({place for place in places if isinstance(place, int)}) > 2


def test_the_same_youth_is_blinded_differently_each_time(blinding: Blinding) -> None:
    batches = [blinding.begin([LUPE, LUPE], pepper=PEPPER, epoch=EPOCH).elements for _ in range(2)]
    assert len({element for batch in batches for element in batch}) == 4 * load_scheme().elements


def test_a_key_the_youth_lacks_is_dummies_alone_and_as_many_as_ever(blinding: Blinding, dealing: Dealing) -> None:
    numbered = Person({**LUPE.identity, "soc_sec_id": "6789"})
    without, again, complete = tokenize(blinding, dealing, [LUPE, LUPE, numbered])
    assert present_keys(without) == CORE_KEYS < {rule.name for rule in load_scheme().keys}
    assert {key: len(set(each)) for key, each in tokens_by_key(without).items()} == PADS
    assert common(without, again) == CORE_KEYS
    assert present_keys(complete) == CORE_KEYS | {"ssn4_dob", "ssn4_surname", "ssn4_given"}


def test_an_estimated_birth_date_is_tokenized_without_day_and_month(blinding: Blinding, dealing: Dealing) -> None:
    estimated = Person(LUPE.identity, estimated=True)
    known, guessed = tokenize(blinding, dealing, [LUPE, estimated])
    assert present_keys(guessed) == load_key_scheme().core_of_estimated
    assert common(known, guessed) == load_key_scheme().core_of_estimated


@pytest.mark.parametrize(
    ("field", "value"), [("given_name", "Baby Girl"), ("surname", None), ("date_of_birth", "20101340")]
)
def test_incomplete_identity_refuses_the_batch_and_names_field_and_place(
    blinding: Blinding, field: str, value: str | None
) -> None:
    with pytest.raises(IncompleteIdentity) as refusal:
        blinding.begin([SEAN, Person({**LUPE.identity, field: value})], pepper=PEPPER, epoch=EPOCH)
    assert (refusal.value.missing, refusal.value.position) == ((field,), 1)
    assert str(refusal.value) == f"identity 1 lacks: {field}"


def test_over_long_name_is_refused(blinding: Blinding) -> None:
    with pytest.raises(InvalidIdentity):
        blinding.begin([Person({**LUPE.identity, "given_name": "a" * 10_000})], pepper=PEPPER, epoch=EPOCH)


def test_batches_of_nobody_and_of_too_many_are_refused_and_of_capacity_not(blinding: Blinding) -> None:
    for people, fault in (([], BatchFault.EMPTY), ([SEAN] * (blinding.capacity + 1), BatchFault.TOO_LONG)):
        with pytest.raises(BatchError) as refusal:
            blinding.begin(people, pepper=PEPPER, epoch=EPOCH)
        assert refusal.value.fault is fault
    full = blinding.begin([SEAN] * blinding.capacity, pepper=PEPPER, epoch=EPOCH)
    assert len(full.elements) <= oprf.MAX_BATCH


def test_answers_that_are_too_few_or_too_short_give_no_tokens(blinding: Blinding, dealing: Dealing) -> None:
    batch = blinding.begin([SEAN], pepper=PEPPER, epoch=EPOCH)
    answers = ask(dealing, batch)
    short = {index: elements[:-1] for index, elements in answers.items()}
    for bad, fault in (({1: answers[1]}, BatchFault.TOO_FEW_SHARES), (short, BatchFault.LENGTH_MISMATCH)):
        with pytest.raises(BatchError) as refusal:
            blinding.finish(batch, bad, threshold=2)
        assert refusal.value.fault is fault


def test_nothing_personal_or_secret_appears_when_a_value_is_printed(blinding: Blinding) -> None:
    batch = blinding.begin([LUPE], pepper=PEPPER, epoch=EPOCH)
    printed = repr((LUPE, batch)).lower()
    assert "guadalupe" not in printed
    assert "20100408" not in printed
    for secret in (*batch.inputs, *batch.blinds):
        assert repr(secret).lower() not in printed
    assert repr(batch.elements[0]).lower() in printed
