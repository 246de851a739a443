"""The bootstrap's answers on machines that lack something: an old Python, no ensurepip, no network, a lying index."""

import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from deploy import bootstrap

ROOT = Path(bootstrap.__file__).resolve().parent.parent
NOTHING_LISTENS = "http://127.0.0.1:9/simple"  # port 9 is discard (RFC 863)


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is reached without the proxy and the certificate store of whoever runs the tests."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


class Index(http.server.BaseHTTPRequestHandler):
    """A package index with one pip wheel, whose bytes are not the pinned ones."""

    files = (bootstrap.PIP_WHEEL,)
    asked_with: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        """Answers the project page in PEP 691 form and any other path with bytes of its own."""
        type(self).asked_with.append(self.headers.get("Authorization"))
        page = {"files": [{"filename": name, "url": f"../files/{name}"} for name in self.files]}
        body = json.dumps(page).encode() if self.path.endswith("/pip/") else b"not a wheel"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the tests read what the bootstrap says."""


@pytest.fixture
def index(direct: None) -> Iterator[str]:
    Index.asked_with = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}/simple"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("version", [(2, 7), (3, 6), (3, 10)])
def test_an_old_python_is_refused_in_one_sentence_that_names_the_way_out(version: tuple[int, int]) -> None:
    with pytest.raises(bootstrap.Stopped) as stopped:
        bootstrap.check_python(version)
    said = str(stopped.value)
    assert f"Python {version[0]}.{version[1]} is too old" in said
    assert "make demo PY=" in said
    assert "\n" not in said


@pytest.mark.parametrize("version", [(3, 11), (3, 14), (4, 0)])
def test_every_newer_python_is_accepted(version: tuple[int, int]) -> None:
    bootstrap.check_python(version)
    assert version >= bootstrap.OLDEST_PYTHON


def test_the_oldest_python_is_the_one_the_package_declares() -> None:
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'requires-python = ">={}.{}"'.format(*bootstrap.OLDEST_PYTHON) in declared


def test_without_ensurepip_and_network_it_says_one_line_and_exits_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], direct: None
) -> None:
    monkeypatch.setenv("HOMEWARD_VENV", str(tmp_path / "venv"))
    monkeypatch.setenv("PIP_INDEX_URL", NOTHING_LISTENS)
    monkeypatch.setenv("PATH", os.defpath)  # no uv
    monkeypatch.setattr(bootstrap, "has_ensurepip", lambda: False)
    assert bootstrap.main() == 1
    said = capsys.readouterr().err.splitlines()
    assert "cannot reach the Python package index" in said[-1]
    assert "https_proxy" in said[-1]
    assert "sudo apt install python3-venv" in said[-1]
    assert not any("Traceback" in line for line in said)
    assert not (tmp_path / "venv" / ".ready").exists()


def test_the_checkouts_modules_are_compiled_though_the_environment_forbids_processes_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for room in bootstrap.ROOMS:
        assert (ROOT / room).is_dir()
        (tmp_path / room).mkdir()
        (tmp_path / room / "module.py").write_text("ANSWER = 42\n", encoding="utf-8")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    bootstrap.compile_rooms(Path(sys.executable))
    assert len([*tmp_path.glob("*/__pycache__/module.*.pyc")]) == len(bootstrap.ROOMS)
    assert capsys.readouterr().err == ""
    (tmp_path / "audit" / "broken.py").write_text("def\n", encoding="utf-8")
    bootstrap.compile_rooms(Path(sys.executable))
    assert "start more slowly" in capsys.readouterr().err


def test_a_checkout_whose_name_is_not_ascii_is_found_under_every_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "pröj dir"
    packages = checkout / ".venv/lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    (checkout / "room.py").touch()
    (packages / "other.pth").write_text("import nothing_of_ours\n", encoding="ascii")
    (packages / "_homeward.pth").write_text(f"{checkout}\n{checkout}/proto\n", encoding="utf-8")
    monkeypatch.setattr(bootstrap, "ROOT", checkout)
    bootstrap.name_rooms(checkout / ".venv")
    assert (packages / "_homeward.pth").read_text(encoding="ascii") == "../../../..\n../../../../proto\n"
    assert (packages / "other.pth").read_text(encoding="ascii") == "import nothing_of_ours\n"
    find = f"import site; site.addsitedir({str(packages)!r}); import room; print(ascii(room.__file__))"
    done = subprocess.run(
        [sys.executable, "-c", find], capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    assert done.stdout.strip() == ascii(str(checkout / "room.py")), done.stderr


def test_a_failed_install_for_want_of_network_is_told_from_any_other_failure() -> None:
    offline = subprocess.CompletedProcess([], 1, "", "ERROR: No matching distribution found for click==8.5.1")
    with pytest.raises(bootstrap.Stopped, match="cannot reach the Python package index"):
        bootstrap.must(offline, "the locked packages")
    tampered = subprocess.CompletedProcess([], 1, "", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES")
    with pytest.raises(bootstrap.Stopped, match="DO NOT MATCH THE HASHES"):
        bootstrap.must(tampered, "the locked packages")


def test_a_certificate_nobody_vouches_for_is_no_missing_network() -> None:
    said = (
        "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed'))': /simple/"
    )
    with pytest.raises(bootstrap.Stopped, match="PIP_CERT"):
        bootstrap.must(subprocess.CompletedProcess([], 1, "", f"connection broken by '{said}"), "the locked packages")


def test_a_pip_wheel_behind_an_unknown_authority_is_no_missing_network(
    direct: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(hours=1))
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "server.pem").write_bytes(pem + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda request, address: None  # type: ignore[method-assign]  # it is refused, as it should be
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with pytest.raises(bootstrap.Stopped, match="name that authority's file in PIP_CERT"):
            bootstrap.fetch_pip(f"https://127.0.0.1:{server.server_address[1]}/simple")
        server.shutdown()
        thread.join()


def test_a_file_of_authorities_that_is_not_there_is_named(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CERT", "/nowhere/ca.pem")
    with pytest.raises(bootstrap.Stopped, match=r"PIP_CERT names /nowhere/ca\.pem"):
        bootstrap.fetch_pip(f"http://{index}")


def test_without_the_venv_module_it_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "venv", None)
    monkeypatch.setenv("HOMEWARD_VENV", str(tmp_path / "venv"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bootstrap.main() == 1
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("bootstrap: making venv")
    assert last.startswith("bootstrap: this Python has no venv module; install python3-venv")


def test_a_uv_that_cannot_be_started_leaves_it_to_pip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uv = tmp_path / "uv"
    uv.write_bytes(b"of another machine")
    uv.chmod(0o755)
    assert bootstrap.fill_with_uv(str(uv), tmp_path / "venv") is False
    assert capsys.readouterr().err.endswith("bootstrap: uv could not do it; trying pip\n")


def test_a_pip_wheel_that_is_not_the_pinned_one_is_refused(index: str) -> None:
    with pytest.raises(bootstrap.Stopped, match=r"another pip-.* than the pinned one"):
        bootstrap.fetch_pip(f"http://{index}")


def test_an_index_without_the_pinned_wheel_is_named_as_such(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Index, "files", ("pip-9.0.3-py2.py3-none-any.whl",))
    with pytest.raises(bootstrap.Stopped, match="does not carry pip-"):
        bootstrap.fetch_pip(f"http://{index}")


def test_a_password_in_the_index_url_travels_as_a_header_and_is_never_printed(index: str) -> None:
    with pytest.raises(bootstrap.Stopped) as stopped:
        bootstrap.fetch_pip(f"http://mirror:s3cret%21@{index}")
    assert Index.asked_with[0] == "Basic bWlycm9yOnMzY3JldCE="
    assert "s3cret" not in str(stopped.value)


def test_the_index_of_the_environment_wins_over_pips_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = http://127.0.0.1:1/file\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    assert bootstrap.configured_index() == "http://127.0.0.1:1/file"
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/environment")
    assert bootstrap.configured_index() == "http://127.0.0.1:1/environment"


def test_settings_that_send_pip_elsewhere_do_not_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_TARGET", "/nowhere")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/kept")
    kept = bootstrap.pip_environment()
    assert "PIP_USER" not in kept
    assert "PIP_TARGET" not in kept
    assert kept["PIP_INDEX_URL"] == "http://127.0.0.1:1/kept"


def test_the_bootstrap_uses_the_standard_library_only() -> None:
    # -S leaves out site-packages, -I the environment: what imports now is the interpreter's own.
    probe = f"import runpy; runpy.run_path({str(ROOT / 'deploy' / 'bootstrap.py')!r}, run_name='probe')"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", probe], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("lock", ["requirements.lock", "deploy/requirements.lock"])
def test_every_locked_package_is_pinned_and_hashed_and_no_index_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    pins = [block for block in text.replace("\\\n", " ").splitlines() if block and not block.startswith("#")]
    assert len(pins) > 30
    assert all("==" in pin and "--hash=sha256:" in pin for pin in pins)
    assert "://" not in text
