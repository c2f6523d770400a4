"""How the second segment of a pair comes to be, given the first: a label for each way.

A chunk of a document is split in two. `next`: the halves as they stand. `previous`: the second
half comes first. `random`: the first half, then sentences of another document; the second half is
put back, and the next chunk begins with it.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Way = Literal["next", "previous", "random"]

NO_RELATION: Final = -100  # the label of a segment alone; torch's cross entropy passes over it


class Relation(NamedTuple):
    """Label i means `ways[i]`; all have the same chance."""

    ways: tuple[Way, ...]

    def label_alone(self, *, google_quirks: bool) -> int:
        """Return the label of a chunk that has one sentence, and so no second half.

        It is followed by a random one, if the relation knows that. ALBERT's code does so for
        sentence order as well, and calls it swapped; without `google_quirks` it stays alone.
        """
        if "random" in self.ways:
            return self.ways.index("random")
        return 1 if google_quirks else NO_RELATION


RELATIONS: Final = {
    "nsp": Relation(("next", "random")),  # BERT: Devlin et al. 2019
    "sop": Relation(("next", "previous")),  # ALBERT: Lan et al. 2020
    "nsp3": Relation(("next", "previous", "random")),  # StructBERT: Wang et al. 2020
}
