"""What the candidates of a question amount to: nobody hides a flag, and nothing restricted shows."""

import os
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ErrorReason, Invalid
from gateway.exchange.locate import NOTHING, Candidate, FlagRow, Search, Verdict, check_core, locate
from gateway.protocol.match_keys import CORE_KEYS, SOUND_KEY
from gateway.protocol.names import AgencyId, Call, FlagState, Restriction, SubjectHandle
from gateway.protocol.policy.facts import Located
from homeward.gateway.v1.envelope_pb2 import TokenSet
from tests.unit.token_sets import SHAPE, token_set, tokens_by_key, withdraw_keys

A, B, C = AgencyId("06037.cwa"), AgencyId("06019.cwa"), AgencyId("06029.cwa")


def youth(
    owner: AgencyId,
    *,
    flagged: bool = False,
    restriction: Restriction = Restriction.NONE,
    keys: frozenset[str] = CORE_KEYS,
    carried: frozenset[str] = CORE_KEYS,
) -> Candidate:
    flag = FlagRow(os.urandom(16), FlagState.ACTIVE, 1, b"") if flagged else None
    return Candidate(owner, SubjectHandle(os.urandom(16)), keys, carried | keys, restriction, "", flag)


def search(
    *,
    family: Call,
    auto: bool = True,
    asking: AgencyId | None = C,
    keys: frozenset[str] = CORE_KEYS,
    verdicts: Mapping[tuple[AgencyId, SubjectHandle], Verdict] | None = None,
) -> Search:
    return Search(
        family=family, keys=keys, records=60, auto=auto, purpose="MFC_LOCATE", asking=asking, verdicts=verdicts or {}
    )


@pytest.mark.parametrize("decoy", [Restriction.NONE, Restriction.SENSITIVE, Restriction.SEALED])
def test_a_namesake_on_another_list_does_not_hide_an_open_flag(decoy: Restriction) -> None:
    looked_for = youth(A, flagged=True)
    found = locate([looked_for, youth(B, restriction=decoy)], search(family=Call.FLAG_CHECK, auto=False, asking=C))
    assert (found.located, found.candidate) == (Located.ONE_FOR_FLAG, looked_for)


def test_two_open_flags_are_ambiguous_and_both_owners_are_meant() -> None:
    both = [youth(A, flagged=True), youth(B, flagged=True)]
    found = locate(both, search(family=Call.FLAG_CHECK, auto=True, asking=C))
    assert (found.located, found.flag_state, found.flagged) == (Located.AMBIGUOUS, FlagState.ACTIVE, tuple(both))


@pytest.mark.parametrize("family", list(Call))
@pytest.mark.parametrize("restriction", [Restriction.SENSITIVE, Restriction.SEALED])
@pytest.mark.parametrize("own_flag", [False, True])
def test_a_decoy_on_ones_own_list_is_answered_alike_beside_a_restricted_youth_and_beside_nobody(
    family: Call, restriction: Restriction, own_flag: bool
) -> None:
    decoy = youth(B, flagged=own_flag)
    beside = locate([decoy, youth(A, restriction=restriction)], search(family=family, auto=True, asking=B))
    alone = locate([decoy], search(family=family, auto=True, asking=B))
    if family is Call.FLAG_CHECK and not own_flag:
        # Neither is flagged: both questions end in the same negative.
        assert beside.flag_state is alone.flag_state is None
    else:
        assert beside == alone


def test_a_sealed_youth_is_no_contender_for_a_flag_whatever_its_owner_raised() -> None:
    found = locate([youth(A, flagged=True, restriction=Restriction.SEALED)], search(family=Call.FLAG_CHECK, auto=True))
    assert found.flagged == ()
    assert found.candidate is not None
    assert found.candidate.restriction is Restriction.SEALED


def test_records_of_two_youths_who_can_both_be_meant_are_ambiguous() -> None:
    found = locate([youth(A), youth(B)], search(family=Call.RECORD, auto=True, asking=C))
    assert found.located is Located.AMBIGUOUS


def test_agreement_on_sound_and_birth_date_is_possible_and_no_more() -> None:
    weak = youth(A, flagged=True, keys=frozenset({SOUND_KEY}))
    found = locate([weak], search(family=Call.FLAG_CHECK, auto=True, asking=C))
    assert (found.located, found.flagged) == (Located.POSSIBLE, (weak,))


