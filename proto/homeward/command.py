"""The `homeward` command: finds a sub-command, runs it, and turns its failure into words and an exit status.

Decides the list of sub-commands and what each is for. Does not know any room: a sub-command is an entry point of the
group `homeward.commands`, loaded when it is called, so that `--help` stays fast and a broken room breaks only itself.
"""

import gc
import io
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import metadata
from types import MappingProxyType, TracebackType

import click

from homeward.failure import CommandFailure, ExitCode
from homeward.logs import quiet_grpc

GROUP = "homeward.commands"

# Order of appearance in --help: first what a newcomer tries, then each kind of user.
COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "demo": "Watch three counties find a missing youth, on this machine.",
        "sandbox": "Keep a small exchange running to develop against.",
        "join": "Redeem an invitation: give this county's adapter its identity.",
        "adapter": "Check and run a county's adapter.",
        "authority": "Record, revoke and list consents, orders and agreements.",
        "audit": "Ask the log who asked what, and what was answered.",
        "verify": "Verify a log or a receipt without trusting its operator.",
        "court": "Keep the keys of sealed youths, as the court's custodian.",
        "policy": "Show, explain and test the rules of disclosure.",
        "gateway": "Run the exchange and invite its members.",
        "custodian": "Hold the second share of the token key.",
    }
)


# By kind, the narrower before the wider.
_SLIPS: Sequence[tuple[type[click.ClickException], tuple[str, str]]] = (
    (click.NoSuchOption, ("USAGE-002", "there is no such option")),
    (click.MissingParameter, ("USAGE-003", "something the command needs is missing")),
    (click.BadParameter, ("USAGE-001", "an option breaks its rule")),
    (click.FileError, ("USAGE-004", "a file cannot be opened")),
)
_SLIP = ("USAGE-005", "the command cannot be used like this")


class LazyCommands(click.Group):
    """A group whose sub-commands are entry points, listed without being loaded."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name in `COMMANDS`, in its order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The loaded sub-command, or None for a name that is not ours; CommandFailure where it cannot be loaded."""
        return _load(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table of sub-commands from `COMMANDS`; click's own way would import every room."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


class SharedCommands(click.Group):
    """A command whose sub-commands several rooms bring: its own, and entry points of `homeward.commands.<name>`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Its own sub-commands and those of other rooms, by name."""
        return sorted({*super().list_commands(ctx), *_names(self._group)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The sub-command, its own first; loaded when it is called."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in _names(self._group):
            return own
        return _load(cmd_name, self._group)

    @property
    def _group(self) -> str:
        return f"{GROUP}.{self.name}"


def _names(group: str) -> frozenset[str]:
    return frozenset(each.name for each in metadata.distribution("homeward").entry_points.select(group=group))


def _load(name: str, group: str = GROUP) -> click.Command:
    # Only our own distribution is asked: another installed package must not be able to answer for `verify`.
    found = metadata.distribution("homeward").entry_points.select(group=group, name=name)
    entry_point = next(iter(found), None)
    if entry_point is None:
        raise _not_loadable(name, "the installed package does not list it", "install again: make clean, then make demo")
    try:
        command = _keep(entry_point)
    except ModuleNotFoundError as missing:
        raise _not_loadable(
            name, f"the Python module {missing.name} is not installed", "install it, or the extra that brings it"
        ) from missing
    if not isinstance(command, click.Command):
        raise _not_loadable(name, "what it names is not a command", "report this: the package is built wrongly")
    return command


def _keep(entry_point: metadata.EntryPoint) -> object:
    """What the entry point names. Loading makes several hundred thousand objects that stay: looking through them for
    garbage again and again took a fifth of the time until a process was ready, and would cost each later collection.
    """
    gc.disable()
    try:
        return entry_point.load()
    finally:
        gc.freeze()
        gc.enable()


def _not_loadable(name: str, why: str, fix: str) -> CommandFailure:
    return CommandFailure("CMD-001", f"the command {name} cannot be loaded", where=sys.prefix, why=why, fix=fix)


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="homeward", prog_name="homeward")
@click.option("--debug", is_flag=True, help="Show tracebacks (also HOMEWARD_DEBUG=1).")
def homeward(debug: bool) -> None:
    """Find a missing youth across county lines without a name leaving a county.

    Exit status: 0 done, 1 failed, 2 wrong usage, 3 denied by policy, 5 unreachable, 6 evidence did not verify.
    """
    if debug:
        sys.excepthook = sys.__excepthook__


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits with its status; nothing prints a traceback unless it was asked for."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    quiet_grpc()
    _survive_narrow_consoles()
    if os.environ.get("HOMEWARD_DEBUG", "") in ("", "0"):
        # A hook rather than a broad except: what is unexpected still ends the process at once.
        sys.excepthook = report_unexpected
    sys.exit(run(words))


def run(words: Sequence[str]) -> int:
    """The exit status of one command line; a command's own int result is its status, anything else means 0."""
    try:
        result = homeward.main(args=list(words), prog_name="homeward", standalone_mode=False)
    except CommandFailure as failure:
        return _say(failure, words)
    except click.exceptions.NoArgsIsHelpError as question:
        # A group without a word is a question and not a slip: its help is the answer.
        question.show()
        return question.exit_code
    except click.ClickException as slip:
        return _say(wrong_usage(slip), words)
    except click.Abort:
        click.echo("stopped", err=True)
        return 130  # as a shell reports SIGINT
    return result if isinstance(result, int) and not isinstance(result, bool) else int(ExitCode.OK)


def wrong_usage(slip: click.ClickException) -> CommandFailure:
    """What click says of a command line, in the form of every other failure. Its words are those just typed."""
    code, what = next((said for kind, said in _SLIPS if isinstance(slip, kind)), _SLIP)
    context = slip.ctx if isinstance(slip, click.UsageError) else None
    command = context.command_path if context is not None else "homeward"
    return CommandFailure(
        code,
        what,
        where=command,
        why=" ".join(slip.format_message().split()),
        fix=f"{command} --help shows how it is written",
        exit_code=ExitCode(slip.exit_code),
    )


def _say(failure: CommandFailure, words: Sequence[str]) -> int:
    if "--json" in words:
        click.echo(failure.as_json())
    else:
        click.echo(failure.as_text(), err=True)
    return int(failure.exit_code)


def report_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints where an unforeseen error arose and its kind, never its text: that may quote what was being handled."""
    frames = traceback.extract_tb(trace)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "unknown place"
    failure = CommandFailure(
        "BUG-001",
        "homeward stopped on an error it does not know",
        where=place,
        why=kind.__name__,
        fix="report this; HOMEWARD_DEBUG=1 shows the traceback (read it before you share it)",
    )
    click.echo(failure.as_json() if "--json" in sys.argv else failure.as_text(), err=True)


def _survive_narrow_consoles() -> None:
    # A console that cannot show a character gets an escape instead of a UnicodeEncodeError (cp1252, LANG=C).
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
