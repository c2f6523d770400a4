"""A linked corpus: places against a walk over the tokens, facts against the injector's own."""

from __future__ import annotations

import pickle
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphs
from graphs import MentionIndex
from kbert.errors import DataError, RunError
from kbert.inject import Injector
from kbert.pretraining.linking import _Run, _Writer, link
from kbert.pretraining.links import COUNTS, DTYPES, Links
from kbert.pretraining.shards import Corpus

Facts = list[tuple[int, int]]  # pieces and relation pieces


def written(sentences: list[list[tuple[int, Facts]]], folder: Path, *, cut: int) -> Links:
    """Write sentences of parts: so many tokens, which carry facts if there are any."""
    with ExitStack() as stack:
        writer = _Writer(folder, stack)
        token = 0
        for part in (sentences[:cut], sentences[cut:]):
            run, edges = _Run([], [], [], [], [], omitted=0, named=0), []
            for sentence in part:
                for tokens, facts in sentence:
                    if facts:
                        run.starts.append(token)
                        run.stops.append(token + tokens)
                        run.chosen.append(len(run.lists))
                        run.lists.append(tuple((tuple(range(n)), r) for n, r in facts))
                    token += tokens
                edges.append(token)
            writer.add(run, np.array(edges, dtype=np.int64))
        counts = writer.end()
    (folder / COUNTS).write_text(
        "{" + ", ".join(f'"{k}": {v}' for k, v in counts._asdict().items()) + "}"
    )
    return Links.open(folder)


FACTS = st.lists(st.integers(1, 3).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
                 max_size=2)  # fmt: skip
SENTENCES = st.lists(st.lists(st.tuples(st.integers(1, 3), FACTS), min_size=1, max_size=4),
                     min_size=1, max_size=5)  # fmt: skip


