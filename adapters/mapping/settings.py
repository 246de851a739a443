"""Names a county may map its facility types to, and what each becomes.

Decides the table from a name in the county's file to a setting group and code, an absence, or another state. Wire
names (`strtp`, `congregate_care`) stand beside the words people use (`foster_home`, `hospital`), so that a county
writes what a facility is and the table decides what may be known of it. The county's own codes are never guessed:
they come from the county's code table into its file (DOMAIN §2.2).
"""

from dataclasses import dataclass
from typing import Final

from adapters.records import GROUP_OF_CODE, AbsenceCategory, SettingCode, SettingGroup, masked_code


@dataclass(frozen=True, slots=True)
class Setting:
    """What a facility type says."""

    group: SettingGroup
    code: SettingCode | None = None
    absence: AbsenceCategory | None = None
    """The row is an absence told as a living arrangement (AFCARS E120 = 12, 13), not a placement."""
    out_of_state: bool = False


UNKNOWN_SETTING: Final = Setting(SettingGroup.OTHER_SETTING)
"""Stands for a facility code that the map does not hold."""


def _of(code: SettingCode, *, out_of_state: bool = False) -> Setting:
    group = GROUP_OF_CODE[code]
    return Setting(group, masked_code(group, code), out_of_state=out_of_state)


def _absence(category: AbsenceCategory) -> Setting:
    return Setting(SettingGroup.OTHER_SETTING, absence=category)


# What the group hides must not return by another door: hospital, custody and respite share one value (DOMAIN §2.5).
_WORDS: Final[dict[str, Setting]] = {
    "foster_home": _of(SettingCode.RESOURCE_FAMILY_HOME),
    "relative": _of(SettingCode.RELATIVE_NREFM),
    "group_home": _of(SettingCode.GROUP_HOME_LEGACY),
    "community_treatment_facility": Setting(SettingGroup.CONGREGATE_CARE),
    "out_of_state": _of(SettingCode.OUT_OF_STATE_CONGREGATE, out_of_state=True),
    "out_of_state_family": Setting(SettingGroup.FAMILY_HOME, out_of_state=True),
    "county_shelter": _of(SettingCode.TEMP_SHELTER_CARE),
    "hospital": UNKNOWN_SETTING,
    "medical_facility": UNKNOWN_SETTING,
    "juvenile_justice_facility": UNKNOWN_SETTING,
    "respite": UNKNOWN_SETTING,
    "unknown": UNKNOWN_SETTING,
    "runaway": _absence(AbsenceCategory.RUNAWAY),
    "whereabouts_unknown": _absence(AbsenceCategory.WHEREABOUTS_UNKNOWN),
}

SETTINGS: Final[dict[str, Setting]] = (
    {group.value.lower(): Setting(group) for group in SettingGroup}
    | {code.value.lower(): _of(code) for code in SettingCode}
    | _WORDS
    | {"out_of_state_congregate": _of(SettingCode.OUT_OF_STATE_CONGREGATE, out_of_state=True)}
)
"""Every name that may stand on the right of a facility map."""
