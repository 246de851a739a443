"""`python -m audit`: verify a published log or a receipt, compare evidence, serve a published log.

For an auditor who has a checkout and `cryptography`, and nothing else of Homeward: it imports no other package. Exit
status: 0 it holds, 6 it does not (one line says what), 2 usage; `contradict` exits with 6 where it found a proof.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from audit.errors import EvidenceError, EvidenceReason
from audit.serve import serving
from audit.verdict import (
    EXIT_UNVERIFIED,
    is_published,
    is_receipt,
    proof_of_two_histories,
    read_log_key,
    read_policy,
    shown_fault,
    verdict_on_published,
    verdict_on_receipt,
)


def main(words: Sequence[str]) -> int:
    """Runs one command; the process's exit status."""
    arguments = _parser().parse_args(words)
    if arguments.command == "serve":
        _serve(arguments.directory, arguments.listen)
        return 0
    try:
        if arguments.command == "contradict":
            return _contradict(arguments)
        _say(_verify(arguments))
    except EvidenceError as fault:
        if fault.reason is EvidenceReason.CONSISTENT:
            _say(f"ok   {fault}")
            return 0
        _say(shown_fault(fault, as_json=arguments.json))
        return EXIT_UNVERIFIED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m audit", description="Check Homeward's evidence.")
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="recompute a published log, or check a receipt")
    verify.add_argument("place", help="directory or URL of a published log, or a receipt (.tlog-proof)")
    verify.add_argument("--log-key", type=Path, required=True, help="file with the log's public key (name+id+base64)")
    verify.add_argument("--policy", type=Path, help="tlog-policy file: which witnesses count, and how many")
    verify.add_argument("--checkpoint", type=Path, action="append", default=[], help="a checkpoint kept elsewhere")
    verify.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    contradict = commands.add_parser("contradict", help="look for two histories in two receipts or checkpoints")
    contradict.add_argument("first", type=Path)
    contradict.add_argument("second", type=Path)
    contradict.add_argument("--log-key", type=Path, required=True, help="file with the log's public key")
    contradict.add_argument("--out", type=Path, help="write the proof into this file, as JSON")
    contradict.add_argument("--json", action="store_true", help="print the proof as JSON")
    serve = commands.add_parser("serve", help="serve a published log over HTTP")
    serve.add_argument("directory", type=Path)
    serve.add_argument("--listen", default="127.0.0.1:8480", help="host:port (default %(default)s)")
    return parser


def _verify(arguments: argparse.Namespace) -> str:
    key = read_log_key(arguments.log_key)
    policy = read_policy(arguments.policy) if arguments.policy else None
    place = arguments.place
    if is_published(place):
        verdict = verdict_on_published(place, key=key, policy=policy, checkpoints=arguments.checkpoint)
    elif is_receipt(Path(place)):
        verdict = verdict_on_receipt(Path(place), key=key, policy=policy)
    else:
        text = "neither a published log nor a receipt; a log's database is verified by the homeward command"
        raise EvidenceError(EvidenceReason.STORE, text)
    return verdict.shown(as_json=arguments.json)


def _contradict(arguments: argparse.Namespace) -> int:
    found = proof_of_two_histories(arguments.first, arguments.second, key=read_log_key(arguments.log_key))
    if arguments.out:
        arguments.out.write_text(found.document(), encoding="utf-8")
    _say(found.document() if arguments.json else f"PROOF {found.sentence()}")
    return EXIT_UNVERIFIED


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _serve(directory: Path, listen: str) -> None:
    host, _, port = listen.rpartition(":")
    server = serving(directory, host.strip("[]"), int(port))
    _say(f"serving {directory} at http://{host}:{server.server_address[1]}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
