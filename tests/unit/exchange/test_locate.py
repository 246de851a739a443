"""What the candidates of a question amount to: nobody hides a flag, and nothing restricted shows."""

import os

import pytest

from gateway.errors import Invalid
from gateway.exchange.locate import Candidate, FlagRow, check_core, locate
from gateway.protocol.match_keys import CORE_KEYS, MAX_TOKENS_A_KEY
from gateway.protocol.names import AgencyId, Call, FlagState, Restriction, SubjectHandle
from gateway.protocol.policy.facts import Located
from homeward.gateway.v1.envelope_pb2 import KeyTokens, TokenSet

A, B, C = AgencyId("06037.cwa"), AgencyId("06019.cwa"), AgencyId("06029.cwa")


def youth(
    owner: AgencyId,
    *,
    flagged: bool = False,
    restriction: Restriction = Restriction.NONE,
    keys: frozenset[str] = CORE_KEYS,
) -> Candidate:
    flag = FlagRow(os.urandom(16), FlagState.ACTIVE, 1, b"") if flagged else None
    return Candidate(owner, SubjectHandle(os.urandom(16)), keys, restriction, "", flag)


@pytest.mark.parametrize("decoy", [Restriction.NONE, Restriction.SENSITIVE, Restriction.SEALED])
def test_a_namesake_on_another_list_does_not_hide_an_open_flag(decoy: Restriction) -> None:
    looked_for = youth(A, flagged=True)
    found = locate([looked_for, youth(B, restriction=decoy)], family=Call.FLAG_CHECK, auto=False, asking=C)
    assert (found.located, found.candidate) == (Located.ONE_FOR_FLAG, looked_for)


def test_two_open_flags_are_ambiguous_and_both_owners_are_meant() -> None:
    both = [youth(A, flagged=True), youth(B, flagged=True)]
    found = locate(both, family=Call.FLAG_CHECK, auto=True, asking=C)
    assert (found.located, found.flag_state, found.flagged) == (Located.AMBIGUOUS, FlagState.ACTIVE, tuple(both))


@pytest.mark.parametrize("family", list(Call))
@pytest.mark.parametrize("restriction", [Restriction.SENSITIVE, Restriction.SEALED])
@pytest.mark.parametrize("own_flag", [False, True])
def test_a_decoy_on_ones_own_list_is_answered_alike_beside_a_restricted_youth_and_beside_nobody(
    family: Call, restriction: Restriction, own_flag: bool
) -> None:
    decoy = youth(B, flagged=own_flag)
    beside = locate([decoy, youth(A, restriction=restriction)], family=family, auto=True, asking=B)
    alone = locate([decoy], family=family, auto=True, asking=B)
    if family is Call.FLAG_CHECK and not own_flag:
        # Neither is flagged: both questions end in the same negative.
        assert beside.flag_state is alone.flag_state is None
    else:
        assert beside == alone


def test_a_sealed_youth_is_no_contender_for_a_flag_whatever_its_owner_raised() -> None:
    found = locate([youth(A, flagged=True, restriction=Restriction.SEALED)], family=Call.FLAG_CHECK, auto=True)
    assert found.flagged == ()
    assert found.candidate is not None
    assert found.candidate.restriction is Restriction.SEALED


def test_records_of_two_youths_who_can_both_be_meant_are_ambiguous() -> None:
    found = locate([youth(A), youth(B)], family=Call.RECORD, auto=True, asking=C)
    assert found.located is Located.AMBIGUOUS


def test_agreement_on_the_skeleton_alone_is_possible_and_no_more() -> None:
    weak = youth(A, flagged=True, keys=frozenset({"skeleton_dob"}))
    found = locate([weak], family=Call.FLAG_CHECK, auto=True, asking=C)
    assert (found.located, found.flagged) == (Located.POSSIBLE, (weak,))


@pytest.mark.parametrize("decoy", [Restriction.NONE, Restriction.SENSITIVE, Restriction.SEALED])
def test_somebody_of_the_very_spelling_does_not_hide_a_flag_that_agrees_in_sound(decoy: Restriction) -> None:
    looked_for = youth(A, flagged=True, keys=frozenset({"skeleton_dob"}))
    alone = locate([looked_for], family=Call.FLAG_CHECK, auto=True, asking=C)
    beside = locate([looked_for, youth(B, restriction=decoy)], family=Call.FLAG_CHECK, auto=True, asking=C)
    # The same answer, too: it must not tell whether the exact name is on anybody's list.
    assert beside == alone
    assert beside.located is Located.POSSIBLE


def test_a_flag_that_agrees_in_full_is_told_whatever_else_sounds_alike() -> None:
    looked_for, other = youth(A, flagged=True), youth(B, flagged=True, keys=frozenset({"skeleton_dob"}))
    found = locate([looked_for, other], family=Call.FLAG_CHECK, auto=False, asking=C)
    assert (found.located, found.flagged) == (Located.ONE_FOR_FLAG, (looked_for,))


def tokens(count: int = MAX_TOKENS_A_KEY, *extra: KeyTokens) -> TokenSet:
    keys = [KeyTokens(key=key, present=True, tokens=[os.urandom(16)] * count) for key in sorted(CORE_KEYS)]
    return TokenSet(epoch="e1", scheme="1", keys=[*keys, *extra])


def test_a_question_carries_the_core_keys_once_and_no_more_tokens_than_the_scheme() -> None:
    check_core(tokens())
    check_core(tokens(6, KeyTokens(key="given_swap", present=False, tokens=[bytes(16)])))
    for wrong in (
        tokens(MAX_TOKENS_A_KEY + 1),
        tokens(6, KeyTokens(key="invented", present=True, tokens=[bytes(16)])),
        tokens(6, KeyTokens(key="name_dob", present=True, tokens=[bytes(16)])),
        TokenSet(epoch="e1", scheme="1", keys=tokens().keys[:1]),
    ):
        with pytest.raises(Invalid):
            check_core(wrong)
