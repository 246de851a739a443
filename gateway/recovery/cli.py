"""`homeward audit fsck`, `mirror` and `recover`: for whoever operates a gateway or a custodian.

Decides the words where something holds or was done; what is said where it does not is in `faults`.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
from google.protobuf.message import DecodeError

from audit.checkpoint import Checkpoint
from audit.errors import EvidenceError, EvidenceReason, LogBusy, LogUnavailable
from audit.heal import Healed
from audit.new_path import new_path
from audit.stopping import StopMark
from gateway.acting import BROKEN, broken, refusal
from gateway.config import CUSTODIAN_FILE, GATEWAY_FILE
from gateway.errors import ErrorReason
from gateway.protocol.succession import SuccessionInvalid
from gateway.recovery.checking import check_everything
from gateway.recovery.declare import declare, open_declared
from gateway.recovery.faults import does_not_hold
from gateway.recovery.record import make_anew, settle_record
from gateway.recovery.repair import Place, go_on, heal_as_far_as, heal_from, keep_configured, keep_mirror, place_of
from gateway.recovery.sound_lines import mirror_fields, sound_lines
from gateway.running import utc_now
from gateway.state import PRIVATE_FILE, State, write_new
from gateway.store.mended import Mending
from homeward.failure import CommandFailure, ExitCode
from homeward.gateway.v1.directory_pb2 import LossDeclaration

Result = TypeVar("Result")
_DIRECTORY = click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_CHECKPOINTS = click.option(
    "--checkpoint",
    "checkpoints",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="File with a checkpoint that a witness or a county kept. May be given more than once.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")


@click.command()
@_DIRECTORY
@click.option("--mirror", type=_FOLDER, help="Check this mirror too.")
@_CHECKPOINTS
@_JSON
def fsck(directory: Path, mirror: Path | None, checkpoints: tuple[Path, ...], as_json: bool) -> None:
    """Check everything that lies in DIR: entries, tree, checkpoints, tables, published files, and a mirror.

    Changes nothing and waits for nobody. Exits with 0 if all of it holds, with 6 at the first that does not. A mirror
    that only lags behind the log holds: how far, and since when, is said; and so is an erasing that waits for a start.
    """
    sound = _evidence(directory, lambda place: check_everything(place, checkpoints=checkpoints, mirror=mirror))
    lines = list(sound_lines(directory, sound))
    if not as_json:
        click.echo("\n".join(lines))
        return
    standing = {"mirror": mirror_fields(sound.mirror)} if sound.mirror is not None else {}
    click.echo(
        json.dumps(
            {"ok": True, "checked": lines, "erasing_waits": sound.erasing_waits, "high_water": sound.record, **standing}
        )
    )


@click.command()
@_DIRECTORY
@click.argument("target", type=_FOLDER, metavar="[MIRROR]", required=False)
@_JSON
def mirror(directory: Path, target: Path | None, as_json: bool) -> None:
    """Bring the mirror in the directory MIRROR up to date with the log in DIR, which may be serving.

    Without MIRROR: the one that the settings in DIR name. It belongs on other storage. It holds what a log needs to be
    healed, sealed under DIR/secrets/mirror.key: keep a copy of that key elsewhere, and not beside the mirror.
    """

    def work(place: Place) -> Checkpoint:
        if target is not None:
            return keep_mirror(place, target)
        if place.mirror is None:
            raise CommandFailure(
                "USAGE-001", "no mirror is named", where=str(directory),
                why="the settings name none, and MIRROR is not given",
                fix=f"homeward audit mirror {directory} MIRROR, or set mirror: in the settings (audit/README.md)",
                exit_code=ExitCode.USAGE,
            )  # fmt: skip
        return keep_configured(place)

    head = _evidence(directory, work)
    text = f"ok   {target or 'the mirror'} holds {head.size} entries, root {head.root.hex()}"
    click.echo(json.dumps({"ok": True, "size": head.size, "root": head.root.hex()}) if as_json else text)


@click.command()
@_DIRECTORY
@click.option("--mirror", type=_FOLDER, help="Heal a database that was put back, or is gone, from this mirror.")
@click.option("--explain", default="", help="Why the log had stopped. Name no person: kept beside the log.")
@click.option("--unheard", is_flag=True, help="The next start goes on although no adapter or witness can be heard.")
@_CHECKPOINTS
@click.option(
    "--declare-loss",
    "lost",
    type=_FILE,
    callback=new_path,
    help="No mirror has it all: write into this new file what is declared lost.",
)
@click.option("--declared", type=_FILE, help="Go on as this file declares, which a custodian's operator signed, too.")
@_JSON
def recover(
    directory: Path,
    mirror: Path | None,
    explain: str,
    unheard: bool,
    checkpoints: tuple[Path, ...],
    lost: Path | None,
    declared: Path | None,
    as_json: bool,
) -> None:
    """Let the log in DIR go on: heal it from a mirror, or explain why it had stopped, or both.

    The gateway must not be serving. A mirror that lacks anything known to have been signed is refused: nothing is
    signed anew over a history that is shorter. What no mirror has, entries or rows of tables, is declared lost, by two
    operators: --declare-loss here, `homeward custodian sign-loss` there, then --declared here. With --mirror, what that
    holds is taken first. The log goes on under another origin.

    A gateway's start waits for adapters or witnesses that know its log: it may have been put back. Where none of them
    can come, --unheard with --explain lets the next start go on without; an entry says so.
    """
    if (lost, declared) != (None, None):
        if explain or unheard or None not in (lost, declared) or (mirror, declared).count(None) == 0:
            raise click.UsageError("--declare-loss takes --mirror, and --declared stands alone")
        _declare(directory, lost, declared, checkpoints, mirror=mirror, as_json=as_json)
        return
    if unheard and (not explain or not (directory / GATEWAY_FILE).is_file()):
        raise click.UsageError("--unheard is for a gateway, and needs --explain 'why nobody can be heard'")
    if mirror is None and not explain:
        raise click.UsageError("say --mirror, --explain, or both; without any mirror --declare-loss, then --declared")

    healed, size, stopped = _evidence(
        directory, lambda place: _let_go_on(place, mirror, checkpoints, explanation=explain, unheard=unheard)
    )
    if as_json:
        found = {"had": healed.size, "healed_to": healed.healed_size} if healed is not None else {}
        said = {"explained": stopped} if explain else {}
        click.echo(json.dumps({"ok": True, "size": size, **said, **found}))
        return
    if unheard:
        click.echo("note the next start asks adapters and witnesses as ever, and goes on without them; the log says so")
    elif explain and not stopped:
        click.echo("note the log had not stopped: the explanation was not kept")
    if healed is not None:
        click.echo(f"ok   the database had {healed.size} entries and was healed to {healed.healed_size}")
    click.echo(f"ok   the log goes on with {size} entries; start the process again")


def _let_go_on(
    place: Place, mirror: Path | None, checkpoints: tuple[Path, ...], *, explanation: str, unheard: bool
) -> tuple[Healed | None, int, bool]:
    """What was healed, the log's size, and whether it had stopped."""
    with place.state.writing():
        if explanation:
            make_anew(place.state, place.signer)
        settle_record(place.state, place.signer.public)
        stopped = StopMark(place.state.high_water).read() is not None
        healed = heal_from(place, mirror, checkpoints=checkpoints) if mirror is not None else None
        size = asyncio.run(go_on(place, healed=healed, explanation=explanation, unheard=unheard, now=utc_now))
        return healed, size, stopped


