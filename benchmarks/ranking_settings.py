"""What rankings are compared on: a slice of a data set, a network, and its texts as pieces."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import nn

from benchmarks.training import clock_name
from kbert.nn.encoder import Encoder
from kgbert.network import TripleNetwork
from kgbert.pieces import Pieces
from kgbert.sequences import Sequences

if TYPE_CHECKING:
    from kbert.nn.config import EncoderConfig
    from kbert.tokenizer import Tokenizer
    from kgbert.dataset import KnowledgeData

_SPREAD: Final = 0.1  # standard deviation of drawn weights: scores are then well apart


@dataclass(frozen=True, eq=False)
class Setting:
    """One data set with everything that ranking it needs."""

    data: KnowledgeData
    tokenizer: Tokenizer
    network: TripleNetwork
    sequences: Sequences
    batch: int
    batch_tokens: int
    device: str
    queries: int = 10**9
    """How many of the test set's queries are ranked in every way."""


def sliced(data: KnowledgeData, *, triples: int, entities: int, seed: int = 0) -> KnowledgeData:
    """Keep `triples` test triples, drawn by chance, and `entities` entities, theirs among them."""
    draw = np.random.default_rng(seed)
    test = data.test[np.sort(draw.permutation(len(data.test))[:triples])]
    order = draw.permutation(len(data.entities))
    own = np.unique(test[:, [0, 2]])
    others = order[~np.isin(order, own)]
    kept = np.unique(np.concatenate([own, others[: max(0, entities - len(own))]]))
    number = np.full(len(data.entities), -1)
    number[kept] = np.arange(len(kept))

    def renumbered(rows: Any) -> Any:
        moved = rows.copy()
        moved[:, [0, 2]] = number[rows[:, [0, 2]]]
        return moved[(moved >= 0).all(axis=1)]

    texts = tuple(data.texts.entities[i] for i in kept.tolist())
    return replace(
        data,
        entities=tuple(data.entities[i] for i in kept.tolist()),
        train=renumbered(data.train),
        valid=renumbered(data.valid),
        test=renumbered(test),
        texts=replace(data.texts, entities=texts),
    )


def drawn_network(config: EncoderConfig, *, seed: int = 0) -> TripleNetwork:
    """Draw weights so that different triples have clearly different scores."""
    network = TripleNetwork(Encoder(config))
    draw = torch.Generator().manual_seed(seed)
    spread = _SPREAD * (128 / config.width) ** 0.5
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight.normal_(mean=float("norm.weight" in name), std=spread, generator=draw)
    return network.eval()


def headed_network(source: str | Path, *, seed: int = 0) -> TripleNetwork:
    """Draw a head for a pre-trained encoder, with scores that are well apart."""
    draw = torch.Generator().manual_seed(seed)
    network = TripleNetwork.from_encoder(source, generator=draw)
    with torch.no_grad():
        network.classifier.classifier.weight.normal_(std=_SPREAD, generator=draw)
    return network.eval()


def laid_out(data: KnowledgeData, tokenizer: Tokenizer, *, max_length: int) -> Sequences:
    """Tokenise the texts of a data set once."""
    entities, relations = (
        Pieces.from_texts(texts, tokenizer=tokenizer, cap=max_length)
        for texts in (data.texts.entities, data.texts.relations)
    )
    return Sequences.build(
        entities=entities,
        relations=relations,
        max_length=max_length,
        cls_id=tokenizer.cls_id,
        sep_id=tokenizer.sep_id,
    )


def peer_of(network: TripleNetwork) -> nn.Module:
    """Return transformers' `BertForSequenceClassification` with the same weights."""
    from transformers import BertForSequenceClassification

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.save(folder)
        peer: nn.Module = BertForSequenceClassification.from_pretrained(Path(folder))
    return peer.eval()


def timed(run: Callable[[], Any], *, device: str) -> tuple[float, Any]:
    """Return the seconds that a call took, and its result."""
    clock = time.process_time if clock_name(device) == "processor" else time.perf_counter
    start = clock()
    result = run()
    if device == "cuda":
        torch.cuda.synchronize()
    return clock() - start, result
