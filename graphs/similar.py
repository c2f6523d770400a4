"""Order facts by how much they share with the text that they are for.

Fact and text are compared by the cosine of their TF-IDF vectors (scikit-learn). Their features are
words and how they begin in scripts that space words, so that `rivers` is near `river`; in other
scripts, such as Chinese, single characters and pairs. How rare a feature is comes from the facts of
the graph alone, so an order is a function of graph and text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from graphs.store import TripleStore
from graphs.triple import Fact
from graphs.writing import is_spaced

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphs.selection import Policy

COMPARED: Final = 256
SAMPLED: Final = 1 << 15
_FEATURES: Final = 1 << 18
_BEGINNING: Final = 5  # letters: cuts most endings off, and no more, in European languages
_DECIMALS: Final = 9  # what differs only after them is a tie: sums differ by rounding there
_REMEMBERED: Final = 1 << 12  # entities whose facts are kept as vectors


class _Compared(NamedTuple):
    """Facts of an entity, and their vectors as the rows of a sparse matrix (N, F)."""

    facts: Sequence[Fact]
    vectors: Any


class Similar:
    """Prefer the facts of `policy` that are most like the text; equals keep its order.

    The first 256 facts of an entity are compared, and no others are given: so a text that names an
    entity with a million facts costs no more than another. Without a text the order stays.
    """

    def __init__(self, policy: Policy, store: TripleStore) -> None:
        """Stand over `policy`; rarity of words is counted in `store`, at the first comparison.

        In a graph of more than 32,768 triples that many are counted, evenly spread over it.
        """
        self.policy = policy
        self.store = store
        self._known: dict[str, _Compared] = {}
        self._last: tuple[str, Any] = ("", None)

    def __reduce__(self) -> tuple[type[Similar], tuple[Policy, TripleStore]]:
        """Pickle without what was counted; that comes out the same anywhere."""
        return type(self), (self.policy, self.store)

    def __repr__(self) -> str:
        """Show what it stands over."""
        return f"Similar({self.policy!r}, {self.store!r})"

    @property
    def contextual(self) -> bool:
        """Return True: the order depends on the text."""
        return True

    def facts(self, entity: str, *, limit: int | None = None, text: str = "") -> Sequence[Fact]:
        """Return the (first `limit`) facts of `entity`, those most like `text` first."""
        if (limit is not None and limit < 1) or not text.strip():
            size = COMPARED if limit is None else min(limit, COMPARED)
            return self.policy.facts(entity, limit=size, text=text)
        compared = self._compared(entity, text=text)
        if len(compared.facts) < 2:
            return compared.facts
        scores = self._scores(compared.vectors, text=text)
        order = np.argsort(-scores, kind="stable")[:limit]
        return [compared.facts[number] for number in order.tolist()]

    def heads(self) -> Sequence[str]:
        """Return the inner policy's entities."""
        return self.policy.heads()

    def describe(self) -> str:
        """Return the inner policy's text, and how many of its facts are compared."""
        return f"{self.policy.describe()} similar={COMPARED}"

    def _compared(self, entity: str, *, text: str) -> _Compared:
        """Return the facts that are compared; kept, unless they depend on the text themselves."""
        known = self._known.get(entity)
        if known is None:
            facts = self.policy.facts(entity, limit=COMPARED, text=text)
            vectors = self._space.vectors(self._said(facts)) if len(facts) > 1 else None
            known = _Compared(facts, vectors)
            if not self.policy.contextual:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[entity] = known
        return known

    def _scores(self, vectors: Any, *, text: str) -> NDArray[np.float64]:
        """Return the cosine of each row of `vectors` with the text. *Shape:* (N,)."""
        known, vector = self._last
        if known != text:  # dense, since to transpose a sparse one costs more than the product
            vector = self._space.vectors([text]).toarray()[0]
            self._last = text, vector
        scores: NDArray[np.float64] = vectors @ vector
        return scores.round(_DECIMALS)

    @cached_property
    def _space(self) -> _Space:
        rows = self.store.rows
        picked = rows[:, np.unique(np.linspace(0, rows.shape[1] - 1, SAMPLED, dtype=np.int64))]
        relations, entities = self.store.relations, self.store.entities
        pairs = zip(picked[1].tolist(), picked[2].tolist(), strict=True)
        return _Space(self._said([Fact(relations[r], entities[t]) for r, t in pairs]))

    def _said(self, facts: Sequence[Fact]) -> list[str]:
        """Return what is read of each fact; nothing where there is nothing to say."""
        if not self.store.named:
            return [" ".join(fact) for fact in facts]
        return [" ".join(self.store.readable(fact) or ()) for fact in facts]


class _Space:
    """Texts as vectors of length 1, by features weighted with their rarity in `documents`.

    Features are hashed, so no vocabulary is kept, and none depends on the order of documents.
    """

    def __init__(self, documents: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

        self._hashing = HashingVectorizer(
            analyzer=features, n_features=_FEATURES, alternate_sign=False, norm=None
        )
        self._weighting = TfidfTransformer()
        self._weighting.fit(self._hashing.transform(documents))

    def vectors(self, texts: Sequence[str]) -> Any:
        """Return a sparse matrix. *Shape:* (N, F)."""
        return self._weighting.transform(self._hashing.transform(texts))


def features(text: str) -> Iterator[str]:
    """Yield what is compared of a text, upper and lower case alike.

    Of a word in a script that spaces words: the word between `<` and `>`, and its beginning, five
    letters at most, after `<`. Of a run in other scripts: each character, and each pair.
    """
    for spaced, run in groupby(text.casefold(), key=_kind):
        if spaced is None:
            continue
        letters = "".join(run)
        if spaced:
            yield f"<{letters}>"
            yield f"<{letters[:_BEGINNING]}"
        else:
            yield from letters
            yield from (letters[at : at + 2] for at in range(len(letters) - 1))


@lru_cache(maxsize=1 << 16)
def _kind(character: str) -> bool | None:
    """Say whether a character is part of a spaced word, of an unspaced one, or (None) of none."""
    if is_spaced(character):
        return True
    return False if unicodedata.category(character)[0] in "LMN" else None
