"""The join line as a person pastes it: whole, cut off, altered."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.invitation import PREFIX, InvitationBroken, decode, encode
from gateway.protocol.parse import MalformedMessage
from homeward.gateway.v1.codes_pb2 import AGENCY_KIND_CWA
from homeward.gateway.v1.enrollment_pb2 import Invitation


def invitation(**changes: object) -> Invitation:
    message = Invitation(
        trust_domain="exchange.example",
        agency="06037.cwa",
        kind=AGENCY_KIND_CWA,
        enrollment_address="gw.exchange.example:8444",
        enrollment_certificate_digest=bytes(range(32)),
        gateway_address="gw.exchange.example:8443",
        gateway_key=bytes(32),
        holder_keys=[b"\x01" * 32],
        ticket=b"\x07" * 32,
        log_key=b"\x02" * 32,
        log_origin="exchange.example/log",
    )
    message.expire_time.FromDatetime(datetime(2027, 1, 2, tzinfo=UTC))
    for name, value in changes.items():
        setattr(message, name, value)
    return message


LINE = encode(invitation())


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=40))
def test_a_join_line_gives_back_the_invitation_whatever_its_length(domain: str) -> None:
    sent = invitation(trust_domain=domain)
    line = encode(sent)
    assert decode(line) == sent
    assert line.startswith(PREFIX)
    assert "\n" not in line


def test_spaces_and_quotes_around_the_line_do_not_matter() -> None:
    assert decode(f"  '{LINE}' \n") == invitation()


@pytest.mark.parametrize(("lost", "words"), [(1, "1 character short"), (14, "14 characters short")])
def test_a_line_cut_off_at_its_end_says_how_much_is_missing(lost: int, words: str) -> None:
    with pytest.raises(InvitationBroken, match=words):
        decode(LINE[:-lost])


@given(st.integers(min_value=0, max_value=len(LINE) - 1))
def test_every_prefix_of_a_line_is_refused(kept: int) -> None:
    with pytest.raises(InvitationBroken):
        decode(LINE[:kept])


@pytest.mark.parametrize("rest", ["garbage", "AAEAAAAAAAAA", "__8KAAAA", LINE[4:7] + "A" + LINE[8:]])
def test_what_is_no_join_line_is_not_called_a_cut_off_one(rest: str) -> None:
    """Its length would be read out of anything: "33183 characters short" sends nobody the right way."""
    with pytest.raises(InvitationBroken, match="no join line"):
        decode(PREFIX + rest)


def test_the_longest_invitation_there_can_be_is_a_join_line() -> None:
    longest = invitation(
        trust_domain="a" * 63, agency="06037." + "a" * 32, enrollment_address="a" * 255, gateway_address="a" * 255
    )
    longest.holder_keys[:] = [bytes([number]) * 32 for number in range(8)]
    assert decode(encode(longest)) == longest


def test_a_line_with_something_behind_it_is_refused() -> None:
    with pytest.raises(InvitationBroken, match="2 characters too long"):
        decode(LINE + "ab")


@given(st.integers(min_value=0, max_value=len(LINE) - 1), st.sampled_from("ABCxyz019-_ é"))
def test_no_altered_character_goes_unnoticed(position: int, character: str) -> None:
    altered = LINE[:position] + character + LINE[position + 1 :]
    if altered != LINE:
        with pytest.raises(InvitationBroken):
            decode(altered)


@given(st.text(max_size=600))
def test_any_text_is_refused_with_a_sentence(text: str) -> None:
    for line in (text, PREFIX + text):
        with pytest.raises(InvitationBroken):
            decode(line)


def test_the_refusal_holds_nothing_of_the_line() -> None:
    with pytest.raises(InvitationBroken) as refused:
        decode(LINE[:-3])
    assert all(LINE[at : at + 6] not in str(refused.value) for at in range(len(LINE) - 6))


def test_an_invitation_without_a_holder_key_cannot_be_written() -> None:
    message = invitation()
    del message.holder_keys[:]
    with pytest.raises(MalformedMessage):
        encode(message)
