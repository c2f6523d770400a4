"""What reads texts for an encoder: the encoder with its injector, from wherever they are.

A run knows how it read texts in training; a pre-trained model reads them plainly.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from kbert.model import Model, load
from kbert.nn.checkpoint import load_encoder, resolve
from kbert.nn.encoder import Encoder
from kbert.pretrained import make_plain_injector
from kbert.run import has_task

if TYPE_CHECKING:
    from graphs import TripleStore
    from kbert.inject import Injector


class Reader(NamedTuple):
    """An encoder and what turns texts into its inputs; opened once, it serves many calls."""

    encoder: Encoder
    inject: Injector


Source: TypeAlias = str | os.PathLike[str] | Model | Reader


def open_reader(
    source: Source,
    *,
    kg: str | TripleStore | None = None,
    allow_other_graph: bool = False,
    device: str = "cpu",
) -> Reader:
    """Open a source of features: a run folder, a pre-trained model's folder or hub id, a `Model`.

    A run brings its graph and its limits, and `kg` and `allow_other_graph` are those of
    `kbert.load`. A pre-trained model reads 512 tokens, with two facts a mention from the graph
    `kg` if that is given. For other limits make a `Reader` of an encoder and an `Injector`.

    Raises `KbertError` or `GraphError` where something cannot be found or does not fit,
    `ValueError` if `kg` is given beside a source that has its graph already.
    """
    if isinstance(source, Model | Reader):
        if kg is not None:
            raise ValueError("an open model has its graph already; kg goes with a folder")
        return source if isinstance(source, Reader) else _of_model(source)
    folder = resolve(source)
    if has_task(folder):
        return _of_model(load(folder, kg=kg, allow_other_graph=allow_other_graph, device=device))
    encoder = load_encoder(folder, use_pooler=False).to(device).eval()
    return Reader(encoder, make_plain_injector(folder, encoder.config, kg=kg))


def _of_model(model: Model) -> Reader:
    encoder = model.network.encoder
    assert isinstance(encoder, Encoder)
    return Reader(encoder, model.inject)
