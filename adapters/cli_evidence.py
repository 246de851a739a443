"""`homeward audit bundle` and `sample`: entries with all that others need to check them.

Decides presentation only. A bundle is written whole or not at all; it holds what the reader may open and nothing else.
"""

import json
from pathlib import Path
from typing import Any

import click

from adapters.attested_words import attested_text
from adapters.audit_entries import EVERYTHING, Wanted, fetch
from adapters.audit_evidence import chosen_evidence, sample_evidence, sampled, told, whole_evidence
from adapters.audit_failures import evidence_failures, fresh_file
from adapters.cli_filters import filter_options, given_words, read_filter, read_youth, youth_options
from adapters.cli_options import AS_JSON, ROLE, TOKEN_FILE, Place, place_options
from audit.bundle import Evidence, make_bundle
from audit.new_path import new_path
from gateway.protocol.log_kinds import Kind
from homeward.audit.v1.log_pb2 import EntryFilter

_OUT = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    callback=new_path,
    help="The zip file to write; a new one.",
)
_WITNESSES = click.option(
    "--witness-policy",
    type=click.File("r", encoding="utf-8"),
    help="C2SP tlog-policy: whose cosignatures whoever checks the bundle must find.",
)
_CHECKPOINT = click.option(
    "--checkpoint",
    type=click.File("r", encoding="utf-8"),
    help="Published checkpoint with its cosignatures; the bundle then shows that the log continues it.",
)


@click.command()
@filter_options
@youth_options
@click.option(
    "--complete", is_flag=True, help="Everything that concerns your agency, and proof that nothing is missing."
)
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True, help="At most this many."
)
@_OUT
@_WITNESSES
@_CHECKPOINT
@ROLE
@place_options
@TOKEN_FILE
@AS_JSON
def bundle(
    place: Place, token_file: Path, as_json: bool, complete: bool, limit: int, out: Path, role: str, **given: Any
) -> None:
    """Write entries, proofs, checkpoints, rules and two verifiers into one zip file that stands alone."""
    local_id, youth = read_youth(given)
    anchor = given["checkpoint"].read() if given["checkpoint"] else ""
    wanted = Wanted(read_filter(given), role, local_id, youth, with_proofs=True, anchor=anchor)
    if complete and (wanted.filter != EntryFilter() or local_id or youth is not None):
        raise click.UsageError("--complete takes everything; it goes with no condition")
    if complete:
        wanted.filter.agency = place.agency()
    witnesses = given["witness_policy"].read() if given["witness_policy"] else ""
    with evidence_failures(place):
        found = fetch(place.endpoint(token_file), wanted, limit=EVERYTHING if complete else limit)
        asked = ["everything that concerns the agency"] if complete else given_words(given)
        if found.more:
            asked.append(f"the first {limit} entries alone: there are more")
        make = whole_evidence if complete else chosen_evidence
        if found.attestation is not None:
            asked.append(f"at that time: {attested_text(found.attestation)}")
        data = make_bundle(made := make(found, asked, witness_policy=witnesses))
    _write(made, data, out, as_json)


@click.command()
@filter_options
@click.option("--count", type=click.IntRange(1, 10_000), default=25, show_default=True, help="How many to draw.")
@click.option("--seed", required=True, help="Public words that nobody could choose: a lottery draw, a later root.")
@click.option("--before", type=click.IntRange(1), help="Draw from entries before this one, as an earlier draw did.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=new_path,
    help="Write the sample as a bundle, too; a new file.",
)
@_WITNESSES
@ROLE
@place_options
@TOKEN_FILE
@AS_JSON
def sample(
    place: Place,
    token_file: Path,
    as_json: bool,
    count: int,
    seed: str,
    before: int | None,
    out: Path | None,
    role: str,
    **given: Any,
) -> None:
    """Draw decisions at random, without identity, so that anybody with the seed draws the same."""
    if not seed.strip():
        raise click.UsageError("--seed is empty: with a seed that everybody knows beforehand the draw could be steered")
    wanted = read_filter(given)
    wanted.kinds[:] = list(wanted.kinds) or [Kind.DECISION]
    wanted.tree_size = before or 0
    with evidence_failures(place):
        asking = Wanted(wanted, role, with_proofs=True, is_fixed=True)
        found = fetch(place.endpoint(token_file), asking, limit=EVERYTHING)
        drawn = sampled(found, count, seed)
        # Beyond the log more comes: the same draw is made again before the entry that was the last.
        end = min(before or found.end, found.end)
        asked = [
            f"{len(drawn)} of {len(found.proofs)} entries before entry {end}, drawn with the seed {json.dumps(seed)}",
            "rule of the draw: audit/sample.py, homeward/sample/v1",
            *given_words(given),
        ]
        witnesses = given["witness_policy"].read() if given["witness_policy"] else ""
        made = sample_evidence(found, drawn, asked, seed=seed, before=end, witness_policy=witnesses)
        data = make_bundle(made) if out is not None else b""
    if out is not None:
        _write(made, data, out, as_json)
    elif as_json:
        entries = [{"index": each.index, "sentence": told(each)} for each in drawn]
        document = {"ok": True, "seed": seed, "before": end, "population": len(found.proofs), "entries": entries}
        click.echo(json.dumps(document))
    else:
        for each in drawn:
            click.echo(f"{each.index:>8}  {told(each)}")
        click.echo(f"{len(drawn)} of {len(found.proofs)} entries, drawn; the same again with --before {end}")


def _write(evidence: Evidence, data: bytes, out: Path, as_json: bool) -> None:
    with fresh_file(out) as partial:
        partial.write_bytes(data)
    if as_json:
        click.echo(json.dumps({"ok": True, "file": str(out), "entries": len(evidence.entries)}))
        return
    click.echo(
        f"{len(evidence.entries)} entries in {out}. Anybody checks it: open its verify.html, or run its verify.py."
    )
