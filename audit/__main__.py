"""`python -m audit`: verify a published log or a receipt, compare evidence, serve a published log, run a witness.

For an auditor who has a checkout and `cryptography`, and nothing else of Homeward: it imports no other package. Exit
status: 0 it holds, 6 it does not (said is what, where, why and what to do), 5 nobody answers, 2 nothing was verified,
because an option or a file of the auditor's own cannot be used; `contradict` exits with 6 where it found a proof and
with 1 where a file is not a statement of this log.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from audit.asked import ON_FILES, Kind, Unasked, asked_key, asked_policy, check_kept, check_new, check_options, kind_of
from audit.errors import EvidenceError, EvidenceReason
from audit.fork_alarm import Alarm
from audit.note import NAME
from audit.remedy import shown_slip
from audit.serve import Server, serving
from audit.verdict import (
    EXIT_UNREADABLE,
    EXIT_UNVERIFIED,
    EXIT_USAGE,
    exit_of,
    proof_of_two_histories,
    read_log_key,
    shown_consistent,
    shown_fault,
    shown_no_statement,
    verdict_on_published,
    write_proof,
)
from audit.witness import Witness, own_cosigner
from audit.witness_serve import serving_witness


def main(words: Sequence[str]) -> int:
    """Runs one command; the process's exit status."""
    arguments = _parser().parse_args(words)
    try:
        if arguments.command == "serve":
            server = _listening(arguments, lambda host, port: serving(arguments.directory, host, port))
            return _run(server, f"serving {arguments.directory}")
        if arguments.command == "witness":
            return _witness(arguments)
        if arguments.command == "contradict":
            return _contradict(arguments)
        _say(_verify(arguments))
    except EvidenceError as fault:
        if fault.reason is EvidenceReason.CONSISTENT:
            _say(shown_consistent(fault, as_json=arguments.json))
            return 0
        return _told(arguments, fault)
    except Unasked as slip:
        command, as_json = f"python -m audit {arguments.command}", getattr(arguments, "json", False)
        _say(shown_slip(str(slip), command=command, as_json=as_json))
        return EXIT_USAGE
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m audit", description="Check Homeward's evidence.")
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="recompute a published log, or check a receipt, table or proof")
    verify.add_argument(
        "place",
        help="directory or URL of a published log; or a receipt, a table with proofs, or a proof of two histories",
    )
    verify.add_argument("--log-key", type=Path, required=True, help="file with the log's public key (name+id+base64)")
    verify.add_argument("--policy", type=Path, help="tlog-policy file: which witnesses count, and how many")
    verify.add_argument("--checkpoint", type=Path, action="append", default=[], help="a checkpoint kept elsewhere")
    verify.add_argument("--max-age", type=_seconds, help="seconds: older cosignatures do not count")
    verify.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    contradict = commands.add_parser("contradict", help="look for two histories in two receipts or checkpoints")
    contradict.add_argument("first", type=Path)
    contradict.add_argument("second", type=Path)
    contradict.add_argument("--log-key", type=Path, required=True, help="file with the log's public key")
    contradict.add_argument("--out", type=Path, help="write the proof into this new file, as JSON")
    contradict.add_argument("--json", action="store_true", help="print the proof as JSON")
    witness = commands.add_parser("witness", help="run a witness over HTTP (C2SP tlog-witness)")
    witness.add_argument("directory", type=Path, help="its state and key; made when there is none")
    witness.add_argument("--name", required=True, help="name of its key, like witness.example/w1")
    witness.add_argument("--log-key", type=Path, action="append", required=True, help="a log to witness; may repeat")
    witness.add_argument("--listen", default="127.0.0.1:8481", help="host:port (default %(default)s)")
    serve = commands.add_parser("serve", help="serve a published log over HTTP")
    serve.add_argument("directory", type=Path)
    serve.add_argument("--listen", default="127.0.0.1:8480", help="host:port (default %(default)s)")
    return parser


def _seconds(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("write seconds, at least 1")
    return int(text)


def _verify(arguments: argparse.Namespace) -> str:
    place, kind = arguments.place, kind_of(arguments.place)
    if kind is Kind.BUNDLE:
        raise Unasked(f"{place} is an evidence bundle: unpack it and run its verify.py, or open its verify.html")
    if kind is Kind.DATABASE:
        raise Unasked(f"{place} is nothing that stands alone; homeward verify reads a log's database")
    given = {"--policy": arguments.policy, "--checkpoint": arguments.checkpoint, "--max-age": arguments.max_age}
    check_options(kind, given)
    for path in arguments.checkpoint:
        check_kept(path)
    key = asked_key(arguments.log_key)
    if kind in ON_FILES:
        return ON_FILES[kind](Path(place), key=key).shown(as_json=arguments.json)
    policy = asked_policy(arguments.policy) if arguments.policy else None
    not_before = int(time.time()) - arguments.max_age if arguments.max_age else 0
    verdict = verdict_on_published(
        place, key=key, policy=policy, checkpoints=arguments.checkpoint, not_before=not_before
    )
    return verdict.shown(as_json=arguments.json)


def _contradict(arguments: argparse.Namespace) -> int:
    if arguments.out:
        check_new(arguments.out)
    found = proof_of_two_histories(arguments.first, arguments.second, key=read_log_key(arguments.log_key))
    if arguments.out:
        write_proof(found, arguments.out)
    _say(found.document() if arguments.json else f"PROOF {found.sentence()}")
    return EXIT_UNVERIFIED


def _told(arguments: argparse.Namespace, fault: EvidenceError) -> int:
    if arguments.command == "contradict":
        _say(shown_no_statement(fault, where=f"{arguments.first}, {arguments.second}", as_json=arguments.json))
        return EXIT_UNREADABLE
    if arguments.command == "verify":
        _say(shown_fault(fault, where=arguments.place, as_json=arguments.json))
    else:
        _say(shown_fault(fault, where=str(arguments.directory), as_json=False))
    return exit_of(fault)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _witness(arguments: argparse.Namespace) -> int:
    keys = {key.origin: key for key in map(asked_key, arguments.log_key)}
    if not NAME.fullmatch(arguments.name):
        # Before a key is made under it.
        raise Unasked(f"--name {arguments.name!r} cannot be one: it has no spaces and no plus sign")
    cosigner = own_cosigner(arguments.directory, arguments.name)
    witness = Witness(
        arguments.directory / "witness.db",
        [cosigner],
        log_key=keys.get,
        now=lambda: int(time.time()),
        from_log_alone=False,
    )
    alarm = Alarm(witness, arguments.directory, _say)
    server = _listening(
        arguments,
        lambda host, port: serving_witness(witness, lambda: tuple(keys), host, port, answered=alarm.look),
    )
    alarm.look()
    return _run(server, f"witness {cosigner.public.vkey()}")


def _run(server: Server, what: str) -> int:
    _say(f"{what} on port {server.server_port}")
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


def _listening(arguments: argparse.Namespace, listen: Callable[[str, int], Server]) -> Server:
    host, _, port = arguments.listen.rpartition(":")
    if not host or not port.isdecimal():
        raise Unasked(f"--listen {arguments.listen} is not host:port")
    try:
        return listen(host.strip("[]"), int(port))
    except (OSError, OverflowError) as exc:
        raise Unasked(f"--listen {arguments.listen} cannot be used: {getattr(exc, 'strerror', None) or exc}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
