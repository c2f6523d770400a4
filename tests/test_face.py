"""What users were promised to write, run as it was promised, on a graph and models of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import graphs
import kbert
from graphs import Fact, Mention, Triple
from kbert.finetune import finetune
from kbert.nn import EncoderConfig
from kbert.nn.checkpoint import save
from kbert.settings import TrainSettings

GRAPH = "北京\t首都\t中国\n北京\t是\t城市\n库克\t职业\t总裁\n"
DATA = "label\ttext_a\n好\t我在北京\n坏\t库克不在\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a graph by name, a vocabulary, a model and labelled data; one goes there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KBERT_HOME", str(tmp_path))
    characters = sorted(set("[]·正访问不蒂姆克好坏" + GRAPH + DATA) - {"\t", "\n"})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]
    files = {
        "graphs/hownet.spo": GRAPH,
        "vocab.txt": "".join(f"{piece}\n" for piece in pieces),
        "data/train.tsv": DATA,
        "data/dev.tsv": DATA,
    }
    for name, text in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, encoding="utf-8", newline="\n")
    return tmp_path


def test_graphs_and_trees(place: Path) -> None:
    store = graphs.load("hownet")
    assert list(graphs.load("graphs/hownet.spo")) == list(store)
    assert next(iter(store)) == Triple("北京", "首都", "中国") and len(store) == 3
    store = graphs.TripleStore.from_triples([("北京", "首都", "中国"), ("库克", "职业", "总裁")])
    assert graphs.MentionIndex(store).find("我在北京") == [Mention(start=2, end=4, entity="北京")]
    assert store.facts("北京") == [Fact("首都", "中国")]

    tokenizer = kbert.Tokenizer.from_vocab("vocab.txt")
    inject = kbert.Injector(store, tokenizer, max_facts=2, max_length=256)
    tree = inject("蒂姆·库克正在访问北京", pair=None)
    pieces = [tokenizer.piece(number) for number in tree.token_ids]
    assert pieces == ["[CLS]", *"蒂姆·库克职业总裁正在访问北京首都中国", "[SEP]"]
    assert tree.soft_positions == (*range(6), *range(6, 10), *range(6, 12), *range(12, 16), 12)
    assert set(tree.segments) == {0} and tree.offsets[5] == (4, 5)
    visible = tree.visible()
    assert visible.shape == (len(tree),) * 2 and visible.dtype == np.bool_
    assert visible[6, 5] and not visible[6, 3] and not visible[6, 16]
    assert "├─ 库克 [4–5]" in tree.render() and "首都: 中国 [12–15]" in tree.render()


def test_models(place: Path) -> None:
    config = EncoderConfig(
        vocab_size=len(kbert.Tokenizer.from_vocab("vocab.txt")), width=8, layers=1, heads=2,
        feed_forward=16, max_positions=64,
    )  # fmt: skip
    drawn = kbert.nn.Encoder(config, generator=torch.Generator().manual_seed(1))
    save(drawn, "model")
    (place / "vocab.txt").rename(place / "model" / "vocab.txt")
    encoder = kbert.nn.Encoder.from_pretrained("model")
    assert torch.equal(encoder.layers[0].expand.weight, drawn.layers[0].expand.weight)

    finetune(
        TrainSettings(
            kg="hownet", data="data", init="model", max_length=48, epochs=1, accelerator="cpu",
            output="runs/mine",
        )
    )  # fmt: skip
    model = kbert.load("runs/mine")
    answers = model.predict(["我在北京", "库克不在"])
    assert [answer.text for answer in answers] == ["我在北京", "库克不在"]
    assert all(answer.label in ("好", "坏") for answer in answers)
    assert Triple("北京", "首都", "中国") in answers[0].facts
