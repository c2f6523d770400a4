"""Bring text into the normal form in which names are compared, and find the way back.

The text is cut into clusters, a character with the combining marks that follow it, and each cluster
is normalised by itself: NFKC if asked, then case folding if asked, then NFKC again if both. So what
a cluster becomes never depends on its neighbours, and every piece of normal text goes back to whole
clusters of the raw text. Half-width voicing marks and the vowels and finals of decomposed Hangul
compose with what stands before them and count as marks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# They compose with the character before them, though Unicode calls them letters.
_COMPOSING = (range(0x1160, 0x1200), range(0xD7B0, 0xD800), range(0xFF9E, 0xFFA0))


class NormalForm(NamedTuple):
    """Say how text is normalised before it is compared."""

    case_fold: bool
    nfkc: bool

    @property
    def is_identity(self) -> bool:
        """Say whether nothing is changed, and a cluster may be split."""
        return not (self.case_fold or self.nfkc)

    def apply(self, text: str) -> str:
        """Return `text` in this form."""
        if self.is_identity:
            return text
        if text.isascii():
            return text.lower() if self.case_fold else text
        return "".join(map(_normaliser(self), _clusters(text)))

    def trace(self, text: str) -> tuple[str, NDArray[np.intp]]:
        """Return `text` in this form, and where its characters come from.

        The array has one entry a character of the normal text and one for its end: the offset in
        `text` of the cluster that begins there, or -1 within a cluster.
        """
        if text.isascii():
            return self.apply(text), np.arange(len(text) + 1, dtype=np.intp)
        clusters = _clusters(text)
        pieces = list(map(_normaliser(self), clusters))
        normal = "".join(pieces)
        if len(normal) == len(text) == len(clusters):  # one character each, before and after
            return normal, np.arange(len(text) + 1, dtype=np.intp)
        origins: list[int] = []
        offset = 0
        for cluster, piece in zip(clusters, pieces, strict=True):
            origins.append(offset)
            origins.extend([-1] * (len(piece) - 1))
            offset += len(cluster)
        origins.append(offset)
        return normal, np.array(origins, dtype=np.intp)


@cache
def _normaliser(form: NormalForm) -> Callable[[str], str]:
    """Return the function that normalises one cluster; it remembers the common ones."""

    @lru_cache(maxsize=1 << 16)
    def normalise(cluster: str) -> str:
        if form.nfkc:
            cluster = unicodedata.normalize("NFKC", cluster)
        if form.case_fold:
            cluster = cluster.casefold()
            if form.nfkc:
                cluster = unicodedata.normalize("NFKC", cluster)
        return cluster

    return normalise


def _clusters(text: str) -> list[str]:
    """Cut `text` into clusters; marks at its very start are one by themselves."""
    marks = _marks()
    if marks.isdisjoint(text):
        return list(text)
    starts = [i for i, char in enumerate(text) if i == 0 or char not in marks]
    return [text[start:end] for start, end in pairwise([*starts, len(text)])]


@cache
def _marks() -> frozenset[str]:
    """Return every character that joins the cluster of the one before it."""
    # No mark stands above plane 1 but the variation selectors of plane 14.
    codes = chain(range(0x20000), range(0xE0100, 0xE01F0))
    marks = {char for char in map(chr, codes) if unicodedata.category(char)[0] == "M"}
    return frozenset(marks.union(*(map(chr, span) for span in _COMPOSING)))
