"""What is written of masked tokens, where the answer is known: a network that names one piece."""

from __future__ import annotations

from pathlib import Path

import torch

from kbert.batch import Batch
from kbert.nn import Encoder, EncoderConfig, LanguageModel
from kbert.nn.visibility import Visibility
from kbert.pretraining.rows import MicroBatch
from kbert.pretraining.samples import samples
from kbert.pretraining.targets import Labelled, Targets
from kbert.tokenizer import Tokenizer

PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "see", "##s")


def test_a_guess_that_is_no_beginning_of_a_word_stays_apart_from_the_truth(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    tokenizer = Tokenizer.from_vocab(tmp_path / "vocab.txt")
    config = EncoderConfig(
        vocab_size=len(PIECES), width=8, layers=1, heads=1, feed_forward=8, max_positions=16
    )
    generator = torch.Generator().manual_seed(0)
    network = LanguageModel(
        Encoder(config, generator=generator),
        relation_labels=0,
        boundary_positions=0,
        generator=generator,
    )
    assert network.tokens is not None
    with torch.no_grad():  # whatever is asked, the answer is ##s
        network.tokens.bias[PIECES.index("##s")] = 1e4
    ids = torch.tensor([[2, 5, 6, 4, 8, 3]])
    flat = torch.zeros_like(ids)
    visibility = Visibility(
        document=flat, enter=flat, leave=flat + 1, trunk=flat == 0, query_rank=flat, key_rank=flat
    )
    inputs = Batch(ids, torch.arange(6)[None], flat, visibility, torch.tensor([6]))
    labelled = Labelled(torch.tensor([3, 4]), torch.tensor([7, 8]))
    part = MicroBatch(inputs, Targets(masked=labelled), tokens=6, squares=36, slots=6)
    assert samples(network, [part], tokenizer=tokenizer, most=4) == [
        "the cat [see: ##s] [##s] [SEP]"
    ]
