"""What the adapter's commands share: where the adapter is, and how its file is read.

Decides the options `--dir`, `--config`, `--address` and `--json`, and how problems of the county's file are shown: all
of them, each at its place. Every command takes the adapter's directory, `--dir`, or in its stead the county's file by
whatever name, `--config`; with neither the adapter is here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from adapters.config import FILE_NAME, AdapterConfig, read_config, unreadable
from adapters.local.address_file import read_address
from adapters.local.client import Endpoint, endpoint
from adapters.staff_keys import KeysNeeded
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

    file: Path
    """The county's file."""
    address: str | None

    def endpoint(self, token_file: Path | None) -> Endpoint:
        """The way to it. Raises `CommandFailure`."""
        config = read_file(self.file)
        state = config.state_directory(self.file)
        address = self.address or config.listen
        if address.endswith(":0"):
            address = read_address(state) or ""
        if not address:
            raise CommandFailure(
                "CALL-004",
                "the adapter's port is not known",
                where=str(self.file),
                why="its file says port 0, of which the system makes one when it starts, and it does not run",
                fix=f"start it: homeward adapter run --config {self.file}; --address names another place",
                exit_code=ExitCode.UNREACHABLE,
            )
        return endpoint(state, address, token_file)

    def agency(self) -> str:
        """The agency that the adapter there speaks for. Raises `CommandFailure`."""
        path = "/homeward.county.v1.StatusService/GetStatus"
        return self.endpoint(None).call(path, GetStatusRequest(), GetStatusResponse).agency


def file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--dir` and `--config`; the command gets the county's file, which may not be there, as `county_file`."""

    @click.option(
        "--dir",
        "directory",
        type=click.Path(file_okay=False, path_type=Path),
        show_default="here",
        help=f"Directory of the adapter, in which {FILE_NAME} lies.",
    )
    @click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The county's file, where it has another name. In the place of --dir.",
    )
    @wraps(command)
    def with_file(*arguments: Any, directory: Path | None, config: Path | None, **options: Any) -> Any:
        if directory is not None and config is not None:
            raise click.UsageError("--dir and --config both say where the adapter is: give one of them")
        return command(*arguments, county_file=config or (directory or Path()) / FILE_NAME, **options)

    return with_file


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--dir`, `--config` and `--address`; the command gets them as `place`."""

    @file_options
    @click.option("--address", help="host:port of the adapter, where it is not what its file says.")
    @wraps(command)
    def with_place(*arguments: Any, county_file: Path, address: str | None, **options: Any) -> Any:
        return command(*arguments, place=Place(county_file, address), **options)

    return with_place


def read_file(file: Path, *, keys: KeysNeeded = KeysNeeded.LATER) -> AdapterConfig:
    """The county's file. Raises `CommandFailure` after every problem was printed at its place."""
    try:
        return read_config(file, keys=keys)
    except DocumentErrors as errors:
        for problem in errors.problems:
            click.echo(str(problem), err=True)
        first = errors.problems[0]
        count = len(errors.problems)
        told = f"{first.field}: {first.sentence}" if first.field else first.sentence
        raise CommandFailure(
            "ADAPTER-001",
            "the county file has a problem" if count == 1 else f"the county file has {count} problems",
            where=f"{first.origin}:{first.line}:{first.column}" if count == 1 else str(file),
            why=told if count == 1 else "each is printed above, with its line and column",
            fix=f"correct it, then: homeward adapter check --config {file}",
        ) from errors
    except OSError as exc:
        raise unreadable(file, exc) from exc


def read_to_check(file: Path) -> tuple[AdapterConfig, CommandFailure | None]:
    """The county's file, and what is wrong with the key set it names: that keeps no source from being looked at.

    Raises `CommandFailure` as `read_file` for any other problem.
    """
    try:
        return read_file(file, keys=KeysNeeded.NOW), None
    except CommandFailure as failure:
        try:
            return read_config(file), failure
        except (DocumentErrors, OSError):
            raise failure from None
