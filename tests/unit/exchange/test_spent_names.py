"""Under which names requests and assertions are spent: told apart whatever they begin with, and as time goes on."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from adapters.node.identifiers import new_assertion_id, new_request_id
from gateway.store.projections import assertion_identifier, request_identifier

AGENCY, OTHER = "06001.cwa.test", "06019.cwa.test"
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def test_names_that_begin_alike_are_spent_apart() -> None:
    names = ["", "a", "ab", "0" * 12, "0" * 13, "0" * 12 + "1", "0" * 64]
    spent = {assertion_identifier(agency, name) for agency in (AGENCY, OTHER) for name in names}
    assert len(spent) == 2 * len(names)
    # Looked for as one value, one after another.
    assert {len(each) for each in spent} == {len(request_identifier(AGENCY, bytes(16)))}
    assert request_identifier(AGENCY, b"0" * 16) != assertion_identifier(AGENCY, "0" * 16)


def test_of_a_uuid7_its_time_is_kept() -> None:
    assert assertion_identifier(AGENCY, "0123456789ab" + "7" + "c" * 19)[1:7] == bytes.fromhex("0123456789ab")


@pytest.mark.parametrize("said", ["invented-name-2009", "0123456789ab4def0123456789abcdef", "0123456789AB7" + "c" * 19])
def test_of_any_other_name_nothing_is_kept(said: str) -> None:
    assert assertion_identifier(AGENCY, said)[1:7] == bytes(6)


@pytest.mark.parametrize("kind", ["request", "assertion"])
def test_what_an_adapter_names_later_stands_later(kind: str) -> None:
    def spent(moment: datetime) -> bytes:
        if kind == "request":
            return request_identifier(AGENCY, new_request_id(moment, os.urandom))
        return assertion_identifier(AGENCY, new_assertion_id(moment, os.urandom))

    in_order = [spent(NOW + timedelta(milliseconds=passed)) for passed in range(0, 5000, 7)]
    assert in_order == sorted(in_order)
