"""Settings of a county's file that concern the whole process: each is refused at its line when the file is read."""

import pytest

from adapters.config import AdapterConfig
from gateway.protocol.strict_yaml import DocumentErrors, load

FILE = """\
version: 1
name: "Invented County"
staff:
  issuer: https://login.invented.example
  audience: homeward-adapter
  jwks: { file: jwks.json }
  roles: { workers: [CWA.case_worker] }
"""


def problems(added: str) -> list[tuple[int, int, str, str]]:
    """What is wrong with the file with these lines more: line, column, setting, sentence."""
    with pytest.raises(DocumentErrors) as caught:
        load(FILE + added, AdapterConfig, origin="adapter.yaml")
    return [(each.line, each.column, each.field, each.sentence) for each in caught.value.problems]


@pytest.mark.parametrize(
    "address", ["0.0.0.0:18444", "10.1.2.3:18444", '"[::]:18444"', "adapter.county.example:18444", "127.1:18444"]
)
def test_an_address_that_others_reach_must_be_meant(address: str) -> None:
    """It passed the check, and the adapter died when it opened the port."""
    ((line, column, field, sentence),) = problems(f"listen: {address}\n")
    assert (line, column, field) == (8, 1, "listen")
    assert "127.0.0.1:18444" in sentence
    assert "allow_other_hosts: true" in sentence
    assert problems(f"allow_other_hosts: false\nlisten: {address}\n")[0][2] == "listen"
    meant = load(f"{FILE}allow_other_hosts: true\nlisten: {address}\n", AdapterConfig, origin="adapter.yaml")
    assert meant.listen == address.strip('"')


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:8444", "127.0.0.53:65535", '"[::1]:8444"'])
def test_loopback_needs_no_word(address: str) -> None:
    assert load(f"{FILE}listen: {address}\n", AdapterConfig, origin="x").listen == address.strip('"')


@pytest.mark.parametrize("port", ["65536", "99999"])
@pytest.mark.parametrize("more", ["", "allow_other_hosts: true\n"])
def test_a_port_that_there_is_not_is_refused(port: str, more: str) -> None:
    """The system would take another one, without a word."""
    ((line, _, field, sentence),) = problems(f"listen: 127.0.0.1:{port}\n{more}")
    assert (line, field) == (8, "listen")
    assert "from 0 to 65535" in sentence


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:", "::1:8444", "[x]:8444", "a b:8444", "h:٨", "h:08444"])
def test_what_is_no_address_is_refused(address: str) -> None:
    ((_, _, field, sentence),) = problems(f'listen: "{address}"\n')
    assert (field, "host:port" in sentence) == ("listen", True)


def test_all_faults_are_told_at_once() -> None:
    found = problems("listen: 0.0.0.0:1\nrefresh: 0s\nsources: { a: { kind: csv } }\n")
    assert {field for _, _, field, _ in found} >= {"listen", "refresh", "sources.a.path", "sources.a.freshness"}


@pytest.mark.parametrize(
    ("volume", "field"),
    [
        ("{ refuse_if_falls_by: 0% }", "refuse_if_falls_by"),
        ("{ refuse_if_falls_by: 101% }", "refuse_if_falls_by"),
        ("{ refuse_if_falls_by: 50 }", "refuse_if_falls_by"),
        ("{ allow_empty: maybe }", "allow_empty"),
    ],
)
def test_how_far_a_reading_may_fall_is_a_share(volume: str, field: str) -> None:
    source = f"sources:\n  clients: {{ kind: csv, path: a.csv, volume: {volume} }}\n"
    assert f"sources.clients.volume.{field}" in [each for _, _, each, _ in problems(source)]
