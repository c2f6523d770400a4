"""The benchmark of a pre-training step, small: all ways compute the same, and are counted."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import pretraining_step, training
from benchmarks.pretraining_cells import ALL, Cell, cells
from benchmarks.pretraining_contenders import (
    Contender,
    Mismatch,
    check_equal,
    contenders,
    draw_steps,
    their_inputs,
)
from benchmarks.pretraining_corpora import drawing
from benchmarks.pretraining_step import flops, measure, shape, summary
from benchmarks.pretraining_tables import OURS, PADDED, PEER, step_tables
from benchmarks.report import write_result
from benchmarks.training import Trainer, clock_name, in_turns
from kbert.nn import EncoderConfig
from kbert.pretraining.rows import MicroBatch
from kbert.pretraining.shards import Corpus

CELL = Cell(
    size="tiny", corpus="words", relation="nsp", max_length=32, dropout=0.1, batch_tokens=256,
    batches=3,
)  # fmt: skip
TRACING = pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch's own
OPTIONS = argparse.Namespace(device="cpu", rounds=2, peak_tflops=None)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def steps(
    corpus: Corpus, *, relation: str = "nsp", full: bool = False
) -> tuple[list[MicroBatch], list[MicroBatch]]:
    draw = drawing(
        corpus, relation=relation, unit="piece", max_length=32, batch_tokens=256, full=full
    )
    return draw_steps(draw, batches=3, seed=1)


def config(corpus: Corpus, *, dropout: float = 0.0) -> EncoderConfig:
    return EncoderConfig(
        vocab_size=corpus.vocab_size, dropout=dropout, attention_dropout=dropout, **CELL.sizes
    )


def made(corpus: Corpus, *, relation: str = "nsp", dropout: float = 0.0) -> list[Contender]:
    padded, packed = steps(corpus, relation=relation)
    return contenders(config(corpus, dropout=dropout), padded, packed, names=ALL, device="cpu")


def sequences(batches: list[MicroBatch]) -> list[tuple[int, ...]]:
    """The sequences of batches, as they are read, in any order."""
    found = []
    for part in batches:
        for ids, documents, length in zip(
            part.inputs.token_ids, part.inputs.visibility.document, part.inputs.lengths, strict=True
        ):
            own = documents[:length]
            found += [tuple(ids[:length][own == n].tolist()) for n in own.unique().tolist()]
    return sorted(found)


@pytest.mark.parametrize("full", [True, False])
def test_padded_and_packed_batches_hold_the_same_masked_sequences(
    small_corpus: Corpus, full: bool
) -> None:
    padded, packed = steps(small_corpus, full=full)
    assert sequences(padded) == sequences(packed)
    assert sum(part.tokens for part in padded) == sum(part.tokens for part in packed)
    assert [part.slots for part in packed] == [256] * 3
    lengths = {part.inputs.token_ids.shape[1] for part in padded}
    assert lengths == {32} if full else max(lengths) <= 32
    assert {len(part.inputs.token_ids) for part in padded[:-1]} == {8}


@pytest.mark.parametrize("relation", ["nsp", "none"])
def test_all_ways_compute_the_same(small_corpus: Corpus, relation: str) -> None:
    ways = made(small_corpus, relation=relation, dropout=0.1)
    assert [way.name for way in ways] == list(ALL)
    assert len({way.tokens for way in ways}) == 1
    reference = ways[2]
    for changed in (ways[0], ways[3]):
        with torch.no_grad():
            next(changed.network.parameters())[20:].mul_(1.05)
        with pytest.raises(Mismatch, match=changed.name):
            check_equal([changed], reference)
    shorter = replace(ways[3], steps=ways[3].steps[:-1], network=reference.network)
    with pytest.raises(Mismatch):
        check_equal([shorter], reference)


@pytest.mark.parametrize("relation", ["nsp", "none"])
def test_gradients_are_those_of_transformers(small_corpus: Corpus, relation: str) -> None:
    theirs, *ours = made(small_corpus, relation=relation)
    theirs.loss(theirs.network.train(), theirs.steps[0]).backward()  # type: ignore[no-untyped-call]
    table: Any = theirs.network
    expected = table.bert.embeddings.word_embeddings.weight.grad
    assert float(expected.abs().max()) > 1e-3
    for way in ours[:2]:
        way.loss(way.network.train(), way.steps[0]).backward()  # type: ignore[no-untyped-call]
        network: Any = way.network
        found = network.network.encoder.embeddings.word.weight.grad
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_transformers_reads_our_rows_and_labels(small_corpus: Corpus) -> None:
    part = steps(small_corpus)[0][0]
    inputs, special = their_inputs(part), small_corpus.special
    assert {name: tuple(each.shape)[:1] for name, each in inputs.items()} == {
        name: (8,)
        for name in (
            "input_ids", "attention_mask", "token_type_ids", "labels", "next_sentence_label",
        )
    }  # fmt: skip
    assert torch.equal(inputs["attention_mask"] == 0, inputs["input_ids"] == special.pad)
    assert part.targets.masked is not None
    assert int((inputs["labels"] != -100).sum()) == len(part.targets.masked.labels)
    masked = inputs["input_ids"] == special.mask
    assert (inputs["labels"][masked] > special.mask).all()
    assert set(inputs["next_sentence_label"].tolist()) == {0, 1}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_way_learns(small_corpus: Corpus, precision: str) -> None:
    for way in made(small_corpus):
        before = [weight.detach().clone() for weight in way.network.parameters()]
        trainer = Trainer(way.network, way.steps, way.loss, precision=precision)
        assert trainer.train() > 0
        after = list(way.network.parameters())
        assert all(weight.isfinite().all() for weight in after)
        assert not any(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_rates_ratios_and_shares_of_the_peak(small_corpus: Corpus, tmp_path: Path) -> None:
    ways = [way for way in made(small_corpus) if way.name in (PEER, OURS)]
    tokens, sizes = ways[0].tokens, config(small_corpus)
    seconds = {
        (PEER, "fp32"): [2.0, 4.0], (OURS, "fp32"): [1.0, 1.0],
        (PEER, "bf16"): [1.0, 1.0], (OURS, "bf16"): [0.5, 0.25],
    }  # fmt: skip
    found = summary(ways, seconds, config=sizes, peak=1e9)
    single, half = found["measured"]["fp32"], found["measured"]["bf16"]
    assert single["tokens_per_second"][PEER] == (0.375 * tokens, tokens / 4, tokens / 2, 2)
    assert single["times_transformers"] == {OURS: (3.0, 2.0, 4.0, 2)} and "mfu" not in single
    assert found["bf16_times_fp32"] == {PEER: (3.0, 2.0, 4.0, 2), OURS: (3.0, 2.0, 4.0, 2)}
    assert half["mfu"][PEER].median == pytest.approx(flops(ways[0], sizes) / 1e9)
    assert half["mfu"][OURS].high == pytest.approx(flops(ways[1], sizes) / 0.25 / 1e9)
    assert flops(ways[0], sizes) == flops(ways[1], sizes)
    assert shape(ways[1])["token_slots"] == 3 * 256
    file = write_result("x", {"cells": [{**CELL.to_mapping(), **found}]}, folder=tmp_path)
    text = step_tables(json.loads(file.read_bytes()))
    assert f"{0.375 * tokens:,.0f}" in text and "(×3.00)" in text and "MFU" in text


def test_what_is_compiled_has_one_shape(small_corpus: Corpus) -> None:
    padded, _ = steps(small_corpus, full=True)
    way = Contender(PADDED, torch.nn.Identity(), lambda network, step: torch.zeros(()), padded)
    shapes = {part.inputs.token_ids.shape for part in way.of_one_shape().steps}
    assert shapes == {(8, 32)} and len(way.of_one_shape().steps) in (len(padded), len(padded) - 1)


@TRACING
def test_both_compiled_paths_run(small_corpus: Corpus) -> None:
    cell = replace(CELL, compile="eager", precisions=("bf16",), ways=(PEER, OURS))
    found = measure(cell, small_corpus, options=OPTIONS)
    assert found["measured"]["bf16"]["times_transformers"][OURS].n == 2
    assert "bf16_times_fp32" not in found


def test_cells_begin_with_what_is_most_wanted() -> None:
    gpu = cells(["zh", "en"], device="cuda", quick=False)
    assert [(c.max_length, c.dropout, c.compile) for c in gpu[:2]] == [
        (128, 0.1, "inductor"), (512, 0.1, "inductor"),
    ]  # fmt: skip
    assert {(c.size, c.corpus, c.precisions) for c in gpu} == {("base", "en", ("bf16",))}
    cpu = cells(["zh", "en"], device="cpu", quick=False)
    assert {c.compile for c in cpu} == {None} and {c.corpus for c in cpu} == {"zh", "en"}
    quick = cells(["en"], device="cpu", quick=True)
    assert {c.compile for c in quick} == {None, "eager"} and {c.size for c in quick} == {"tiny"}
    for cell in (*gpu, *cpu, *quick):
        assert {PEER, OURS} <= set(cell.ways)


def test_a_cell_that_fails_is_recorded_and_the_others_go_on(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["--quick", "--threads", "1", "--corpus", str(small_corpus.path)]
    given += ["--results", str(tmp_path)]
    answers: list[Any] = [RuntimeError("out of memory\nand more"), {"measured": {}, "ways": {}}]

    def measured(cell: Cell, corpus: Corpus, *, options: argparse.Namespace) -> Any:
        answer = answers.pop(0) if answers else ValueError("odd")
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(pretraining_step, "measure", measured)
    assert pretraining_step.main(given) == 0
    found = json.loads((tmp_path / "pretraining_step-quick.json").read_bytes())["cells"]
    assert found[0]["failed"] == "RuntimeError: out of memory"
    assert "measured" in found[1] and found[2]["failed"] == "ValueError: odd"
    assert pretraining_step.main([*given, "--minutes", "0"]) == 0
    found = json.loads((tmp_path / "pretraining_step-quick.json").read_bytes())["cells"]
    assert all(cell["skipped"] == "0 minutes were over" for cell in found)
    assert "minutes were over" in step_tables({"cells": found})
    answers.append(Mismatch("ours differs"))
    with pytest.raises(Mismatch):
        pretraining_step.main(given)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert pretraining_step.main(["--device", "cuda"]) == 2
    assert "no GPU" in capsys.readouterr().err


def test_contenders_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    class Fake(Trainer[int]):
        def __init__(self, name: str) -> None:
            self.name = name

        def train(self, *, limit: int | None = None) -> float:
            order.append(self.name if limit is None else f"{self.name}{limit}")
            return float(len(order))

    found = in_turns({name: Fake(name) for name in "abc"}, rounds=3, warm_up=2)
    assert order == ["a2", "b2", "c2", *"abc", *"bca", *"cab"]
    assert found == {"a": [4, 9, 11], "b": [5, 7, 12], "c": [6, 8, 10]}
    assert clock_name("cpu") == "processor" and clock_name("cuda") == "wall"
    monkeypatch.setattr(training.torch, "get_num_threads", lambda: 2)
    assert clock_name("cpu") == "wall"


@pytest.mark.data
@TRACING
def test_the_quick_run_writes_its_result(tmp_path: Path, data_dir: Path) -> None:
    arguments = ["--quick", "--threads", "1", "--results", str(tmp_path)]
    assert pretraining_step.main(arguments) == 0
    content = json.loads((tmp_path / "pretraining_step-quick.json").read_bytes())
    assert len(content["cells"]) == 3 and content["clock"] == "processor"
    for cell in content["cells"]:
        assert OURS in cell["measured"]["bf16"]["times_transformers"]
