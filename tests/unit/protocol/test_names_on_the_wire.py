"""Shared lists and wire enums agree; channel identities have one spelling."""

from enum import StrEnum

import pytest
from google.protobuf.message import Message

from buf.validate import validate_pb2
from gateway.protocol.names import FieldSet, Purpose
from gateway.protocol.parse import MalformedMessage
from gateway.protocol.spiffe import ChannelKind, IdentityMalformed, parse_spiffe
from gateway.protocol.wire_names import WIRE_ENUMS, from_wire, prefix_of, to_wire
from homeward.county.v1 import authority_pb2 as county_authority
from homeward.gateway.v1 import authority_pb2 as gateway_authority


@pytest.mark.parametrize("names_type", WIRE_ENUMS, ids=lambda each: each.__name__)
def test_every_shared_list_has_the_same_values_on_the_wire(names_type: type) -> None:
    wire = WIRE_ENUMS[names_type]
    prefix = prefix_of(wire)
    on_wire = {value.name.removeprefix(prefix) for value in wire.DESCRIPTOR.values if value.number}
    assert on_wire == {str(value) for value in names_type}  # type: ignore[attr-defined]
    assert all(from_wire(names_type, to_wire(value)) == value for value in names_type)  # type: ignore[attr-defined]


@pytest.mark.parametrize("message", [gateway_authority.Authority, county_authority.RecordAuthorityRequest])
def test_an_authority_can_name_every_purpose_and_every_field_set(message: type[Message]) -> None:
    lists: dict[str, type[StrEnum]] = {"purposes": Purpose, "field_sets": FieldSet}
    for name, values in lists.items():
        rules = message.DESCRIPTOR.fields_by_name[name].GetOptions().Extensions[validate_pb2.field]
        assert rules.repeated.max_items == len(values)


@pytest.mark.parametrize("number", [0, 99, -1])
def test_unspecified_and_unknown_numbers_are_refused(number: int) -> None:
    with pytest.raises(MalformedMessage):
        from_wire(Purpose, number)


def test_a_channel_identity_reads_back_as_written() -> None:
    uri = "spiffe://exchange.example/county/06037/cwa/adapter/a1"
    identity = parse_spiffe(uri)
    assert (identity.uri, identity.agency, identity.kind) == (uri, "06037.cwa", ChannelKind.ADAPTER)
    assert parse_spiffe("spiffe://exchange.example/gateway/main").agency is None


@pytest.mark.parametrize(
    "uri",
    [
        "spiffe://exchange.example/county/06037/cwa/adapter/a1/",
        "spiffe://exchange.example/county/06037/cwa/adapter/A1",
        "spiffe://exchange.example/county/06037/cw%61/adapter/a1",
        "spiffe://exchange.example/county/06037/cwa%2fadapter/a1",
        "spiffe://exchange.example/county/6037/cwa/adapter/a1",
        "spiffe://exchange.example//county/06037/cwa/adapter/a1",
        "spiffe://exchange.example:443/county/06037/cwa/adapter/a1",
        "spiffe://Exchange.example/county/06037/cwa/adapter/a1",
        "spiffe://exchange.example/county/06037/cwa/adapter/a1?x",
        "https://exchange.example/county/06037/cwa/adapter/a1",
        "spiffe://exchange.example/county/06037/cwa/adapter/a1\n",
        "",
    ],
)
def test_any_other_spelling_is_refused(uri: str) -> None:
    with pytest.raises(IdentityMalformed):
        parse_spiffe(uri)
