"""The words by which `homeward audit query` selects entries, each checked against the list it comes from.

Decides that a word nobody writes into the log is wrong usage and not a search without a hit: "0 entries, verified"
must mean that there are none. Which entries an agency may see is the exchange's decision.
"""

import difflib
from collections.abc import Callable, Collection
from typing import Any, Final

import click

from gateway.protocol.log_kinds import REFUSAL_REASONS, Kind
from gateway.protocol.names import NameSyntaxError, Purpose, parse_agency_id
from gateway.protocol.outcomes import Outcome, Reason

Callback = Callable[[click.Context, click.Parameter, Any], Any]

REASONS: Final = frozenset(Reason) | REFUSAL_REASONS
"""Every word that can stand in an entry's field `reason`."""


def one_of(allowed: Collection[str]) -> Callback:
    """Accepts these words alone, one or several; raises `click.BadParameter` that names them."""

    def check(context: click.Context, parameter: click.Parameter, given: Any) -> Any:
        for word in given if isinstance(given, tuple) else (given,):
            if word and word not in allowed:
                near = difflib.get_close_matches(word, allowed, n=1, cutoff=0.6)
                nearest = f'; did you mean "{near[0]}"?' if near else ""
                raise click.BadParameter(f'no such word "{word}"{nearest} (one of: {", ".join(sorted(allowed))})')
        return given

    return check


def agency(context: click.Context, parameter: click.Parameter, given: str) -> str:
    """Accepts what is written as an agency is; raises `click.BadParameter` otherwise."""
    if given:
        try:
            parse_agency_id(given)
        except NameSyntaxError as exc:
            raise click.BadParameter(
                'an agency is written "<five-digit FIPS>.<office>", for example 06077.pd or 06037.cwa'
            ) from exc
    return given


_OPTIONS: Final = (
    click.option(
        "--kind",
        "kinds",
        multiple=True,
        callback=one_of(frozenset(Kind)),
        help="Kind of entry, for example access.decision; repeatable.",
    ),
    click.option("--decision", type=click.Choice(["allow", "deny"]), help="What was decided."),
    click.option(
        "--outcome",
        callback=one_of(frozenset(Outcome)),
        help="What the requester was told, for example NO_ACTIVE_FLAG_FOUND.",
    ),
    click.option(
        "--reason", default="", callback=one_of(REASONS), help="Internal reason, for example CONSENT_EXPIRED."
    ),
    click.option(
        "--purpose", default="", callback=one_of(frozenset(Purpose)), help="Purpose of use, for example MFC_LOCATE."
    ),
    click.option("--counterpart", default="", callback=agency, help="Agency on the other side, for example 06077.pd."),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that select entries."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
