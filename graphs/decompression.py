"""Decompress gzip and zstd: streaming, in bounded memory, to the very end.

No step makes more than 16 MiB from what it was fed, so a bomb costs no memory; and it costs little
time, since a text of more than 200 times the size of its file is refused once it exceeds 8 MiB.
A stream that ends early, fails its checksum or is followed by something else is damaged; what it
held before has been given by then.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator, Iterator

from graphs.errors import GraphError

PIECE = 1 << 18
MOST_RATIO = 200
FREE_SIZE = 8 << 20

# zstd can make 32 KiB of one byte, and its decoder bounds no output: what bounds it is the feed.
_ZSTD_FEED = 512
# What follows a gzip member is copied at its end, and a file may be one of tiny members.
_GZIP_FEED = 1 << 14


class Damage(Exception):
    """Say in one line, without the file's name, how a compressed file is broken."""


def bounded(
    raw: Iterator[bytes], decode: Callable[[Iterator[bytes]], Iterator[bytes]]
) -> Generator[bytes, None, None]:
    """Yield what `decode` makes of a file's bytes, until it is too much for them.

    Raises `Damage` where the text is a bomb, or damaged.
    """
    taken = given = 0

    def counted() -> Iterator[bytes]:
        nonlocal taken
        for data in raw:
            taken += len(data)
            yield data

    for text in decode(counted()):
        given += len(text)
        if given > max(FREE_SIZE, MOST_RATIO * taken):
            raise Damage(
                f"more than {MOST_RATIO} times its size when it is unpacked; unpack it yourself if"
                " you trust it"
            )
        yield text


def gunzip(raw: Iterator[bytes]) -> Generator[bytes, None, None]:
    """Yield the text of the members of a gzip file; zeros may follow them, as tapes add them."""
    member, any_member = None, False
    for data in _fed(raw, size=_GZIP_FEED):
        while data := (data.lstrip(b"\0") if member is None and any_member else data):
            if member is None:
                member, any_member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), True
            try:
                text = member.decompress(data, PIECE)
            except zlib.error as error:
                raise _damaged("gzip", str(error)) from None
            data = member.unconsumed_tail
            if member.eof:
                data, member = member.unused_data, None
            if text:
                yield text
    if member is not None or not any_member:
        raise _damaged("gzip", "it ends too early" if any_member else "no bytes")


def unzstd(raw: Iterator[bytes]) -> Generator[bytes, None, None]:
    """Yield the text of the frames of a zstd file, skippable ones left out."""
    try:
        import zstandard
    except ImportError:
        raise GraphError("a .zst file needs zstandard: pip install zstandard") from None
    decompressor = zstandard.ZstdDecompressor()
    frame, any_frame = None, False
    for data in _fed(raw, size=_ZSTD_FEED):
        while data:
            if frame is None:
                frame, any_frame = decompressor.decompressobj(), True
            try:
                text = frame.decompress(data)
            except zstandard.ZstdError as error:
                raise _damaged("zstd", str(error)) from None
            data = b""
            if frame.eof:
                data, frame = frame.unused_data, None
            for start in range(0, len(text), PIECE):
                yield text[start : start + PIECE]
    if frame is not None or not any_frame:
        raise _damaged("zstd", "it ends too early" if any_frame else "no bytes")


def _fed(raw: Iterator[bytes], *, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for data in raw for start in range(0, len(data), size))


def _damaged(kind: str, reason: str) -> Damage:
    return Damage(f"damaged {kind} file ({reason}); download or compress it again")
