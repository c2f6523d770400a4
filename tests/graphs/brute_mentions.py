"""Find names by trying every one at every position: the rule of `graphs.mentions`, spelt out."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence

from graphs import Mention

UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "THAI", "HANGUL", "VARIATION")


def in_word(char: str) -> bool:
    """Say by its name whether a character stands in a word of a script with spaces."""
    if unicodedata.name(char, "").startswith(UNSPACED) or char == "\u3099":
        return False
    return char == "_" or char.isalnum() or unicodedata.category(char)[0] == "M"


def joins(char: str) -> bool:
    name = unicodedata.name(char, "")
    return unicodedata.category(char)[0] == "M" or "SOUND MARK" in name or "JUNGSEONG" in name


def normalised(cluster: str, *, case_fold: bool, nfkc: bool) -> str:
    if nfkc:
        cluster = unicodedata.normalize("NFKC", cluster)
    if case_fold:
        cluster = cluster.casefold()
    return unicodedata.normalize("NFKC", cluster) if nfkc and case_fold else cluster


def units_of(text: str, *, case_fold: bool, nfkc: bool) -> list[tuple[str, str]]:
    """Cut text into (raw, normal) units, within which no match begins or ends."""
    units: list[str] = []
    for char in text:
        if units and joins(char) and (case_fold or nfkc):
            units[-1] += char
        else:
            units.append(char)
    return [(unit, normalised(unit, case_fold=case_fold, nfkc=nfkc)) for unit in units]


class BruteLinker:
    """Link by (name, entity) pairs, the likeliest meant first."""

    def __init__(
        self,
        bearers: Iterable[tuple[str, str]],
        *,
        min_length: int = 2,
        stop_names: Iterable[str] = (),
        case_fold: bool = False,
        nfkc: bool = False,
        only: Sequence[str] | None = None,
    ) -> None:
        self._cut: Callable[[str], list[tuple[str, str]]] = lambda text: units_of(
            text, case_fold=case_fold, nfkc=nfkc
        )
        stopped = {self._key(name) for name in stop_names}
        self._known: dict[str, list[tuple[str, str]]] = {}
        self.count = self.excluded = 0
        for name, entity in bearers:
            if only is not None and entity not in only:
                continue
            key = self._key(name)
            if len(key) >= min_length and key not in stopped:
                self._known.setdefault(key, []).append((name, entity))
                self.count += 1
            else:
                self.excluded += 1

    def candidates(self, name: str) -> tuple[str, ...]:
        same = self._known.get(self._key(name), [])
        spelt = [entity for spelling, entity in same if spelling == name]
        rest = [entity for _, entity in same]
        # Entities keep their order: those spelt so first, by how likely they are in any spelling.
        first = [entity for entity in rest if entity in spelt]
        return tuple(dict.fromkeys([*first, *rest]))

    def find(self, text: str) -> list[Mention]:
        units = self._cut(text)

        def is_cut(i: int) -> bool:
            if i in (0, len(units)):
                return True
            return not (in_word(units[i - 1][1][-1]) and in_word(units[i][1][0]))

        mentions, start = [], 0
        while start < len(units):
            for end in range(len(units), start, -1):
                if "".join(n for _, n in units[start:end]) not in self._known:
                    continue
                if is_cut(start) and is_cut(end):
                    raw = "".join(r for r, _ in units[start:end])
                    offset = sum(len(r) for r, _ in units[:start])
                    mentions.append(Mention(offset, offset + len(raw), self.candidates(raw)[0]))
                    start = end
                    break
            else:
                start += 1
        return mentions

    def _key(self, name: str) -> str:
        return "".join(n for _, n in self._cut(name))
