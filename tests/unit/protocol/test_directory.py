"""When a directory and its keys count."""

from datetime import timedelta

import pytest

from gateway.protocol.directory import DirectoryInvalid, KeyUnknown, Pins, certify, open_directory, sign_directory
from gateway.protocol.names import AgencyId
from gateway.protocol.signing import SigningKey
from homeward.gateway.v1 import directory_pb2 as pb
from tests.unit.protocol.county_keys import AGENCY, FIPS, NOW, CountyKeys, statement

KEYS = CountyKeys.make()
OURS = AgencyId(AGENCY)


def test_a_directory_signed_by_every_pinned_signer_opens() -> None:
    view = open_directory(KEYS.signed(), KEYS.pins)
    assert view.version == 1
    assert view.key(OURS, pb.KEY_USE_ASSERTION, KEYS.assertion.key_id, NOW) == KEYS.assertion.public_bytes
    assert view.flag_key(FIPS, KEYS.flag.key_id, NOW) == KEYS.flag.public_bytes


def test_the_gateway_alone_cannot_make_a_directory_count() -> None:
    signed = KEYS.signed()
    del signed.signatures[1]
    with pytest.raises(DirectoryInvalid) as refused:
        open_directory(signed, KEYS.pins)
    assert refused.value.why == "signature"


def test_a_signature_of_an_unpinned_holder_does_not_count() -> None:
    stranger = SigningKey.generate()
    raw = KEYS.directory().SerializeToString()
    signed = pb.SignedDirectory(
        directory=raw, signatures=[sign_directory(raw, KEYS.gateway), sign_directory(raw, stranger)]
    )
    with pytest.raises(DirectoryInvalid):
        open_directory(signed, KEYS.pins)


def test_a_lower_version_than_seen_is_refused() -> None:
    with pytest.raises(DirectoryInvalid) as refused:
        open_directory(KEYS.signed(), KEYS.pins, newer_than=2)
    assert refused.value.why == "version"


def test_a_key_that_the_county_root_did_not_certify_makes_the_directory_invalid() -> None:
    directory = KEYS.directory()
    swapped = SigningKey.generate()
    directory.members[0].keys.append(certify(statement(swapped.public_bytes, pb.KEY_USE_SEAL), SigningKey.generate()))
    with pytest.raises(DirectoryInvalid) as refused:
        open_directory(KEYS.signed(directory), KEYS.pins)
    assert refused.value.why == "key"


def test_a_statement_for_another_agency_or_county_does_not_count_here() -> None:
    directory = KEYS.directory()
    directory.members[0].keys.append(
        certify(statement(KEYS.flag.public_bytes, pb.KEY_USE_ENVELOPE, agency="06037.prob"), KEYS.root)
    )
    with pytest.raises(DirectoryInvalid):
        open_directory(KEYS.signed(directory), KEYS.pins)


def test_a_flag_key_that_names_its_agency_is_refused_because_it_would_tell_the_kind() -> None:
    directory = KEYS.directory()
    named = statement(KEYS.flag.public_bytes, pb.KEY_USE_FLAG)
    named.agency = AGENCY
    directory.counties[0].flag_keys.append(certify(named, KEYS.root))
    with pytest.raises(DirectoryInvalid):
        open_directory(KEYS.signed(directory), KEYS.pins)


def test_a_key_counts_for_its_use_and_time_only() -> None:
    view = open_directory(KEYS.signed(), KEYS.pins)
    with pytest.raises(KeyUnknown):
        view.key(OURS, pb.KEY_USE_AUTHORITY, KEYS.assertion.key_id, NOW)
    with pytest.raises(KeyUnknown):
        view.key(OURS, pb.KEY_USE_ASSERTION, KEYS.assertion.key_id, NOW + timedelta(days=1))
    with pytest.raises(KeyUnknown):
        view.key(OURS, pb.KEY_USE_ASSERTION, KEYS.assertion.key_id, NOW - timedelta(minutes=6))
    with pytest.raises(KeyUnknown):
        view.key(AgencyId("06037.prob"), pb.KEY_USE_ASSERTION, KEYS.assertion.key_id, NOW)


def test_a_suspended_member_has_no_keys() -> None:
    directory = KEYS.directory()
    directory.members[0].suspended = True
    view = open_directory(KEYS.signed(directory), KEYS.pins)
    with pytest.raises(KeyUnknown):
        view.key(OURS, pb.KEY_USE_ASSERTION, KEYS.assertion.key_id, NOW)


def test_agreements_hold_unless_the_pair_is_listed_in_either_order() -> None:
    view = open_directory(KEYS.signed(), KEYS.pins)
    assert view.agreement("06037", "06029")
    assert not view.agreement("06037", "06031")
    assert not view.agreement("06031", "06037")
    assert view.agreement("06031", "06031")


def test_pins_without_holders_would_trust_the_gateway_alone_and_are_what_the_reader_chose() -> None:
    signed = KEYS.signed()
    del signed.signatures[1]
    assert open_directory(signed, Pins(KEYS.gateway.public_bytes, ())).version == 1
