"""What each entry is told as, word for word: what was done, by whom, under what; and no purpose that nobody stated."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from adapters.node.access_words import Parties, sentence
from homeward.gateway.v1.exchange_pb2 import ReceiptFinding
from homeward.gateway.v1.sealing_pb2 import NoticeFinding

AT = datetime(2026, 11, 24, 11, 10, tzinfo=UTC)
OWN, OTHER = "06029.cwa", "06075.cwa"
SEAL = "5ea1" * 8
AUTHORITY = "a07e" * 8
OFFICER = {"worker": b"abc COUNTY.privacy_officer"}
RECORDED = {"decision": b"ALLOW", "outcome": b"RECORDED", "reason": b"RECORDED"}
LISTED = {"decision": b"ALLOW", "outcome": b"ANSWERED"}
ORDER = {"outcome": b"RECORDED", "notice": SEAL.encode()}
BY_OFFICER = f"by {OWN} COUNTY.privacy_officer (worker abc)"
CASE = f"(seal {SEAL}; its case is open to the court's custodian alone)"

Golden = tuple[str, Mapping[str, bytes], Parties, str]
GOLDEN: Mapping[str, Golden] = {
    "a consent recorded": (
        "authority.recorded",
        RECORDED | OFFICER | {"purpose": b"PLACEMENT_PLANNING", "basis": b"CONSENT"},
        Parties(OWN),
        f'an authority was recorded (a consent), {BY_OFFICER}, for "Choose or change a placement".',
    ),
    "a consent withdrawn, to its issuer": (
        "authority.revoked",
        RECORDED | OFFICER | {"authority": AUTHORITY.encode()},
        Parties(OWN, OWN),
        f"authority {AUTHORITY} of {OWN} was revoked, {BY_OFFICER}.",
    ),
    "a consent withdrawn, to another party": (
        "authority.revoked",
        RECORDED | OFFICER,
        Parties(OWN, OTHER),
        f"an authority of {OTHER} was revoked, {BY_OFFICER}.",
    ),
    "a consent withdrawn, as a receipt alone tells it": (
        "authority.revoked",
        RECORDED | {"authority": AUTHORITY.encode(), "requester": OTHER.encode()},
        Parties(),
        f"authority {AUTHORITY} was revoked, by {OTHER}.",
    ),
    "a consent withdrawn, as an earlier release wrote it": (
        "authority.revoked",
        RECORDED | OFFICER | {"purpose": b"OVERSIGHT_AUDIT"},
        Parties(OWN),
        f"an authority was revoked, {BY_OFFICER}.",
    ),
    "a consent presented again": (
        "authority.presented",
        RECORDED | {"reason": b"PRESENTED_AGAIN", "basis": b"COURT_ORDER"},
        Parties(OWN),
        (
            f"an authority was presented again by its issuer's adapter (a court order), by {OWN}; "
            "note: An adapter presented again what a declared loss may have taken from the log."
        ),
    ),
    "authorities listed": (
        "authority.listed",
        LISTED | OFFICER,
        Parties(OWN),
        f"authorities were listed, {BY_OFFICER}; allowed; the requester was told ANSWERED.",
    ),
    "a youth sealed": (
        "seal.restricted",
        ORDER | OFFICER | {"notices": b"2"},
        Parties(OWN),
        f"a youth's entries were sealed by order of a court {CASE}, {BY_OFFICER}; 2 agencies were sent a notice.",
    ),
    "a sealed youth destroyed": (
        "seal.destroyed",
        ORDER | OFFICER | {"notices": b"0"},
        Parties(OWN),
        f"a youth's entries were made unreadable for good {CASE}, {BY_OFFICER}.",
    ),
    "a seal lifted": (
        "seal.lifted",
        ORDER | OFFICER | {"notices": b"0"},
        Parties(OWN),
        f"a seal was lifted by order of a court {CASE}, {BY_OFFICER}.",
    ),
    "a recall": (
        "notice.sent",
        ORDER | OFFICER | {"notices": b"1"},
        Parties(OWN),
        f"whoever was told of a youth was sent a notice (notice {SEAL}), {BY_OFFICER}; 1 agency was sent a notice.",
    ),
    "a notice answered": (
        "notice.acknowledged",
        {"outcome": b"NOTICE_FINDING_DONE", "notice": SEAL.encode()},
        Parties(OTHER),
        f"a notice was acknowledged (notice {SEAL}), by {OTHER}; what it named was there, and was deleted or marked.",
    ),
    "an order refused": (
        "access.decision",
        {"decision": b"DENY", "outcome": b"NOT_PERMITTED", "reason": b"KIND_ROLE_MISMATCH"} | OFFICER,
        Parties(OWN),
        (
            f"a request was decided, {BY_OFFICER}; denied; "
            "the requester was told NOT_PERMITTED; because: The claimed role does not exist in the kind of agency "
            "the caller was enrolled as."
        ),
    ),
    "a release confirmed": (
        "access.receipt",
        {"outcome": b"RECEIPT_FINDING_OPENED"},
        Parties(OWN),
        (
            f"the requester said what it found in what it received, by {OWN}; "
            "it opened, and its source, binding and fields are right."
        ),
    ),
    "a report recorded": (
        "flag.raised",
        RECORDED | {"worker": b"abc CWA.case_worker", "purpose": b"MFC_LOCATE"},
        Parties(OWN, OWN),
        (
            f"a missing-from-care report was recorded about a youth of {OWN}, by {OWN} CWA.case_worker (worker abc), "
            'for "Locate a youth missing from care".'
        ),
    ),
    "a report recorded late": (
        "flag.raised",
        RECORDED | {"reason": b"RECORDED_LATE"},
        Parties(OWN, OWN),
        (
            f"a missing-from-care report was recorded about a youth of {OWN}, by {OWN}; "
            "note: The report was recorded after its deadline and is marked late."
        ),
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_sentence_of(name: str) -> None:
    kind, said, parties, told = GOLDEN[name]
    assert sentence({"kind": kind.encode(), **said}, AT, parties) == f"2026-11-24 11:10:00 UTC: {told}"


@pytest.mark.parametrize("finding", [*ReceiptFinding.keys()[1:], *NoticeFinding.keys()[1:]])
def test_what_an_agency_found_is_never_told_as_what_it_was_told(finding: str) -> None:
    told = sentence({"kind": b"access.receipt", "outcome": finding.encode()}, AT)
    assert "was told" not in told
    assert finding not in told


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("enroll.invited", "an adapter was invited to join (06019.cwa)"),
        ("member.revoked", "an agency or an adapter was revoked (06019.cwa)"),
        ("lookups.held", "look-ups were held, because almost all of them found nobody (06019.cwa)"),
        ("enroll.redeemed", "an adapter joined, by 06019.cwa"),
    ],
)
def test_what_is_done_to_an_agency_is_not_told_as_its_own_deed(kind: str, told: str) -> None:
    opened = {"kind": kind.encode(), "agency": b"06019.cwa"}
    assert told in sentence(opened, AT, Parties("06019.cwa"))
