"""Trees of a corpus: what is masked of them, and that packing them changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import graphs
from kbert.batch import Batch
from kbert.inject import Injector
from kbert.nn import Encoder, EncoderConfig, LanguageModel
from kbert.plans import Share, loader
from kbert.pretraining.build import build_corpus
from kbert.pretraining.held_out import split
from kbert.pretraining.knowledge import open_knowledge
from kbert.pretraining.parts import for_validation, make_rows, make_sampler
from kbert.pretraining.rows import MicroBatch
from kbert.pretraining.settings import Phase, PretrainSettings
from kbert.pretraining.shards import Corpus
from kbert.pretraining.steps import Steps

Settings = Callable[..., PretrainSettings]


@pytest.fixture
def told(settings: Settings, told_corpus: Corpus, people_graph: Path) -> Settings:
    """Make settings of a run on the corpus that keeps its text, with the graph."""

    def make(**changes: Any) -> PretrainSettings:
        common = {"corpus": str(told_corpus.path), "kg": str(people_graph), "held_out": 0.0}
        return settings(**{**common, **changes})

    return make


def steps(settings: PretrainSettings, scratch: Path, *, count: int = 40) -> Steps:
    corpus = Corpus.open(str(settings.corpus))
    links = open_knowledge(settings, corpus, scratch=scratch).links
    train, _ = split(
        sentences=corpus.sentences if links is None else links.sentences,
        documents=corpus.documents, share=0.0, relation=settings.relation,
    )  # fmt: skip
    phase = Phase(count, settings.plan[0].max_length)
    return Steps(
        make_sampler(settings, train, phase, number=0),
        make_rows(settings, corpus, number=0, links=links),
        phase=phase, accumulate=1, share=Share(0, 1),
    )  # fmt: skip


class Sequence(NamedTuple):
    """One sequence of a batch: its original pieces, and what is known of each."""

    pieces: list[str]
    text: list[bool]
    nodes: list[tuple[int, int]]
    masked: list[int]
    ids: list[int]

    def branches(self) -> list[list[int]]:
        """The columns of each fact."""
        found: dict[int, list[int]] = {}
        for column, (text, (enter, _)) in enumerate(zip(self.text, self.nodes, strict=True)):
            if not text:
                found.setdefault(enter, []).append(column)
        return list(found.values())


def sequences(part: MicroBatch, corpus: Corpus) -> Iterator[Sequence]:
    """Take a batch apart."""
    inputs, targets, tokenizer = part.inputs, part.targets.masked, corpus.tokenizer()
    assert targets is not None and len(set(targets.places.tolist())) == len(targets.places)
    ids = inputs.token_ids.clone().flatten()
    ids[targets.places] = targets.labels
    masked = torch.zeros_like(ids, dtype=torch.bool)
    masked[targets.places] = True
    original, chosen = ids.view_as(inputs.token_ids), masked.view_as(inputs.token_ids)
    seen = inputs.visibility
    for row in range(len(original)):
        length = int(inputs.lengths[row])
        for number in dict.fromkeys(seen.document[row, :length].tolist()):
            own = seen.document[row] == number
            nodes = zip(seen.enter[row][own].tolist(), seen.leave[row][own].tolist(), strict=True)
            yield Sequence(
                [tokenizer.piece(i) for i in original[row][own].tolist()],
                seen.trunk[row][own].tolist(),
                list(nodes),
                chosen[row][own].nonzero().flatten().tolist(),
                original[row][own].tolist(),
            )


def everything(made: Steps, corpus: Corpus) -> list[Sequence]:
    return [
        each for number in range(made.epoch_batches) for each in sequences(made[number][0], corpus)
    ]


RELATIONS = {("lives", "in"), ("job",), ("colour",)}
TAILS = {("rome",), ("new", "york"), ("oslo",), ("lima",), ("pilot",), ("black",)}


def tail_of(pieces: list[str], *, relation_text: bool = True) -> int:
    """How many of a fact's pieces are the relation's."""
    if not relation_text:
        assert tuple(pieces) in TAILS
        return 0
    (cut,) = [n for n in (1, 2) if tuple(pieces[:n]) in RELATIONS and tuple(pieces[n:]) in TAILS]
    return cut


SPECIALS = {"[CLS]", "[SEP]", "[PAD]", "[MASK]"}


@pytest.mark.parametrize("where", ["trunk", "tails", "both"])
@pytest.mark.parametrize(
    "changes",
    [
        {"relation": "nsp", "mask_rate": 0.3},
        {"relation": "none", "unit": "entity", "mask_rate": 0.1},
        {"relation": "sop", "unit": "word", "spans": "geometric", "packing": False},
        {"relation": "nsp3", "relation_text": False, "max_predictions": 2},
    ],
)
def test_exactly_k_of_what_may_be_masked(
    told: Settings, told_corpus: Corpus, tmp_path: Path, where: str, changes: dict[str, Any]
) -> None:
    chosen = told(mask_where=where, **changes)
    cut_tails = facts_seen = 0
    for each in everything(steps(chosen, tmp_path / "links"), told_corpus):
        text = [c for c, t in enumerate(each.text) if t and each.pieces[c] not in SPECIALS]
        wholes = []
        for branch in each.branches():
            cut = tail_of([each.pieces[c] for c in branch], relation_text=chosen.relation_text)
            wholes.append(branch[cut:])
        tails = [column for whole in wholes for column in whole]
        facts_seen += len(wholes)
        may = {"trunk": text, "tails": tails or text, "both": text + tails}[where]
        budget = len(text) + len(tails) * (where != "trunk")
        most = chosen.max_predictions or len(may)
        assert set(each.masked) <= set(may)
        assert len(each.masked) == min(max(1, round(chosen.mask_rate * budget)), most, len(may))
        if where != "trunk" and chosen.spans == "one":
            parts = [set(whole) & set(each.masked) for whole in wholes]
            torn = [p for p, whole in zip(parts, wholes, strict=True) if 0 < len(p) < len(whole)]
            cut_tails += len(torn)
            assert len(torn) <= 1  # the last, where the budget ends within it
            said = [tuple(each.pieces[c] for c in branch) for branch in each.branches()]
            assert len(said) == len(set(said))
    assert facts_seen > 50
    if where == "tails" and chosen.max_predictions:
        assert cut_tails < facts_seen / 4


def test_tails_side_by_side_are_two_units(
    told: Settings, told_corpus: Corpus, tmp_path: Path
) -> None:
    """Without relations `rome` and `pilot` are neighbours, and each is masked by itself."""
    chosen = told(mask_where="tails", relation_text=False, max_predictions=1, relation="none")
    hit = [
        each.pieces[column]
        for each in everything(steps(chosen, tmp_path / "links"), told_corpus)
        for column in each.masked
        if each.pieces[column - 1 : column + 1] == ["rome", "pilot"]
        or each.pieces[column : column + 2] == ["rome", "pilot"]
    ]
    assert set(hit) == {"rome", "pilot"}


def test_entities_are_masked_as_one(told: Settings, told_corpus: Corpus, tmp_path: Path) -> None:
    """`the cat` is an entity of the graph, `the tree` is not."""
    chosen = told(unit="entity", max_facts=0, relation="none", mask_rate=0.3)
    cats = trees = torn = 0
    for each in everything(steps(chosen, tmp_path / "links"), told_corpus):
        assert all(each.text)
        for column in range(len(each.pieces) - 1):
            pair, hit = each.pieces[column : column + 2], {column, column + 1} & {*each.masked}
            if pair == ["the", "cat"]:
                cats += 1
                torn += len(hit) == 1
            elif pair == ["the", "tree"]:
                trees += len(hit) == 1
    sequences_made = 40
    assert cats > sequences_made and torn <= sequences_made / 2 and trees > 10


def test_the_text_is_masked_as_it_is_without_its_facts(
    told: Settings, told_corpus: Corpus, tmp_path: Path
) -> None:
    for name, more in (("a", {}), ("b", {"unit": "word", "spans": "geometric"})):
        made = [
            everything(steps(told(fact_dropout=rate, **more), tmp_path / f"{name}{rate}"),
                       told_corpus)
            for rate in (0.0, 1.0)
        ]  # fmt: skip
        facts, plain = ({tuple(each.ids[: sum(each.text)]): each for each in one} for one in made)
        assert facts.keys() == plain.keys() and len(facts) > 40
        for ids, each in plain.items():
            assert all(each.text) and each.masked == facts[ids].masked
        assert sum(not all(each.text) for each in facts.values()) > 30


def test_facts_are_left_out_at_random_and_never_in_validation(
    told: Settings, told_corpus: Corpus, tmp_path: Path
) -> None:
    def facts(made: Steps, epoch: int) -> list[list[list[int]]]:
        drawn = made._sampler.epoch(epoch, shuffled=False)
        rows = (made._sampler.micro_batch(drawn, n, make=made._make)
                for n in range(len(drawn.batches)))  # fmt: skip
        return [s.branches() for row in rows for s in sequences(row, told_corpus)]

    common = {"relation": "none", "dupe_factor": 2, "packing": False}
    some = steps(told(fact_dropout=0.3, **common), tmp_path / "some")
    every = steps(told(**common), tmp_path / "every")
    counts = [sum(map(len, facts(made, 0))) for made in (some, every)]
    assert 0.6 < counts[0] / counts[1] < 0.8
    assert facts(some, 0) == facts(some, 2) != facts(some, 1)
    held = for_validation(some._sampler, some._make, some._sampler.part)
    some._sampler, some._make = held
    assert sum(map(len, facts(some, 0))) == counts[1]


def same(one: Any, other: Any) -> bool:
    def tensors(part: MicroBatch) -> list[torch.Tensor]:
        seen, masked = part.inputs.visibility, part.targets.masked
        assert masked is not None
        return [part.inputs.token_ids, part.inputs.positions, part.inputs.segments, seen.document,
                seen.enter, seen.leave, seen.trunk, masked.places, masked.labels]  # fmt: skip

    return all(
        torch.equal(x, y)
        for a, b in zip(one, other, strict=True)
        for x, y in zip(tensors(a), tensors(b), strict=True)
    )


def test_steps_are_the_same_with_workers(told: Settings, tmp_path: Path) -> None:
    made = steps(told(mask_where="tails", fact_dropout=0.2), tmp_path / "links", count=30)
    alone = list(loader(made, start=0, workers=0))
    assert all(map(same, alone, loader(made, start=0, workers=2)))
    assert same(made[17], alone[17])
    other = steps(told(mask_where="tails", fact_dropout=0.2, seed=2), tmp_path / "other")
    assert not same(other[0], alone[0])


@pytest.mark.parametrize("packing", [True, False])
def test_packed_trees_have_the_outputs_of_single_ones(
    told: Settings, told_corpus: Corpus, people_graph: Path, tmp_path: Path, packing: bool
) -> None:
    """Documents of two sentences are a pair, and the injector makes a tree of a pair."""
    draw = np.random.default_rng(0)
    names, things = ["anna", "ben", "carl", "dora"], ["the cat", "the doghouse", "the tree"]
    lines = []
    for _ in range(30):
        (a, b), (c, d) = draw.choice(names, 2), draw.choice(things, 2)
        lines += [f"{a} sees {c} .", *[f"{b} likes {d} . {a}"] * int(draw.integers(2)), ""]
    file = tmp_path / "pairs.txt"
    file.write_text("\n".join(lines), encoding="utf-8")
    tokenizer = told_corpus.tokenizer()
    corpus = build_corpus(
        [file], tmp_path / "corpus", tokenizer=tokenizer, lines="sentence", keep_text=True
    )
    chosen = told(
        corpus=str(corpus.path), relation="sop", short_probability=0.0, packing=packing,
        phases=["40x64"], max_fact_share=1.0,
    )  # fmt: skip
    made = steps(chosen, tmp_path / "links")
    inject = Injector(graphs.load(str(people_graph)), tokenizer)
    singles: dict[tuple[int, ...], Any] = {}
    for document in range(corpus.counts.documents):
        own = [corpus.text(s) for s in range(*corpus.documents[document : document + 2].tolist())]
        for texts in (own, own[::-1]):
            tree = inject(*texts).array()
            order = np.argsort(tree[5] == 0, kind="stable")  # the text first, then the facts
            singles[tuple(tree[0, order].tolist())] = tree, order
    config = EncoderConfig(vocab_size=len(tokenizer), width=16, layers=3, heads=2, feed_forward=32)
    network = LanguageModel(Encoder(config, generator=torch.Generator().manual_seed(0)))
    network = network.double().eval()

    def logits(batch: Batch) -> torch.Tensor:
        with torch.no_grad():
            return network(
                batch.token_ids, positions=batch.positions, segments=batch.segments,
                visibility=batch.visibility,
            ).tokens  # fmt: skip

    compared = rows = 0
    for number in range(made.epoch_batches):
        (part,) = made[number]
        assert part.targets.masked is not None
        part.inputs.token_ids.flatten()[part.targets.masked.places] = part.targets.masked.labels
        found, documents = logits(part.inputs), part.inputs.visibility.document
        rows += len(found)
        for row in range(len(found)):
            for document in range(int(documents[row, : int(part.inputs.lengths[row])].max()) + 1):
                own = documents[row] == document
                ids = tuple(part.inputs.token_ids[row][own].tolist())
                tree, order = singles[ids]
                expected = logits(Batch.from_arrays([tree], pad_id=0))[0, order]
                torch.testing.assert_close(found[row][own], expected, rtol=1e-9, atol=1e-9)
                compared += 1
    assert compared == corpus.counts.documents == 30 and (rows < compared) == packing
