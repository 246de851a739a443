"""What the candidates of a question amount to: nobody hides a flag, and nothing restricted shows."""

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ErrorReason, Invalid
from gateway.exchange.locate import NOTHING, Candidate, FlagRow, Judged, Search, Verdict, Verdicts, check_core, locate
from gateway.protocol.match_keys import CORE_KEYS, SOUND_KEY
from gateway.protocol.matching.score import Comparison, compare_keys
from gateway.protocol.matching.weights import load_weights
from gateway.protocol.names import AgencyId, Call, FlagState, Restriction, SubjectHandle
from gateway.protocol.policy.facts import Located
from homeward.gateway.v1.envelope_pb2 import TokenSet
from tests.unit.token_sets import SHAPE, token_set, tokens_by_key, withdraw_keys

A, B, C = AgencyId("06037.cwa"), AgencyId("06019.cwa"), AgencyId("06029.cwa")
NUMBERS = frozenset({"ssn4_dob", "ssn4_surname", "ssn4_given"})


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
    verdicts: Verdicts | None = None,
) -> Search:
    return Search(
        family=family, keys=keys, records=60, auto=auto, purpose="MFC_LOCATE", asking=asking, verdicts=verdicts or {}
    )


def said(verdict: Verdict, of: Candidate, *, comparison: Comparison | None = None) -> Verdicts:
    """What was said of the candidate when it compared as it does now, or like this."""
    now = compare_keys(of.agreeing_keys, asked=CORE_KEYS, listed=of.carried_keys)
    return {(of.owner, of.handle): [Judged(verdict, comparison or now)]}


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
    found = locate([weak, strong], search(family=Call.RECORD, auto=False, verdicts=said(Verdict.SAME, weak)))
    assert (found.located, found.candidate, found.linked) == (Located.ONE, weak, True)


def test_a_youth_that_somebody_said_is_another_is_nobody_unless_the_whole_core_group_agrees() -> None:
    other = youth(A, flagged=True, keys=frozenset({SOUND_KEY}))
    for family in Call:
        assert locate([other], search(family=family, verdicts=said(Verdict.DIFFERENT, other))) == NOTHING
    twin = youth(A, flagged=True)
    doubted = said(Verdict.DIFFERENT, twin)
    assert locate([twin], search(family=Call.RECORD, verdicts=doubted)) == NOTHING
    found = locate([twin], search(family=Call.FLAG_CHECK, verdicts=doubted))
    # Somebody is looked for who is written just like this one: a person decides each time, and the owner hears of it.
    assert (found.located, found.candidate, found.flagged, found.unsettled) == (Located.POSSIBLE, twin, (twin,), ())


def test_a_twin_that_is_another_neither_hides_nor_is_hidden_by_the_one_that_is_linked() -> None:
    linked, other = youth(A, flagged=True), youth(B, flagged=True)
    verdicts = {**said(Verdict.SAME, linked), **said(Verdict.DIFFERENT, other)}
    found = locate([linked, other], search(family=Call.FLAG_CHECK, auto=False, verdicts=verdicts))
    assert (found.located, found.candidate, set(found.flagged)) == (Located.ONE, linked, {linked, other})


def test_what_was_said_counts_for_the_pair_that_people_were_asked_about_and_no_other() -> None:
    sound, edit = frozenset({SOUND_KEY}), frozenset({"given_edit1_dob"})
    listed = youth(A, keys=sound | edit)
    less = Comparison(sound, CORE_KEYS - sound)
    # A no, where less agreed than does now.
    asked = search(family=Call.FLAG_CHECK, verdicts=said(Verdict.DIFFERENT, listed, comparison=less))
    assert locate([listed], asked).unsettled == (listed,)
    # A link, where more agreed than does now, or less differed.
    whole = Comparison(CORE_KEYS, frozenset())
    asked = search(family=Call.RECORD, auto=False, verdicts=said(Verdict.SAME, listed, comparison=whole))
    assert not locate([listed], asked).linked
    numbered = youth(A, carried=CORE_KEYS | NUMBERS)
    asked = search(
        family=Call.RECORD,
        auto=False,
        keys=CORE_KEYS | NUMBERS,
        verdicts=said(Verdict.SAME, numbered, comparison=whole),
    )
    assert not locate([numbered], asked).linked
    # A link, where more agrees since: the owner corrected a name.
    asked = search(family=Call.RECORD, auto=False, verdicts=said(Verdict.SAME, listed, comparison=less))
    assert locate([listed], asked).linked


