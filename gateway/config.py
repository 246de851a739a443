"""The settings of a gateway and of a custodian: one file for each process, checked whole at start.

Decides which settings exist, their bounds and their defaults. Secrets are not settings: they are files of their own
beside it (`state`). A relative name in a file is never needed: everything a process owns lies in its directory.
"""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator

from gateway.protocol.addresses import address_text, split_address, stands_for_all
from gateway.protocol.strict_yaml import Duration, FieldProblems, StrictModel, load
from gateway.protocol.telemetry_settings import TelemetrySettings

GATEWAY_FILE: Final = "gateway.yaml"
CUSTODIAN_FILE: Final = "custodian.yaml"


def _dialed(text: str) -> str:
    host, port = split_address(text)
    if stands_for_all(host):
        raise ValueError("others dial this: a name or one address of this machine, not all of them")
    if port == 0:
        raise ValueError("others dial this: it needs the port itself, and 0 stands for any that is free")
    return text


def _certificate_life(life: timedelta) -> timedelta:
    # Renewal happens at two thirds of the life; below ten minutes a slow network would end an identity.
    if not timedelta(minutes=10) <= life <= timedelta(days=7):
        raise ValueError("between 10m and 7d")
    return life


TrustDomain = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Address = Annotated[str, AfterValidator(address_text)]
Dialed = Annotated[str, AfterValidator(_dialed)]
Origin = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9./-]{0,126}$")]
CountyPair = Annotated[str, StringConstraints(pattern=r"^[0-9]{5}/[0-9]{5}$")]
CertificateLife = Annotated[Duration, AfterValidator(_certificate_life)]


class Budgets(StrictModel):
    """How many records a holder of the token key evaluates for an agency, and when it raises an alarm.

    At the gateway also how many questions it answers: as many as look-ups, because a question costs its asker one.

    Daily limits are what makes a roster attack slow: at 200 questions a day, each with room for three names, half a
    million names take more than two years (README, Who can learn what). A holder counts by itself: where `t` of `n`
    make a token, an agency that picks its holders gets `n/t` times these figures. Days are UTC.
    """

    lookups_a_day: Annotated[int, Field(ge=1, le=10_000_000)] = 200
    """Of one agency; registrations beyond its caseload among them, of youths who come into care later."""
    lookups_a_worker_a_day: Annotated[int, Field(ge=1, le=10_000_000)] = 100
    """Of one member of its staff, known by the pseudonym of the day."""
    undeclared_caseload: Annotated[int, Field(ge=1, le=10_000_000)] = 1000
    """Caseload of an agency for which no figure was declared (`homeward custodian caseload`). A caseload may be
    registered once in an epoch, and is not given again each day: a registration is a guess too."""
    caseload_margin_percent: Annotated[int, Field(ge=0, le=1000)] = 25
    """What may be registered beyond the caseload, for youths whose names or dates are corrected."""
    elements_a_record: Annotated[int, Field(ge=1, le=256)] = 89
    """Elements one record has in the match-key scheme in use. A batch has exactly that many for each of its records:
    more or fewer would be another price."""
    alarm_percent: Annotated[int, Field(ge=1, le=99)] = 80
    """How much of a budget is used when the alarm is written; a second one is written when nothing is left."""


class Holding(StrictModel):
    """When an agency's look-ups are held until the operator releases them: almost all of the last found nobody.

    Ordinary work finds nobody in 10 to 30 of 100 look-ups where counties list all youths in care. Where they list
    flagged youths alone almost every honest question finds nobody: then switch it off.
    """

    enabled: bool = True
    lookups: Annotated[int, Field(ge=20, le=10_000)] = 200
    """How many of the last are looked at."""
    misses_percent: Annotated[int, Field(ge=50, le=100)] = 95


class Matching(StrictModel):
    """What tokens alone are good for."""

    auto: bool = False
    """Whether a unique full agreement releases records. Off until calibrated on adjudicated pairs (TOKENS §7);
    a raised flag's status is told either way."""
    possible_a_day: Annotated[int, Field(ge=1, le=10_000_000)] = 60
    """Questions of an agency on one day that may be only *possible* before an alarm; none is refused for it. In
    ordinary work at most one in four or five is; where 50,000 youths are listed, twelve common given names with a birth
    date are such a hit more often than not."""


class Sandbox(StrictModel):
    """Only for a demonstration, and refused without `demo: true`."""

    record_messages: Path | None = None
    """Every message received is written here, one file each, for inspection."""


def _interval(every: timedelta) -> timedelta:
    if not timedelta(seconds=1) <= every <= timedelta(minutes=1):
        raise ValueError("between 1s and 1m")
    return every


def _unwitnessed(limit: timedelta) -> timedelta:
    # Shorter, and one restart of a county's adapter would end disclosure; longer, and nobody would call it watched.
    if not timedelta(seconds=5) <= limit <= timedelta(days=1):
        raise ValueError("between 5s and 1d")
    return limit


