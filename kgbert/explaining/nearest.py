"""Which training triples the network takes for alike: by its features of `[CLS]`.

The feature of a triple is the last layer's hidden state of `[CLS]`, from which all is decided.
Such vectors share a large common part, so the mean of those compared is taken away before the
cosine (Mu and Viswanath 2018, All-but-the-Top, section 3). Where train has too many triples, those
are compared that share most parts with the triple, in the order of the file; an entity counts as
shared on either side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from kgbert.explaining.layout import PARTS
from kgbert.names import Lookup

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kgbert.explaining.rivals import Watch
    from kgbert.text_engine import Prepared, TextEngine

_ROWS: Final = 64  # triples that are encoded at a time
_CHUNK: Final = 512  # triples between two steps of a progress bar


@dataclass(frozen=True, slots=True)
class Near:
    """A training triple: ids and texts of its parts, its cosine, and what it shares."""

    ids: tuple[str, str, str]
    texts: tuple[str, str, str]
    cosine: float
    shares: tuple[str, ...]


def nearest(
    engine: TextEngine,
    triple: NDArray[np.int64],
    train: NDArray[np.integer],
    *,
    entities: Lookup,
    relations: Lookup,
    top: int,
    most: int,
    watch: Watch,
) -> tuple[Near, ...]:
    """Return the `top` of the training triples (n, 3) whose features are most like the triple's.

    The triple itself is no neighbour of itself. At most `most` are compared.
    """
    chosen = np.unique(train.astype(np.int64), axis=0, return_index=True)[1]
    rows = train[np.sort(chosen)].astype(np.int64)
    rows = rows[(rows != triple).any(axis=1)]
    order = np.argsort(-_shared(rows, triple), kind="stable")[:most]
    rows = rows[np.sort(order)]
    if not len(rows) or top < 1:
        return ()
    every = np.concatenate([triple[None], rows])
    found = []
    for start in watch(range(0, len(every), _CHUNK), "encoding training triples"):
        some = every[start : start + _CHUNK]
        found.append(features(engine.prepare(some, entities=entities, relations=relations)))
    cosines = _cosines(np.concatenate(found))
    best = np.argsort(-cosines, kind="stable")[:top]
    return tuple(
        _near(rows[place], triple, float(cosines[place]), entities=entities, relations=relations)
        for place in best.tolist()
    )


def features(prepared: Prepared) -> NDArray[np.float64]:
    """Return the last layer's hidden states (n, D) of `[CLS]`."""
    network = prepared.engine.network
    device = next(network.parameters()).device
    sequences = prepared.engine.sequences
    lengths = sequences.lengths(prepared.rows)
    found = np.empty((len(prepared.rows), network.encoder.config.width))
    for length in np.unique(lengths).tolist():
        places = np.flatnonzero(lengths == length)
        for start in range(0, len(places), _ROWS):
            some = places[start : start + _ROWS]
            inputs = sequences.assemble(prepared.rows[some])
            token_ids = torch.as_tensor(inputs.token_ids, device=device)
            with torch.inference_mode():
                output = network.encoder(
                    token_ids,
                    positions=torch.arange(length, device=device).expand_as(token_ids),
                    segments=torch.as_tensor(inputs.segments, device=device),
                    visibility=None,
                    only_first=True,
                )
            found[some] = output.hidden[:, 0].double().cpu().numpy()
    return found


def _cosines(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine (n - 1,) of the first vector and each other, the mean taken away."""
    centred = vectors - vectors.mean(axis=0) if len(vectors) > 2 else vectors  # two are opposite
    norms = np.linalg.norm(centred, axis=1)
    scale = np.maximum(norms[1:] * norms[0], np.finfo(np.float64).tiny)
    return np.asarray((centred[1:] @ centred[0]) / scale)


def _shared(rows: NDArray[np.int64], triple: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the parts (n,) that rows share with the triple; its entities on either side."""
    head, relation, tail = triple.tolist()
    ends = rows[:, [0, 2]]
    entities = [(ends == entity).any(axis=1).astype(np.int64) for entity in {head, tail}]
    return np.asarray(sum(entities) * 2 + (rows[:, 1] == relation))


def _near(
    row: NDArray[np.int64],
    triple: NDArray[np.int64],
    cosine: float,
    *,
    entities: Lookup,
    relations: Lookup,
) -> Near:
    lookups = (entities, relations, entities)
    ids = tuple(lookup.names.ids[number] for lookup, number in zip(lookups, row, strict=True))
    texts = tuple(lookup.names.texts[number] for lookup, number in zip(lookups, row, strict=True))
    shares = [name for name, own, other in zip(PARTS, row, triple, strict=True) if own == other]
    if row[0] == triple[2] or row[2] == triple[0]:
        shares.append("reversed" if (row[[0, 2]] == triple[[2, 0]]).all() else "other side")
    return Near((ids[0], ids[1], ids[2]), (texts[0], texts[1], texts[2]), cosine, tuple(shares))
