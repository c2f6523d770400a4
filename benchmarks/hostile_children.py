"""Run cases in a child process that may use so much time and memory, and reach nothing outside.

A child writes a line when it begins a case and one when it has ended; so that the parent knows
which case a child died in, or hangs in.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, Final, NamedTuple, NoReturn

from benchmarks.hostile_cases import Case, Compiled, make_case
from benchmarks.hostile_checks import examine
from benchmarks.hostile_rules import Broken, require

_MEMORY: Final = 4 << 30  # bytes of addresses on top of what the process has
_OUTSIDE: Final = (
    "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind", "os.system",
    "subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork", "urllib.Request", "ftplib.connect",
)  # fmt: skip
_WRITES: Final = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink")


_SAID: Final = 80


class Verdict(NamedTuple):
    """What came of a case: `read`, `empty`, `refused`, or a `finding` with what tells it apart."""

    number: int
    form: str
    outcome: str
    seconds: float
    signature: str = ""
    detail: str = ""


class Plan(NamedTuple):
    """How cases run: in `folder`, which is all that may be written to, until the `deadline`."""

    folder: Path
    seed: int
    compiled: tuple[Compiled, ...]
    limit_s: float
    deadline: float


class TooSlow(BaseException):
    """End a case that takes too long; no handler of exceptions may take it for its own."""


class Child:
    """A process that runs some cases."""

    def __init__(
        self,
        numbers: Sequence[int],
        *,
        plan: Plan,
    ) -> None:
        """Start it."""
        self._patience_s = 3 * plan.limit_s + 30
        reading, writing = os.pipe()
        sys.stdout.flush()
        self._pid = os.fork()
        if not self._pid:
            os.close(reading)
            status = 1
            try:
                with os.fdopen(writing, "wb", buffering=0) as pipe:
                    _confine(plan.folder)
                    _run(numbers, pipe, plan)
                status = 0
            finally:
                os._exit(status)
        os.close(writing)
        self._reading = reading

    def verdicts(self) -> Iterator[Verdict]:
        """Yield a verdict a case until the child has ended; its death is a finding."""
        number, form = -1, ""
        why = ""
        started = time.monotonic()
        with os.fdopen(self._reading, "rb", buffering=0) as pipe:
            for line in _lines(pipe, patience_s=self._patience_s):
                if line is None:
                    os.kill(self._pid, signal.SIGKILL)
                    why = "hangs where no signal ends it"
                    break
                message = json.loads(line)
                if "begin" in message:
                    (number, form), started = message["begin"], time.monotonic()
                else:
                    number = -1
                    yield Verdict(**message)
        _, status = os.waitpid(self._pid, 0)
        if number >= 0 or why or status:
            code = os.waitstatus_to_exitcode(status)
            why = why or f"the process died: {code}"
            require(number >= 0, f"a child died outside any case: {why}")
            yield Verdict(number, form, "finding", time.monotonic() - started, why)


def _lines(pipe: Any, *, patience_s: float) -> Iterator[bytes | None]:
    """Yield the lines of a pipe until its end; None if nothing comes for so long."""
    rest = b""
    while True:
        if not select.select([pipe], [], [], patience_s)[0]:
            yield None
            return
        data = os.read(pipe.fileno(), 1 << 16)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from lines


def _run(numbers: Sequence[int], pipe: Any, plan: Plan) -> None:
    for number in numbers:
        if time.monotonic() > plan.deadline:
            return
        case = make_case(number, seed=plan.seed, compiled=plan.compiled)
        pipe.write(json.dumps({"begin": [number, case.form]}).encode() + b"\n")
        start = time.perf_counter()
        outcome, signature, detail = "", "", ""
        signal.setitimer(signal.ITIMER_PROF, plan.limit_s)
        try:
            outcome = run_case(case, folder=plan.folder, seed=plan.seed)
        except BaseException as error:
            signal.setitimer(signal.ITIMER_PROF, 0)
            outcome, signature = "finding", signature_of(error)
            detail = "".join(traceback.format_exception(error))[-4000:]
        signal.setitimer(signal.ITIMER_PROF, 0)
        verdict = Verdict(
            number, case.form, outcome, time.perf_counter() - start, signature, detail
        )
        pipe.write(json.dumps(verdict._asdict()).encode() + b"\n")


def run_case(case: Case, *, folder: Path, seed: int) -> str:
    """Lay the files of a case into a new folder, go there, and examine it; return the outcome."""
    _escapes.clear()
    place = folder / "case"
    os.chdir(folder)  # what is relative has to be relative to something
    shutil.rmtree(place, ignore_errors=True)
    for name, data in case.files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    os.chdir(place)
    talk = io.StringIO()
    with contextlib.redirect_stderr(talk), warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = examine(case, rng=Random(f"{seed}:{case.number}:checks"))
    require(not talk.getvalue(), f"talk on standard error: {talk.getvalue()[:300]}")
    require(not _escapes, f"reached outside: {_escapes[:3]}")
    return outcome


def signature_of(error: BaseException) -> str:
    """Return what tells one kind of finding from another: the exception and where it arose."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.name != "require"]
    ours = [frame for frame in frames if "/graphs/" in frame.filename]
    last = frames[-1] if isinstance(error, Broken) or not ours else ours[-1]
    said = " ".join(str(error).split())[:_SAID]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {said}"


_escapes: list[str] = []


def _confine(folder: Path) -> None:
    """Limit this process for good: memory, time, and what it may touch."""

    def too_slow(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TooSlow("too slow")

    def no_sync(fd: object) -> None:
        """Leave the disk alone: no case outlives this process, and waiting took half the time."""

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            writing = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if "secret" in str(path) or (writing and not _within(path, folder)):
                _escapes.append(f"open {path!r}")
        elif event in _OUTSIDE or (event in _WRITES and not _within(arguments[0], folder)):
            _escapes.append(f"{event} {arguments!r}")
            raise PermissionError(f"{event} is not allowed here")

    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = size * resource.getpagesize() + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.dont_write_bytecode = True
    os.fsync = no_sync
    signal.signal(signal.SIGPROF, too_slow)
    sys.addaudithook(watch)


def _within(path: object, folder: Path) -> bool:
    if isinstance(path, int):  # a file that is open already
        return True
    name = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else str(path)
    return (Path.cwd() / name).is_relative_to(folder) and ".." not in Path(name).parts