def _declare(
    directory: Path,
    lost: Path | None,
    declared: Path | None,
    checkpoints: tuple[Path, ...],
    *,
    mirror: Path | None,
    as_json: bool,
) -> None:
    def work(place: Place) -> list[str]:
        if place.state.kind != "gateway":
            raise click.UsageError("only a gateway's log goes on under another origin")
        with place.state.writing():
            if lost is not None:
                settle_record(place.state, place.signer.public)
                if mirror is not None:
                    heal_as_far_as(place, mirror, checkpoints=checkpoints)
                return _write_declaration(place, lost, checkpoints, mirror=mirror)
            return _go_on_declared(place, declared)

    lines = _evidence(directory, work)
    click.echo(json.dumps({"ok": True, "done": lines}) if as_json else "\n".join(lines))


def _write_declaration(place: Place, path: Path, checkpoints: tuple[Path, ...], *, mirror: Path | None) -> list[str]:
    declaration, message = declare(place, checkpoints=checkpoints, mirror=mirror, now=utc_now())
    write_new(path, declaration.SerializeToString(), mode=PRIVATE_FILE)
    kept, size = message.kept_count, message.closed_size
    lost = f"lost {size - kept} entries: {kept} of {size} are left"
    return [
        lost if kept < size else f"lost rows of tables, and no entry: all {size} are left",
        f"next a custodian's operator signs: homeward custodian sign-loss DIR {path}",
        f"then homeward audit recover DIR --declared {path}",
    ]


def _go_on_declared(place: Place, path: Path | None) -> list[str]:
    try:
        declaration = LossDeclaration.FromString(path.read_bytes() if path is not None else b"")
        went_on = asyncio.run(open_declared(place, declaration, now=utc_now))
    except (DecodeError, SuccessionInvalid) as exc:
        raise EvidenceError(EvidenceReason.FORMAT, "the declaration does not have the signatures it needs") from exc
    return [
        f"ok   the log goes on as {went_on.origin} with {went_on.kept} of {went_on.closed_size} entries",
        *(f"revoked {agency}, as the newest directory says" for agency in went_on.denied),
        *(f"listed  {agency}, which lost entries had enrolled" for agency in went_on.restored),
        *_mended_lines(went_on.mended),
        "next start the gateway: adapters list everybody again and present authorities and flags as they were signed;",
        "     until a county has, no miss is a negative. What waits for its staff, its `homeward adapter status` says",
    ]


def _mended_lines(mended: Mending | None) -> list[str]:
    if mended is None:
        return []
    lost = f"{mended.authorities} authorities and {mended.flags} flags are lost until they are presented again"
    lines = [f"mended  {len(mended.rows)} rows of tables as entries say; {lost}"]
    if mended.alerts:
        lines.append(f"lost    {mended.alerts} alerts for good; an adapter says so that finds one missing among others")
    return lines


def _evidence(directory: Path, work: Callable[[Place], Result]) -> Result:
    if not any((directory / name).is_file() for name in (GATEWAY_FILE, CUSTODIAN_FILE)):
        # By the settings: the database may be what is missing, and is then for `fsck` to say.
        raise CommandFailure(
            "STATE-001", "there is no gateway or custodian here", where=str(directory),
            why=f"it holds neither {GATEWAY_FILE} nor {CUSTODIAN_FILE}", fix="check the path",
        )  # fmt: skip
    try:
        return work(place_of(directory))
    except EvidenceError as fault:
        raise does_not_hold(fault, directory) from fault
    except (LogBusy, LogUnavailable) as exc:
        raise refusal(State(directory, "gateway"), ErrorReason.LOG_UNAVAILABLE, ()) from exc
    except BROKEN as exc:
        raise broken(State(directory, "gateway"), exc) from exc
