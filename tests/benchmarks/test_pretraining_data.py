"""The benchmark of pre-training data, small: both sides make the same, and are counted."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import pretraining_data
from benchmarks.pretraining_collator import Collator, Shares, check_same, restored
from benchmarks.pretraining_corpora import UNITS, Drawing, drawing
from benchmarks.pretraining_data import Cell, Taken, cells, collate_batches, make_batches, measure
from benchmarks.pretraining_epochs import _repeated, figures, planning
from benchmarks.pretraining_tables import data_table, faster_collator
from kbert.pretraining.shards import Corpus


def small(corpus: Corpus, relation: str = "nsp", unit: str = "piece") -> Drawing:
    return drawing(
        corpus, relation=relation, unit=unit, max_length=32, batch_tokens=256, full=False
    )


@pytest.mark.parametrize("relation", ["none", "nsp"])
@pytest.mark.parametrize("kind", ["pt", "np"])
def test_the_collator_makes_our_sequences(small_corpus: Corpus, relation: str, kind: str) -> None:
    draw, peer = small(small_corpus, relation), Collator(small_corpus, kind=kind)
    pairs = draw.sampler.pairs(0)
    made = peer.collate(peer.examples(pairs, range(20)))
    ours = draw.make(pairs, [(n,) for n in range(20)], epoch=0, length=32)
    check_same(made, ours)
    assert [len(ids) for ids, _ in restored(made)] == pairs.lengths[:20].tolist()
    made["input_ids"][3, 1] += 1
    made["labels"][3, 1] = -100
    with pytest.raises(RuntimeError, match="same sequences"):
        check_same(made, ours)


def test_both_mask_as_they_say(small_corpus: Corpus) -> None:
    draw, special = small(small_corpus, "none"), small_corpus.special
    peer, epoch = Collator(small_corpus, kind="pt"), draw.sampler.epoch(0)
    _, _, theirs = collate_batches(peer, epoch, size=8, batches=200)
    ours = [draw.sampler.micro_batch(epoch, n, make=draw.make) for n in range(len(epoch.batches))]
    for found in (
        Shares.theirs(theirs, special=special),
        Shares.ours(ours, special=special),
    ):
        masked = found.predicted * small_corpus.counts.tokens
        assert found.predicted == pytest.approx(0.15, abs=0.02)  # ours rounds in each sequence
        # One random piece in some fifty is the original and counts as kept.
        for share, expected in zip(found[1:], (0.8, 0.1, 0.1), strict=True):
            bound = 5 * math.sqrt(expected * (1 - expected) / masked) + 0.1 / 40
            assert abs(share - expected) < bound
        assert sum(found[1:]) == pytest.approx(1)


def test_shares_of_known_tokens() -> None:
    found = Shares.of(np.array([4, 4, 9, 7]), np.array([5, 6, 8, 7]), mask_id=4, candidates=40)
    assert found == (0.1, 0.5, 0.25, 0.25)


@given(st.lists(st.tuples(st.integers(1, 1000), st.floats(0.01, 100)), min_size=1, max_size=4))
def test_a_token_takes_the_seconds_of_all_that_it_goes_through(
    taken: list[tuple[int, float]],
) -> None:
    first, *others = (Taken(*each) for each in taken)
    seconds = sum(each.seconds / each.tokens for each in (first, *others))
    assert first.rate(*others) == pytest.approx(1 / seconds)
    assert Taken(100, 4.0).rate() == 25


def test_whole_batches_are_counted_without_padding(small_corpus: Corpus) -> None:
    draw = small(small_corpus)
    plan, rows, epoch = make_batches(draw, number=3, batches=10_000)
    assert epoch.number == 3
    assert plan.tokens == rows.tokens == int(epoch.pairs.lengths.sum())
    read, masked, made = collate_batches(
        Collator(small_corpus, kind="np"), epoch, size=7, batches=2
    )
    assert read.tokens == masked.tokens == sum(int(b["attention_mask"].sum()) for b in made)
    assert [len(batch["input_ids"]) for batch in made] == [7, 7]


@pytest.mark.parametrize("relation", ["none", "nsp"])
def test_figures_of_an_epoch_are_those_of_a_loop(small_corpus: Corpus, relation: str) -> None:
    epoch = small(small_corpus, relation).sampler.epoch(0)
    found = figures(epoch, max_length=32)
    kept = sum(end - begin for pair in epoch.pairs for begin, end in (pair.a, pair.b or (0, 0)))
    rows = [row for batch in epoch.batches for row in batch]
    tokens = epoch.pairs.lengths.tolist()
    assert found["sequences"] == len(tokens) == sum(map(len, rows))
    assert found["cut_share"] == pytest.approx(epoch.pairs.dropped / (kept + epoch.pairs.dropped))
    assert (found["cut_share"] > 0.05) == (relation == "nsp")
    assert found["filled_share"] == pytest.approx(sum(tokens) / (32 * len(rows)))
    assert found["filled_share_unpacked"] == pytest.approx(sum(tokens) / (32 * len(tokens)))


def test_a_large_plan_is_small_in_memory(small_corpus: Corpus) -> None:
    found = planning(small_corpus, sequences=20_000)
    assert 15_000 < found["sequences"] < 25_000
    assert 40 <= found["bytes_per_sequence"] < 100  # five numbers of eight bytes are a pair
    assert found["bytes_per_sequence"] < found["peak_bytes_per_sequence"]
    assert found["microseconds_per_sequence"] > 0
    assert _repeated(np.array([0, 2, 5]), 3).tolist() == [0, 2, 5, 7, 10, 12, 15]


def test_the_peer_takes_part_where_it_does_the_same(small_corpus: Corpus) -> None:
    for unit in UNITS:
        cell = Cell("words", "none", 32, unit)
        found = measure(cell, small_corpus, batch_tokens=256, batches=8, rounds=2)
        assert found["tokens_per_second"]["ours"].n == 2
        assert bool(found["times"]) == ("shares" in found) == (unit == "piece")
        assert {name.split(",")[0] for name in found["times"]} <= {"transformers"}


def test_all_relations_lengths_and_units_are_measured() -> None:
    assert len(cells(["zh", "en"], quick=False)) == 2 * 2 * 2 * 3
    assert {cell.unit for cell in cells(["en"], quick=True)} == {"piece", "word", "span"}


def made_cell(unit: str, rate: float, times: Sequence[float] = ()) -> dict[str, Any]:
    names = ("transformers, pt", "transformers, np")
    return {
        **Cell("zh", "nsp", 128, unit)._asdict(),
        "tokens_per_second": {
            name: {"median": value}
            for name, value in (("ours", rate), (names[0], 1e6), (names[1], 2e6))
        },
        "times": {name: {"median": value} for name, value in zip(names, times, strict=False)},
    }


def test_the_table_compares_with_the_faster_collator() -> None:
    piece = made_cell("piece", 8.04e6, [8.0, 4.0])
    assert faster_collator(piece) == ("transformers, np", 4.0)
    text = data_table({"cells": [piece, made_cell("word", 5e6)]})
    assert [cell.strip() for cell in text.split("\n")[-1].strip("| ").split("|")] == [
        "zh, nsp, 128", "8.0", "5.0", "2.0", "4.0",
    ]  # fmt: skip


def test_one_thread_is_given_back(small_corpus: Corpus, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    arguments = ["--quick", "--corpus", str(small_corpus.path), "--results", str(tmp_path)]
    assert pretraining_data.main(arguments) == 0
    assert torch.get_num_threads() == before
    content = json.loads((tmp_path / "pretraining_data-quick.json").read_bytes())
    assert len(content["cells"]) == 6 and content["planning"]["sequences"] > 0
    assert content["corpora"]["words"]["tokens"] == small_corpus.counts.tokens


def test_a_folder_that_is_no_corpus_is_refused(
    empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pretraining_data.main(["--corpus", str(empty_folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.data
def test_the_quick_run_writes_its_result(tmp_path: Path, data_dir: Path) -> None:
    assert pretraining_data.main(["--quick", "--results", str(tmp_path)]) == 0
    content = json.loads((tmp_path / "pretraining_data-quick.json").read_bytes())
    assert list(content["corpora"]) == ["en"] and len(content["cells"]) == 6
