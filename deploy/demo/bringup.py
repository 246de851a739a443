"""From an empty directory to a running exchange, by the commands an operator would type.

Decides their order (CONTRACT of the operators' day one): deal the key shares, make gateway and custodian, let each know
the other, serve, then for each agency invite, join, admit and run. Steps that do not wait for each other run at once.
Does not decide when the whole is ready for questions (`sandbox`).
"""

import json
from datetime import date
from pathlib import Path
from typing import Final

from deploy.demo.commands import Commands
from deploy.demo.counties import Agency, SourceKind
from deploy.demo.county_files import DATA, DATABASE, ISSUER, county_file
from deploy.demo.issuer import make_issuer
from deploy.demo.layout import Layout, Member
from deploy.demo.ports import free_addresses
from deploy.demo.processes import Launch, Running, Starting
from deploy.demo.write_csv import write_extract
from deploy.demo.write_sql import write_database
from deploy.demo.youths import Caseload
from homeward.failure import CommandFailure

TRUST_DOMAIN: Final = "sandbox.example"
CUSTODIAN_OPERATOR: Final = "invented-auditor"
ADAPTER_FILE: Final = "adapter.yaml"
GATEWAY: Final = "gateway"
CUSTODIAN: Final = "custodian"
_BOTH_SETTINGS: Final = """
# Only in a sandbox: every received message is kept for inspection, and a developer may look up as often as needed.
sandbox: {{ record_messages: {directory} }}
budgets: {{ lookups_a_day: 10000000, lookups_a_worker_a_day: 10000000, undeclared_caseload: 1000000 }}
"""
_GATEWAY_SETTINGS: Final = """# A match by tokens alone is good for records.
matching: {{ auto: true }}
# A developer may ask about nobody as often as needed.
hold: {{ enabled: false }}
# A source that nobody else asks answers within some 30 ms: what it refuses leaves on the slot of what nobody knows.
negative_slot_ms: 250
# So many counties must have seen the log grow before its checkpoint is published.
witnesses: {{ quorum: QUORUM }}
# Whoever keeps the keys of sealed youths for the court; the private half is the court's own.
court_custodian: ../court.pub
"""


def bring_up_holders(layout: Layout, commands: Commands, launch: Launch, *, quorum: int) -> list[Running]:
    """Gateway and custodian serve, each with its share, and trust each other. Raises `CommandFailure`; none runs then.

    The gateway already serves while the custodian is made, as a gateway does that gains another holder.
    """
    log = layout.logs / "setup.log"
    commands.run("custodian", "deal", "--threshold", "2", "--holders", "2", "--out", str(layout.ceremony), log=log)
    gateway, enroll, custodian = free_addresses(3)
    commands.run(
        "gateway", "init", str(layout.gateway), "--trust-domain", TRUST_DOMAIN, "--listen", gateway,
        "--enroll-listen", enroll, "--share", str(layout.ceremony / "share-1.bin"), "--demo", log=log,
    )  # fmt: skip
    commands.run("court", "new-key", str(layout.root / "court.key"), str(layout.root / "court.pub"), log=log)
    settings = _BOTH_SETTINGS + _GATEWAY_SETTINGS.replace("QUORUM", str(quorum))
    _settle(layout.gateway / "gateway.yaml", settings, layout.received / GATEWAY)
    starting = [serve_holder(layout, GATEWAY, launch)]
    try:
        commands.run(
            "custodian", "init", str(layout.custodian), "--share", str(layout.ceremony / "share-2.bin"),
            "--operator", CUSTODIAN_OPERATOR, "--gateway-card", str(layout.gateway / "card.json"),
            "--listen", custodian, "--demo", log=log,
        )  # fmt: skip
        _settle(layout.custodian / "custodian.yaml", _BOTH_SETTINGS, layout.received / CUSTODIAN)
        starting.append(serve_holder(layout, CUSTODIAN, launch))
        serving = [starting[0].wait()]
        card = str(layout.custodian / "card.json")
        commands.run("gateway", "trust", str(layout.gateway), "--custodian-card", card, log=log)
        return [*serving, starting[1].wait()]
    except CommandFailure:
        for process in starting:
            process.end()
        raise


def serve_holder(layout: Layout, name: str, launch: Launch) -> Starting:
    """`gateway` or `custodian` has been started."""
    return launch(name, name, "serve", str(layout.root / name), directory=layout.logs)


def make_agency(layout: Layout, agency: Agency, caseload: Caseload, *, today: date) -> None:
    """The agency's own directory holds its file, its data and its token issuer."""
    directory = layout.agency(agency.letter)
    (directory / DATA).mkdir(mode=0o700, parents=True)
    make_issuer(directory / ISSUER)
    if agency.source is SourceKind.CSV:
        write_extract(directory / DATA, caseload.a, today=today)
    elif agency.source is SourceKind.SQL:
        write_database(directory / DATABASE, caseload.b, caseload.referral)
    (directory / ADAPTER_FILE).write_text(county_file(agency, directory), encoding="utf-8")


def enlist(
    layout: Layout, agency: Agency, commands: Commands, launch: Launch, *, county_root: Path | None = None
) -> Running:
    """The agency was invited, has joined, is admitted by the custodian, and its adapter is ready.

    `county_root`: key file of the county's root, where another agency of the county joined before.
    """
    log = layout.logs / f"setup-{agency.letter.lower()}.log"
    phones = ("--duty-line", agency.duty_line, "--hotline", agency.hotline) if agency.duty_line else ()
    invited = json.loads(
        commands.run(
            "gateway",
            "invite",
            str(layout.gateway),
            agency.agency_id,
            "--kind",
            agency.kind,
            *phones,
            "--expires",
            "1h",
            "--json",
            log=log,
        )
    )
    directory = layout.agency(agency.letter)
    root = ("--county-root", str(county_root)) if county_root else ()
    joined = json.loads(commands.run("join", invited["line"], "--dir", str(directory), *root, "--json", log=log))
    # Started before the custodian's operator admits the county, as in life: it waits until it is listed.
    adapter = serve_adapter(layout, agency.letter, launch)
    try:
        if county_root is None:
            fingerprint = joined["county_root_fingerprint"]
            commands.run("custodian", "admit", str(layout.custodian), agency.fips, "--root", fingerprint, log=log)
    except CommandFailure:
        adapter.end()
        raise
    return adapter.wait()


def serve_adapter(layout: Layout, letter: str, launch: Launch) -> Starting:
    """The agency's adapter has been started."""
    place = str(layout.agency(letter))
    return launch(adapter_name(letter), "adapter", "run", "--dir", place, directory=layout.logs)


def adapter_name(letter: str) -> str:
    """Name of an agency's adapter among the sandbox's processes."""
    return f"adapter-{letter.lower()}"


def member_of(layout: Layout, agency: Agency, adapter: Running) -> Member:
    """How county systems reach the agency's adapter."""
    certificate = layout.agency(agency.letter) / "state" / "local-tls" / "ca.pem"
    return Member(agency.letter, agency.agency_id, str(adapter.ready["local"]), certificate)


def _settle(settings: Path, text: str, received: Path) -> None:
    received.mkdir(mode=0o700, parents=True, exist_ok=True)
    with settings.open("a", encoding="utf-8") as file:
        file.write(text.format(directory=json.dumps(str(received))))
