"""A file that a command is asked to write: nothing may have its name.

Decides that no command writes over what is there, which may be evidence that somebody was handed: it is refused before
anything is asked or computed. Whoever wants the name moves the other file away.
"""

from __future__ import annotations

from pathlib import Path

import click

from audit.asked import Unasked, check_new


def new_path(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """The path, which nothing has, or an empty directory. A callback of options. Raises click.BadParameter."""
    if value is not None:
        try:
            check_new(value)
        except Unasked as slip:
            raise click.BadParameter(str(slip), ctx=context, param=parameter) from None
    return value