@pytest.mark.parametrize("decoy", [Restriction.NONE, Restriction.SENSITIVE, Restriction.SEALED])
def test_somebody_of_the_very_spelling_does_not_hide_a_flag_that_agrees_in_sound(decoy: Restriction) -> None:
    looked_for = youth(A, flagged=True, keys=frozenset({SOUND_KEY}))
    alone = locate([looked_for], search(family=Call.FLAG_CHECK, auto=True, asking=C))
    beside = locate([looked_for, youth(B, restriction=decoy)], search(family=Call.FLAG_CHECK, auto=True, asking=C))
    # The same answer, too: it must not tell whether the exact name is on anybody's list.
    assert beside == alone
    assert beside.located is Located.POSSIBLE


def test_a_flag_that_agrees_in_full_is_told_whatever_else_sounds_alike() -> None:
    looked_for, other = youth(A, flagged=True), youth(B, flagged=True, keys=frozenset({SOUND_KEY}))
    found = locate([looked_for, other], search(family=Call.FLAG_CHECK, auto=False, asking=C))
    assert (found.located, found.flagged) == (Located.ONE_FOR_FLAG, (looked_for,))


def test_a_name_that_agrees_without_the_whole_core_group_is_possible_until_scores_count() -> None:
    most = youth(A, flagged=True, keys=CORE_KEYS - {"skeleton_year_day"})
    assert locate([most], search(family=Call.FLAG_CHECK, auto=False)).located is Located.POSSIBLE
    assert locate([most], search(family=Call.FLAG_CHECK, auto=True)).located is Located.ONE


def test_a_youth_who_shares_a_house_or_a_surname_is_nobody_beside_the_one_and_alone() -> None:
    sibling = youth(B, flagged=True, keys=frozenset({"zip_dob"}))
    assert locate([sibling], search(family=Call.FLAG_CHECK, auto=True, asking=C)) == NOTHING
    found = locate([sibling, youth(A)], search(family=Call.RECORD, auto=True, asking=C))
    assert (found.located, found.flagged) == (Located.ONE, ())


def test_nothing_deeper_than_a_flags_status_rests_on_a_score_alone_while_auto_is_off() -> None:
    found = locate([youth(A)], search(family=Call.RECORD, auto=False))
    assert found.located is Located.ONE_FOR_FLAG


def test_a_link_that_both_confirmed_is_good_for_records_and_beats_a_better_score() -> None:
    weak, strong = youth(A, keys=frozenset({SOUND_KEY})), youth(B)
    verdicts = {(weak.owner, weak.handle): Verdict.SAME}
    found = locate([weak, strong], search(family=Call.RECORD, auto=False, verdicts=verdicts))
    assert (found.located, found.candidate) == (Located.ONE, weak)


def test_a_youth_that_somebody_said_is_another_is_nobody() -> None:
    other = youth(A, flagged=True)
    verdicts = {(other.owner, other.handle): Verdict.DIFFERENT}
    for family in Call:
        assert locate([other], search(family=family, verdicts=verdicts)) == NOTHING


def test_a_key_that_one_side_lacks_does_not_count_and_one_that_differs_does() -> None:
    """With number or further given name unlike, a youth of one name and day is no match; without on one side, it may
    be. With `auto` off no more is told."""
    numbers = frozenset({"ssn4_dob", "ssn4_surname", "ssn4_given"})
    for unlike in (numbers, frozenset({"further_given_dob"}), frozenset({"further_initial_dob"})):
        for family, auto, told in ((Call.RECORD, True, Located.ONE), (Call.FLAG_CHECK, False, Located.ONE_FOR_FLAG)):
            asked = search(family=family, auto=auto, keys=CORE_KEYS | unlike)
            assert locate([youth(A)], asked).located is told
            assert locate([youth(A, carried=CORE_KEYS | unlike)], asked).located is Located.POSSIBLE


