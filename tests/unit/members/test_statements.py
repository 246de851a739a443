"""Which key statements may be stored: every rule broken once."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from gateway.errors import Invalid
from gateway.members.statements import check_statements
from gateway.protocol.directory import certify
from gateway.protocol.names import AgencyId
from gateway.protocol.signing import SigningKey
from homeward.gateway.v1.directory_pb2 import KEY_USE_ENVELOPE, KEY_USE_FLAG, KEY_USE_RECORD, KeyStatement
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from tests.unit.members.world import NOW, County

Spoil = Callable[[County, list[SignedEnvelope]], None]


def check(county: County, envelopes: list[SignedEnvelope]) -> None:
    check_statements(envelopes, root_key=county.root.public_bytes, agency=AgencyId(county.agency), now=NOW)


def test_the_statements_of_an_adapter_are_stored_as_signed() -> None:
    county = County()
    envelopes = county.statements()
    keys = check_statements(envelopes, root_key=county.root.public_bytes, agency=AgencyId(county.agency), now=NOW)
    assert [key.envelope for key in keys] == [envelope.SerializeToString() for envelope in envelopes]
    assert {key.agency for key in keys if key.use == KEY_USE_FLAG} == {""}
    assert {key.agency for key in keys if key.use != KEY_USE_FLAG} == {county.agency}


def altered(envelopes: list[SignedEnvelope], *, at: int = 0) -> None:
    envelopes[at].signature = bytes(64)


def resigned(county: County, change: Callable[[KeyStatement], None]) -> SignedEnvelope:
    statement = county.statement(KEY_USE_RECORD, SigningKey.generate().public_bytes)
    change(statement)
    return certify(statement, county.root)


def _name_agency(statement: KeyStatement) -> None:
    statement.use = KEY_USE_FLAG


def _name_nobody(statement: KeyStatement) -> None:
    statement.agency = ""


def _move(statement: KeyStatement) -> None:
    statement.county = "06001"


def _lengthen(statement: KeyStatement) -> None:
    statement.public_key += b"\x00"


def _end(statement: KeyStatement) -> None:
    statement.expire_time.FromDatetime(NOW)


def _outlive(statement: KeyStatement) -> None:
    statement.expire_time.FromDatetime(NOW + timedelta(days=401))


def _reverse(statement: KeyStatement) -> None:
    statement.effective_time.FromDatetime(NOW + timedelta(days=366))


def _unknown_use(statement: KeyStatement) -> None:
    statement.use = 99  # type: ignore[assignment]  # what a newer version might send


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (_name_agency, "agency: own"),
        (_name_nobody, "agency: own"),
        (_move, "agency: own"),
        (_lengthen, "public_key: length"),
        (_end, "expire_time: range"),
        (_outlive, "expire_time: range"),
        (_reverse, "expire_time: range"),
        (_unknown_use, "use: enum.defined_only"),
    ],
)
def test_a_statement_that_breaks_a_rule_is_refused_by_name(change: Callable[[KeyStatement], None], field: str) -> None:
    county = County()
    envelopes = [*county.statements(), resigned(county, change)]
    with pytest.raises(Invalid) as refused:
        check(county, envelopes)
    assert refused.value.fields == (f"keys[6].{field}",)


def _alter(county: County, envelopes: list[SignedEnvelope]) -> None:
    altered(envelopes)


def _sign_elsewhere(county: County, envelopes: list[SignedEnvelope]) -> None:
    statement = county.statement(KEY_USE_ENVELOPE, county.envelope_key.public_bytes)
    envelopes[0].CopyFrom(certify(statement, SigningKey.generate()))


def _mislabel(county: County, envelopes: list[SignedEnvelope]) -> None:
    envelopes[0].key_id = bytes(16)


@pytest.mark.parametrize("spoil", [_alter, _sign_elsewhere, _mislabel])
def test_a_statement_that_the_root_did_not_sign_is_refused(spoil: Spoil) -> None:
    county = County()
    envelopes = county.statements()
    spoil(county, envelopes)
    with pytest.raises(Invalid) as refused:
        check(county, envelopes)
    assert refused.value.fields == ("keys[0]: county_root_signature",)


def test_one_key_is_stated_once() -> None:
    county = County()
    with pytest.raises(Invalid) as refused:
        check(county, [*county.statements(), county.statements()[0]])
    assert refused.value.fields == ("keys: unique",)


@pytest.mark.parametrize("missing", [0, 1, 5], ids=["envelope", "assertion", "seal"])
def test_without_the_keys_that_every_adapter_needs_nobody_enrolls(missing: int) -> None:
    county = County()
    envelopes = county.statements()
    del envelopes[missing]
    with pytest.raises(Invalid) as refused:
        check(county, envelopes)
    assert refused.value.fields == ("keys: necessary_uses",)
