"""The training benchmark on tiny sizes: all ways train, on the same function and sentences."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks import finetune_step
from benchmarks.contenders import OURS, PEER, PLAIN, Contender, check_equal
from benchmarks.finetune_step import measure, prepare, summary, trainer
from graphs import TripleStore
from kbert import Tokenizer

CHARACTERS = "我在北京上海大学生天气很好不"
STORE = TripleStore.from_triples([("北京", "首都", "中国"), ("上海", "是", "城市")])
SIZES = {"layers": 2, "width": 16, "heads": 2, "feed_forward": 32}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def texts() -> list[str]:
    draw = random.Random(3)
    return ["".join(draw.choices(CHARACTERS, k=draw.randint(2, 30))) + "北京" for _ in range(40)]


@pytest.fixture
def ways(texts: list[str]) -> list[Contender]:
    return draw_ways(texts, sentences=40)[0]


def draw_ways(texts: list[str], *, sentences: int) -> tuple[list[Contender], list[int]]:
    return prepare(
        texts,
        STORE,
        tokenizer=Tokenizer.train([CHARACTERS, "首都中国城市是"]),
        sizes=SIZES,
        batch_tokens=256,
        sentences=sentences,
        device="cpu",
    )


def test_whole_batches_of_an_epoch_are_drawn(texts: list[str]) -> None:
    ways, drawn = draw_ways(texts, sentences=20)
    assert 10 <= len(drawn) <= 30 and len(set(drawn)) == len(drawn)
    assert abs(ways[2].tokens / len(drawn) - sum(len(text) + 2 for text in texts) / 40) < 3
    assert sum(map(len, ways[0].steps)) == len(drawn)
    assert ways[2].tokens == sum(len(texts[i]) + 2 for i in drawn)


def test_every_way_takes_each_sentence_once_a_round(ways: list[Contender]) -> None:
    assert [way.name for way in ways] == [OURS, PEER, PLAIN]
    for way in ways:
        assert sorted(row for rows in way.steps for row in rows) == list(range(40))
        assert way.tokens <= way.slots
    assert [len(way.steps) for way in ways[1:]] == [2, 2]
    assert ways[1].slots == ways[2].slots == 40 * 256


def test_injected_facts_count_as_tokens_and_padding_does_not(
    ways: list[Contender], texts: list[str]
) -> None:
    assert ways[0].tokens == ways[1].tokens
    assert ways[2].tokens == sum(len(text) + 2 for text in texts)
    assert ways[0].tokens > ways[2].tokens
    assert ways[0].padding_share < ways[1].padding_share


def test_ours_and_transformers_compute_the_same_logits(ways: list[Contender]) -> None:
    ours, peer, plain = ways
    check_equal(ours, peer, rows=range(40))
    with pytest.raises(RuntimeError, match="differ"):  # without the facts they do not
        check_equal(ours, plain, rows=range(40))
    with torch.no_grad():
        next(peer.network.parameters()).mul_(1.01)
    with pytest.raises(RuntimeError, match="differ"):
        check_equal(ours, peer, rows=range(40))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_way_learns(ways: list[Contender], precision: str) -> None:
    torch.manual_seed(0)
    labels = torch.arange(40) % 2
    for way in ways:
        before = [weight.detach().clone() for weight in way.network.parameters()]
        assert trainer(way, labels, precision=precision).train() > 0
        moved = [
            not torch.equal(old, new)
            for old, new in zip(before, way.network.parameters(), strict=True)
        ]
        assert all(weight.isfinite().all() for weight in way.network.parameters())
        assert sum(moved) > len(moved) / 2


def test_ratios_are_of_real_tokens(ways: list[Contender]) -> None:
    seconds = {OURS: [1.0, 2.0], PEER: [3.0, 4.0], PLAIN: [1.0, 2.0]}
    result = summary(ways, seconds)
    assert result["times"][PEER] == (2.5, 2.0, 3.0, 2)
    assert result["times"][PLAIN].median == pytest.approx(ways[0].tokens / ways[2].tokens)
    assert result["sentences_per_second"][OURS].high == pytest.approx(40)
    assert result["tokens_per_second"][PEER].high == pytest.approx(ways[1].tokens / 3)


def test_every_way_is_measured_in_every_round(ways: list[Contender]) -> None:
    found = measure(ways, torch.arange(40) % 2, precision="fp32", rounds=2)
    assert {name: len(values) for name, values in found.items()} == {OURS: 2, PEER: 2, PLAIN: 2}


@pytest.mark.data
def test_the_quick_run_writes_its_result(tmp_path: Path, data_dir: Path) -> None:
    arguments = ["--quick", "--threads", "1", "--results", str(tmp_path)]
    assert finetune_step.main(arguments) == 0
    content = json.loads((tmp_path / "finetune_step-quick.json").read_bytes())
    assert list(content["precisions"]) == ["fp32", "bf16"]
    assert content["sizes"]["vocabulary"] == 21128
    assert list(content["ways"]) == [OURS, PEER, PLAIN]
    assert set(content["precisions"]["fp32"]["times"]) == {PEER, PLAIN}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert finetune_step.main(["--device", "cuda"]) == 2
    assert "no GPU" in capsys.readouterr().err
