"""Check what the manifest of a compiled graph says before anything relies on it.

The manifest is JSON: what the graph is, and of every file its dtype, shape, size and checksum. Its
own checksum shows damage, not who wrote it; so what is read here is checked as any input is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from graphs.errors import GraphError
from graphs.name_trie import KEY_WIDTHS

FORMAT = "kbert-graph"
VERSION = 1

# Bytes of a number of each dtype that a file may have.
_SIZES = {"|u1": 1, "<u2": 2, "<i4": 4, "<i8": 8}
_is_file_name = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*").fullmatch
_is_checksum = re.compile(r"[0-9a-f]{32}").fullmatch
_MAX_DIMENSIONS = 2


def parse(data: bytes, *, file: Path) -> dict[str, Any]:
    """Return the manifest with the bytes `data`, which stand in `file`.

    Raises `GraphError` for one of another format or version, and where a part is missing or is not
    what it should be.
    """
    try:
        manifest = json.loads(decode(data))
    except (ValueError, RecursionError):
        raise GraphError(f"{file}: is no manifest; build the graph again") from None
    if not isinstance(manifest, dict):
        raise GraphError(f"{file}: is no manifest; build the graph again")
    found = manifest.get("format"), manifest.get("version")
    if found != (FORMAT, VERSION):
        raise GraphError(
            f"{file}: {found[0]!r} of version {found[1]!r}; this program reads version {VERSION}"
            f" of {FORMAT}: build the graph again"
        )
    wrong = [key for key, is_right in _PARTS.items() if not is_right(manifest.get(key))]
    if wrong:
        raise GraphError(f"{file}: {wrong[0]!r} is wrong or missing; build the graph again")
    return manifest


def encode(manifest: Mapping[str, Any]) -> bytes:
    """Return the bytes of a manifest; also with a path in it that is not UTF-8."""
    text = json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"
    return text.encode("utf-8", "surrogatepass")


def decode(data: bytes) -> str:
    """Return the text of what `encode` gave."""
    return data.decode("utf-8", "surrogatepass")


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_table(value: object, is_right: Callable[[str, Any], bool]) -> bool:
    return isinstance(value, dict) and all(is_right(key, part) for key, part in value.items())


def _is_list(value: object, is_right: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(map(is_right, value))


def _is_file(name: str, about: Any) -> bool:
    """Say whether `name` stays in its folder, and shape and dtype make the file's size."""
    if not _is_file_name(name) or not isinstance(about, dict):
        return False
    shape: Any = about.get("shape")
    dtype: Any = about.get("dtype")
    digest: Any = about.get("xxh3")
    if not _is_list(shape, _is_count) or not 0 < len(shape) <= _MAX_DIMENSIONS:
        return False
    if not _is_text(dtype) or dtype not in _SIZES:
        return False
    if not _is_text(digest) or not _is_checksum(digest) or not _is_count(about.get("bytes")):
        return False
    return bool(math.prod(shape) * _SIZES[dtype] == about["bytes"])


def _is_source(value: Any) -> bool:
    return isinstance(value, dict) and {key: type(part) for key, part in value.items()} == {
        "path": str,
        "triples": int,
        "duplicates": int,
        "skipped": int,
        "sha256": str,
    }


def _is_mentions(label: str, about: Any) -> bool:
    if not isinstance(about, dict) or not _is_count(about.get("longest")):
        return False
    return _is_list(about.get("widths"), lambda width: type(width) is int and width in KEY_WIDTHS)


_PARTS: Mapping[str, Callable[[Any], bool]] = {
    "name": _is_text,
    "triples": _is_count,
    "entities": _is_count,
    "relations": _is_count,
    "duplicates": _is_count,
    "skipped": _is_count,
    "fingerprint": _is_text,
    "named": lambda value: type(value) is bool,
    "languages": lambda value: _is_list(value, _is_text),
    "sources": lambda value: _is_list(value, _is_source),
    "mentions": lambda value: _is_table(value, _is_mentions),
    "plan": lambda value: isinstance(value, dict),
    "files": lambda value: _is_table(value, _is_file),
}
