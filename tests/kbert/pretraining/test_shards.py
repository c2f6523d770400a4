"""Corpora on disk: what was written is what is mapped, and damage is found."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphs.compiled.folder import data_folder, seal_of
from kbert.errors import DataError
from kbert.pretraining.build import build_corpus
from kbert.pretraining.shards import Corpus, fingerprint
from kbert.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def tokenizer(make_tokenizer: Callable[..., Tokenizer]) -> Tokenizer:
    return make_tokenizer(["a", "b", "##b", "我", "。"])


@pytest.fixture
def folder(tmp_path: Path, tokenizer: Tokenizer) -> Path:
    (tmp_path / "t.txt").write_text("ab a。我\nbb\n\n我 ？\n", encoding="utf-8")
    target = tmp_path / "corpus"
    build_corpus([tmp_path / "t.txt"], target, tokenizer=tokenizer, keep_text=True)
    return target


def test_what_was_written_is_mapped(folder: Path, tokenizer: Tokenizer) -> None:
    corpus = Corpus.open(folder, tokenizer=tokenizer)
    pieces = [tokenizer.piece(int(number)) for number in corpus.token_ids]
    assert pieces == ["a", "##b", "a", "。", "我", "b", "##b", "我", "[UNK]"]
    assert corpus.sentences.tolist() == [0, 4, 5, 7, 9]
    assert corpus.documents.tolist() == [0, 3, 4]
    assert corpus.token_ids.dtype == np.uint16
    assert not any(
        array.flags.writeable for array in (corpus.token_ids, corpus.sentences, corpus.documents)
    )
    assert [corpus.text(n) for n in range(4)] == ["ab a。", "我", "bb", "我 ？"]
    starts = corpus.word_starts(corpus.token_ids)
    assert starts.tolist() == [not piece.startswith("##") for piece in pieces]
    assert corpus.counts == (9, 4, 2, 1, 0, 1)
    assert corpus.vocab_size == len(tokenizer)
    assert corpus.special == (0, 1, 2, 3, 4)
    with pytest.raises(IndexError):
        corpus.text(4)


def test_the_corpus_brings_its_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    again = Corpus.open(folder).tokenizer()
    assert fingerprint(again) == fingerprint(tokenizer)
    assert again.encode("ab 我") == tokenizer.encode("ab 我")


def test_another_vocabulary_is_refused(
    folder: Path, make_tokenizer: Callable[..., Tokenizer]
) -> None:
    pieces = ["a", "b", "##b", "我", "。"]
    for other in (make_tokenizer(pieces[::-1]), make_tokenizer(pieces, lowercase=False)):
        with pytest.raises(DataError, match=r"another vocabulary \(as many pieces, but others"):
            Corpus.open(folder, tokenizer=other)
    with pytest.raises(DataError, match=r"was made with another vocabulary \(10 pieces, not 9"):
        Corpus.open(folder, tokenizer=make_tokenizer(pieces[1:]))


def test_it_pickles_as_its_path(folder: Path, tokenizer: Tokenizer) -> None:
    corpus = Corpus.open(folder)
    data = pickle.dumps(corpus)
    assert len(data) < 500
    assert np.array_equal(pickle.loads(data).token_ids, corpus.token_ids)
    source = folder.parent / "other.txt"
    source.write_text("a b\n", encoding="utf-8")
    build_corpus([source], folder, tokenizer=tokenizer, overwrite=True)
    with pytest.raises(DataError, match="was built anew"):
        pickle.loads(data)
    assert corpus.token_ids[0] == tokenizer.encode("a").ids[0]  # the old one stays mapped


def test_large_vocabularies_get_wider_numbers(
    tmp_path: Path, make_tokenizer: Callable[..., Tokenizer]
) -> None:
    pieces = [f"w{n}" for n in range((1 << 16) - 5)]  # with the special pieces just 2**16
    (tmp_path / "t.txt").write_text("w7 w65530\n", encoding="utf-8")
    for extra, dtype in (([], np.uint16), (["w65531"], np.int32)):
        tokenizer = make_tokenizer(pieces + extra)
        corpus = build_corpus([tmp_path / "t.txt"], tmp_path / f"{len(extra)}", tokenizer=tokenizer)
        assert corpus.token_ids.dtype == dtype
        assert corpus.token_ids.tolist() == [12, 65535]


def test_every_damaged_file_is_found(folder: Path) -> None:
    data = Corpus.open(folder).data
    for file in sorted(data.iterdir()):
        good = file.read_bytes()
        file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(DataError, match=f"{file.name}: damaged"):
            Corpus.open(folder)
        file.write_bytes(good[:-1])
        with pytest.raises(DataError, match=f"{file.name}: damaged"):
            Corpus.open(folder, verify=False)
        file.unlink()
        with pytest.raises(DataError, match=f"{file.name}: damaged"):
            Corpus.open(folder, verify=False)
        file.write_bytes(good)
    Corpus.open(folder)


def test_a_changed_manifest_is_found(folder: Path) -> None:
    file = folder / "manifest.json"
    file.write_bytes(file.read_bytes().replace(b'"tokens": 9', b'"tokens": 8'))
    with pytest.raises(DataError, match=r"manifest\.json: damaged"):
        Corpus.open(folder)


def resealed(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the manifest as somebody would who knows how it is sealed."""
    file = folder / "manifest.json"
    old = data_folder(folder, seal_of(file.read_bytes()))
    about = json.loads(file.read_bytes())
    change(about)
    data = json.dumps(about).encode()
    file.write_bytes(data)
    shutil.move(old, data_folder(folder, seal_of(data)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format="kbert-graph"), "is no manifest of a corpus"),
        (lambda m: m.update(version=2), "version 2, but this program reads 1"),
        (lambda m: m.pop("counts"), "'counts' is wrong or missing"),
        (lambda m: m["counts"].update(tokens=-1), "'counts' is wrong or missing"),
        (lambda m: m["counts"].update(tokens=0), "'counts' is wrong or missing"),
        (lambda m: m["counts"].update(tokens=8), "has no proper token_ids"),
        (lambda m: m["vocabulary"]["special"].update(mask=99), "'vocabulary' is wrong"),
        (lambda m: m["files"].update({"../x": m["files"]["text"]}), "'files' is wrong"),
        (lambda m: m["files"]["sentences"].update(dtype="O"), "'files' is wrong"),
        (lambda m: m["files"]["sentences"].update(shape=[4]), "'files' is wrong"),
        (lambda m: m["files"].pop("documents"), "has no proper documents"),
        (lambda m: m["files"].update(documents=m["files"]["sentences"]), "damaged"),
        (lambda m: m["files"].pop("text"), "has no proper text"),
    ],
)
def test_a_wrong_manifest_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    resealed(folder, change)
    with pytest.raises(DataError, match=message):
        Corpus.open(folder)


def test_no_corpus(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DataError, match="is no corpus"):
            Corpus.open(path)
    (tmp_path / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match="is no manifest"):
        Corpus.open(tmp_path)
