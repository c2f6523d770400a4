"""The worst mistakes and the spread of ranks, against plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbert.dataset import KnowledgeData
from kgbert.judging import Judgements
from kgbert.ranks import Ranks
from kgbert.run import load_dataset
from kgbert.settings import KnowledgeTrainSettings
from kgbert.worst import WORST, spread, worst_decisions, worst_ranks
from tests.kgbert.small_runs import write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeData:
    folder = write_data(tmp_path_factory.mktemp("data"))
    return load_dataset(KnowledgeTrainSettings(dataset=str(folder)))


def ranks_of(better: list[int], equal: list[int]) -> Ranks:
    return Ranks.from_counts(
        better=np.array(better), equal=np.array(equal), others=np.full(len(better), 5_000)
    )


def test_the_worst_ranks_come_first(data: KnowledgeData) -> None:
    triples = data.train
    better = [number * 7 % 31 for number in range(len(triples))]
    ranks = ranks_of(better, [number % 2 for number in range(len(triples))])
    sides = np.arange(len(triples)) % 2
    found = worst_ranks(data, triples, ranks, sides=sides)
    order = sorted(range(len(triples)), key=lambda i: -(better[i] + (i % 2) / 2))[:WORST]
    for each, place in zip(found, order, strict=True):
        head, relation, tail = triples[place].tolist()
        assert each["triple"] == [
            data.entities[head], data.relations[relation], data.entities[tail],
        ]  # fmt: skip
        assert each["texts"][1] == data.texts.relation(relation)
        assert each["asked"] == ("head", "tail")[place % 2]
        assert each["rank"] == better[place] + 1 + (place % 2) / 2 and each["candidates"] == 5_001
    right = worst_ranks(data, triples[:2], ranks_of([0, 0], [0, 0]))
    assert right == []  # a rank of 1 is no mistake


def test_the_worst_decisions_are_wrong_and_surest_first(data: KnowledgeData) -> None:
    generator = np.random.default_rng(1)
    count = len(data.train)
    labels = generator.integers(0, 2, count).astype(np.int8)
    probabilities = generator.random(count)
    judged = Judgements(
        triples=data.train, labels=labels, probabilities=probabilities,
        decisions={"0.5": probabilities >= 0.9, "relation": probabilities >= 0.5},
    )  # fmt: skip
    found = worst_decisions(data, judged)
    wrong = [i for i in range(count) if (probabilities[i] >= 0.5) != (labels[i] == 1)]
    order = sorted(wrong, key=lambda i: -abs(probabilities[i] - labels[i]))[:WORST]
    assert [each["probability"] for each in found] == [probabilities[i] for i in order]
    assert [each["label"] for each in found] == [labels[i] == 1 for i in order]


@settings(max_examples=40)
@given(better=st.lists(st.integers(0, 3_000), min_size=1, max_size=40), tied=st.booleans())
def test_every_rank_is_in_one_range(better: list[int], tied: bool) -> None:
    ranks = ranks_of(better, [int(tied)] * len(better))
    counts = spread(ranks)
    assert sum(counts.values()) == len(better)
    for name, count in counts.items():
        low, _, high = name.replace("over ", "").partition("–")
        least = int(low) + ("over" in name)
        most = int(high or low) if "over" not in name else 10**9
        inside = [rank for rank in ranks.realistic if least - 0.5 <= rank <= most + 0.0]
        exact = [rank for rank in inside if rank > least - 1]
        assert count == len(exact)
