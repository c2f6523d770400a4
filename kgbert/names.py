"""What a user calls an entity or a relation: its number, its id, its text, or a term of rdflib.

A string is looked up as an id first, then as a text, then, where all texts are `name, gloss` as in
WN18RR, as a name. What is none of these may be the text of something new, a mistake, or something
to leave out, which `on_missing` says. A scorer that was given no ids takes every string as a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from graphs import terms
from graphs.errors import suggestion
from graphs.folders import has_glosses
from graphs.triple import is_text
from kbert.errors import DataError, SettingsError
from kgbert.text_files import shown
from kgbert.texts import words

OnUnknown = Literal["error", "id", "text", "skip"]

SKIPPED: Final = -1


def check_on_missing(on_missing: str) -> None:
    """Refuse another value of `on_missing`. Raises `SettingsError`."""
    known = get_args(OnUnknown)
    if on_missing not in known:
        raise SettingsError(
            f"on_missing is {on_missing!r}; known are {', '.join(known)}"
            f"{suggestion(on_missing, known)}"
        )


class Names:
    """The ids and texts of entities, or of relations, by their numbers."""

    def __init__(self, ids: Sequence[str] = (), texts: Sequence[str] = (), *, what: str) -> None:
        """Hold as many `ids` as `texts`; `what` is `entity` or `relation`."""
        if len(ids) != len(texts):
            raise ValueError(f"{len(ids)} ids, {len(texts)} texts; expected as many")
        self.ids = tuple(ids)
        self.texts = tuple(texts)
        self.what = what

    def having(self, texts: Mapping[str, str]) -> Names:
        """Return these and new ones; an id that is known already is given the new text.

        Raises `DataError` for an empty text.
        """
        for key, text in texts.items():
            if not isinstance(key, str):
                raise DataError(f"{self.what} {key!r}: an id is a string; write it as one")
            if not is_text(text) or not text.strip():
                raise DataError(f"{self.what} {shown(key)} has an empty text; write one")
        both = dict(zip(self.ids, self.texts, strict=True)) | dict(texts)
        return Names(tuple(both), tuple(both.values()), what=self.what)

    def number(self, part: str) -> int | None:
        """Return the number of what is called `part`, the first of several; None if none is."""
        for table in (self._by_id, self._by_text, self._by_name):
            numbers = table.get(part)
            if numbers is not None:
                return numbers[0]
        return None

    def called(self, part: str) -> tuple[int, ...]:
        """Return the numbers of all that may be meant by `part`; of an id only its own."""
        for table in (self._by_id, self._by_text, self._by_name):
            if part in table:
                return tuple(table[part])
        return ()

    def nearest(self, part: str) -> str:
        """Suggest an id or text, as `graphs.errors.suggestion` does.

        Foremost one whose IRI ends in `part`, or whose text is `part` with a description.
        """
        for key, text in zip(self.ids, self.texts, strict=True):
            if key.endswith((f"/{part}", f"#{part}")) or text.startswith(
                (f"{part}: ", f"{part}, ")
            ):
                return f"; did you mean {key!r}?"
        return suggestion(part, dict.fromkeys([*self.ids, *self.texts]))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.ids)

    @cached_property
    def _by_id(self) -> Mapping[str, Sequence[int]]:
        return {key: (number,) for number, key in enumerate(self.ids)}

    @cached_property
    def _by_text(self) -> Mapping[str, Sequence[int]]:
        return _numbered(self.texts)

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[int]]:
        if self.what != "entity" or not has_glosses(self.texts):
            return {}
        return _numbered([text.partition(", ")[0].strip() for text in self.texts])


class Lookup:
    """Number what users hand in: the known from 0 on, and after them the texts of new ones."""

    def __init__(self, names: Names, *, on_missing: OnUnknown, one: bool = False) -> None:
        """Look up among `names`, for `one` triple alone, which nobody would want to leave out.

        Raises `SettingsError` for another `on_missing`.
        """
        check_on_missing(on_missing)
        self.names = names
        self._on_missing = on_missing
        self._one = one
        self._reads_ids = on_missing == "id"
        self._numbers: dict[str, int] = {}
        self.new: dict[str, int] = {}  # texts of new ones, and their numbers
        self._tells_shared = False
        self._shared: list[str] = []

    def closed(self) -> Lookup:
        """Return a look-up that knows the same, the new ones too, and leaves out all others.

        What several are called has a number of its own, below `SKIPPED`, which `meant` explains.
        """
        found = Lookup(self.names, on_missing="skip")
        found.new = self.new
        found._reads_ids = self._on_missing == "id"
        found._tells_shared = True
        return found

    def meant(self, number: int) -> str | None:
        """Return what several are called that was given this number; None of other numbers."""
        return self._shared[SKIPPED - 1 - number] if number < SKIPPED else None

    def number(self, part: Any, *, place: str) -> int:
        """Return the number of `part`, or `SKIPPED`.

        Raises `DataError`, which begins with `place`, for what is no name and may not be new.
        """
        if isinstance(part, str):
            key = _key(part, place=place)
            found = self._numbers.get(key)
            if found is None:
                found = self._numbers[key] = self._named(key, place=place)
            return found
        if isinstance(part, int | np.integer) and not isinstance(part, bool):
            if not 0 <= part < len(self.names):
                raise DataError(
                    f"{place}: there is no {self.names.what} {part}; numbers go from 0 to"
                    f" {len(self.names) - 1}{self._hint_of_ids()}"
                )
            return int(part)
        if self._on_missing == "skip" and _is_absent(part):
            return SKIPPED
        kind = type(part).__name__
        raise DataError(
            f"{place}: the {self.names.what} is {shown(str(part))} ({kind}); give an id, a text or"
            " a number"
        )

    def _hint_of_ids(self) -> str:
        """Say that ids of digits are strings: readers of tables make numbers of them."""
        ids = self.names.ids
        return "; an id is a string, so read it with dtype=str" if ids and ids[0].isdigit() else ""

    def texts(self, numbers: NDArray[np.integer]) -> list[str]:
        """Return the text of each of `numbers` that were given out."""
        known, new = len(self.names), list(self.new)
        return [
            self.names.texts[number] if number < known else new[number - known]
            for number in numbers.tolist()
        ]

    def _named(self, part: str, *, place: str) -> int:
        if part.startswith('"') and self.names.number(part) is None:
            part = terms.readable(part)  # of a literal, its text
        found = self.names.number(part)
        if found is not None and self._tells_shared and len(self.names.called(part)) > 1:
            self._shared.append(part)
            return SKIPPED - len(self._shared)
        if found is not None:
            return found
        what, on_missing = self.names.what, self._on_missing
        # A blank node has nothing to read but its label.
        text = words(terms.readable(part) or part) if self._reads_ids else part
        if on_missing == "skip":
            return self.new.get(text, SKIPPED)
        if not text.strip() or not is_text(part):
            raise DataError(f"{place}: the {what} is {shown(part)}, no text; write one")
        if on_missing == "error" and len(self.names):
            skip = "" if self._one else ", 'skip' leaves it out"
            raise DataError(
                f"{place}: {shown(part)} is neither id nor text of any {what}"
                f"{self.names.nearest(part)}; if it is new, on_missing 'text' reads it as it"
                f" stands, 'id' as words{skip}"
            )
        return self.new.setdefault(text, len(self.names) + len(self.new))


def _is_absent(part: Any) -> bool:
    """Say whether this stands for nothing: None, NaN, which is not itself, or NA of pandas."""
    if part is None or type(part).__name__ == "NAType":  # whose comparisons are NA, too
        return True
    unequal = part != part
    return isinstance(unequal, bool | np.bool_) and bool(unequal)


def _key(part: str, *, place: str) -> str:
    """Return a string as graphs have it; terms of rdflib are strings that know what they are.

    Raises `DataError` for a literal that RDF does not know, such as one with a lone surrogate.
    """
    if type(part) is str or not hasattr(part, "n3"):
        return str(part)
    if hasattr(part, "datatype"):  # a literal
        language = getattr(part, "language", None) or ""
        try:
            return terms.literal(str(part), language=language, datatype=str(part.datatype or ""))
        except ValueError as error:
            raise DataError(f"{place}: {error}") from None
    if hasattr(part, "skolemize"):  # a blank node
        return f"_:{part}"
    return terms.from_rdf(str(part))


def _numbered(texts: Sequence[str]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        numbers.setdefault(text, []).append(number)
    return numbers
