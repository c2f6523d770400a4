"""Masked tokens are named as the library that everyone knows names them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from graphs import TripleStore
from kbert.errors import CheckpointError, DataError, RunError
from kbert.fill import main
from kbert.filling import Filled, Filler, load_filler
from kbert.inject import Injector
from kbert.nn import Encoder, EncoderConfig, LanguageModel
from kbert.nn.checkpoint import save
from kbert.tokenizer import Tokenizer

transformers = pytest.importorskip("transformers")

Capture = pytest.CaptureFixture[str]
TEXTS = [
    "我[MASK]北京",
    "[MASK]",
    "我在[MASK][MASK]吃苹果，[MASK]哈哈",
    "ab[MASK]c, 我",
    "去[MASK]",
]


def randomise(model: Any) -> Any:
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            centre = 1.0 if "LayerNorm.weight" in name else 0.0
            weight.normal_(mean=centre, std=0.3, generator=draw)
    return model.eval()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Tokenizer) -> Any:
    """A masked language model of transformers with random weights, and its folder."""
    folder = tmp_path_factory.mktemp("theirs")
    config = transformers.BertConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=32, num_attention_heads=4,
        num_hidden_layers=2, intermediate_size=64, max_position_embeddings=40,
    )  # fmt: skip
    model = randomise(transformers.BertForMaskedLM(config))
    model.save_pretrained(folder)
    tiny_tokenizer.save(folder)
    return model, folder


@pytest.fixture(scope="module")
def filler(theirs: Any) -> Filler:
    return load_filler(theirs[1])


def shares(model: Any, folder: Path, text: str) -> Any:
    """Ask transformers, with its own tokeniser: probabilities (masks, vocabulary)."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(text, return_tensors="pt")
    with torch.inference_mode():
        logits = model(**inputs).logits[0]
    return logits[inputs["input_ids"][0] == tokenizer.mask_token_id].softmax(-1).numpy()


def given_shares(filled: Filled, tokenizer: Tokenizer) -> Any:
    """Put the candidates of each mask, all of them, in the order of the vocabulary."""
    rows = []
    for filling in filled.fillings:
        by_piece = dict(filling.candidates)
        assert len(by_piece) == len(tokenizer)
        rows.append([by_piece[tokenizer.piece(n)] for n in range(len(tokenizer))])
        values = [candidate.probability for candidate in filling.candidates]
        assert values == sorted(values, reverse=True)
    return np.array(rows)


def test_the_probabilities_are_those_of_transformers(
    theirs: Any, filler: Filler, tiny_tokenizer: Tokenizer
) -> None:
    found = filler.fill(TEXTS, top_k=10_000)
    assert [filled.text for filled in found] == TEXTS
    for text, filled in zip(TEXTS, found, strict=True):
        expected, received = shares(*theirs, text), given_shares(filled, tiny_tokenizer)
        assert expected.shape == received.shape == (text.count("[MASK]"), len(tiny_tokenizer))
        assert np.abs(expected - received).max() <= 1e-5
        assert [text[f.start : f.end] for f in filled.fillings] == ["[MASK]"] * len(expected)
    assert [f.start for f in found[2].fillings] == [2, 8, 18]


def test_only_the_best_are_given(filler: Filler) -> None:
    (every,), (three,) = filler.fill(["我[MASK]"], top_k=999), filler.fill(["我[MASK]"], top_k=3)
    assert three.fillings[0].candidates == every.fillings[0].candidates[:3]
    assert len(filler.fill(["我[MASK]"])[0].fillings[0].candidates) == 5


@settings(max_examples=20)
@given(chosen=st.lists(st.sampled_from(TEXTS), max_size=8), tokens=st.sampled_from([4, 30, 8192]))
def test_order_and_batches_do_not_matter(
    filler: Filler, chosen: list[str], tokens: int, monkeypatch_module: pytest.MonkeyPatch
) -> None:
    monkeypatch_module.setattr("kbert.filling._CHUNK", 3)
    for text, filled in zip(chosen, filler.fill(chosen, batch_tokens=tokens), strict=True):
        (alone,) = filler.fill([text])
        assert filled.text == text
        for one, other in zip(filled.fillings, alone.fillings, strict=True):
            assert (one.start, one.end) == (other.start, other.end)
            for a, b in zip(one.candidates, other.candidates, strict=True):
                assert a.piece == b.piece and a.probability == pytest.approx(
                    b.probability, abs=1e-5
                )