KEYS = st.frozensets(st.sampled_from(sorted(CORE_KEYS)))


@given(
    others=st.lists(st.tuples(KEYS, st.booleans(), st.sampled_from(list(Restriction))), max_size=4),
    verdicts=st.lists(st.lists(st.tuples(st.sampled_from(list(Verdict)), KEYS), max_size=2), min_size=5, max_size=5),
    auto=st.booleans(),
    numbered=st.booleans(),
)
def test_whatever_was_said_a_flag_of_a_youth_that_agrees_in_full_is_never_answered_by_the_negative(
    others: list[tuple[frozenset[str], bool, Restriction]],
    verdicts: list[list[tuple[Verdict, frozenset[str]]]],
    auto: bool,
    numbered: bool,
) -> None:
    keys = CORE_KEYS | NUMBERS if numbered else CORE_KEYS
    looked_for = youth(A, flagged=True, carried=keys)
    listed = [looked_for, *(youth(B, flagged=f, restriction=how, keys=agreeing) for agreeing, f, how in others)]
    judged = {
        (each.owner, each.handle): [Judged(verdict, Comparison(agreed, keys - agreed)) for verdict, agreed in words]
        for each, words in zip(listed, verdicts, strict=False)
    }
    found = locate(listed, search(family=Call.FLAG_CHECK, auto=auto, keys=keys, verdicts=judged))
    assert found.located is not Located.NONE
    assert found.flag_state is FlagState.ACTIVE
    assert looked_for in found.flagged


@pytest.mark.parametrize(("behind", "located"), [(2.5, Located.AMBIGUOUS), (3.0, Located.ONE)])
@pytest.mark.parametrize("family", list(Call))
def test_a_runner_up_within_three_bits_leaves_the_choice_to_a_person(
    family: Call, behind: float, located: Located
) -> None:
    shipped = load_weights()
    assert shipped.margin == 3.0
    weights = replace(
        shipped, agree={**shipped.agree, "name_year": behind}, disagree={**shipped.disagree, "name_year": 0.0}
    )
    best, second = youth(A, flagged=True), youth(B, flagged=True, keys=CORE_KEYS - {"name_year"})
    found = locate([second, best], replace(search(family=family), weights=weights))
    assert found.located is located
    assert found.candidate is (best if located is Located.ONE else None)


@pytest.mark.parametrize("family", list(Call))
@pytest.mark.parametrize("auto", [False, True])
def test_nobody_whose_number_differs_is_certain_without_a_link(family: Call, auto: bool) -> None:
    """Twins of one name and day: nothing but their numbers tells them apart."""
    twin = youth(A, flagged=True, carried=CORE_KEYS | NUMBERS)
    asked = search(family=family, auto=auto, keys=CORE_KEYS | NUMBERS)
    assert locate([twin], asked).located is Located.POSSIBLE
    # A number that agrees in one way agrees, whatever the name beside it.
    agrees = youth(A, flagged=True, keys=CORE_KEYS | {"ssn4_dob"}, carried=CORE_KEYS | NUMBERS)
    assert locate([agrees], asked).located is (Located.ONE if auto else Located.ONE_FOR_FLAG)
    linked = compare_keys(twin.agreeing_keys, asked=asked.keys, listed=twin.carried_keys)
    confirmed = replace(asked, verdicts=said(Verdict.SAME, twin, comparison=linked))
    assert locate([twin], confirmed).located is Located.ONE


def test_leaving_out_the_day_of_birth_makes_no_guess_cheaper() -> None:
    listed = youth(A, flagged=True, keys=frozenset({"surname_edit1_dob"}), carried=CORE_KEYS)
    assert locate([listed], search(family=Call.FLAG_CHECK)) == NOTHING
    assert locate([listed], search(family=Call.FLAG_CHECK, keys=SHAPE.core_of_estimated)) == NOTHING


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
