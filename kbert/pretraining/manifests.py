"""Write and check the manifest of a corpus: JSON, with a checksum of every file.

Its own checksum shows damage, not who wrote it; so what is read here is checked as any input is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kbert.errors import DataError

FORMAT: Final = "kbert-corpus"
VERSION: Final = 1
COUNTS: Final = ("tokens", "sentences", "documents", "one_sentence", "dropped", "unknown")
SPECIALS: Final = ("pad", "unknown", "cls", "sep", "mask")

_DTYPES: Final = ("|u1", "<u2", "<i4", "<i8")
_is_file_name = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*").fullmatch
_is_checksum = re.compile(r"[0-9a-f]{32}").fullmatch


def encode(about: Mapping[str, Any]) -> bytes:
    """Return the bytes of a manifest, also with a path in it that is not UTF-8."""
    content = {"format": FORMAT, "version": VERSION, **about}
    return (json.dumps(content, ensure_ascii=True, indent=1) + "\n").encode()


def is_corpus(file: Path) -> bool:
    """Say whether `file` is the manifest of a corpus, of any version."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


def parse(data: bytes, *, file: Path) -> dict[str, Any]:
    """Return the manifest with the bytes `data`, which stand in `file`.

    Raises `DataError` for one of another format or version, and where a part is missing or wrong.
    """
    try:
        about = json.loads(data)
    except (ValueError, RecursionError):
        raise DataError("is no manifest; build the corpus again", file=file) from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise DataError(f"is no manifest of a corpus ({FORMAT}); name another folder", file=file)
    if about.get("version") != VERSION:
        message = f"version {about.get('version')!r}, but this program reads {VERSION}"
        raise DataError(f"{message}; build the corpus again", file=file)
    wrong = [key for key, is_right in _PARTS.items() if not is_right(about.get(key))]
    if wrong:
        raise DataError(f"{wrong[0]!r} is wrong or missing; build the corpus again", file=file)
    return about


def check_shapes(about: dict[str, Any], arrays: dict[str, NDArray[Any]], *, file: Path) -> None:
    """Check that the arrays are those which the counts call for, and fit together.

    Raises `DataError`.
    """
    counts = about["counts"]
    wanted = {
        "token_ids": (("<u2", "<i4"), counts["tokens"]),
        "sentences": (("<i8",), counts["sentences"] + 1),
        "documents": (("<i8",), counts["documents"] + 1),
        "starts_word": (("|u1",), about["vocabulary"]["size"]),
    }
    if about["keeps_text"]:
        wanted["text_offsets"] = (("<i8",), counts["sentences"] + 1)
        wanted["text"] = (("|u1",), len(arrays.get("text", ())))
    for name, (dtypes, length) in wanted.items():
        array = arrays.get(name)
        if array is None or array.shape != (length,) or array.dtype.str not in dtypes:
            raise DataError(f"has no proper {name}; build the corpus again", file=file)
    bounds = [("sentences", counts["tokens"]), ("documents", counts["sentences"])]
    bounds += [("text_offsets", len(arrays["text"]))] if about["keeps_text"] else []
    if any(arrays[name][0] != 0 or arrays[name][-1] != end for name, end in bounds):
        raise DataError("its offsets do not fit; build the corpus again", file=file)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _has(value: object, keys: tuple[str, ...], is_right: Callable[[Any], object]) -> bool:
    return (
        isinstance(value, dict) and set(value) == set(keys) and all(map(is_right, value.values()))
    )


def _is_vocabulary(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("fingerprint"), str)
        and _is_count(value.get("size"))
        and _has(value.get("special"), SPECIALS, lambda number: _is_id(number, value["size"]))
    )


def _is_counts(value: Any) -> bool:
    """Say whether all is counted, and nothing is empty that a corpus needs."""
    return _has(value, COUNTS, _is_count) and all(value[name] for name in COUNTS[:3])


def _is_id(number: object, size: int) -> bool:
    return type(number) is int and 0 <= number < size


def _is_files(value: object) -> bool:
    return isinstance(value, dict) and all(_is_file(*item) for item in value.items())


def _is_file(name: str, entry: Any) -> bool:
    if not (_is_file_name(name) and isinstance(entry, dict) and entry.get("dtype") in _DTYPES):
        return False
    shape, checksum = entry.get("shape"), entry.get("xxh3")
    if not (isinstance(shape, list) and len(shape) == 1 and _is_count(shape[0])):
        return False
    right_size = entry.get("bytes") == shape[0] * np.dtype(entry["dtype"]).itemsize
    return right_size and isinstance(checksum, str) and _is_checksum(checksum) is not None


def _is_sources(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


_PARTS: Final[Mapping[str, Callable[[object], bool]]] = {
    "vocabulary": _is_vocabulary,
    "counts": _is_counts,
    "keeps_text": lambda value: isinstance(value, bool),
    "sources": _is_sources,
    "files": _is_files,
}
