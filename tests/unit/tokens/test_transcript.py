"""The offline ceremony: what lies in the directory afterwards, and what the transcript says."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.protocol.ristretto import load_ristretto
from gateway.protocol.sharing import is_on_sharing
from gateway.tokens.ceremony_cli import deal_shares
from gateway.tokens.share_file import read_refresh, read_share
from gateway.tokens.transcript import PublicFileBroken, read_public_file

GROUP = load_ristretto()


def ceremony(out: Path, *options: str) -> Result:
    return CliRunner().invoke(deal_shares, [*options, "--out", str(out)])


@pytest.fixture
def dealt(tmp_path: Path) -> Path:
    out = tmp_path / "ceremony"
    present = ("--present", "R. Invented, state", "--present", "A. Nother\nshare-1.bin 00, auditor")
    assert ceremony(out, "--threshold", "2", "--holders", "3", *present).exit_code == 0
    return out


def test_the_transcript_names_everything_that_is_public_and_every_file(dealt: Path) -> None:
    text = (dealt / "transcript.txt").read_text()
    public = read_public_file((dealt / "commitments.json").read_text())
    assert "present         R. Invented, state\n" in text
    assert "any 2 of 3 holders" in text
    assert "epoch           e1, generation 1" in text
    assert all(commitment in text for commitment in public.commitments)
    spelled = text.replace(" ", "")
    assert sha256((dealt / "commitments.json").read_bytes()).hexdigest() in spelled
    for index in (1, 2, 3):
        data = (dealt / f"share-{index}.bin").read_bytes()
        share = read_share(data, GROUP)
        assert sha256(data).hexdigest() in spelled
        assert share.public(GROUP).hex() in text
        assert is_on_sharing(GROUP, public.sharing, index=index, commitment=share.public(GROUP))
        assert (dealt / f"share-{index}.bin").stat().st_mode & 0o777 == 0o600


def test_no_secret_is_in_what_may_be_read_and_a_planted_one_is_found(dealt: Path) -> None:
    secrets = [read_share((dealt / f"share-{index}.bin").read_bytes(), GROUP).share.secret for index in (1, 2, 3)]
    readable = b"".join((dealt / name).read_bytes() for name in ("transcript.txt", "commitments.json"))

    def found(text: bytes) -> bool:
        packed = text.replace(b" ", b"")
        return any(secret in packed or secret.hex().encode() in packed for secret in secrets)

    assert not found(readable)
    assert found(readable + secrets[1].hex().encode())


def test_a_name_cannot_add_a_line_to_the_transcript(dealt: Path) -> None:
    lines = (dealt / "transcript.txt").read_text().splitlines()
    assert sum(line.startswith("share-1.bin") for line in lines) == 1


def test_a_refresh_starts_from_the_public_file_alone(dealt: Path, tmp_path: Path) -> None:
    out = tmp_path / "refresh"
    done = ceremony(out, "--refresh", str(dealt / "commitments.json"), "--json")
    reply = json.loads(done.stdout)
    assert (reply["generation"], reply["threshold"], sorted(reply["sha256"])) == (
        2,
        2,
        ["refresh-1.bin", "refresh-2.bin", "refresh-3.bin"],
    )
    before = read_share((dealt / "share-3.bin").read_bytes(), GROUP)
    after = read_refresh((out / "refresh-3.bin").read_bytes()).apply(before, GROUP)
    assert after.sharing == read_public_file((out / "commitments.json").read_text()).sharing
    assert "refresh of the shares; the key and every token stay" in (out / "transcript.txt").read_text()


def test_two_ceremonies_do_not_share_a_directory(dealt: Path) -> None:
    before = (dealt / "share-1.bin").read_bytes()
    assert ceremony(dealt).exit_code != 0
    assert (dealt / "share-1.bin").read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [{"threshold": 3}, {"commitments": ["00"]}, {"epoch": "E 1"}, {"more": 1}, {"generation": 0}],
    ids=["threshold", "commitments", "epoch", "unknown", "generation"],
)
def test_a_spoiled_public_file_is_refused(dealt: Path, change: dict[str, object]) -> None:
    document = json.loads((dealt / "commitments.json").read_text()) | change
    with pytest.raises(PublicFileBroken):
        read_public_file(json.dumps(document))
