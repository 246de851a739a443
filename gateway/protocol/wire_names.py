"""Between the closed lists of `names` and the enums of the protocol.

A wire enum prefixes each value with its list's name; UNSPECIFIED and unknown numbers are
refused (AIP-126). One table for all lists, so that a list added to one side only fails a test.
"""

import re
from enum import StrEnum
from functools import cache
from typing import Final, TypeVar

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from gateway.protocol import names
from gateway.protocol.matching.evidence import Agreement, Trait
from gateway.protocol.outcomes import Outcome
from gateway.protocol.parse import MalformedMessage
from homeward.gateway.v1 import authority_pb2, codes_pb2, index_pb2, review_pb2

E = TypeVar("E", bound=StrEnum)

WIRE_ENUMS: Final[dict[type[StrEnum], EnumTypeWrapper]] = {
    names.Purpose: codes_pb2.Purpose,
    names.AgencyKind: codes_pb2.AgencyKind,
    names.Basis: codes_pb2.Basis,
    names.FieldSet: codes_pb2.FieldSet,
    names.EvidenceKind: codes_pb2.EvidenceKind,
    names.FlagState: codes_pb2.FlagState,
    names.HandlingCode: codes_pb2.HandlingCode,
    names.DisclosureMode: codes_pb2.DisclosureMode,
    names.Notice: codes_pb2.Notice,
    names.Obligation: codes_pb2.Obligation,
    names.Grantor: authority_pb2.Grantor,
    names.Restriction: index_pb2.Restriction,
    Outcome: codes_pb2.Outcome,
    Trait: review_pb2.EvidenceTrait,
    Agreement: review_pb2.Agreement,
}
"""Each shared list and its wire enum."""


def prefix_of(wire: EnumTypeWrapper) -> str:
    """`SETTING_GROUP_` for SettingGroup: what every value of the wire enum begins with."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", wire.DESCRIPTOR.name).upper() + "_"


def to_wire(value: StrEnum) -> int:
    """The wire number of a value of a shared list."""
    return _tables(type(value))[0][value]


def from_wire(names_type: type[E], number: int) -> E:
    """The value a wire number stands for. Raises `MalformedMessage` for 0 and for unknown numbers."""
    value = _tables(names_type)[1].get(number)
    if value is None:
        raise MalformedMessage(f"{names_type.__name__}: enum.defined_only")
    return names_type(value)


@cache
def _tables(names_type: type[StrEnum]) -> tuple[dict[StrEnum, int], dict[int, StrEnum]]:
    wire = WIRE_ENUMS[names_type]
    prefix = prefix_of(wire)
    forward = {value: wire.Value(prefix + value) for value in names_type}
    return forward, {number: value for value, number in forward.items()}
