"""Who is one operator, and whose public share is of a sharing."""

import os
from dataclasses import dataclass

import pytest

from gateway.protocol.ristretto import load_ristretto
from gateway.protocol.sharing import Sharing, is_on_sharing, public_share, read_sharing, sole_operators
from gateway.tokens.ceremony import deal

GROUP = load_ristretto()


@dataclass(frozen=True)
class Holder:
    operator: str
    ca_certificate: bytes


def holders(*pairs: str) -> list[Holder]:
    """From `operator/root` words."""
    return [Holder(operator, root.encode()) for operator, root in (pair.split("/") for pair in pairs)]


@pytest.mark.parametrize(
    ("listed", "threshold", "alone"),
    [
        (("state/1", "auditor/2"), 2, ()),
        (("state/1", "auditor/2", "university/3"), 2, ()),
        (("state/1", "state/2"), 2, ("state",)),
        (("state/1", "auditor/1"), 2, ("auditor", "state")),
        (("state/1", "auditor/2", "auditor/3"), 2, ("auditor",)),
        (("state/1", "auditor/2", "auditor/3", "university/4", "court/5"), 3, ()),
        # One root joins the first two, one name the last two: three shares in one hand.
        (("state/1", "auditor/1", "auditor/2", "university/4", "court/5"), 3, ("auditor", "state")),
        (("auditor/1", "court/5", "state/2", "auditor/2", "university/4"), 3, ("auditor", "state")),
        ((), 2, ()),
    ],
)
def test_one_operator_is_whoever_shares_a_name_or_a_root(
    listed: tuple[str, ...], threshold: int, alone: tuple[str, ...]
) -> None:
    assert sole_operators(holders(*listed), threshold) == alone


def test_a_public_share_is_of_the_sharing_only_at_its_own_index() -> None:
    dealing = deal(GROUP, threshold=3, holders=4, random_bytes=os.urandom)
    sharing = Sharing("e1", 1, dealing.commitments)
    for share in dealing.shares:
        public = GROUP.multiply_base(share.secret)
        assert public == public_share(GROUP, dealing.commitments, share.index)
        assert is_on_sharing(GROUP, sharing, index=share.index, commitment=public)
        assert not is_on_sharing(GROUP, sharing, index=share.index + 1, commitment=public)


@pytest.mark.parametrize("commitment", [bytes(32), b"\xff" * 32], ids=["identity", "not canonical"])
def test_no_share_is_of_a_sharing_whose_commitments_are_no_elements(commitment: bytes) -> None:
    good = GROUP.multiply_base(b"\x05" + bytes(31))
    sharing = Sharing("e1", 1, (good, commitment))
    assert not is_on_sharing(GROUP, sharing, index=1, commitment=good)


def test_a_sharing_is_the_same_after_it_was_a_message() -> None:
    sharing = Sharing("e1", 7, (b"a" * 32, b"b" * 32))
    assert read_sharing(sharing.to_message()) == sharing
