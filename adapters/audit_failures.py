"""What ends an auditor's command: evidence that does not hold, another agency's entries, a file that cannot be written.

Decides the four parts that are said, and that nothing half-written is left under the name that was asked for.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from adapters.cli_options import Place
from adapters.local.client import CallRefused
from audit.errors import EvidenceError
from audit.export import FormatUnavailable
from homeward.failure import CommandFailure, ExitCode

_MEMBERS: Final = {"filter.agency: member": "--agency", "filter.counterpart_agency: member": "--counterpart"}
"""What the adapter says of an agency that never was a member, and the option that names it."""
_OWN_AGENCY: Final = "filter.agency: own"
"""What the adapter and the exchange say where a reviewer of one agency asks for another's entries."""


@contextmanager
def evidence_failures(place: Place) -> Iterator[None]:
    """Inside, evidence that does not hold ends the command with exit status 6, asking for another agency's with 3."""
    try:
        yield
    except CallRefused as refused:
        strangers = [_MEMBERS[each] for each in refused.fields if each in _MEMBERS]
        if strangers:
            raise _no_member(strangers, refused) from refused
        if _OWN_AGENCY not in refused.fields:
            raise
        raise other_agencies("--agency", place) from refused
    except EvidenceError as fault:
        at = f"entry {fault.index}" if fault.index is not None else "the adapter's answer"
        raise CommandFailure(
            f"AUDIT-{fault.reason}",
            "the log's evidence does not hold",
            where=f"{at}, {place.file.parent}",
            why=str(fault),
            fix="use nothing of it; keep the output and tell the exchange's operator and your privacy officer",
            exit_code=ExitCode.EVIDENCE,
        ) from fault


def other_agencies(option: str, place: Place) -> CommandFailure:
    """What ends the command of a county's reviewer who asks for another agency's entries."""
    return CommandFailure(
        "AUDIT-AGENCY",
        "another agency's entries are not open to you",
        where=f"{option}, asked of the adapter at {place.file.parent}",
        why="a county's reviewers see every entry in which their own agency asks or holds, and no other; "
        "of every agency only reviewers of a member of kind AUDITOR see what was decided",
        fix=f"leave {option} out; --counterpart AGENCY gives what is between that agency and yours; "
        "for anything else ask that agency's privacy officer or the state's reviewer",
        exit_code=ExitCode.DENIED,
    )


def _no_member(options: Sequence[str], refused: CallRefused) -> CommandFailure:
    return CommandFailure(
        "AUDIT-MEMBER",
        "no agency of this exchange has this name",
        where=f"{', '.join(options)}, asked of the adapter at {refused.where}",
        why="the signed directory lists every agency that is or was a member, and not this one",
        fix="write it as homeward audit query shows it, for example 06029.cwa: county, point, short name",
        exit_code=ExitCode.USAGE,
    )


@contextmanager
def fresh_file(path: Path) -> Iterator[Path]:
    """Inside, a file is written under the name that is given; it has the asked name only once it is whole.

    It is written in a directory beside it that nobody else can write to: under a name in a shared one, which can be
    guessed, somebody's link could be followed, and what it points to be overwritten.
    """
    try:
        with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as own:
            partial = Path(own) / path.name
            yield partial
            os.replace(partial, path)
    except (OSError, FormatUnavailable) as exc:
        # Of an error of the system its class alone: its text may quote more than the path.
        why = str(exc) if isinstance(exc, FormatUnavailable) else type(exc).__name__
        raise CommandFailure(
            "AUDIT-FILE",
            "the file cannot be written",
            where=str(path),
            why=why,
            fix="check the directory and its permissions, or choose another --format",
        ) from exc
