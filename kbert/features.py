"""Texts as vectors: hidden states of an encoder, of a token, a text or a pair (`kbert.encode`).

The features of BERT's section 5.3: hidden states of one layer or of several, of the first token,
averaged over the text, or of each token. A text with facts is read as in prediction, and its
features are those of the trunk alone. Equal texts have equal features, bit for bit, in whatever
order and however often they are given: the distinct ones are sorted before they are batched.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias, overload

import numpy as np
import torch

from kbert.batch import batches
from kbert.errors import DataError, RunError
from kbert.reader import Reader, Source, open_reader

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from graphs import TripleStore
    from kbert.batch import Batch
    from kbert.inject import Injector
    from kbert.nn.encoder import Encoder
    from kbert.tree import SentenceTree

    Array: TypeAlias = NDArray[np.float32]

Layers: TypeAlias = Literal["last", "last4"] | Sequence[int]
_CHUNK = 1024  # texts whose trees are in memory at once
_log = logging.getLogger(__name__)


@overload
def encode(
    texts: Sequence[str],
    pairs: Sequence[str] | None = ...,
    *,
    source: Source,
    layers: Layers = ...,
    join: Literal["concat", "mean"] = ...,
    pooling: Literal["cls", "mean"] = ...,
    kg: str | TripleStore | None = ...,
    allow_other_graph: bool = ...,
    device: str = ...,
    batch_tokens: int = ...,
) -> Array: ...


@overload
def encode(
    texts: Sequence[str],
    pairs: Sequence[str] | None = ...,
    *,
    source: Source,
    layers: Layers = ...,
    join: Literal["concat", "mean"] = ...,
    pooling: Literal["none"],
    kg: str | TripleStore | None = ...,
    allow_other_graph: bool = ...,
    device: str = ...,
    batch_tokens: int = ...,
) -> list[Array]: ...


def encode(
    texts: Sequence[str],
    pairs: Sequence[str] | None = None,
    *,
    source: Source,
    layers: Layers = "last",
    join: Literal["concat", "mean"] = "concat",
    pooling: Literal["cls", "mean", "none"] = "cls",
    kg: str | TripleStore | None = None,
    allow_other_graph: bool = False,
    device: str = "cpu",
    batch_tokens: int = 8192,
) -> Array | list[Array]:
    """Return features of each text, or of each pair of `texts[i]` and `pairs[i]`, in input order.

    Args:
        texts: any texts that have a token.
        pairs: second texts, one each, or None.
        source: what `open_reader` opens, with `kg`, `allow_other_graph` and `device`; or what it
            returned, which saves reading the model again.
        layers: "last", the "last4", or numbers: 0 is the embeddings, 1 the first layer, -1 the
            last one.
        join: several layers in a row, in the order given (width S x D), or their mean (D).
        pooling: "cls", the first token's states; "mean", the mean over the trunk, [CLS] and [SEP]
            included; "none", the states of each token of the trunk.
        kg: see `open_reader`.
        allow_other_graph: see `open_reader`.
        device: see `open_reader`; not asked where the source is open.
        batch_tokens: largest number of token slots in a batch; it changes no more than rounding.

    Returns:
        Float32 of shape (N, width); with pooling "none" a list of N arrays (tokens, width), whose
        rows but the first and the last are the pieces that `Tokenizer.encode` gives, of a pair
        with a [SEP] between. Texts that are too long are cut, for which a warning is logged.

    Raises:
        DataError: a text without a token, not as many second texts, or an encoder that knows no
            pairs.
        RunError: the weights diverged, so that there are no numbers.
        TypeError: one text instead of a list.
        ValueError: an option that does not exist, or a layer.
    """
    if pooling not in ("cls", "mean", "none") or join not in ("concat", "mean"):
        raise ValueError(f"no such pooling or join: {pooling!r}, {join!r}")
    keys = _keys(texts, pairs)
    reader = open_reader(source, kg=kg, allow_other_graph=allow_other_graph, device=device)
    if pairs is not None and reader.encoder.config.segment_types < 2:
        raise DataError("this encoder knows one segment only, a pair needs two")
    chosen = _numbers(layers, there=len(reader.encoder.layers))
    found: dict[_Key, Array] = {}
    with _without_dropout(reader.encoder):
        for items in _read(keys, inject=reader.inject):
            trees = [tree for _, tree in items]
            for examples, states in _states(
                trees, reader, layers=chosen, join=join, pooling=pooling, batch_tokens=batch_tokens
            ):
                found.update((items[n][0], s) for n, s in zip(examples, states, strict=True))
    if pooling == "none":
        return [found[key].copy() for key in keys]
    width = reader.encoder.config.width * (len(chosen) if join == "concat" else 1)
    features = np.empty((len(keys), width), dtype=np.float32)
    for row, key in enumerate(keys):
        features[row] = found[key]
    return features


_Key: TypeAlias = tuple[str, str | None]


def _keys(texts: Sequence[str], pairs: Sequence[str] | None) -> list[_Key]:
    """Put each text with its second one, if there are any."""
    if isinstance(texts, str) or isinstance(pairs, str):
        raise TypeError("encode takes a list of texts, not one text")
    if pairs is None:
        return [(text, None) for text in texts]
    if len(pairs) != len(texts):
        raise DataError(f"{len(texts)} texts but {len(pairs)} second texts")
    return list(zip(texts, pairs, strict=True))


@contextmanager
def _without_dropout(encoder: Encoder) -> Iterator[None]:
    """Evaluate an encoder that may be in the midst of its training."""
    training = encoder.training
    encoder.eval()
    try:
        yield
    finally:
        encoder.train(training)


def _numbers(layers: Layers, *, there: int) -> list[int]:
    """Return the chosen layers, counted from the embeddings, of an encoder with `there` layers."""
    if isinstance(layers, str):
        if layers not in ("last", "last4"):
            raise ValueError(f"no such layers: {layers!r}; say last, last4 or numbers")
        layers = [-1] if layers == "last" else [-4, -3, -2, -1]
    numbers = [n + there + 1 if n < 0 else n for n in layers]
    if not numbers or not all(0 <= n <= there for n in numbers):
        raise ValueError(
            f"layers {list(layers)}: the encoder has the embeddings, 0, and 1 to {there}"
        )
    return numbers


def _read(keys: Sequence[_Key], *, inject: Injector) -> Iterator[list[tuple[_Key, SentenceTree]]]:
    """Yield the trees of different texts in chunks; then say what was cut.

    Their order depends on the texts alone. An error names where a text stood first.
    """
    first: dict[_Key, int] = {}
    for number, key in enumerate(keys, start=1):
        first.setdefault(key, number)
    order = sorted(first, key=lambda key: (len(key[0]) + len(key[1] or ""), key))
    cut = omitted = 0
    for start in range(0, len(order), _CHUNK):
        items = []
        for key in order[start : start + _CHUNK]:
            try:
                tree = inject(*key)
            except DataError as error:
                raise DataError(f"text {first[key]}: {error}") from None
            items.append((key, tree))
            cut += tree.cut > 0
            omitted += tree.omitted
        yield items
    if cut or omitted:
        _log.warning(
            "%d of %d texts were cut to %d tokens, and %d facts did not fit",
            *(cut, len(first), inject.max_length, omitted),
        )


@torch.inference_mode()
def _forward(encoder: Encoder, batch: Batch, *, layers: Sequence[int], join: str) -> Tensor:
    """Return the hidden states (B, L, width) of the chosen layers."""
    kept = encoder(
        batch.token_ids,
        positions=batch.positions,
        segments=batch.segments,
        visibility=batch.visibility,
        all_layers=True,
    ).layers
    chosen = [kept[number] for number in layers]
    return torch.cat(chosen, dim=-1) if join == "concat" else torch.stack(chosen).mean(dim=0)


def _states(
    trees: Sequence[SentenceTree],
    reader: Reader,
    *,
    layers: Sequence[int],
    join: str,
    pooling: str,
    batch_tokens: int,
) -> Iterator[tuple[tuple[int, ...], list[Array]]]:
    """Yield (which trees, the features of each)."""
    encoder, pad_id = reader.encoder, reader.inject.tokenizer.pad_id
    device = encoder.pooler.dense.weight.device
    for examples, batch in batches(trees, pad_id=pad_id, max_tokens=batch_tokens, device=device):
        hidden = _forward(encoder, batch, layers=layers, join=join).float()
        if not bool(hidden.isfinite().all()):
            raise RunError("the model's answers are no numbers (NaN): its training diverged")
        trunk = batch.visibility.trunk & (batch.visibility.document == 0)  # padding is another
        if pooling == "none":
            yield examples, [row[own].cpu().numpy() for row, own in zip(hidden, trunk, strict=True)]
            continue
        if pooling == "cls":
            pooled = hidden[:, 0]
        else:
            pooled = (hidden * trunk[..., None]).sum(dim=1) / trunk.sum(dim=1, keepdim=True)
        yield examples, list(pooled.cpu().numpy())
