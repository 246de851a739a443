"""`homeward gateway calibrate`: what the verdicts of agencies say of the weights. Changes nothing.

Decides presentation, and how many verdicts it takes to say anything. Reads the gateway's database beside whatever
process serves it.
"""

import json
from pathlib import Path
from typing import Any, Final

import click

from audit.asked import Unasked, check_new
from audit.reader import Reader
from audit.store_sqlite import SqliteStore
from gateway.acting import check_there, failure
from gateway.calibration import plot, table, weights_file
from gateway.protocol.matching.refit import Judged, calibration, log_loss, moved, refit
from gateway.protocol.matching.weights import Weights, load_weights, parse_weights
from gateway.state import State
from gateway.store.reviews import judged_pairs
from gateway.tokens.holder_cli import DIRECTORY, JSON
from homeward.failure import CommandFailure, ExitCode

ENOUGH: Final = 100
"""Decided pairs below which a refit would follow chance."""
ENOUGH_OF_EACH: Final = 20


@click.command()
@DIRECTORY
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default="here",
    help="Where the proposed weights and the plot are written.",
)
@JSON
def calibrate(directory: Path, out: Path, as_json: bool) -> None:
    """Refit the match weights of the gateway in DIR on the pairs that agencies decided. Puts nothing into use."""
    state = State(directory, "gateway")
    judged = _judged(state)
    before = load_weights()
    after = refit(judged, before)
    text = weights_file(after, pairs=len(judged))
    if parse_weights(text) != after:
        raise AssertionError("the proposed weights do not survive their own file")
    curves = {
        "in use": ("#b45309", calibration(judged, before)),
        "proposed": ("#1d4ed8", calibration(judged, after)),
    }
    files = {f"weights-{after.scheme}-proposed.toml": text, "calibration.svg": plot(curves)}
    _write(out, files)
    if as_json:
        click.echo(json.dumps(_data(judged, before, after) | {"files": [str(out / name) for name in files]}))
        return
    for name, (_, bins) in curves.items():
        click.echo("\n".join(table(bins, name)))
    for kind, changed in (
        ("agree", moved(before.agree, after.agree)),
        ("disagree", moved(before.disagree, after.disagree)),
    ):
        for key, (was, would) in changed.items():
            click.echo(f"{kind:<10} {key:<24} {was:>6.2f} -> {would:.2f}")
    click.echo(f"surprise   {log_loss(judged, before):.3f} -> {log_loss(judged, after):.3f} bits a pair")
    for name in files:
        click.echo(f"wrote      {out / name}")
    click.echo("Nothing was put into use: read the file, and let a release carry it if it convinces.")


def _judged(state: State) -> list[Judged]:
    check_there(state)
    reader = Reader(SqliteStore(state.database))
    try:
        judged = reader.read(lambda tx: list(judged_pairs(tx)))
    finally:
        reader.close()
    same = sum(is_same for _, is_same in judged)
    if len(judged) < ENOUGH or min(same, len(judged) - same) < ENOUGH_OF_EACH:
        raise failure(
            "CALIBRATE-001",
            "too few pairs were decided to learn from",
            state,
            why=f"{same} are one youth and {len(judged) - same} are two",
            fix=f"wait for {ENOUGH} decided pairs, {ENOUGH_OF_EACH} of each kind",
        )
    return judged


def _write(out: Path, files: dict[str, str]) -> None:
    for name in files:
        try:
            check_new(out / name)
        except Unasked as slip:
            raise click.BadParameter(str(slip), param_hint="--out") from None
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise CommandFailure(
            "CALIBRATE-002",
            "the proposal cannot be written",
            where=str(out),
            why=type(exc).__name__,
            fix="give another --out",
            exit_code=ExitCode.FAILED,
        ) from exc


def _data(judged: list[Judged], before: Weights, after: Weights) -> dict[str, Any]:
    return {
        "ok": True,
        "pairs": len(judged),
        "same": sum(is_same for _, is_same in judged),
        "surprise_bits": {"in_use": log_loss(judged, before), "proposed": log_loss(judged, after)},
        "agree": dict(after.agree),
        "disagree": dict(after.disagree),
        "bias": after.bias,
    }
