"""Tables of tokens: no bit changes, and every different token is computed once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import kgbert.token_table as module
from kgbert.engine import ScoringEngine
from kgbert.token_table import TokenTable
from tests.kgbert.scoring import network, sequences, triples

SEQUENCES = sequences()
TRIPLES = triples(300)


@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("layers", [1, 3])
def test_logits_have_the_same_bits_with_and_without_a_table(
    monkeypatch: pytest.MonkeyPatch, layers: int, precision: str
) -> None:
    made: list[bool] = []
    of = TokenTable.of

    def watched(*arguments: object) -> TokenTable | None:
        found = of(*arguments)  # type: ignore[arg-type]
        made.append(found is not None)
        return found

    monkeypatch.setattr(TokenTable, "of", staticmethod(watched))
    engine = ScoringEngine(network(layers=layers, width=64), SEQUENCES, precision=precision)  # type: ignore[arg-type]
    logits = []
    for uses in (0.1, 2, 10**9):
        monkeypatch.setattr(module, "_LEAST_USES", uses)
        made.clear()
        logits.append(engine.logits(TRIPLES))
        assert any(made) == (uses < 10**9) and all(made) == (uses < 1)
    if layers > 1:  # of one layer, keys and values are either folded or not
        assert np.array_equal(logits[0], logits[1]) and np.array_equal(logits[1], logits[2])
    assert np.abs(logits[0] - logits[2]).max() < (1e-5 if precision == "32" else 0.1)


def test_every_different_token_is_embedded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, length = network(), 9
    many = triples(3000)
    rows = many[SEQUENCES.lengths(many) == length]
    token_ids, segments = map(torch.from_numpy, SEQUENCES.assemble(rows))
    expected = {
        (piece, place, kind)
        for pieces, kinds in zip(token_ids.tolist(), segments.tolist(), strict=True)
        for place, (piece, kind) in enumerate(zip(pieces, kinds, strict=True))
    }
    assert 20 < len(expected) < token_ids.numel() // 2
    with torch.inference_mode():
        table = TokenTable.of(model.encoder, token_ids, segments)
        assert table is not None and len(table.rows) == len(expected)
        for start, stop, filled in ((0, len(rows), len(rows)), (3, 5, 4)):
            found = table.embedded(start, stop, filled=filled)
            order = [*range(start, stop), *[start] * (filled - stop + start)]
            wanted = model.encoder.embed(
                token_ids[order],
                positions=torch.arange(length).expand(filled, -1),
                segments=segments[order],
            )
            assert torch.equal(found.hidden, wanted.hidden)
            for one, other in zip(found.projected, wanted.projected, strict=True):
                assert torch.equal(one, other)
        monkeypatch.setattr(module, "_MOST", len(expected) - 1)
        assert TokenTable.of(model.encoder, token_ids, segments) is None


def test_weights_that_change_are_followed() -> None:
    """An engine that validates in training keeps no table of weights that were."""
    model = network()
    engine = ScoringEngine(model, SEQUENCES)
    before = engine.logits(TRIPLES)
    with torch.no_grad():
        model.encoder.embeddings.word.weight += 0.5
        model.encoder.layers[0].attention.query.weight *= 2  # type: ignore[operator, union-attr]
    after = engine.logits(TRIPLES)
    assert np.array_equal(after, ScoringEngine(model, SEQUENCES).logits(TRIPLES))
    assert not np.allclose(before, after, atol=1e-3)
