"""Open a file of lines, plain or compressed with gzip or zstd: as bytes, as blocks, as lines.

Lines end at line feeds only. Text is strict UTF-8; a byte order mark before the first line and one
carriage return at a line's end are dropped. A compressed file that is damaged is an error, after
all whole lines before the damage have been given.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from graphs.decompression import PIECE, Damage, bounded, gunzip, unzstd
from graphs.errors import GraphError, ParseError

Progress = Callable[[int], None]

COMPRESSIONS: tuple[str, ...] = (".gz", ".zst")
MAX_LINE = 1 << 20
_BOM = b"\xef\xbb\xbf"


def bare_name(path: Path) -> str:
    """Return the file's name in lower case, without a suffix that says how it is compressed."""
    name = path.name.lower()
    return Path(name).stem if name.endswith(COMPRESSIONS) else name


def is_there(path: str | Path) -> bool:
    """Say whether there is a file or folder `path`.

    Raises `GraphError` where that cannot be known: a folder that is closed to us, or no such name
    can be.
    """
    try:
        return Path(path).exists()
    except OSError as error:
        raise _unreadable(Path(path), error) from None


@contextmanager
def open_bytes(path: str | Path, *, progress: Progress | None = None) -> Iterator[BinaryIO]:
    """Open `path` for reading, decompressed if its suffix is `.gz` or `.zst`.

    `progress` is called with the number of bytes as each piece of the file is read (the file's own
    bytes, so that they add up to its size). The file must be readable to the end: `GraphError` is
    raised, then and at every later read, where the file cannot be read or is damaged.
    """
    file = io.BufferedReader(_Stream(Path(path), progress=progress), buffer_size=PIECE)
    try:
        file.peek(1)
        yield file
    finally:
        file.close()


def blocks(path: str | Path, *, progress: Progress | None = None) -> Generator[bytes, None, None]:
    """Yield runs of whole lines of about 256 KiB, which are the file when put in a row.

    Only the file's last line may lack its line feed, and stands alone then. Of a line of more than
    MAX_LINE bytes at least MAX_LINE + 1 are given, and perhaps not all. `progress` is as for
    `open_bytes`. Raises `ParseError` where a compressed file is damaged, `GraphError` where the
    file cannot be read.
    """
    path, number, rest = Path(path), 1, b""
    try:
        with closing(_chunks(path, progress=progress)) as source:
            for chunk in _gathered(source):
                end = chunk.rfind(b"\n") + 1
                if end:
                    block, rest = rest + chunk[:end], chunk[end:]
                    number += block.count(b"\n")
                    yield block
                elif len(rest) <= MAX_LINE:
                    rest += chunk
    except Damage as damage:
        raise ParseError(str(damage), file=path, line=number) from None
    if rest:
        yield rest


def split_lines(block: bytes) -> list[bytes]:
    """Cut a block into lines with their line feeds; of one over the limit, MAX_LINE + 1 bytes."""
    pieces = block.split(b"\n")
    last = pieces.pop()
    lines = [piece + b"\n" if len(piece) <= MAX_LINE else piece for piece in pieces]
    lines += [last] if last else []
    return [line[: MAX_LINE + 1] for line in lines] if len(block) > MAX_LINE else lines


def lines(path: str | Path, *, progress: Progress | None = None) -> Generator[bytes, None, None]:
    """Yield each line with its line feed; of one over the limit, only the first MAX_LINE + 1 bytes.

    Errors and `progress` are those of `blocks`.
    """
    with closing(blocks(path, progress=progress)) as source:
        for block in source:
            yield from split_lines(block)


def text_lines(path: str | Path) -> Generator[tuple[int, str], None, None]:
    """Yield each line that is not empty as its number, from 1, and its text without its end.

    Errors are those of `blocks`, and `ParseError` for a line that is too long or no text.
    """
    with closing(lines(path)) as source:
        for number, raw in enumerate(source, start=1):
            try:
                text = line_text(raw, first=number == 1)
            except ValueError as error:
                raise ParseError(str(error), file=path, line=number) from None
            if text:
                yield number, text


def line_text(raw: bytes, *, first: bool, allow_nul: bool = False) -> str:
    """Return a line of `lines` as text without its end; ValueError says in one line what is wrong.

    One line feed and one carriage return before it are dropped, and a byte order mark before the
    `first` line.
    """
    line = raw.removesuffix(b"\n").removesuffix(b"\r")
    mark = len(_BOM) if first and line.startswith(_BOM) else 0
    if len(raw) > MAX_LINE and not raw.endswith(b"\n"):
        raise ValueError(f"line of more than {MAX_LINE} bytes; is this a file of triples?")
    if not allow_nul and b"\0" in line:
        raise ValueError(f"NUL at byte {line.index(0) + 1}; is this a text file?")
    try:
        return line[mark:].decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"0x{error.object[error.start]:02x} at byte {mark + error.start + 1}"
        raise ValueError(f"{byte} is not UTF-8; save the file as UTF-8") from None


def _chunks(path: Path, *, progress: Progress | None) -> Generator[bytes, None, None]:
    decode = {".gz": gunzip, ".zst": unzstd}.get(path.suffix.lower())
    with closing(_raw(path, progress=progress)) as raw:
        yield from raw if decode is None else bounded(raw, decode)


def _raw(path: Path, *, progress: Progress | None) -> Generator[bytes, None, None]:
    try:
        file = path.open("rb", buffering=0)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    with file:
        while True:
            try:
                data = file.read(PIECE)
            except OSError as error:
                raise _unreadable(path, error) from None
            if not data:
                return
            if progress is not None:
                progress(len(data))
            yield data


def _unreadable(path: Path, error: OSError | ValueError) -> GraphError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return GraphError(f"{path}: cannot be read: {reason}")


def _gathered(chunks: Iterator[bytes]) -> Generator[bytes, None, None]:
    """Join small chunks to ones of at least PIECE bytes; give what there is before an error."""
    parts: list[bytes] = []
    size = 0
    damage = None
    try:
        for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size >= PIECE:
                yield b"".join(parts)
                parts, size = [], 0
    except Damage as error:
        damage = error
    if parts:
        yield b"".join(parts)
    if damage is not None:
        raise damage


class _Stream(io.RawIOBase):
    """Give the chunks of a file to a buffered reader; an error stays, and is never an end."""

    def __init__(self, path: Path, *, progress: Progress | None) -> None:
        self._path = path
        self._chunks = _chunks(path, progress=progress)
        self._rest = memoryview(b"")
        self._error: GraphError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._error is not None:
            raise self._error
        try:
            self._rest = self._rest or memoryview(next(self._chunks, b""))
        except Damage as damage:
            self._error = GraphError(f"{self._path}: {damage}")
        except GraphError as error:
            self._error = error
        if self._error is not None:
            raise self._error
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        self._chunks.close()
        super().close()
