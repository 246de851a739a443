"""A batch of the log, which is written in two steps: who fails fails alone, and everybody else has their place."""

import asyncio
from pathlib import Path

import pytest

from audit.entry import Draft, Field, FieldClass
from audit.errors import DraftError
from audit.log import INDEX, Append, Appended
from audit.reader import Reader
from audit.transaction import Tx
from tests.integration.log_kit import ALL, PUT, draft, sqlite_home, verified_size


class Refused(Exception):
    """What a guard raises."""


def refuse(_: Tx) -> Draft | None:
    raise Refused


def named(name: str) -> Append:
    """An entry whose row says where it stands."""
    return Append(draft(name), rows=((PUT, (name, INDEX)),))


async def together(tmp_path: Path, appends: list[Append]) -> tuple[list[Appended | BaseException], dict[str, int]]:
    """What becomes of entries that come at once, and where their rows say that they stand."""
    home = sqlite_home(tmp_path)
    before = verified_size(home)
    log, reader = home.open(), Reader(home.store)
    try:
        outcomes = await asyncio.gather(*map(log.append, appends), return_exceptions=True)
        rows = dict(reader.all(ALL))
        taken = [each.index for each in outcomes if isinstance(each, Appended)]
        assert taken == list(range(before, before + len(taken))), "no place is left out"
    finally:
        reader.close()
        await log.close()
    assert verified_size(home) == before + len(taken)
    return outcomes, rows


async def test_an_entry_that_is_refused_takes_no_place_from_the_next(tmp_path: Path) -> None:
    appends = [named("a"), Append(draft("no"), refuse, ((PUT, ("no", INDEX)),)), named("b"), named("c")]
    outcomes, rows = await together(tmp_path, appends)
    assert isinstance(outcomes[1], Refused)
    stand = {name: each.index for name, each in zip("a-bc", outcomes, strict=True) if isinstance(each, Appended)}
    assert rows == stand


BARE = Draft((), requester="06037.cwa")
WORDS = Draft((Field(FieldClass.OP, "words", "no bytes"),), requester="06037.cwa")  # type: ignore[arg-type]


@pytest.mark.parametrize(("leaf", "fault"), [(BARE, DraftError), (WORDS, TypeError)], ids=["annex", "words"])
async def test_an_entry_whose_leaf_cannot_be_made_fails_alone(
    tmp_path: Path, leaf: Draft, fault: type[Exception]
) -> None:
    # The annex stands with fields of class OP, and there are none; a value is bytes: both show when the leaf is made.
    bad = Append(leaf, rows=((PUT, ("bad", INDEX)),), says=lambda tx, index: b"annex")
    outcomes, rows = await together(tmp_path, [named("a"), bad, named("b")])
    assert isinstance(outcomes[1], fault)
    stand = {name: each.index for name, each in zip("a-b", outcomes, strict=True) if isinstance(each, Appended)}
    assert rows == stand, "and its row went with it"
    assert len(stand) == 2
