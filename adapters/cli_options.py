"""What the adapter's commands share: where the adapter is, and how its file is read.

Decides the options `--dir`, `--address` and `--json`, and how problems of the county's file are shown: all of them,
each at its place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from adapters.config import FILE_NAME, AdapterConfig, read_config, unreadable
from adapters.local.client import Endpoint, endpoint
from gateway.protocol.strict_yaml import DocumentErrors
from homeward.county.v1.access_pb2 import GetStatusRequest, GetStatusResponse
from homeward.failure import CommandFailure, ExitCode

AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
ROLE = click.option("--role", default="", help="Role you act in, where you hold several.")
TOKEN_FILE = click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File with your token of the county's identity provider.",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a running adapter is."""

    directory: Path
    address: str | None

    def endpoint(self, token_file: Path | None) -> Endpoint:
        """The way to it. Raises `CommandFailure`."""
        file = self.directory / FILE_NAME
        config = read_file(file)
        address = self.address or config.listen
        if address.endswith(":0"):
            raise CommandFailure(
                "CALL-004",
                "the adapter's port is not known",
                where=str(file),
                why="its file says port 0: the system chose one when it started",
                fix="give --address as the adapter's readiness line shows it",
                exit_code=ExitCode.USAGE,
            )
        return endpoint(config.state_directory(file), address, token_file)

    def agency(self) -> str:
        """The agency that the adapter there speaks for. Raises `CommandFailure`."""
        path = "/homeward.county.v1.StatusService/GetStatus"
        return self.endpoint(None).call(path, GetStatusRequest(), GetStatusResponse).agency


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--dir` and `--address`; the command gets them as `place`."""

    @click.option(
        "--dir",
        "directory",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=Path(),
        show_default="here",
        help="Directory of the adapter.",
    )
    @click.option("--address", help="host:port of the adapter, where its file does not say.")
    @wraps(command)
    def with_place(*arguments: Any, directory: Path, address: str | None, **options: Any) -> Any:
        return command(*arguments, place=Place(directory, address), **options)

    return with_place


def read_file(file: Path) -> AdapterConfig:
    """The county's file. Raises `CommandFailure` after every problem was printed at its place."""
    try:
        return read_config(file)
    except DocumentErrors as errors:
        for problem in errors.problems:
            click.echo(str(problem), err=True)
        first = errors.problems[0]
        count = len(errors.problems)
        raise CommandFailure(
            "ADAPTER-001",
            "the county file has a problem" if count == 1 else f"the county file has {count} problems",
            where=f"{first.origin}:{first.line}:{first.column}",
            why=f"{first.field}: {first.sentence}" if first.field else first.sentence,
            fix="correct it and run homeward adapter check again",
        ) from errors
    except (OSError, UnicodeDecodeError) as exc:
        raise unreadable(file, exc) from exc
