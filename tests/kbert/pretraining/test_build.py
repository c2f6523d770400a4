"""Building a corpus: the right pieces, the same bytes, and nothing half."""

from __future__ import annotations

import gzip
import itertools
import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.progress import Progress
from kbert.errors import CheckpointError, DataError, RunError, SettingsError
from kbert.pretraining import build
from kbert.pretraining.build import build_corpus, runs
from kbert.pretraining.parallel import ordered_map
from kbert.pretraining.sentences import split_sentences
from kbert.pretraining.shards import Corpus
from kbert.pretraining.vocabulary import sample, train_vocabulary
from kbert.tokenizer import Tokenizer

LETTERS = "abcdefghij"
TEXT = "ab ca. De!\nfg。我 hi；x\n\n\n我。\n\nab\n   \n我 我\n"


@pytest.fixture(scope="module")
def tokenizer(make_tokenizer: Callable[..., Tokenizer]) -> Tokenizer:
    return make_tokenizer([*LETTERS, *(f"##{letter}" for letter in LETTERS), "我", "。", ".", "!"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "t.txt"
    path.parent.mkdir()
    path.write_text(TEXT, encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def documents_of(corpus: Corpus) -> list[list[list[int]]]:
    sentences = [
        corpus.token_ids[start:end].tolist() for start, end in itertools.pairwise(corpus.sentences)
    ]
    bounds = corpus.documents.tolist()
    return [sentences[a:b] for a, b in itertools.pairwise(bounds)]


def read_as_bert_does(text: str, tokenizer: Tokenizer) -> list[list[list[int]]]:
    """All at once: a blank line ends a document; empty sentences and documents are dropped."""
    documents: list[list[list[int]]] = [[]]
    for line in text.split("\n"):
        if not line.strip():
            documents.append([])
            continue
        pieces = tokenizer.encode(line).ids
        if pieces:
            documents[-1].append(pieces)
    return [document for document in documents if document]


@settings(max_examples=30)
@given(text=st.text(alphabet="ab我。 \n\n\u200b\u3000", max_size=60))
def test_sentence_lines_are_read_as_bert_reads_them(
    text: str, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("c")
    (folder / "t.txt").write_text(text, encoding="utf-8", newline="\n")
    expected = read_as_bert_does(text, tokenizer)
    if not expected:
        with pytest.raises(DataError, match="holds no sentence"):
            build_corpus([folder / "t.txt"], folder / "o", tokenizer=tokenizer, lines="sentence")
        assert not (folder / "o").exists()
        return
    corpus = build_corpus([folder / "t.txt"], folder / "o", tokenizer=tokenizer, lines="sentence")
    assert documents_of(corpus) == expected


def test_paragraphs_are_cut(file: Path, tmp_path: Path, tokenizer: Tokenizer) -> None:
    corpus = build_corpus([file], tmp_path / "o", tokenizer=tokenizer, keep_text=True)
    assert corpus.documents.tolist() == [0, 5, 6, 7, 8]
    texts = [corpus.text(n) for n in range(8)]
    assert texts == ["ab ca.", "De!", "fg。", "我 hi；", "x", "我。", "ab", "我 我"]
    assert documents_of(corpus)[0] == [tokenizer.encode(text).ids for text in texts[:5]]


def test_same_bytes_whatever_the_number_of_workers(
    tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "runs", lambda lines: runs(lines, characters=100))
    lines = [("ab。我" * (n % 7)) + ("\n" if n % 5 else "\n\n") for n in range(300)]
    (tmp_path / "t.txt").write_text("".join(lines), encoding="utf-8")
    for workers in (1, 2):
        build_corpus(
            [tmp_path / "t.txt"],
            tmp_path / f"o{workers}",
            tokenizer=tokenizer,
            workers=workers,
            keep_text=True,
        )
    one = contents(tmp_path / "o1")
    assert len(one) == 10
    assert contents(tmp_path / "o2") == one


@settings(max_examples=25)
@given(
    lines=st.lists(st.sampled_from(["", "ab。我", "a", "\u200b"]), max_size=30),
    size=st.integers(1, 12),
)
def test_cutting_into_runs_changes_nothing(
    lines: list[str], size: int, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def of_size(parts: Iterator[str]) -> Iterator[list[str]]:
        return runs(parts, characters=size)

    folder = tmp_path_factory.mktemp("r")
    (folder / "t.txt").write_text("\n".join(["我", *lines]), encoding="utf-8", newline="\n")
    whole = build_corpus([folder / "t.txt"], folder / "a", tokenizer=tokenizer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "runs", of_size)
        build_corpus([folder / "t.txt"], folder / "b", tokenizer=tokenizer)
    assert contents(folder / "a") == contents(folder / "b")
    assert documents_of(whole)[0][0] == tokenizer.encode("我").ids


@pytest.mark.parametrize("error", [KeyboardInterrupt, DataError("no"), OSError(28, "disk full")])
def test_interruption_leaves_nothing(
    file: Path, tokenizer: Tokenizer, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = build_corpus([file], file.parent / "old", tokenizer=tokenizer)
    before = contents(file.parent)

    def fail(*_: object, **__: object) -> None:
        raise error

    for step in ("put", "_check"):
        with monkeypatch.context() as patch:
            patch.setattr(build, step, fail)
            for name in ("new", "old"):
                with pytest.raises((KeyboardInterrupt, DataError)):
                    build_corpus([file], file.parent / name, tokenizer=tokenizer, overwrite=True)
    assert contents(file.parent) == before
    assert {path.name for path in file.parent.iterdir()} == {"t.txt", "old"}
    assert Corpus.open(file.parent / "old").seal == old.seal


def test_what_a_killed_build_left_is_removed(file: Path, tokenizer: Tokenizer) -> None:
    left = file.parent / ".new.partial-0123abcd" / "result"
    left.mkdir(parents=True)
    build_corpus([file], file.parent / "new", tokenizer=tokenizer)
    assert {path.name for path in file.parent.iterdir()} == {"t.txt", "new"}


def test_only_a_corpus_is_replaced(file: Path, tmp_path: Path, tokenizer: Tokenizer) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for overwrite in (False, True):
        with pytest.raises(DataError, match="is there already, and no corpus"):
            build_corpus([file], mine, tokenizer=tokenizer, overwrite=overwrite)
    old = build_corpus([file], tmp_path / "o", tokenizer=tokenizer)
    with pytest.raises(DataError, match="replace it with --overwrite"):
        build_corpus([file], tmp_path / "o", tokenizer=tokenizer)
    new = build_corpus([file], tmp_path / "o", tokenizer=tokenizer, keep_text=True, overwrite=True)
    assert new.seal != old.seal and [*(tmp_path / "o").glob("data-*")] == [new.data]
    assert old.counts == new.counts


def test_notes_about_odd_corpora(tmp_path: Path, tokenizer: Tokenizer) -> None:
    def notes(text: str) -> list[str]:
        found: list[str] = []
        (tmp_path / "t.txt").write_text(text, encoding="utf-8")
        target = tmp_path / "o"
        build_corpus(
            [tmp_path / "t.txt"],
            target,
            tokenizer=tokenizer,
            overwrite=True,
            announce=found.append,
        )
        return found

    assert notes("a\nb\n") == []
    assert notes("a\n\nb\n")[0].startswith("each of the 2 documents has one sentence")
    assert notes("a\nb\n\na\n") == ["1 of 2 documents have one sentence"]
    assert notes("a\n\u200b\nb\n") == ["1 lines or sentences without any piece were left out"]
    assert notes("a\nяблоко\n") == [
        "50% of the tokens are [UNK]; is the vocabulary for this language?"
    ]


def test_progress_ends_at_the_files_bytes(file: Path, tmp_path: Path, tokenizer: Tokenizer) -> None:
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"a b\n"))
    steps: list[Progress] = []
    build_corpus(
        [file, tmp_path / "b.txt.gz"], tmp_path / "o", tokenizer=tokenizer, progress=steps.append
    )
    total = file.stat().st_size + (tmp_path / "b.txt.gz").stat().st_size
    assert steps[0] == ("tokenise", 0, total) and steps[-1] == ("tokenise", total, total)


def test_memory_does_not_grow_with_a_document(
    tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "runs", lambda lines: runs(lines, characters=20_000))

    def peak(lines: int) -> int:
        path = tmp_path / f"{lines}.txt"
        path.write_text(("ж" * 200 + "\n") * lines, encoding="utf-8")
        tracemalloc.start()
        build_corpus([path], tmp_path / f"o{lines}", tokenizer=tokenizer)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(10)
    assert peak(20_000) - peak(5_000) < 1 << 20  # the files differ by 6 MB


def halve(number: int) -> int:
    if number % 2:
        raise DataError(f"{number} is odd")
    return number // 2


def die(number: int) -> int:
    os._exit(number)


def test_processes_keep_order_and_hand_over_errors() -> None:
    results: list[int] = []
    with pytest.raises(DataError, match="41 is odd"):
        results.extend(ordered_map(halve, [*range(0, 40, 2), 41, 42, 43], workers=2))
    assert results == list(range(20))
    with pytest.raises(RunError, match="a worker process ended by itself"):
        list(ordered_map(die, [1], workers=2))


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=9)), st.integers(1, 40))
def test_a_sample_is_every_nth_line(lines: list[str], characters: int) -> None:
    kept, stride = sample(lines, characters=characters)
    assert kept == lines[::stride] and stride & (stride - 1) == 0
    assert sum(map(len, kept)) <= characters or len(kept) == 1
    if stride > 1:  # half of it would not have been too little
        assert any(
            sum(map(len, lines[: end : stride // 2])) > characters
            for end in range(1, len(lines) + 1)
        )


def test_a_vocabulary_is_learnt_on_the_texts(file: Path) -> None:
    texts = [line for line in TEXT.split("\n") if line.strip()]
    learnt, direct = train_vocabulary([file], size=60), Tokenizer.train(texts, vocab_size=60)
    assert [learnt.piece(n) for n in range(len(learnt))] == [
        direct.piece(n) for n in range(len(direct))
    ]
    notes: list[str] = []
    train_vocabulary([file], size=60, characters=15, announce=notes.append)
    assert notes == ["the vocabulary is learnt from one line in 2"]
    file.write_text("\n \n", encoding="utf-8")
    with pytest.raises(DataError, match=r"t\.txt: holds no text"):
        train_vocabulary([file], size=60)


def test_a_vocabulary_without_mask(file: Path, tmp_path: Path) -> None:
    vocab = tmp_path / "vocab.txt"
    vocab.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n")
    with pytest.raises(CheckpointError, match=r"vocab\.txt: .*lacks the special tokens \[MASK\]"):
        Tokenizer.from_vocab(vocab)
    with pytest.raises(SettingsError, match="workers must be at least 1"):
        build_corpus([file], tmp_path / "o", tokenizer=Tokenizer.train(["a"]), workers=0)


@pytest.mark.data
def test_real_texts(data_dir: Path, tmp_path: Path) -> None:
    source = data_dir / "text" / "en" / "inaugural.txt.gz"
    tokenizer = Tokenizer.from_vocab(data_dir / "vocab" / "google_uncased_en_vocab.txt")
    corpus = build_corpus([source], tmp_path / "o", tokenizer=tokenizer)
    paragraphs = gzip.decompress(source.read_bytes()).decode().split("\n")
    sentences = [s for p in paragraphs if p.strip() for s in split_sentences(p.strip())]
    pieces = [ids for ids in (tokenizer.encode(s).ids for s in sentences) if ids]
    assert [s for d in documents_of(corpus) for s in d] == pieces
    assert corpus.counts.tokens > 100_000
