"""The county's whole file: one for each adapter process, checked at start with every problem at its place.

Decides the settings of the process; those of sources, identity, records and release come from `mapping.sections`,
those of staff from `staff`. Secrets are not settings (`secrets:` says where they are found), and neither is who the
adapter is: that came with joining and lies in the state directory.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, field_validator

from adapters.mapping.sections import CountySections, Fault
from adapters.node.alert_runs import QUIET
from adapters.node.listing import IndexPolicy, Restricted
from adapters.sources.config import known_zone
from adapters.staff import StaffConfig
from adapters.staff_keys import KeysLookedAt, KeysNeeded
from gateway.protocol.addresses import address_text, is_loopback, split_address
from gateway.protocol.decide import CountyNarrowing
from gateway.protocol.names import FieldSet, NameSyntaxError, Purpose, Role, parse_agency_id, parse_role
from gateway.protocol.strict_yaml import Duration, StrictModel, load
from gateway.protocol.telemetry_settings import TelemetrySettings
from gateway.protocol.written import Written
from homeward.failure import CommandFailure

FILE_NAME: Final = "adapter.yaml"


def _heartbeat(every: timedelta) -> timedelta:
    # The exchange counts a list as stale after 15 minutes of silence; three lost heartbeats must not reach that.
    if not timedelta(seconds=1) <= every <= timedelta(minutes=5):
        raise ValueError("between 1s and 5m")
    return every


def _refresh(every: timedelta) -> timedelta:
    if not timedelta(seconds=1) <= every <= timedelta(days=1):
        raise ValueError("between 1s and 1d")
    return every


def _quiet(time: timedelta) -> timedelta:
    # Longer than a shift of a duty line is no throttle any more but silence.
    if not timedelta(seconds=1) <= time <= timedelta(hours=8):
        raise ValueError("between 1s and 8h")
    return time


class IndexConfig(StrictModel):
    """The `index:` section: whom this county lists in the exchange's blind index."""

    scope: Literal["all_in_care", "flagged_only"] = "all_in_care"
    sealed: Restricted = Restricted.REGISTER
    """Sealed youths: listed as sealed, so that nobody finds them, or not listed."""
    sensitive: Restricted = Restricted.REGISTER
    heartbeat: Annotated[Duration, AfterValidator(_heartbeat)] = timedelta(seconds=60)

    @property
    def policy(self) -> IndexPolicy:
        """The section as the node takes it."""
        return IndexPolicy(
            flagged_only=self.scope == "flagged_only",
            sealed=self.sealed,
            sensitive=self.sensitive,
            heartbeat_seconds=self.heartbeat.total_seconds(),
        )


NameText = Annotated[str, Field(min_length=1, max_length=40)]


class NamesConfig(StrictModel):
    """The `names:` section: what this county knows of names that the shipped tables do not."""

    short_forms: dict[NameText, tuple[NameText, ...]] = Field(default_factory=dict, max_length=1000)
    """Names and the short forms that youths here go by; they are added to the shipped ones, and replace none."""


class AlertsConfig(StrictModel):
    """The `alerts:` section: how staff are told what happens to the county's own youths."""

    quiet: Annotated[Duration, AfterValidator(_quiet)] = QUIET
    """How long checks of one flag by one agency are only counted after the first was told of."""


class NeverConfig(StrictModel):
    """The `never:` section: what this county answers to nobody, or not to some, whatever the policy permits."""

    purposes: tuple[Purpose, ...] = ()
    roles: tuple[str, ...] = ()
    agencies: tuple[str, ...] = ()
    field_sets: tuple[FieldSet, ...] = ()

    @field_validator("roles")
    @classmethod
    def _known_roles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(parse_role(role) for role in value)
        except NameSyntaxError as exc:
            raise ValueError("no such role; homeward policy show lists them") from exc

    @field_validator("agencies")
    @classmethod
    def _well_formed(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(parse_agency_id(agency) for agency in value)
        except NameSyntaxError as exc:
            raise ValueError('an agency is written "<five-digit FIPS>.<office>", for example "06037.cwa"') from exc

    @property
    def narrowing(self) -> CountyNarrowing:
        """The section as the decision takes it."""
        return CountyNarrowing(
            purposes=frozenset(self.purposes),
            roles=frozenset(Role(role) for role in self.roles),
            agencies=frozenset(parse_agency_id(agency) for agency in self.agencies),
            field_sets=frozenset(self.field_sets),
        )


class AdapterConfig(CountySections):
    """The whole file."""

    version: Literal[1]
    name: str = Field(min_length=1, max_length=120, examples=['"Demo County Child Welfare"'])
    """Of the agency, for people; never sent."""
    state: Path = Path("state")
    """State directory; relative to the file."""
    listen: Annotated[str, AfterValidator(address_text)] = Field(default="127.0.0.1:8444")
    """Where county systems reach the adapter; port 0 takes a free one."""
    allow_other_hosts: bool = False
    """Whether an address that other machines reach is meant."""
    sandbox: bool = False
    """Whether reflection is offered; never with records of real youths."""
    zone: Annotated[str, AfterValidator(known_zone)] = "America/Los_Angeles"
    """Time zone in which the county's days begin."""
    refresh: Annotated[Duration, AfterValidator(_refresh)] = timedelta(minutes=5)
    """How often the sources are read."""
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)
    """Off unless the county names a collector of its own."""
    staff: StaffConfig
    index: IndexConfig = Field(default_factory=IndexConfig)
    names: NamesConfig = Field(default_factory=NamesConfig)
    never: NeverConfig = Field(default_factory=NeverConfig)
    alerts: AlertsConfig = Field(default_factory=AlertsConfig)

    @classmethod
    def between(cls, written: Written) -> Iterator[Fault]:
        """Settings that do not go together."""
        yield from super().between(written)
        yield from _listening(written.document)

    @property
    def tzinfo(self) -> ZoneInfo:
        """The zone."""
        return ZoneInfo(self.zone)

    def state_directory(self, file: Path) -> Path:
        """The state directory of the adapter whose file this is."""
        return file.parent / self.state


def _listening(document: Mapping[str, object]) -> Iterator[Fault]:
    """Whoever reaches the adapter's port and holds a staff token can ask: that others do must be meant."""
    address = document.get("listen")
    if not isinstance(address, str) or document.get("allow_other_hosts") is True:
        return
    with suppress(ValueError):
        host, port = split_address(address)
        if not is_loopback(host):
            other = "or allow_other_hosts: true where the county's systems are on other machines"
            yield ("listen",), f"not a loopback address: write 127.0.0.1:{port}, {other}"


def unreadable(file: Path, error: OSError) -> CommandFailure:
    """The words for a county file that cannot be read."""
    why, fix = error.strerror or type(error).__name__, "check what it is, and its permissions"
    if isinstance(error, FileNotFoundError):
        why, fix = (
            "there is no such file",
            "write it as deploy/county.example.yaml shows, or say where it is: --dir or --config",
        )
    return CommandFailure("ADAPTER-001", "the county file cannot be read", where=str(file), why=why, fix=fix)


def read_config(file: Path, *, keys: KeysNeeded = KeysNeeded.LATER) -> AdapterConfig:
    """The settings in the file. Raises `DocumentErrors` with every problem; `OSError` when it cannot be read."""
    looked = KeysLookedAt(file.parent, keys)
    return load(file.read_bytes(), AdapterConfig, origin=str(file), context=looked)
