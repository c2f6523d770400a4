"""Half a micro-batch has the losses of its rows; both halves together those of the whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from kbert.nn import Encoder, EncoderConfig, LanguageModel
from kbert.plans import Share
from kbert.pretraining.halving import halves
from kbert.pretraining.held_out import split
from kbert.pretraining.objectives import Losses, PretrainingModel
from kbert.pretraining.parts import make_rows, make_sampler
from kbert.pretraining.settings import PretrainSettings
from kbert.pretraining.shards import Corpus
from kbert.pretraining.steps import Steps
from kbert.pretraining.targets import BOUNDARY_POSITIONS


@pytest.mark.parametrize(
    "changes",
    [{}, {"causal_share": 0.5, "boundary_weight": 1.0}, {"packing": False, "relation": "none"}],
)
def test_halves_add_up(
    settings: Callable[..., PretrainSettings], small_corpus: Corpus, changes: dict[str, Any]
) -> None:
    chosen = settings(batch_tokens=200, **changes)
    train, _ = split(
        sentences=small_corpus.sentences, documents=small_corpus.documents, share=0.0,
        relation=chosen.relation,
    )  # fmt: skip
    phase = chosen.plan[0]
    steps = Steps(
        make_sampler(chosen, train, phase, number=0),
        make_rows(chosen, small_corpus, number=0, links=None),
        phase=phase, accumulate=1, share=Share(0, 1),
    )  # fmt: skip
    (whole,) = steps[0]
    config = EncoderConfig(
        vocab_size=small_corpus.vocab_size, width=16, layers=1, heads=2, feed_forward=16,
        dropout=0.0,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    network = LanguageModel(
        Encoder(config, generator=generator), relation_labels=2,
        boundary_positions=BOUNDARY_POSITIONS, generator=generator,
    )  # fmt: skip
    model = PretrainingModel(network)
    cut = list(halves(whole))
    rows = whole.inputs.token_ids.shape[0]
    assert [part.inputs.token_ids.shape[0] for part in cut] == [rows // 2, rows - rows // 2]
    assert sum(part.slots for part in cut) == whole.inputs.token_ids.numel()
    made = Losses.combine([model(part.inputs, part.targets) for part in cut])
    expected = model(whole.inputs, whole.targets)
    assert made.counts.tolist() == expected.counts.tolist() and made.counts.sum() > 0
    torch.testing.assert_close(made.sums, expected.sums, rtol=1e-5, atol=1e-5)
    one = cut[0]
    while one.inputs.token_ids.shape[0] > 1:
        one = halves(one)[0]
    assert halves(one) == [one]
