"""A real Chromium, driven over the WebDriver protocol with nothing but the standard library.

Needs `chromium` and `chromedriver` (Debian: chromium, chromium-driver). Each browser has a profile of its own and no
network to speak of; what it logs is kept for tests.
"""

import base64
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1100,900",
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Chromium:
    """One browser window."""

    def __init__(self, driver: str, session: str) -> None:
        self._base = f"{driver}/session/{session}"

    def open(self, url: str) -> None:
        """The page is loaded."""
        _call("POST", f"{self._base}/url", {"url": url})

    def type(self, selector: str, text: str) -> None:
        """The text is typed into the element; for a file input, the file is chosen."""
        found = _call("POST", f"{self._base}/element", {"using": "css selector", "value": selector})
        _call("POST", f"{self._base}/element/{found[_ELEMENT]}/value", {"text": text})

    def run(self, script: str) -> Any:
        """What the script returns in the page."""
        return _call("POST", f"{self._base}/execute/sync", {"script": script, "args": []})

    def wait(self, script: str, *, seconds: float = 20) -> Any:
        """What the script returns as soon as it is something."""
        until = time.monotonic() + seconds
        while not (found := self.run(script)):
            assert time.monotonic() < until, "the page did not get there"
            time.sleep(0.05)
        return found

    def log(self) -> list[str]:
        """What the browser complained of since it was last asked."""
        entries = _call("POST", f"{self._base}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries]

    def screenshot(self, path: Path) -> None:
        """A picture of the window is in the file."""
        path.write_bytes(base64.b64decode(_call("GET", f"{self._base}/screenshot")))


@contextmanager
def chromium(profile: Path) -> Iterator[Chromium]:
    """A browser of its own; closed with everything it started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(driver)
        arguments = [*ARGUMENTS, f"--user-data-dir={profile}"]
        wanted = {"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}
        made = _call("POST", f"{driver}/session", {"capabilities": {"alwaysMatch": wanted}})
        try:
            yield Chromium(driver, made["sessionId"])
        finally:
            _call("DELETE", f"{driver}/session/{made['sessionId']}")
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(driver: str) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            if _call("GET", f"{driver}/status")["ready"]:
                return
        except OSError:
            assert time.monotonic() < until, "chromedriver does not answer"
        time.sleep(0.05)


def _call(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
    try:
        with _DIRECT.open(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(json.load(error)["value"]["message"]) from None