class Publish(StrictModel):
    """Where the log is published (audit/README.md), for any web server or `homeward audit serve`."""

    directory: Path = Path("published")
    """Relative to the gateway's directory."""
    interval: Annotated[Duration, AfterValidator(_interval)] = timedelta(seconds=1)
    ml_dsa: bool = False
    """Whether the log signs with ML-DSA-44 beside Ed25519; its key is made when first needed."""


def _mirror_interval(every: timedelta) -> timedelta:
    # Longer, and what a lost disk takes with it is more than counties can be asked to repeat.
    if not timedelta(seconds=10) <= every <= timedelta(days=1):
        raise ValueError("between 10s and 1d")
    return every


class Mirror(StrictModel):
    """Where a serving process keeps a mirror of its log, and how often it brings it up to date (audit/README.md)."""

    directory: Path
    """Relative to the process's directory. Never made: where it is missing, its storage is not mounted."""
    every: Annotated[Duration, AfterValidator(_mirror_interval)] = timedelta(minutes=1)
    """A round begins so long after the one before; later where rounds would take more than a tenth of the time."""
    same_file_system: bool = False
    """Whether the mirror may lie where the log's database does, and be lost with it. For a trial."""


class Release(StrEnum):
    """When a disclosure may leave."""

    SEQUENCED = "sequenced"
    """Its entry is durable and signed by the log."""
    WITNESSED = "witnessed"
    """And it stands under a checkpoint that the policy's witnesses cosigned."""


class Witnesses(StrictModel):
    """Who must see the log grow before its checkpoint is published."""

    policy: Path | None = None
    """tlog-policy file, relative to the gateway's directory: who counts, how many, and where outsiders are reached."""
    quorum: Annotated[int, Field(ge=0, le=32)] = 0
    """Where there is no policy file: how many linked adapters must cosign."""
    release: Release = Release.SEQUENCED
    limit: Annotated[Duration, AfterValidator(_unwitnessed)] = timedelta(minutes=15)
    """Nothing is disclosed while an entry older than this is not published with its quorum."""

    @field_validator("quorum")
    @classmethod
    def _one_rule(cls, value: int, info: ValidationInfo) -> int:
        if value and info.data.get("policy") is not None:
            raise ValueError("give a policy file or a quorum, not both")
        return value


def _only_in_demo(sandbox: Sandbox, info: ValidationInfo) -> Sandbox:
    if sandbox.record_messages is not None and info.data.get("demo") is False:
        raise FieldProblems((("record_messages",), "needs demo: true"))
    return sandbox


class GatewayConfig(StrictModel):
    """gateway.yaml."""

    trust_domain: TrustDomain
    name: Name
    """Last part of its channel identity, `spiffe://<trust domain>/gateway/<name>`; also its name as key holder."""
    listen: Address
    address: Dialed
    """What others dial; differs from `listen` behind a load balancer."""
    enroll_listen: Address
    enroll_address: Dialed
    log_origin: Origin
    certificate_life: CertificateLife = timedelta(hours=24)
    counties_without_agreement: tuple[CountyPair, ...] = ()
    budgets: Budgets = Budgets()
    telemetry: TelemetrySettings = TelemetrySettings()
    matching: Matching = Matching()
    publish: Publish = Publish()
    witnesses: Witnesses = Witnesses()
    mirror: Mirror | None = None
    high_water: Path | None = None
    """Directory on other storage for the log's high-water record, relative to the process's. Never made."""
    hold: Holding = Holding()
    court_custodian: Path | None = None
    """File with the public key of the court's custodian, relative to the gateway's directory. A sealed youth's audit
    key goes to it and leaves the exchange; without it nothing can be sealed (`homeward court new-key`)."""
    negative_slot_ms: Annotated[int, Field(ge=100, le=5000)] = 1000
    """Negative answers about records leave on multiples of this. Longer than a county's source takes to refuse, so
    that an unknown youth and one whose county refuses take equally long."""
    demo: bool = False
    """Demonstration: invented youths only. Shown at start-up; allows reflection."""
    sandbox: Annotated[Sandbox, AfterValidator(_only_in_demo)] = Sandbox()


class CustodianConfig(StrictModel):
    """custodian.yaml."""

    trust_domain: TrustDomain
    operator: Name
    listen: Address
    address: Dialed
    log_origin: Origin
    certificate_life: CertificateLife = timedelta(hours=24)
    budgets: Budgets = Budgets()
    telemetry: TelemetrySettings = TelemetrySettings()
    mirror: Mirror | None = None
    high_water: Path | None = None
    """Directory on other storage for the log's high-water record, relative to the process's. Never made."""
    demo: bool = False
    """Demonstration: invented youths only."""
    sandbox: Annotated[Sandbox, AfterValidator(_only_in_demo)] = Sandbox()


def load_gateway(directory: Path) -> GatewayConfig:
    """The settings in this directory. Raises `DocumentErrors` with every problem, or OSError."""
    path = directory / GATEWAY_FILE
    return load(path.read_bytes(), GatewayConfig, origin=str(path))


def load_custodian(directory: Path) -> CustodianConfig:
    """The settings in this directory. Raises `DocumentErrors` with every problem, or OSError."""
    path = directory / CUSTODIAN_FILE
    return load(path.read_bytes(), CustodianConfig, origin=str(path))
