"""From the code lists of the canonical records to those of the wire: names are equal, only the type changes."""

from enum import StrEnum
from typing import Any, Final, TypeVar, cast

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from adapters import records
from gateway.protocol.wire_names import prefix_of
from homeward.gateway.v1 import codes_pb2 as codes

E = TypeVar("E", bound=int)

LISTS: Final[dict[type[StrEnum], Any]] = {
    records.SettingGroup: codes.SettingGroup,
    records.SettingCode: codes.SettingCode,
    records.CaregiverRelationshipGroup: codes.CaregiverRelationshipGroup,
    records.MoveReasonGroup: codes.MoveReasonGroup,
    records.ExitGroup: codes.ExitGroup,
    records.AbsenceCategory: codes.AbsenceCategory,
    records.ResolutionGroup: codes.ResolutionGroup,
    records.TransferStatus: codes.TransferStatus,
    records.IcpcStatus: codes.IcpcStatus,
}
"""Each list of the records and the wire's list of the same meaning."""


def wire_code(kind: type[E], value: StrEnum) -> E:
    """The value in the wire's list `kind`. Raises ValueError where the list has no value of this name."""
    wrapper = cast(EnumTypeWrapper, kind)
    return cast(E, wrapper.Value(prefix_of(wrapper) + value.value))