def test_one_number_key_that_agrees_clears_the_others_and_a_further_name_clears_its_initial() -> None:
    """The keys of a number hold a name or a date too, and differ where that is misspelled."""
    pairs = (("ssn4_given", {"ssn4_dob", "ssn4_surname"}), ("further_given_dob", {"further_initial_dob"}))
    for agreeing, differing in pairs:
        both = CORE_KEYS | {agreeing, *differing}
        found = locate(
            [youth(A, keys=CORE_KEYS | {agreeing}, carried=both)], search(family=Call.RECORD, auto=True, keys=both)
        )
        assert found.located is Located.ONE


@given(
    rows=st.lists(
        st.tuples(st.sets(st.sampled_from(sorted(CORE_KEYS))), st.booleans(), st.sampled_from(list(Restriction)))
    ),
    family=st.sampled_from(list(Call)),
    auto=st.booleans(),
)
def test_whatever_is_listed_only_a_sure_one_is_told(
    rows: list[tuple[set[str], bool, Restriction]], family: Call, auto: bool
) -> None:
    listed = [youth(A, flagged=flag, restriction=how, keys=frozenset(keys)) for keys, flag, how in rows]
    asked = search(family=family, auto=auto)
    found = locate(listed, asked)
    if found.located in (Located.ONE, Located.ONE_FOR_FLAG):
        assert found.candidate is not None
        assert not found.unsettled or (found.located is Located.ONE_FOR_FLAG and family is Call.RECORD)
        assert found.located is Located.ONE_FOR_FLAG or auto
        assert auto or found.candidate.agreeing_keys >= CORE_KEYS
        rivals = [each for each in listed if each is not found.candidate and each.agreeing_keys >= CORE_KEYS]
        assert all(each.flag is None or each.restriction is Restriction.SEALED for each in rivals) or (
            family is Call.RECORD
        )
    if found.located in (Located.POSSIBLE, Located.AMBIGUOUS):
        assert found.unsettled


def minted(_: str, pad: int) -> list[bytes]:
    return [os.urandom(16) for _ in range(pad)]


def refused(tokens: TokenSet) -> bool:
    """Whether the set is refused, with the one reason for it."""
    with pytest.raises(Invalid) as caught:
        check_core(tokens)
    return caught.value.reason is ErrorReason.TOKENS_INCOMPLETE


def test_a_question_of_the_schemes_shape_passes() -> None:
    check_core(token_set("e1", minted))


def test_a_question_without_the_day_of_birth_passes_and_one_without_half_of_it_does_not() -> None:
    tokens = token_set("e1", minted)
    withdraw_keys(tokens, "skeleton_year_day")
    assert refused(tokens)
    withdraw_keys(tokens, "skeleton_month_day")
    check_core(tokens)


@pytest.mark.parametrize("key", sorted(CORE_KEYS))
def test_a_question_that_omits_a_core_key_is_refused(key: str) -> None:
    tokens = token_set("e1", minted)
    withdraw_keys(tokens, key)
    assert refused(tokens)


@pytest.mark.parametrize("key", [rule.name for rule in SHAPE.keys])
@pytest.mark.parametrize("change", ["one more", "one less", "repeated", "left out", "twice", "half a token"])
def test_a_question_of_another_shape_is_refused(key: str, change: str) -> None:
    tokens = token_set("e1", minted)
    made = tokens_by_key(tokens)
    match change:
        case "one more":
            made[key].append(os.urandom(16))
        case "one less":
            del made[key][-1]
        case "repeated":
            # Whichever key it is taken from: one youth's tokens are distinct over all keys.
            made[key][0] = made["name_dob"][-1] if key != "name_dob" else made["zip_ssn4"][0]
        case "left out":
            del made[key]
        case "twice":
            made[key] *= 2
        case _:
            made[key][-1] += os.urandom(8)
    tokens.tokens = b"".join(token for each in made.values() for token in each)
    assert refused(tokens)


def test_a_question_that_carries_a_key_beyond_the_scheme_is_refused() -> None:
    tokens = token_set("e1", minted)
    for place in range(len(SHAPE.keys), 64):
        tokens.presence = SHAPE.presence(CORE_KEYS) | 1 << place
        assert refused(tokens)


def test_a_question_of_another_scheme_is_refused() -> None:
    tokens = token_set("e1", minted)
    tokens.scheme = "1"
    assert refused(tokens)
