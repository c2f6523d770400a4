"""Damage a document: as bytes, token by token by its grammar, or as a tree of JSON.

Every change is a function of the document and of a generator of random numbers, so that a seed
gives the same bytes everywhere.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from random import Random
from typing import Any, Final

from benchmarks.hostile import DOCUMENTS, HOSTILE, NESTS, TOKENS

MIB: Final = 1 << 20
_JSON: Final = ("jsonld", "manifest")
_DEPTHS: Final = (2, 20, 127, 200, 20_000)
_LENGTHS: Final = (20, 20, 300, 300, 70_000, MIB + 1)
_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 10**30, 1.5, float("nan"), "", "x", "../../secret",
    "\0", "/secret", [], {}, [[]], ["en"], [3, 0], [-1], {"a": 1}, "<i4", "<i8", "|O", "<U9",
    {"@id": "e:a"}, {"@context": {"@import": "secret"}}, "@id", "_:b", "http://e/a", "\ud800",
)  # fmt: skip


def damage(data: bytes, *, form: str, rng: Random, times: int) -> tuple[bytes, list[str]]:
    """Damage a document of `form` (none: mere bytes) so many times; return it, and how."""
    how = []
    for _ in range(times):
        if form in _JSON and rng.random() < 0.5:
            data, done = _damaged_tree(data, rng=rng)
        else:
            changes = ON_BYTES if not form or rng.random() < 0.3 else ON_TOKENS
            done = rng.choice(sorted(changes))
            data = changes[done](data, form, rng)
        how.append(done)
    return data, how


def _damaged_tree(data: bytes, *, rng: Random) -> tuple[bytes, str]:
    try:
        value, done = mutated_json(json.loads(data), rng=rng)
    except (ValueError, RecursionError):  # no JSON any more
        return ON_BYTES["cut"](data, "", rng), "cut"
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    return text.encode("utf-8", "surrogatepass"), f"json: {done}"


def mutated_json(value: Any, *, rng: Random) -> tuple[Any, str]:
    """Return a value of JSON with one part changed, and how."""
    path: list[Any] = []
    part = value
    while isinstance(part, dict | list) and part and (not path or rng.random() < 0.8):
        step = rng.choice(sorted(part)) if isinstance(part, dict) else rng.randrange(len(part))
        path.append(step)
        part = part[step]
    action = rng.choice(("replace", "replace", "remove", "wrap", "copy"))
    new: Any = rng.choice(_VALUES)
    if action == "wrap":
        new = rng.choice(([part], {"@list": part}, {"@id": part}, {"a": part}, {"@set": [part]}))
    elif action == "copy":
        new = value
        while isinstance(new, dict | list) and new and rng.random() < 0.8:
            new = rng.choice(list(new.values()) if isinstance(new, dict) else new)
    return _put(value, path, new, remove=action == "remove"), f"{action} at {path}"


def _put(value: Any, path: list[Any], new: Any, *, remove: bool) -> Any:
    if not path:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    if remove and len(path) == 1:
        del changed[path[0]]
    else:
        changed[path[0]] = _put(value[path[0]], path[1:], new, remove=remove)
    return changed


def extreme(form: str, *, rng: Random) -> tuple[bytes, list[str]]:
    """Return a document that is large rather than wrong."""
    kind = rng.choice(("line", "run", "hub", "deep"))
    if kind == "line":
        return DOCUMENTS[form] + b"x" * (100 * MIB), ["a line of 100 MiB"]
    if kind == "run":
        piece = rng.choice(HOSTILE[form])
        return DOCUMENTS[form] + piece * (8 * MIB // len(piece)), [f"8 MiB of {piece!r}"]
    if kind == "hub" and form in ("spo", "tsv"):
        return b"".join(b"hub\tr\t%d\n" % i for i in range(50_000)), ["a hub of 50,000 facts"]
    opening, closing = rng.choice(NESTS.get(form, ((b'"', b'"'),)))
    return DOCUMENTS[form] + opening * 200_000 + closing * 200_000, [f"200,000 of {opening!r}"]


def pack(data: bytes, *, packing: str, rng: Random) -> bytes:
    """Compress (`gz` or `zst`), in one part or two."""
    cut = rng.randrange(len(data) + 1) if rng.random() < 0.2 else len(data)
    parts = [data[:cut], data[cut:]] if cut < len(data) else [data]
    if packing == "zst":
        return b"".join(map(zstd_frame, parts))
    return b"".join(gzip.compress(part, compresslevel=1, mtime=0) for part in parts)


def zstd_frame(data: bytes) -> bytes:
    """Return a frame of zstd (RFC 8878, section 3.1) whose blocks are raw or one byte repeated."""
    size = 1 << 17
    blocks = [data[start : start + size] for start in range(0, len(data), size)] or [b""]
    frame = [b"\x28\xb5\x2f\xfd\x00\x38"]  # no size, no checksum, a window of 128 KiB
    for place, block in enumerate(blocks):
        is_run = len(block) > 1 and block == block[:1] * len(block)
        header = len(block) << 3 | is_run << 1 | (place == len(blocks) - 1)
        frame += [header.to_bytes(3, "little"), block[:1] if is_run else block]
    return b"".join(frame)


def _place(data: bytes, rng: Random) -> int:
    return rng.randrange(len(data) + 1)


def _flip(data: bytes, _: str, rng: Random) -> bytes:
    if not data:
        return b"\x80"
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _truncate(data: bytes, _: str, rng: Random) -> bytes:
    return data[: _place(data, rng)]


def _cut(data: bytes, _: str, rng: Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + rng.choice((1, 2, 5, 50)) :]


def _repeat(data: bytes, _: str, rng: Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at : at + rng.choice((1, 3, 30, 300))] * rng.choice((2, 3, 300))


def _noise(data: bytes, _: str, rng: Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.randbytes(rng.choice((1, 2, 8, 64))) + data[at:]


def _insert(data: bytes, form: str, rng: Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.choice(HOSTILE[form or "nt"]) + data[at:]


def _recode(data: bytes, _: str, rng: Random) -> bytes:
    codec = rng.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "gb18030"))
    return data.decode("utf-8", "replace").encode(codec, "replace")


def _line_ends(data: bytes, _: str, rng: Random) -> bytes:
    return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\r", b"\n\n", b"", b"\xe2\x80\xa8")))


def _splice(data: bytes, _: str, rng: Random) -> bytes:
    other = DOCUMENTS[rng.choice(sorted(DOCUMENTS))]
    at, start = _place(data, rng), _place(other, rng)
    return data[:at] + other[start : start + rng.choice((20, 200, 2000))] + data[at:]


Change = Callable[[bytes, str, Random], bytes]
TokenChange = Callable[[list[bytes], int, str, Random], bytes]


def _on_tokens(change: TokenChange) -> Change:
    """Turn what takes the place of a token into a change of a document."""

    def changed(data: bytes, form: str, rng: Random) -> bytes:
        tokens = TOKENS[form].findall(data) or [b""]
        at = rng.randrange(len(tokens))
        tokens[at] = change(tokens, at, form, rng)
        return b"".join(tokens)

    return changed


def _swapped(tokens: list[bytes], at: int, _: str, rng: Random) -> bytes:
    other = rng.randrange(len(tokens))
    token, tokens[other] = tokens[other], tokens[at]
    return token


def _nested(tokens: list[bytes], at: int, form: str, rng: Random) -> bytes:
    opening, closing = rng.choice(NESTS.get(form, ((b'"', b'"'),)))
    depth = rng.choice(_DEPTHS)
    return opening * depth + tokens[at] + closing * rng.choice((depth, depth, 0, depth - 1))


def _stretched(tokens: list[bytes], at: int, form: str, rng: Random) -> bytes:
    token = tokens[at]
    filling = rng.choice((b"x", b"\xe4\xb8\xad", b" ", b"\\n", b"0", rng.choice(HOSTILE[form])))
    filling *= rng.choice(_LENGTHS) // len(filling)
    half = len(token) // 2
    return token[:half] + filling + token[half:]


ON_BYTES: Final[dict[str, Change]] = {
    "flip": _flip,
    "truncate": _truncate,
    "cut": _cut,
    "repeat": _repeat,
    "noise": _noise,
    "insert": _insert,
    "recode": _recode,
    "line ends": _line_ends,
    "splice": _splice,
}
ON_TOKENS: Final[dict[str, Change]] = {
    "drop a token": _on_tokens(lambda tokens, at, form, rng: b""),
    "double a token": _on_tokens(lambda tokens, at, form, rng: tokens[at] * 2),
    "swap tokens": _on_tokens(_swapped),
    "copy a token": _on_tokens(lambda tokens, at, form, rng: rng.choice(tokens)),
    "nest a token": _on_tokens(_nested),
    "stretch a token": _on_tokens(_stretched),
    "replace a token": _on_tokens(lambda tokens, at, form, rng: rng.choice(HOSTILE[form])),
    "insert a token": _on_tokens(
        lambda tokens, at, form, rng: tokens[at] + rng.choice(HOSTILE[form])
    ),
    "insert in a token": _on_tokens(lambda tokens, at, form, rng: _insert(tokens[at], form, rng)),
}
