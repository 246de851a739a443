"""A key set by which nobody could log in is a fault of the county's file: named at its place, and nothing starts."""

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from adapters.channel_identity import new_tls_key
from tests.commands import answered, homeward
from tests.integration.channel_kit import Authority, public

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC: dict[str, Any] = ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "k1"}
PRIVATE: dict[str, Any] = ECAlgorithm.to_jwk(KEY, as_dict=True) | {"kid": "k1"}
SYMMETRIC = {"kty": "oct", "kid": "h", "k": "c2VjcmV0", "alg": "HS256"}
NOBODY = "no key counts"
WITHOUT_USE: dict[str, tuple[str | None, str]] = {
    "no keys": (json.dumps({"keys": []}), NOBODY),
    "for encryption": (json.dumps({"keys": [PUBLIC | {"use": "enc"}]}), NOBODY),
    "symmetric": (json.dumps({"keys": [SYMMETRIC]}), NOBODY),
    "of an algorithm that is not allowed": (json.dumps({"keys": [PUBLIC | {"alg": "ES256K"}]}), NOBODY),
    "of no algorithm's name": (json.dumps({"keys": [PUBLIC | {"kty": "RSA", "alg": ["RS256"]}]}), NOBODY),
    "without a name": (json.dumps({"keys": [{**PUBLIC, "kid": None}]}), NOBODY),
    "private": (json.dumps({"keys": [PRIVATE]}), "the set holds a private key"),
    "no set": (json.dumps([]), "not a JWK set"),
    "no JSON": ("keys:", "the file cannot be read"),
    "not there": (None, "the file cannot be read"),
}


def county_file(directory: Path, jwks: str, *, audience: str = "audience") -> Path:
    """The file of an adapter that has not joined: where nothing else is wrong, `run` says that."""
    file = directory / "adapter.yaml"
    file.write_text(
        "version: 1\nname: Invented County\nlisten: 127.0.0.1:0\nstaff:\n  issuer: https://idp.example\n"
        f"  {audience}: homeward\n  jwks: {jwks}\n  roles: {{ workers: [CWA.case_worker] }}\n",
        encoding="utf-8",
    )
    return file


@pytest.mark.parametrize("case", WITHOUT_USE)
def test_a_file_by_which_nobody_could_log_in_is_refused_with_the_other_faults(tmp_path: Path, case: str) -> None:
    text, why = WITHOUT_USE[case]
    if text is not None:
        (tmp_path / "keys.json").write_text(text, encoding="utf-8")
    file = county_file(tmp_path, "{ file: keys.json }", audience="audeince")
    for words in ("check", "run"):
        shown = homeward("adapter", words, "--config", file, code=1).err
        assert f"{file}:7:11: error: staff.jwks.file: {tmp_path / 'keys.json'}: {why}" in shown
        assert f'{file}:6:3: error: staff.audeince: unknown key "audeince"' in shown, "all at once"
        assert ("ADAPTER-001" in shown, "c2VjcmV0" in shown) == (True, False)


def test_a_check_looks_at_the_sources_though_the_keys_cannot_be_read(tmp_path: Path) -> None:
    file = county_file(tmp_path, "{ file: keys.json }")
    (tmp_path / "in.csv").write_text("CLIENT_ID\n1\n", encoding="utf-8")
    with file.open("a", encoding="utf-8") as more:
        more.write(
            f"sources:\n  in:\n    kind: csv\n    path: {tmp_path / 'in.csv'}\n"
            "    freshness: { from: file_time, warn_after: 1d, error_after: 2d }\n"
            "identity:\n  client: { from: in, key: CLIENT_ID, last_name: SURNAME, first_name: GIVEN,"
            ' birth_date: { column: BORN, format: "%Y-%m-%d" } }\n'
        )
    done = homeward("adapter", "check", "--config", file, code=1)
    assert "staff.jwks.file" in done.err
    assert "SURNAME" in done.out
    told = answered("adapter", "check", "--config", file, code=1)
    assert (told["ok"], told["exit_code"], bool(told["sources"])) == (False, 1, True)


def test_one_key_that_counts_is_enough(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [SYMMETRIC, PUBLIC]}), encoding="utf-8")
    file = county_file(tmp_path, "{ file: keys.json }")
    homeward("adapter", "check", "--config", file)
    assert "ADAPTER-002" in homeward("adapter", "run", "--config", file, code=1).err, "it only has not joined"


def test_who_asks_a_running_adapter_needs_no_key_set(tmp_path: Path) -> None:
    asked = homeward("adapter", "fork", "--config", county_file(tmp_path, "{ file: keys.json }"))
    assert "ADAPTER-001" not in asked.err


@dataclass
class Provider:
    """An identity provider that answers over https with what the test puts there."""

    directory: Path
    body: bytes = b""
    url: str = ""
    root: Path = field(init=False)
    server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        authority, key = Authority(), new_tls_key()
        issued = authority.issuer.server("spiffe://idp.example/keys", public(key), hosts=["127.0.0.1"])
        self.root, pem = self.directory / "root.pem", self.directory / "server.pem"
        self.root.write_bytes(authority.root_pem)
        pem.write_bytes(key + issued.chain)
        provider = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(provider.body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing is written to the test's output."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}/keys"

    def ask(self, *words: str) -> tuple[int, str]:
        """Exit status and errors of a command that trusts this provider's certificate."""
        done = subprocess.run(
            [sys.executable, "-m", "homeward", *words], env={**os.environ, "SSL_CERT_FILE": str(self.root)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, done.stderr


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    provider = Provider(tmp_path)
    thread = Thread(target=provider.server.serve_forever)
    thread.start()
    yield provider
    provider.server.shutdown()
    thread.join()
    provider.server.server_close()


@pytest.mark.parametrize(
    ("body", "why"),
    [(b'{"keys": []}', NOBODY), (b"[]", "not a JWK set"), (b"<html>", "not a JWK set"), (b"\xff", "not a JWK set")],
)
def test_an_address_that_answers_with_nothing_of_use_is_refused(provider: Provider, body: bytes, why: str) -> None:
    provider.body = body
    file = county_file(provider.directory, f'{{ url: "{provider.url}" }}')
    for words in ("check", "run"):
        status, shown = provider.ask("adapter", words, "--config", str(file))
        assert (status, f"staff.jwks.url: {provider.url}: {why}" in shown) == (1, True), shown


def test_a_provider_that_is_away_is_a_fault_for_a_check_and_keeps_no_adapter_from_its_start(provider: Provider) -> None:
    provider.body = json.dumps({"keys": [PUBLIC]}).encode()
    file = county_file(provider.directory, f'{{ url: "{provider.url}" }}')
    assert provider.ask("adapter", "check", "--config", str(file)) == (0, "")
    file = county_file(provider.directory, '{ url: "https://127.0.0.1:9/keys" }')
    status, shown = provider.ask("adapter", "check", "--config", str(file))
    assert (status, "staff.jwks.url: https://127.0.0.1:9/keys: the address does not answer" in shown) == (1, True)
    assert "ADAPTER-002" in provider.ask("adapter", "run", "--config", str(file))[1], "it only has not joined"


def test_a_county_file_that_cannot_be_read_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "adapter.yaml").mkdir()
    assert "Is a directory" in homeward("adapter", "check", "--dir", tmp_path, code=1).err
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"version: 1\nname: \xff\n")
    shown = homeward("adapter", "check", "--config", binary, code=1).err
    assert f"{binary}:2:7: error: not UTF-8 text" in shown
    assert "UnicodeDecodeError" not in shown
