"""Fingerprints of what a training reads, so that nobody goes on with other data unawares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphs.compiled.folder import checksum_of

if TYPE_CHECKING:
    from kbert.builder import Data
    from kbert.tasks import Encoded


def fingerprint(parts: Iterable[bytes]) -> str:
    """Return the checksum of some texts or arrays, in their order; where they end matters."""
    return checksum_of("".join(map(checksum_of, parts)).encode())


def of_examples(splits: Data, encoded: Mapping[str, Sequence[Encoded]]) -> str:
    """Return the fingerprint of labelled examples and of the token ids that they became.

    Where the files are does not matter.
    """
    given: list[Any] = [*splits.train, *splits.dev, *splits.test]
    texts = [repr(replace(example, place="")).encode() for example in given]
    arrays = [
        example.array.tobytes() for name in ("train", "dev", "test") for example in encoded[name]
    ]
    return fingerprint([*texts, b"", *arrays])