@pytest.fixture(scope="module")
def monkeypatch_module() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@given(parts=st.lists(st.text("我爱[MASK]SEPCLab ", max_size=9), min_size=2, max_size=4))
def test_text_beside_masks_is_pieces_of_itself(tiny_tokenizer: Tokenizer, parts: list[str]) -> None:
    """Each part is tokenised by itself, and nothing typed but `[MASK]` is a special token."""
    inject = Injector(TripleStore.from_triples([]), tiny_tokenizer)
    text, masks = "[MASK]".join(parts), []
    for part in parts[:-1]:
        start = (masks[-1][1] if masks else 0) + len(part)
        masks.append((start, start + 6))
    tree = inject(text, masks=masks)
    expected = [tiny_tokenizer.cls_id]
    for part in parts:
        expected += [*tiny_tokenizer.encode(part).ids, tiny_tokenizer.mask_id]
    assert list(tree.token_ids) == [*expected[:-1], tiny_tokenizer.sep_id]
    spans = [s for s, n in zip(tree.offsets, tree.token_ids, strict=True)
             if n == tiny_tokenizer.mask_id]  # fmt: skip
    assert spans == masks
    for (start, end), number in zip(tree.offsets[1:-1], tree.token_ids[1:-1], strict=True):
        piece = tiny_tokenizer.piece(number).removeprefix("##")
        assert piece == "[UNK]" or text[start:end].lower() == piece.lower()


def test_special_tokens_that_are_typed_stay_text(filler: Filler, tiny_tokenizer: Tokenizer) -> None:
    tree = filler._tree("[SEP][CLS] [PAD] [mask] [MASK]", place="here")
    placed = {tiny_tokenizer.pad_id, tiny_tokenizer.cls_id, tiny_tokenizer.sep_id}
    assert placed.isdisjoint(tree.token_ids[1:-1])
    assert tree.token_ids.count(tiny_tokenizer.mask_id) == 1


def test_a_mask_names_no_entity_and_facts_have_none(theirs: Any) -> None:
    triples = [
        ("mask", "is", "a"),
        ("ab", "is", "[MASK]"),
        ("我[MASK]", "b", "b"),
        ("bc", "c", "a"),
    ]
    tokenizer = Tokenizer.from_pretrained(theirs[1])
    inject = Injector(TripleStore.from_triples(triples), tokenizer)
    tree = inject("[MASK] ab 我[MASK] bc", masks=[(0, 6), (11, 17)])
    assert [node.entity for node in tree.nodes] == ["ab", "bc"]
    masked = [place for place, n in enumerate(tree.token_ids) if n == tokenizer.mask_id]
    assert len(masked) == 2 and all(tree.trunk[place] for place in masked)
    assert [node.entity for node in inject("mask 我[MASK]").nodes] == ["mask", "我[MASK]"]
    pair = inject("a[MASK]", "bc ab", masks=[(1, 7)])
    assert [node.entity for node in pair.nodes] == ["bc", "ab"]


def test_facts_are_seen_and_told(theirs: Any, filler: Filler, tiny_store: TripleStore) -> None:
    model, folder = theirs
    text = "我在上海吃[MASK]苹果"
    (plain,) = filler.fill([text])
    (filled,) = load_filler(folder, kg=tiny_store).fill([text], top_k=1000)
    assert [tuple(fact) for fact in filled.facts] == [
        ("上海", "是", "城市"), ("上海", "位于", "中国"), ("苹果", "是", "水果"),
    ]  # fmt: skip
    assert plain.facts == () and filled.omitted == filled.cut == 0
    tokenizer = Tokenizer.from_pretrained(folder)
    tree = Injector(tiny_store, tokenizer, max_length=40)(text, masks=[(5, 11)])
    mask = torch.zeros(1, 1, len(tree), len(tree))
    mask.masked_fill_(~torch.from_numpy(tree.visible()), -torch.inf)
    with torch.inference_mode():
        logits = model(
            input_ids=torch.tensor([tree.token_ids]), attention_mask=mask,
            position_ids=torch.tensor([tree.soft_positions]),
        ).logits[0, tree.token_ids.index(tokenizer.mask_id)]  # fmt: skip
    expected = logits.softmax(-1).numpy()
    assert np.abs(given_shares(filled, tokenizer)[0] - expected).max() <= 1e-5


