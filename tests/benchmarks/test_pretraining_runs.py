"""The benchmark that pre-trains a small encoder, on a handful of sentences."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest

from benchmarks import pretraining_runs
from benchmarks.experiments import experiment
from benchmarks.pretraining_runs import plateau
from benchmarks.pretraining_texts import sources
from kbert.errors import DataError
from kbert.pretraining.build import build_corpus
from kbert.tokenizer import Tokenizer


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder of data sets with a few sentences of each form."""
    folder = tmp_path / "data"
    for name in ("text/zh", "text/en", "zh/cluener"):
        (folder / name).mkdir(parents=True)
    with gzip.open(folder / "text/en/a.txt.gz", "wt", encoding="utf-8") as stream:
        stream.write("The cat sat. The dog ran.\n\n" * 40)
    (folder / "text/zh/a.txt").write_text("我在北京。我爱读书。\n\n" * 40, encoding="utf-8")
    for name, rows in (
        ("chnsenticorp", "label\ttext_a\n1\t很好\n0\t不好\n"),
        ("book_review", "label\ttext_a\n1\t好书\n"),
        ("medical_ner", "text_a\tlabel\n头 痛\tB-S I-S\n"),
        ("msra_ner", "text_a\tlabel\n北 京\tB-L I-L\n"),
    ):
        (folder / "zh" / name).mkdir()
        (folder / "zh" / name / "train.tsv").write_text(rows, encoding="utf-8")
        (folder / "zh" / name / "test.tsv").write_text(rows + "1\t秘密\n", encoding="utf-8")
    (folder / "zh/cluener/train.json").write_text('{"text": "他来了"}\n', encoding="utf-8")
    monkeypatch.setenv("KBERT_DATA", str(folder))
    return folder


def test_chinese_texts_are_those_of_training_sets_alone(data: Path, tmp_path: Path) -> None:
    texts, sentences = sources("zh", data, tmp_path)
    assert Path(texts) == data / "text/zh"
    written = Path(sentences).read_text(encoding="utf-8")
    assert written == "很好\n\n不好\n\n好书\n\n头痛\n北京\n\n他来了\n\n"


def test_the_plateau_is_the_entropy_of_pieces(tmp_path: Path) -> None:
    vocab = tmp_path / "vocab.txt"
    vocab.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n.\n", encoding="utf-8")
    text = tmp_path / "a.txt"
    text.write_text("a a b .\n", encoding="utf-8")
    corpus = build_corpus([text], tmp_path / "corpus", tokenizer=Tokenizer.from_vocab(vocab))
    assert plateau(corpus) == pytest.approx(0.5 * math.log(2) + 2 * 0.25 * math.log(4))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_trial_writes_figures_and_a_picture(
    language: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, results = tmp_path / "made", tmp_path / "results"
    arguments = [language, "--folder", str(folder), "--results", str(results), "--quick"]
    assert pretraining_runs.main(arguments) == 0, capsys.readouterr().err
    found = json.loads((results / f"pretraining_{language}-quick.json").read_bytes())
    assert found["held_out"]["loss"] == pytest.approx(math.log(found["pieces"]), rel=0.2)
    assert found["curve"][-1]["set"] == "held out"
    assert str(tmp_path) not in json.dumps(found)
    assert (results / f"pretraining_{language}-quick.png").read_bytes()[:4] == b"\x89PNG"
    before = (folder / "run" / "run.json").stat().st_mtime_ns
    assert pretraining_runs.main(arguments) == 0
    assert (folder / "run" / "run.json").stat().st_mtime_ns == before


def test_fine_tuning_compares_with_the_same_sizes_from_scratch(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KBERT_PRETRAINED", str(tmp_path / "nothing"))
    with pytest.raises(DataError, match=r"KBERT_PRETRAINED must name a folder"):
        experiment("chnsenticorp_pretrained", tmp_path)
    folder = tmp_path / "made"
    arguments = ["en", "--folder", str(folder), "--results", str(tmp_path), "--quick"]
    assert pretraining_runs.main(arguments) == 0
    monkeypatch.setenv("KBERT_PRETRAINED", str(folder / "run"))
    plan = experiment("medical_ner_pretrained", tmp_path)
    assert list(plan.arms) == ["pretrained", "scratch"]
    assert plan.base == "scratch"
    flags = plan.arms["scratch"]
    assert flags[flags.index("--width") + 1] == "16"
    assert plan.paths["KBERT_PRETRAINED"] == str(folder / "run")
