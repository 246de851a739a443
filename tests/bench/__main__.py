"""`make bench`: the evidenced exchange beside a bare gRPC echo, on this machine and in this run.

Decides what one run consists of: the echo and the exchange side by side in shuffled rounds (`rounds`), the latency of
calls that come when they come (open loop), the log checked against every answer (`verify`), and the price of each stage
of a flag check by itself (`pieces`), which says where the difference goes. Prints tables and writes every sample.

`make bench` goes on with benchmarks that are commands of their own: `python -m tests.bench.log` (the log alone),
`tests.bench.index` (how a look-up grows with the index), `tests.bench.oprf` (the token function) and
`tests.bench.registration` (a caseload listed, and a rotation of the token key).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import echo, pieces
from tests.bench.exchange import running
from tests.bench.load import Peer
from tests.bench.report import Arrivals, Report, machine
from tests.bench.rounds import Rounds, open_loop
from tests.bench.subjects import Subjects, echo_subject
from tests.bench.verify import Judge, check_log

ARRIVALS = (50, 200)
"""Calls a second that come whether or not earlier ones were answered."""


def main() -> None:
    """Runs the benchmark and writes its report."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each cell of a round is measured, about")
    parser.add_argument("--subjects", type=int, default=1000, help="youths in the index beside the sandbox's own")
    parser.add_argument("--arrival-seconds", type=float, default=10.0)
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="homeward-bench-") as name:
        report = measure(Path(name), options)
    report.pieces = pieces.measure()
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "exchange.json").write_text(json.dumps(report.raw(), indent=1) + "\n", encoding="utf-8")
    text = report.text()
    (options.out / "exchange.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def measure(directory: Path, options: argparse.Namespace) -> Report:
    """Everything that needs running processes."""
    with _echo(directory) as (peer, pid), running(directory / "exchange", subjects=options.subjects) as exchange:
        judge = Judge(exchange.directory)
        subjects = Subjects(exchange, judge)
        rounds = Rounds(echo_subject(peer, pid), subjects.all(), options.seconds)
        rounds.warm_up()
        for number, sample in enumerate(rounds.run(options.rounds), start=1):
            sys.stderr.write(
                f"\r{number} cells measured; round {sample.round + 1} of {options.rounds}: {sample.subject:24}"
            )
        sys.stderr.write("\n")
        arrivals = [
            Arrivals.of(subject, a_second, open_loop(subject, a_second=a_second, seconds=options.arrival_seconds))
            for a_second in ARRIVALS
            for subject in (rounds.echo, subjects.mixed(), subjects.streamed())
        ]
        gateway, view, listed = exchange.sandbox.layout.gateway, exchange.directory, exchange.subjects
        exchange.sandbox.end("gateway")
        log = check_log(gateway, view, judge)
    return Report(machine(), listed, tuple(rounds.samples), tuple(arrivals), log)


@contextmanager
def _echo(directory: Path) -> Iterator[tuple[Peer, int]]:
    command = [sys.executable, "-m", "tests.bench.echo", str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise RuntimeError("the echo has no standard output")
        yield echo.peer_of(directory, json.loads(process.stdout.readline())["port"]), process.pid
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
