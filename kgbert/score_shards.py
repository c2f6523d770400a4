"""A file of triples scored in shards, each of which can be stopped, begun again, or done twice.

The file's lines are dealt out in blocks: block k is of shard k mod n. Beside OUT stands a folder
`OUT.shards` with `job.json`, which says what the scores are a function of, and a file for each
shard, `i-of-n.tsv` once it is whole and `i-of-n.partial` before, of which whole blocks are kept. No
more than a block is held in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from graphs.disk import reason
from graphs.opening import text_lines
from graphs.replacing import replacing
from kbert.errors import DataError, RunError
from kgbert.text_files import shown

BLOCK: Final = 4096
JOB: Final = "job.json"
_MODEL: Final = (
    *("config.json", "model.safetensors", "vocab.txt", "tokenizer.json", "tokenizer_config.json"),
    *("run.json", "entities.tsv", "relations.tsv", "calibrator.json"),
)


class Line(NamedTuple):
    """One line of the input, its number, and its three columns."""

    number: int
    text: str
    parts: tuple[str, ...]


def read_lines(file: Path) -> Iterator[Line]:
    """Read lines of head TAB relation TAB tail; empty ones are none.

    Raises `DataError` for another number of columns, `graphs.GraphError` for what is no text.
    """
    for number, text in text_lines(file):
        parts = tuple(part.strip() for part in text.split("\t"))
        if len(parts) != 3:
            columns = "1 column" if len(parts) == 1 else f"{len(parts)} columns"
            message = f"{columns}, not head TAB relation TAB tail: {shown(text)}"
            raise DataError(message, file=file, line=number)
        yield Line(number, text, parts)


def read_blocks(file: Path) -> Iterator[list[Line]]:
    """Read the lines of `file` in blocks; the last one may be short."""
    lines = read_lines(file)
    while block := list(islice(lines, BLOCK)):
        yield block


@dataclass(frozen=True)
class Job:
    """What scores are a function of, and how many `rows` there are."""

    identity: Mapping[str, Any]
    rows: int

    @classmethod
    def survey(cls, model: Path, file: Path, *, settings: Mapping[str, Any], shards: int) -> Job:
        """Look through model and file once, so that a broken line is found before the work.

        Raises as `read_lines` does.
        """
        triples, rows = hashlib.sha256(), 0
        for line in read_lines(file):
            triples.update(f"{line.text}\n".encode())
            rows += 1
        weights = hashlib.sha256()
        for name in _MODEL:
            if (model / name).is_file():
                with (model / name).open("rb") as opened:
                    weights.update(hashlib.file_digest(opened, "sha256").digest())
        identity = {"model": weights.hexdigest(), "triples": triples.hexdigest(), "rows": rows}
        return cls(identity | {"block": BLOCK, "shards": shards, **settings}, rows)

    def rows_of(self, shard: int, *, shards: int) -> int:
        """Count the rows of shard i (from 1) of n."""
        blocks = -(-self.rows // BLOCK)
        own = range(shard - 1, blocks, shards)
        last = blocks - 1
        return len(own) * BLOCK - (blocks * BLOCK - self.rows if blocks and last in own else 0)


class Shards:
    """The folder of a job's shards."""

    def __init__(self, out: Path) -> None:
        """Stand beside `out`; nothing is written yet."""
        self.out = out
        self.folder = out.with_name(f"{out.name}.shards")

    def begin(self, job: Job) -> None:
        """Make the folder for `job`, or check that it is of it. Raises `RunError`."""
        with _as_run_error(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if (self.folder / JOB).is_file():
                others = [
                    key for key, value in self._job().items() if job.identity.get(key) != value
                ]
                if others:
                    raise RunError(
                        f"{self.folder}: holds shards of another job, with other"
                        f" {', '.join(others)}; remove it, or choose another --output"
                    )
                return
            with replacing(self.folder / JOB) as file:
                file.write((json.dumps(dict(job.identity), indent=2) + "\n").encode())

    def forget(self) -> None:
        """Remove what `begin` made, unless a block was scored, or anything else is there."""
        if not self.folder.is_dir():
            return
        found = {file.name for file in self.folder.iterdir()}
        partial = self._file(1, 1).with_suffix(".partial")
        if found <= {JOB, partial.name} and not (partial.is_file() and partial.stat().st_size):
            for file in (partial, self.folder / JOB):
                file.unlink(missing_ok=True)
            with suppress(OSError):
                self.folder.rmdir()

    def is_done(self, shard: int, *, shards: int) -> bool:
        """Say whether a shard is whole."""
        return self._file(shard, shards).is_file()

    @contextmanager
    def write(
        self, shard: int, *, shards: int
    ) -> Iterator[tuple[int, Callable[[Sequence[str]], None]]]:
        """Yield how many rows of a shard are there already, and what appends a block to it.

        At the end the shard is whole. Raises `RunError` if another process writes it.
        """
        file = self._file(shard, shards)
        partial = file.with_suffix(".partial")
        with _as_run_error(partial), partial.open("ab+") as opened:
            _lock(opened, partial)
            rows = _whole_blocks(opened)

            def append(lines: Sequence[str]) -> None:
                _append(opened.fileno(), "".join(f"{line}\n" for line in lines).encode())

            yield rows, append
            os.fsync(opened.fileno())
            partial.replace(file)

    def merge(self, *, keep: bool = False) -> int:
        """Write all shards to `out` in the order of the input, and return the number of rows.

        With `keep` the folder stays. Raises `RunError` if a shard is missing or damaged.
        """
        if not (self.folder / JOB).is_file():
            raise RunError(f"{self.folder}: no shards; compute them with --shard i/n first")
        content = self._job()
        count, rows = int(content["shards"]), int(content["rows"])
        files = [self._file(shard, count) for shard in range(1, count + 1)]
        missing = [f"{i}/{count}" for i, file in enumerate(files, 1) if not file.is_file()]
        if missing:
            raise RunError(
                f"{self.folder}: {len(missing)} of {count} shards are not done: --shard"
                f" {', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}"
            )
        with _as_run_error(self.out), replacing(self.out) as out:  # which syncs it
            written = _interleave(files, out, block=int(content["block"]))
            if written != rows:
                raise RunError(f"{self.folder}: damaged: {written:,} of {rows:,} rows")
        if not keep:
            self._remove(files)
        return rows

    def _remove(self, files: Sequence[Path]) -> None:
        with suppress(OSError):  # something else is in it, or it cannot be removed
            for file in (*files, self.folder / JOB):
                file.unlink()
            self.folder.rmdir()

    def _file(self, shard: int, shards: int) -> Path:
        return self.folder / f"{shard}-of-{shards}.tsv"

    def _job(self) -> dict[str, Any]:
        file = self.folder / JOB
        try:
            content = json.loads(file.read_bytes())
            return {**content, "shards": int(content["shards"]), "rows": int(content["rows"])}
        except (ValueError, TypeError, KeyError):
            raise RunError(f"{file}: damaged; remove the folder") from None


def _interleave(files: Sequence[Path], out: IO[bytes], *, block: int) -> int:
    """Deal blocks back into one file; return the number of lines."""
    rows = turn = 0
    opened = [file.open("rb") for file in files]
    try:
        while lines := list(islice(opened[turn % len(opened)], block)):
            out.writelines(lines)
            rows += len(lines)
            turn += 1
        return rows + sum(1 for file in opened for _ in file)  # none, if nothing is damaged
    finally:
        for file in opened:
            file.close()


def _whole_blocks(file: IO[bytes]) -> int:
    """Cut off what is no whole block of lines; return the number of rows before."""
    file.seek(0)
    rows = end = place = 0
    for number, line in enumerate(file, 1):
        place += len(line)
        if number % BLOCK == 0 and line.endswith(b"\n"):
            rows, end = number, place
    file.truncate(end)
    return rows


def _append(handle: int, data: bytes) -> None:
    """Append to an open file, all or nothing; no buffer holds what a full disk did not take.

    Raises `OSError`.
    """
    before, left = os.fstat(handle).st_size, memoryview(data)
    try:
        while left:
            left = left[os.write(handle, left) :]
    except OSError:
        with suppress(OSError):
            os.ftruncate(handle, before)
        raise


def _lock(file: IO[bytes], path: Path) -> None:
    """Keep other processes from this shard; the lock ends with the process, however it ends."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(f"{path}: another process is computing this shard") from None


@contextmanager
def _as_run_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(f"{path}: cannot be used: {reason(error, at=path)}") from None