@settings(max_examples=40)
@given(SENTENCES, st.integers(0, 5))
def test_places_count_tokens_and_the_facts_before_them(
    sentences: list[list[tuple[int, Facts]]], cut: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        links = written(sentences, Path(folder), cut=cut)
        walk: list[int | None] = []  # at each place a token, or None for a fact's piece
        edges, whole, token = [0], [], 0
        for sentence in sentences:
            for tokens, facts in sentence:
                first = len(walk)
                walk += range(token, token + tokens)
                token += tokens
                walk += [None] * sum(n for n, _ in facts)
                if facts:
                    whole.append((first, len(walk), token - tokens, token, facts))
            edges.append(len(walk))
        assert links.sentences.tolist() == edges
        places = np.arange(len(walk) + 1)
        before = [sum(each is not None for each in walk[:place]) for place in places]
        assert links.tokens(places).tolist() == before
        ranges = np.array([(a, b) for a in places for b in places if a <= b])
        for (a, b), (i, j) in zip(ranges.tolist(), links.within(ranges).tolist(), strict=True):
            inside = [each for each in whole if a <= each[0] and each[1] <= b]
            found = [links.mention(number) for number in range(i, j)]
            assert [(m.start, m.stop) for m in found] == [each[2:4] for each in inside]
            for mention, each in zip(found, inside, strict=True):
                assert [(len(f.ids), f.relation) for f in mention.facts] == each[4]
        assert links.counts.fact_tokens == walk.count(None)
        numbers = {(*f.ids, f.relation): f.number for m in range(len(links.stops))
                   for f in links.mention(m).facts}  # fmt: skip
        assert len(set(numbers.values())) == len(numbers)


def test_every_sentence_has_the_facts_that_the_injector_gives_it(
    told_corpus: Corpus, people_graph: Path, tmp_path: Path
) -> None:
    store, tokenizer = graphs.load(str(people_graph)), told_corpus.tokenizer()
    injector = Injector(store, tokenizer, max_length=11, max_facts=2, max_fact_share=0.4)
    links = link(told_corpus, tmp_path / "a", injector=injector, entities=True)
    omitted, number = 0, 0
    for sentence in range(told_corpus.counts.sentences):
        begin, end = told_corpus.sentences[sentence : sentence + 2].tolist()
        tree = injector(told_corpus.text(sentence))
        omitted += tree.omitted
        inserted = 1
        for node in tree.nodes:
            mention = links.mention(number)
            at = node.start - inserted
            assert (mention.start - begin, mention.stop - begin) == (
                at, at + node.stop - node.start
            )  # fmt: skip
            assert [f.ids for f in mention.facts] == [
                list(tree.token_ids[branch.start : branch.stop]) for branch in node.branches
            ]
            for said, branch in zip(mention.facts, node.branches, strict=True):
                assert said.relation == len(tokenizer.encode(branch.fact.relation).ids)
            inserted += sum(branch.stop - branch.start for branch in node.branches)
            number += 1
        units = links.units
        assert units is not None and end <= len(units) == len(told_corpus.token_ids)
        pieces = [tokenizer.piece(i) for i in told_corpus.token_ids[begin:end].tolist()]
        joined = [p for p, starts in zip(pieces, units[begin:end], strict=True) if not starts]
        assert joined == [
            p for before, p in zip(["", *pieces], pieces, strict=False)
            if p == "##house" or (before, p) == ("the", "cat")
        ]  # fmt: skip
    assert number == links.counts.mentions == len(links.stops) > 100
    assert links.counts.omitted == omitted > 100


def test_the_number_of_processes_changes_no_byte(
    told_corpus: Corpus, people_graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kbert.pretraining.linking._SENTENCES", 40)
    injector = Injector(graphs.load(str(people_graph)), told_corpus.tokenizer())
    for name, workers in (("a", 1), ("b", 2)):
        link(told_corpus, tmp_path / name, injector=injector, entities=True, workers=workers)
    for name in [*DTYPES, COUNTS]:
        data = (tmp_path / "a" / name).read_bytes()
        assert data and data == (tmp_path / "b" / name).read_bytes()
    again = pickle.loads(pickle.dumps(Links.open(tmp_path / "a")))
    assert again.path == tmp_path / "a" and again.mention(3) == Links.open(again.path).mention(3)


def test_what_cannot_be_linked_is_said(
    told_corpus: Corpus, small_corpus: Corpus, people_graph: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    injector = Injector(graphs.load(str(people_graph)), told_corpus.tokenizer())
    with pytest.raises(DataError, match="--keep-text"):
        link(small_corpus, tmp_path / "a", injector=injector, entities=False)
    monkeypatch.setattr(Corpus, "text", lambda self, number: "anna")
    with pytest.raises(DataError, match="sentence 1: its text and its pieces differ"):
        link(told_corpus, tmp_path / "b", injector=injector, entities=False)
    with pytest.raises(RunError, match="is gone"):
        Links.open(tmp_path / "c")
    with pytest.raises(RunError, match="cannot be written"):
        link(told_corpus, tmp_path / "d" / "e", injector=injector, entities=False)


def test_names_without_facts_are_units_too(told_corpus: Corpus, tmp_path: Path) -> None:
    """ERNIE's masking without K-BERT's facts: `--max-facts 0`."""
    store = graphs.TripleStore.from_triples([("likes the", "is", "anna")])
    injector = Injector(
        store, told_corpus.tokenizer(), max_facts=0, index=MentionIndex(store)
    )  # fmt: skip
    links = link(told_corpus, tmp_path / "a", injector=injector, entities=True)
    assert links.counts.mentions == links.counts.facts == 0 and links.units is not None
    assert links.sentences.tolist() == told_corpus.sentences.tolist()
    pieces = [told_corpus.tokenizer().piece(i) for i in told_corpus.token_ids.tolist()]
    inner = [p for p, starts in zip(pieces, links.units, strict=True) if not starts]
    assert set(inner) == {"the", "##house"} and inner.count("the") == pieces.count("likes")
