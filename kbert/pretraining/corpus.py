"""Read a corpus as a stream of lines: from text files, JSON lines, Parquet, the hub.

In a text file a blank line stands between documents, and the end of a file ends one. In the other
formats a row is a document. A line is a sentence or a paragraph, as its writer had it. Text is
strict UTF-8. Of all this no more than a line (of JSON lines and Parquet: a row) is in memory.
"""

from __future__ import annotations

import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from graphs.compiled.folder import MANIFEST
from graphs.errors import GraphError
from graphs.opening import bare_name, open_bytes
from graphs.progress import Progress
from kbert.errors import DataError
from kbert.hub import is_hub_id
from kbert.pretraining.columns import hub_texts, json_texts, parquet_texts
from kbert.pretraining.manifests import is_corpus

DOCUMENT_END: Final = ""
FORMATS: Final = (".txt", ".jsonl", ".parquet")
_NAMES: Final = "NAME.txt or NAME.jsonl (each also .gz, .zst), or NAME.parquet"
_LONGEST_LINE: Final = 16 << 20
_BOM: Final = b"\xef\xbb\xbf"

Told = Callable[[int], None]


class Source(NamedTuple):
    """A file of texts, or an id on the hub, which has no path; `name` is what the user wrote."""

    name: str
    path: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where the texts of a table stand, and which part of a data set of the hub is read."""

    text: str = "text"
    config: str | None = None
    split: str = "train"


def find_sources(
    places: Sequence[str | Path], *, announce: Callable[[str], None]
) -> tuple[Source, ...]:
    """Return the files of `places`, which are files, folders (read whole, in order), or hub ids.

    What a folder holds besides is announced: links to folders, corpora and what is hidden are not
    looked into.

    Raises `DataError` for what is none of these, and for a folder without a file of texts.
    """
    if isinstance(places, str | Path):
        raise DataError(f"sources is {str(places)!r}; give a list")
    if not places:
        raise DataError("no sources; name at least one file or folder of texts")
    found: list[Source] = []
    for place in places:
        path = _existing(place)
        if path is None and not is_hub_id(str(place)):
            raise DataError("no such file or folder", file=str(place))
        if path is not None and path.is_dir():
            found += _files_of(path, announce=announce)
        elif path is not None and not (path.is_file() and _format(path)):
            raise DataError(f"no file of texts; it must be {_NAMES}", file=path)
        else:
            found.append(Source(str(place), path))
    seen: set[str | Path] = set()
    for source in found:
        same = source.name if source.path is None else source.path.resolve()
        if same in seen:
            raise DataError("is given twice; give it once", file=source.name)
        seen.add(same)
    return tuple(found)


def read_lines(
    sources: Sequence[Source], *, columns: Columns, progress: Told | None = None
) -> Iterator[str]:
    """Yield each line without white space around it, and `DOCUMENT_END` after each document.

    That mark may come several times in a row, since documents may be empty. `progress` is told of
    bytes of the files. Raises `DataError` with file and line for what cannot be read.
    """
    for source in sources:
        if source.path is None or _format(source.path) != ".txt":
            for _, text in _rows(source, columns=columns, progress=progress):
                yield from filter(None, map(str.strip, text.split("\n")))
                yield DOCUMENT_END
        else:
            for _, line in text_lines(source.path, progress=progress):
                yield line.strip()  # a blank line is the mark
            yield DOCUMENT_END


def teller(
    sources: Sequence[Source], progress: Callable[[Progress], None], *, stage: str
) -> Callable[[int], None]:
    """Add up bytes for `progress`; the total is unknown where a source is on the hub."""
    paths = [source.path for source in sources]
    known = [path.stat().st_size for path in paths if path is not None]
    total = sum(known) if len(known) == len(paths) else 0
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        progress(Progress(stage, done, total))

    progress(Progress(stage, 0, total))
    return tell


def named(sources: Sequence[Source]) -> str:
    """Name sources in a message."""
    more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
    return f"{sources[0].name}{more}"


def _rows(source: Source, *, columns: Columns, progress: Told | None) -> Iterator[tuple[int, str]]:
    if source.path is None:
        return hub_texts(
            source.name, config=columns.config, split=columns.split, column=columns.text
        )
    if _format(source.path) == ".parquet":
        return parquet_texts(source.path, column=columns.text, progress=progress)
    lines = text_lines(source.path, progress=progress)
    return json_texts(lines, column=columns.text, file=source.path)


def text_lines(
    path: Path, *, progress: Told | None = None
) -> Generator[tuple[int, str], None, None]:
    """Yield the number, from 1, and the text of each line of a file, plain, `.gz` or `.zst`.

    Raises `DataError` for a file that is damaged or cannot be read, a line that is not UTF-8, one
    with a NUL, and one of more than 16 MiB.
    """
    number = 0
    try:
        with open_bytes(path, progress=progress) as stream:
            while raw := stream.readline(_LONGEST_LINE + 1):
                number += 1
                yield number, _decoded(raw, path=path, number=number)
    except GraphError as error:
        raise DataError(str(error)) from None


def _decoded(raw: bytes, *, path: Path, number: int) -> str:
    if number == 1:
        raw = raw.removeprefix(_BOM)
    if len(raw) > _LONGEST_LINE:
        remedy = "put each paragraph on its line"
        if _format(path) == ".jsonl":
            remedy = "make several rows of it"
        message = f"a line of more than {_LONGEST_LINE >> 20} MiB; {remedy}"
        raise DataError(message, file=path, line=number)
    if number == 1 and raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        message = "is UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8"
        raise DataError(message, file=path)
    if b"\0" in raw:
        message = "holds a NUL; is this a text file in UTF-8?"
        raise DataError(message, file=path, line=number)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{raw[error.start]:02x} at {error.start + 1} is not UTF-8"
        raise DataError(f"{byte}; {_remedy(raw, path)}", file=path, line=number) from None


def _remedy(raw: bytes, path: Path) -> str:
    """Say what to do with a line that is not UTF-8; Chinese files are often GB18030."""
    try:
        raw.decode("gb18030")
    except UnicodeDecodeError:
        return "save the file as UTF-8"
    packed = "unpack it and " if path.suffix.lower() in (".gz", ".zst") else ""
    return f"if the file is GB18030 (GBK), {packed}convert it: iconv -f GB18030 -t UTF-8"


def _existing(place: str | Path) -> Path | None:
    try:
        path = Path(place).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):  # too long, an unknown user, a NUL
        return None


def _files_of(folder: Path, *, announce: Callable[[str], None]) -> list[Source]:
    if is_corpus(folder / MANIFEST):
        raise DataError("is a corpus already; give the texts that it was made of", file=folder)
    try:
        paths = {path: _is_used(path) for path in _walk(folder)}
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=error.filename) from None
    texts = [path for path, used in paths.items() if used]
    texts.sort(key=lambda path: path.relative_to(folder).as_posix())
    if not texts:
        raise DataError(f"holds no file of texts; such a file is {_NAMES}", file=folder)
    if others := [path for path, used in paths.items() if not used]:
        announce(
            f"{folder}: {len(others)} other files or folders, not used, such as {min(others).name}"
        )
    return [Source(str(path), path) for path in texts]


def _walk(folder: Path) -> Iterator[Path]:
    """Yield what is in a folder: its files, also those of folders in it, and folders kept out.

    Kept out are links, which may lead around in circles, what is hidden, and corpora, whose
    vocabulary is no text. Raises `OSError` for a folder that cannot be read.
    """
    for place, inner, files in os.walk(folder, onerror=_raise):
        for name in list(inner):
            path = Path(place, name)
            if path.is_symlink() or name.startswith(".") or is_corpus(path / MANIFEST):
                inner.remove(name)
                yield path
        yield from (Path(place, name) for name in files)


def _raise(error: OSError) -> None:
    raise error


def _is_used(path: Path) -> bool:
    return path.is_file() and _format(path) is not None and not path.name.startswith(".")


def _format(path: Path) -> str | None:
    suffix = Path(bare_name(path)).suffix
    packed = bare_name(path) != path.name.lower()
    return suffix if suffix in FORMATS and not (packed and suffix == ".parquet") else None
