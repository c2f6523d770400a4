"""A trained model in use: order, batches, spans in the raw text, and the graph it belongs to."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphs
import kbert
from graphs import Triple
from kbert.data import Columns, load_splits
from kbert.errors import CheckpointError, DataError, RunError
from kbert.examples import join_words
from kbert.model import Model, Prediction

Runs = Callable[[str], Path]
Train = Callable[..., Path]
TEXTS = ["我爱北京的苹果", "去", "他不在上海" * 6, "我 爱\t吃", "apples 哈 Beijing", "库克"]


@pytest.fixture(scope="session")
def model(runs: Runs) -> Callable[[str], Model]:
    loaded: dict[str, Model] = {}

    def get(table: str) -> Model:
        if table not in loaded:
            loaded[table] = kbert.load(runs(table))
        return loaded[table]

    return get


def close(one: Prediction, other: Prediction) -> bool:
    same = (one.text, one.pair, one.label, one.spans, one.tags, one.facts, one.cut) == (
        *(other.text, other.pair, other.label, other.spans, other.tags, other.facts, other.cut),
    )
    shares = zip(one.probabilities.values(), other.probabilities.values(), strict=True)
    return same and all(abs(a - b) < 1e-6 for a, b in shares)


@pytest.mark.parametrize("table", ["classification", "tagging", "bioes"])
@pytest.mark.parametrize("batch_tokens", [1, 60, 10_000])
def test_answers_do_not_depend_on_the_batch(
    model: Callable[[str], Model], table: str, batch_tokens: int
) -> None:
    together = model(table).predict(TEXTS, batch_tokens=batch_tokens)
    assert [prediction.text for prediction in together] == TEXTS
    alone = [model(table).predict([text])[0] for text in TEXTS]
    assert all(map(close, together, alone))
    backwards = model(table).predict(TEXTS[::-1])
    assert all(map(close, together, backwards[::-1]))


def test_more_texts_than_are_read_at_once(model: Callable[[str], Model]) -> None:
    texts = [f"我{'爱' * (n % 7)}{n}" for n in range(1030)]
    found = model("classification").predict(texts)
    assert [prediction.text for prediction in found] == texts
    assert all(map(close, found[1020:], model("classification").predict(texts[1020:])))


def test_no_texts_have_no_predictions(model: Callable[[str], Model]) -> None:
    assert model("classification").predict([]) == []


def test_classification_says_what_it_was_taught(model: Callable[[str], Model]) -> None:
    good, bad = model("classification").predict(["我爱北京的苹果", "我不去上海"])
    assert (good.label, bad.label) == ("好", "坏")
    assert model("classification").labels == ("坏", "好") == tuple(good.probabilities)
    assert sum(good.probabilities.values()) == pytest.approx(1.0)
    assert good.label == max(good.probabilities, key=good.probabilities.__getitem__)
    assert good.facts == (Triple("北京", "首都", "中国"), Triple("苹果", "是", "水果"))
    assert (good.spans, good.pair, good.cut) == ((), None, 0)


def test_pairs_say_what_they_were_taught(model: Callable[[str], Model]) -> None:
    found = model("pair").predict(["我在北京", "我在北京"], ["他在北京", "苹果"])
    assert [(p.text, p.pair, p.label) for p in found] == [
        ("我在北京", "他在北京", "1"),
        ("我在北京", "苹果", "0"),
    ]


def test_chinese_spans_are_characters_of_the_raw_text(model: Callable[[str], Model]) -> None:
    (found,) = model("tagging").predict(["库 克去上海"])
    spans = [(span.start, span.end, span.type, span.text) for span in found.spans]
    assert spans == [(0, 3, "PER", "库 克"), (4, 6, "LOC", "上海")]
    assert found.label is None and found.probabilities == {}
    assert Triple("上海", "位于", "中国") in found.facts


def test_english_spans_are_characters_of_the_raw_text(model: Callable[[str], Model]) -> None:
    (found,) = model("bioes").predict(["  Tim Cook  visits Beijing"])
    spans = [(span.start, span.end, span.type, span.text) for span in found.spans]
    assert spans == [(2, 10, "PER", "Tim Cook"), (19, 26, "LOC", "Beijing")]


@pytest.mark.parametrize("table", ["punctuated", "bioes", "tagging"])
def test_words_of_the_data_get_the_tags_of_evaluation(
    model: Callable[[str], Model], small_data: Path, table: str
) -> None:
    """These few sentences are known by heart, so evaluation gave each word its gold tag."""
    examples = load_splits(
        small_data / table, task="tagging", columns=Columns(), announce=lambda line: None
    ).test
    found = model(table).predict([example.words for example in examples])
    assert [prediction.tags for prediction in found] == [example.tags for example in examples]
    assert [p.text for p in found] == [join_words(example.words)[0] for example in examples]
    for prediction in found:
        assert all(prediction.text[s.start : s.end] == s.text for s in prediction.spans)


def test_words_with_inner_punctuation_are_whole_entities(model: Callable[[str], Model]) -> None:
    words = ["The", "U.S.", "paid", "Al-Qaida", "3,000", "dollars", "."]
    raw = "The U.S. paid  Al-Qaida 3,000 dollars."
    for text in (words, raw):
        (found,) = model("punctuated").predict([text])
        assert [(s.type, s.text) for s in found.spans] == [("LOC", "U.S."), ("ORG", "Al-Qaida")]
        assert found.tags == ("O", "B-LOC", "O", "B-ORG", "O", "O", "O")
    assert found.text == raw and found.spans[1].start == raw.index("Al-Qaida")


def test_raw_text_is_tagged_like_its_words(model: Callable[[str], Model]) -> None:
    raw = ["Al-Qaida left (the U.S.), didn't it?", "A.B.C. Ltd. sold 3,000"]
    words = [
        ["Al-Qaida", "left", "(", "the", "U.S.", ")", ",", "didn't", "it", "?"],
        ["A.B.C.", "Ltd", ".", "sold", "3,000"],
    ]
    assert [p.tags for p in model("punctuated").predict(raw)] == [
        p.tags for p in model("punctuated").predict(words)
    ]
    chinese = model("tagging").predict(["库 克去 上海", list("库克去上海")])
    assert chinese[0].tags == chinese[1].tags == ("B-PER", "I-PER", "O", "B-LOC", "I-LOC")


def test_words_that_are_refused(model: Callable[[str], Model]) -> None:
    with pytest.raises(DataError, match=r"^text 2: word 1 of 2 is empty$"):
        model("punctuated").predict([["It"], ["", "was"]])
    for nothing in ([], ["\u200b"]):
        with pytest.raises(DataError, match=r"^text 1: the text .* is empty"):
            model("punctuated").predict([nothing])
    message = r"^text 1: this model was trained on texts; only tagging models take words$"
    with pytest.raises(DataError, match=message):
        model("classification").predict([["我", "爱"]])


def test_weights_that_are_no_numbers_are_refused(runs: Runs) -> None:
    broken = kbert.load(runs("classification"))
    next(broken.network.parameters()).data.fill_(float("nan"))
    with pytest.raises(RunError, match=r"answers are no numbers \(NaN\): its training diverged"):
        broken.predict(["我爱北京"])


@given(text=st.text("库克去上海我Tim Cook北京é，\t\u200b𠀀", min_size=1, max_size=30))
def test_the_text_of_a_span_is_where_it_says(model: Callable[[str], Model], text: str) -> None:
    for table in ("tagging", "bioes"):
        try:
            (found,) = model(table).predict([text])
        except DataError as error:
            assert "it has no token" in str(error) and not text.strip("\t \u200b")
            continue
        assert found.text == text
        assert len(found.spans) <= len(found.tags) - found.tags.count("O")
        end = 0
        for span in found.spans:
            assert end <= span.start < span.end <= len(text)
            assert text[span.start : span.end] == span.text
            assert span.type in ("PER", "LOC")
            end = span.end


def test_entities_beyond_the_cut_are_not_invented(model: Callable[[str], Model]) -> None:
    text = "我" * 100 + "在北京"
    (found,) = model("tagging").predict([text])
    assert found.cut == 103 - 46 and all(span.end <= 46 for span in found.spans)


def test_wrong_arguments(model: Callable[[str], Model]) -> None:
    single, pair = model("classification"), model("pair")
    with pytest.raises(TypeError, match="takes a list of texts, not one text"):
        single.predict("我爱北京")
    with pytest.raises(TypeError, match="takes a list of texts, not one text"):
        pair.predict(["我"], "北")
    with pytest.raises(DataError, match=r"^this model was trained on single texts$"):
        single.predict(["我"], ["北"])
    with pytest.raises(DataError, match=r"pairs of texts; say predict\(texts, pairs\)$"):
        pair.predict(["我"])
    with pytest.raises(DataError, match=r"^2 texts but 1 second texts$"):
        pair.predict(["我", "我"], ["北"])
    for empty in ("", " ", "\u200b"):
        with pytest.raises(DataError, match=r"^text 2: the text .* is empty"):
            single.predict(["我", empty])
    with pytest.raises(DataError, match=r"^line 9: .* lone surrogate"):
        single.predict(["\ud800"], places=["line 9"])


def test_another_graph_is_refused_unless_asked_for(runs: Runs) -> None:
    run = runs("classification")
    with pytest.raises(RunError) as caught:
        kbert.load(run, kg="none")
    assert str(caught.value).startswith(f"{run}: the run was trained with the graph ")
    assert "none of 0 triples is another one" in str(caught.value)
    plain = kbert.load(run, kg="none", allow_other_graph=True)
    assert plain.predict(["我爱北京的苹果"])[0].facts == ()


def test_the_same_graph_elsewhere_is_the_same_graph(
    runs: Runs, small_data: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.spo"
    shutil.copy(small_data / "graph.spo", copy)
    assert kbert.load(runs("classification"), kg=str(copy)).predict(["北京"])[0].facts


def test_a_graph_that_changed_or_went_away_since_training(
    train: Train, small_data: Path, tmp_path: Path
) -> None:
    graph = tmp_path / "g.spo"
    shutil.copy(small_data / "graph.spo", graph)
    run = train(kg=str(graph))
    with graph.open("a", encoding="utf-8") as stream:
        stream.write("库克\t生于\t美国\n")
    with pytest.raises(RunError, match=r"of 4 triples; .* of 5 triples is another one"):
        kbert.load(run)
    kbert.load(run, allow_other_graph=True)
    graph.unlink()
    with pytest.raises(RunError, match=r"the graph it was trained with: .*say where it is with"):
        kbert.load(run)
    with pytest.raises(graphs.errors.UnknownGraph):
        kbert.load(run, kg=str(graph))
    kbert.load(run, kg=str(small_data / "graph.spo"))


def test_a_run_can_be_moved(runs: Runs, tmp_path: Path) -> None:
    moved = shutil.copytree(runs("pair"), tmp_path / "moved")
    (found,) = kbert.load(moved).predict(["我在北京"], ["他在北京"])
    assert found.label == "1"


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("run.json", "not a run of kbert.train: it has no run.json"),
        ("model.safetensors", "model.safetensors: no such file"),
        ("config.json", "config.json: cannot be read: No such file"),
    ],
)
def test_a_file_that_is_missing(runs: Runs, tmp_path: Path, file: str, message: str) -> None:
    run = shutil.copytree(runs("pair"), tmp_path / "run")
    (run / file).unlink()
    with pytest.raises((RunError, CheckpointError)) as caught:
        kbert.load(run)
    assert message in str(caught.value)


@pytest.mark.usefixtures("unsealed")
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_weights_that_are_cut_short(runs: Runs, tmp_path: Path, share: float) -> None:
    run = shutil.copytree(runs("pair"), tmp_path / "run")
    path = run / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: broken or cut short"):
        kbert.load(run)


@pytest.mark.usefixtures("unsealed")
def test_weights_that_are_not_of_this_run(runs: Runs, tmp_path: Path) -> None:
    run = shutil.copytree(runs("pair"), tmp_path / "run")
    shutil.copy(runs("tagging") / "model.safetensors", run)
    with pytest.raises(CheckpointError, match="the tensors do not fit the model"):
        kbert.load(run)
