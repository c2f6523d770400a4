"""Refuse what a test must not do: reach a network, start a strange process, write elsewhere.

An audit hook (PEP 578) sees these events wherever they come from, also from libraries. Needs the
standard library alone, and little of it, since every Python process that a test starts installs it
(see `sitecustomize.py`). Code outside of Python, such as torch's own sockets, raises no events.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, Final

FOLDERS: Final = "KBERT_TESTS_FOLDERS"  # where may be written, for processes that tests start
LOCALHOST: Final = "KBERT_TESTS_LOCALHOST"  # set where a test may talk to this machine
BROWSER: Final = "KBERT_TESTS_BROWSER"  # the browser, set where a test may start it
REPORT: Final = "KBERT_TESTS_REPORT"  # where those processes report what was refused
# Asked by libraries what the machine is; they read, and nothing comes of it if they are refused.
PROGRAMS: Final = frozenset({"git", "uname", "lscpu", "ldconfig", "/sbin/ldconfig", "file"})
_DEVICES: Final = frozenset({"/dev/null", "/dev/tty", "/dev/full", "/dev/stdout", "/dev/stderr"})
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LOCAL: Final = (None, "", "localhost", "127.0.0.1", "::1", b"localhost", b"127.0.0.1")
_CACHE: Final = f"{os.sep}__pycache__"
_FRAMES: Final = 12


class Refused(PermissionError):
    """A test did what no test may do."""


class Watch:
    """What may be done, and what was refused since it was last asked."""

    def __init__(self, folders: list[str]) -> None:
        """Allow writing below `folders`; nothing is watched until `active` is set."""
        self.active = False
        self.localhost = False
        self.report = ""
        self.refused: list[str] = []
        self.folders = tuple(os.path.join(os.path.realpath(folder), "") for folder in folders)
        self._checks: dict[str, Callable[[tuple[Any, ...]], str]] = {
            "open": self._open,
            "os.rename": lambda a: self._path(a[0], a[2]) or self._path(a[1], a[3]),
            "os.link": lambda a: self._path(a[1], a[3]),
            "os.symlink": lambda a: self._path(a[1], a[2]),
            "os.remove": lambda a: self._path(a[0], a[1]),
            "os.rmdir": lambda a: self._path(a[0], a[1]),
            "os.mkdir": lambda a: self._path(a[0], a[2]),
            "os.truncate": lambda a: self._path(a[0], -1),
            "os.chmod": lambda a: self._path(a[0], a[2]),
            "os.utime": lambda a: self._path(a[0], a[3]),
            "socket.connect": lambda a: self._address(a[1]),
            "socket.sendto": lambda a: self._address(a[1]),
            "socket.getaddrinfo": lambda a: self._host(a[0]),
            "socket.gethostbyname": lambda a: self._host(a[0]),
            "subprocess.Popen": _program,
            "os.system": lambda a: f"{a[0]!r}",
            "os.exec": lambda a: "" if a[0] in _known() else f"{a[0]!r}",
            "os.posix_spawn": lambda a: "" if a[0] == sys.executable else f"{a[0]!r}",
        }

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at an event; raises `Refused`, so that nothing comes of it."""
        if not self.active:
            return
        check = self._checks.get(event)
        if check is None:
            return
        wrong = check(arguments)
        if wrong:
            self._refuse(f"{event}: {wrong}")

    def _refuse(self, message: str) -> None:
        self.active = False  # what is said below is no business of the test
        try:
            frames = traceback.extract_stack(sys._getframe(2), limit=_FRAMES)
            place = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
            self.refused.append(f"{message} (from {place})")
            if self.report:
                with open(self.report, "a", encoding="utf-8", errors="replace") as file:
                    file.write(f"{self.refused[-1]}\n")
        finally:
            self.active = True
        raise Refused(message)

    def _open(self, arguments: tuple[Any, ...]) -> str:
        path, _, flags = arguments
        if not isinstance(flags, int) or not flags & _WRITING or isinstance(path, int):
            return ""
        return self._path(path, -1)

    def _path(self, path: Any, folder: int) -> str:
        """Say which path is out of bounds; nothing where it is not."""
        if isinstance(path, int):
            return ""
        text = os.fsdecode(path)
        if not os.path.isabs(text):
            base = os.getcwd() if folder < 0 else os.readlink(f"/proc/self/fd/{folder}")
            text = os.path.join(base, text)
        text = os.path.normpath(text)
        if (
            text in _DEVICES
            or _CACHE in text
            or text == "/proc"
            or text.startswith(("/proc/", "/dev/fd/"))
        ):
            return ""
        real = os.path.join(os.path.realpath(os.path.dirname(text)), os.path.basename(text))
        inside = os.path.join(real, "").startswith(self.folders)
        return "" if inside else f"{text} is not below the test's folder"

    def _address(self, address: Any) -> str:
        if not isinstance(address, tuple):  # AF_UNIX
            return ""
        return self._host(address[0])

    def _host(self, host: Any) -> str:
        return "" if host in _LOCAL and self.localhost else f"{host!r} is asked for"


def _program(arguments: tuple[Any, ...]) -> str:
    executable, parts = arguments[:2]
    first = os.fsdecode(executable or (parts if isinstance(parts, str | bytes) else parts[0]))
    known = first == sys.executable or first in PROGRAMS or os.path.basename(first) in PROGRAMS
    return "" if known else f"{first!r} is started"


def _known() -> tuple[str, ...]:
    return sys.executable, os.environ.get(BROWSER, sys.executable)


def install_in_child() -> None:
    """Watch a process that a test started, as the environment says; elsewhere do nothing."""
    folders = os.environ.get(FOLDERS)
    if folders:
        watch = Watch(folders.split(os.pathsep))
        watch.localhost = LOCALHOST in os.environ
        watch.report = os.environ.get(REPORT, "")
        watch.active = True
        sys.addaudithook(watch)