def test_rows_of_the_table_without_a_piece_are_no_candidates(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(["abc"])
    config = EncoderConfig(
        vocab_size=len(tokenizer) + 7, width=8, layers=1, heads=2, feed_forward=8
    )
    save(LanguageModel(Encoder(config)), tmp_path)
    tokenizer.save(tmp_path)
    (filled,) = load_filler(tmp_path).fill(["a[MASK]"], top_k=10_000)
    values = [candidate.probability for candidate in filled.fillings[0].candidates]
    assert len(values) == len(tokenizer) and sum(values) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["[MASK]", "我爱"], r"text 2: there is no \[MASK\] in '我爱'"),
        (["[Mask] [ MASK ]"], "text 1: there is no"),
        (["[MASK]" + "我" * 50 + "[MASK]"], r"text 1: the text is too long: of 2 \[MASK\] only 1 "),
        (["[MASK]\ud800"], "text 1: the text holds a lone surrogate"),
    ],
)
def test_texts_that_cannot_be_filled(filler: Filler, texts: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        filler.fill(texts)


def test_what_is_cut_is_counted(filler: Filler) -> None:
    (filled,) = filler.fill(["[MASK]" + "我" * 50])
    assert filled.cut == 51 - 38


def test_misuse_from_python(filler: Filler) -> None:
    with pytest.raises(TypeError, match="a list of texts"):
        filler.fill("[MASK]")
    with pytest.raises(ValueError, match="top_k must be at least 1"):
        filler.fill(["[MASK]"], top_k=0)
    assert filler.fill([]) == []


def test_weights_that_diverged(theirs: Any, tmp_path: Path) -> None:
    for file in theirs[1].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    weights["cls.predictions.bias"][3] = torch.nan
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RunError, match="no numbers"):
        load_filler(tmp_path).fill(["[MASK]"])


class Stdin:
    """Standard input with these bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def answers(capsys: Capture, *arguments: str | Path) -> list[dict[str, Any]]:
    assert main([str(argument) for argument in arguments]) == 0
    out, err = capsys.readouterr()
    assert "error" not in err
    return [json.loads(line) for line in out.splitlines()]


def refused(capsys: Capture, *arguments: str | Path) -> str:
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as end:  # of the argument parser
        status = end.code  # type: ignore[assignment]
    out, err = capsys.readouterr()
    assert (status, out) == (2, "") and "Traceback" not in err
    (line,) = (line for line in err.splitlines() if line.startswith("error: "))
    return str(line.removeprefix("error: "))


def test_the_command(
    theirs: Any, filler: Filler, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = theirs[1]
    given = answers(capsys, folder, *TEXTS, "--top-k", "2")
    for answer, filled in zip(given, filler.fill(TEXTS, top_k=2), strict=True):
        assert answer["text"] == filled.text and answer["facts"] == []
        for mask, filling in zip(answer["masks"], filled.fillings, strict=True):
            assert (mask["start"], mask["end"]) == (filling.start, filling.end)
            assert [(c["piece"], c["probability"]) for c in mask["candidates"]] == [
                (c.piece, pytest.approx(c.probability, abs=1e-5)) for c in filling.candidates
            ]
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(TEXTS) + "\n\n", encoding="utf-8")
    assert answers(capsys, folder, "--file", file, "--top-k", "2") == given
    monkeypatch.setattr("sys.stdin", Stdin(file.read_bytes()))
    assert answers(capsys, folder, "--top-k", "2") == given
    graph = tmp_path / "g.spo"
    graph.write_text("北京\t首都\t中国\n", encoding="utf-8")
    (answer,) = answers(capsys, folder, "北京[MASK]" + "我" * 50, "--kg", graph)
    assert answer["facts"] == [] and answer["omitted_facts"] == 1 and answer["cut_tokens"] == 15
    (answer,) = answers(capsys, folder, "北京[MASK]", "--kg", graph)
    assert answer["facts"] == [["北京", "首都", "中国"]]


def test_mistakes_are_one_line(
    theirs: Any, runs: Callable[[str], Path], tmp_path: Path, capsys: Capture
) -> None:
    folder, run = theirs[1], runs("classification")
    assert refused(capsys, folder, "我").startswith("text 1: there is no [MASK] in '我'")
    file = tmp_path / "t.txt"
    file.write_text("[MASK]\n我\n", encoding="utf-8")
    assert refused(capsys, folder, "--file", file).startswith(f"{file}:2: there is no [MASK]")
    assert "--file; give one of them" in refused(capsys, folder, "[MASK]", "--file", file)
    assert refused(capsys, run, "[MASK]") == (
        f"{run}: has no head that names tokens; give the folder of a masked language model"
    )
    assert "no such folder" in refused(capsys, tmp_path / "none", "[MASK]")
    assert "at least 1, was 0" in refused(capsys, folder, "[MASK]", "--top-k", "0")
    assert "invalid int value" in refused(capsys, folder, "[MASK]", "--top-k", "x")
    assert "required: SOURCE" in refused(capsys)
    assert "--device must be" in refused(capsys, folder, "[MASK]", "--device", "tpu")
    assert "g.spo" in refused(capsys, folder, "[MASK]", "--kg", tmp_path / "g.spo")


def test_an_encoder_alone_has_no_head(tmp_path: Path, tiny_tokenizer: Tokenizer) -> None:
    config = EncoderConfig(vocab_size=99, width=8, layers=1, heads=2, feed_forward=8)
    save(Encoder(config), tmp_path)
    tiny_tokenizer.save(tmp_path)
    with pytest.raises(CheckpointError, match="has no head that names tokens"):
        load_filler(tmp_path)
