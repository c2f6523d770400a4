"""Drive a headless Chromium that is installed on this machine, over a pipe.

The DevTools protocol is JSON messages with a zero byte after each; no library and no port is
needed. The browser cannot resolve any host, so a page that asks for something is found out. Used by
the tests of pages (marker `browser`) and by `benchmarks.example_pages`.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE: Final = 180.0  # seconds; the machine may be busy
_FLAGS: Final = (
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu",
    "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--mute-audio", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--force-color-profile=srgb",
)  # fmt: skip
# What the browser reads and writes are its descriptors 3 and 4.
_START: Final = (
    "import os, sys; read, write, *command = sys.argv[1:]; os.dup2(int(read), 3);"
    " os.dup2(int(write), 4); os.execv(command[0], command)"
)


class BrowserError(Exception):
    """Say that the browser does not start, does not answer, or refuses a command."""


def find_chromium() -> str | None:
    """Return the path of the browser: KBERT_CHROMIUM, or one of the usual names."""
    named = os.environ.get("KBERT_CHROMIUM")
    return named or next(filter(None, map(shutil.which, _NAMES)), None)


class Page:
    """One page of the browser, and what it did since it was opened."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        """Listen to what the page of a session says and asks for."""
        self._browser = browser
        self._session = session
        self._target = target
        self.requests: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")

    def open(self, file: Path) -> None:
        """Load a file and wait until it stands."""
        self.requests.clear()
        self.complaints.clear()
        self._browser.events.clear()
        answer = self._call("Page.navigate", url=file.resolve().as_uri())
        if "errorText" in answer:
            raise BrowserError(f"{file}: {answer['errorText']}")
        self._browser.wait_for("Page.loadEventFired")
        self.settle()

    def close(self) -> None:
        """Close the page."""
        self._browser.call("Target.closeTarget", targetId=self._target)

    def settle(self) -> None:
        """Wait for two frames to be drawn, and take down what happened."""
        frame = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        self.evaluate(f"{frame}.then(() => true)")
        for event in self._browser.events:
            self._note(event["method"], event["params"])
        self._browser.events.clear()

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited. Raises `BrowserError`."""
        answer = self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def resize(self, width: int, height: int = 900, *, touch: bool = False) -> None:
        """Give the window this size in pixels; with `touch` it is a phone's."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                   deviceScaleFactor=1, mobile=touch)  # fmt: skip
        self._call("Emulation.setTouchEmulationEnabled", enabled=touch)

    def media(self, *, dark: bool = False, kind: str = "screen") -> None:
        """Prefer dark or light colours, on a `screen` or in `print`."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", media=kind, features=[feature])

    def point(self, x: float, y: float) -> None:
        """Move the pointer."""
        self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.settle()

    def tap(self, x: float, y: float) -> None:
        """Touch the page and let go."""
        self._call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self._call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.settle()

    def press(self, key: str) -> None:
        """Press a key by its name, such as `Tab` or `ArrowRight`."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "Home": 36,
                 "ArrowLeft": 37, "ArrowRight": 39}  # fmt: skip
        for kind in ("rawKeyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                       windowsVirtualKeyCode=codes[key])  # fmt: skip
        self.settle()

    def screenshot(self, file: Path, *, whole: bool = True, most: int = 8000) -> None:
        """Write a PNG of the page, of the `whole` of it up to `most` pixels high."""
        options: dict[str, Any] = {}
        if whole:
            size = self._call("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], most)}
            options = {"captureBeyondViewport": True, "clip": {**clip, "scale": 1}}
        answer = self._call("Page.captureScreenshot", format="png", **options)
        file.write_bytes(base64.b64decode(answer["data"]))

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, session=self._session, **params)

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif method == "Page.javascriptDialogOpening":
            self.complaints.append(f"dialog: {params['message']}")


class Browser:
    """A running browser; `browser()` starts and ends it."""

    def __init__(self, process: subprocess.Popen[bytes], *, read: int, write: int) -> None:
        """Talk to the browser over two descriptors."""
        self._process = process
        self._read, self._write = read, write
        self._rest = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def page(self) -> Page:
        """Open an empty page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session, target)

    def call(self, method: str, *, session: str = "", **params: Any) -> dict[str, Any]:
        """Give a command and return its answer. Raises `BrowserError`."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(method)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
            if "method" in answer:
                self.events.append(answer)

    def wait_for(self, event: str) -> None:
        """Wait until an event has come."""
        while not any(each["method"] == event for each in self.events):
            answer = self._next(event)
            if "method" in answer:
                self.events.append(answer)

    def _next(self, about: str) -> dict[str, Any]:
        ends = time.monotonic() + _PATIENCE
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(0.0, ends - time.monotonic()))
            chunk = os.read(self._read, 1 << 16) if ready else b""
            if not chunk:
                how = "ended" if ready else f"did not answer for {_PATIENCE:.0f} s"
                raise BrowserError(f"the browser {how} at {about}")
            self._rest += chunk
        message, self._rest = self._rest.split(b"\0", 1)
        answer: dict[str, Any] = json.loads(message)
        return answer


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the browser with a profile of its own, and end it. Raises `BrowserError`."""
    path = find_chromium()
    if path is None:
        raise BrowserError("no Chromium is installed (Debian: apt-get install chromium)")
    theirs_in, ours_out = map(_moved, os.pipe())
    ours_in, theirs_out = map(_moved, os.pipe())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = [*_FLAGS, f"--user-data-dir={profile}"]
        if os.geteuid() == 0:  # its sandbox does not run as root; the pages are our own
            flags.append("--no-sandbox")
        # Isolated, so that the hook which confines Python processes of tests lets it start.
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, str(theirs_in), str(theirs_out), path, *flags],
            pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Browser(process, read=ours_in, write=ours_out)
        finally:
            os.close(ours_out)  # the end of its input ends the browser
            _end(process)
            os.close(ours_in)


def _moved(descriptor: int) -> int:
    """Give a descriptor a number above those that the browser wants for itself."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
