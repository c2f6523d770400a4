"""Ranks against brute force; shards, blocks, order, precision and interruptions change nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kbert.errors import RunError, SettingsError
from kgbert.dataset import KnowledgeData
from kgbert.engine import ScoringEngine
from kgbert.groups import SIDES, Side
from kgbert.metrics import rank_metrics
from kgbert.query_ranks import QueryRanks
from kgbert.rank_files import RankFolder
from kgbert.ranking import Progress, rank_triples
from kgbert.texts import Texts
from tests.kgbert.scoring import network, sequences, triples

REPOSITORY = Path(__file__).resolve().parents[2]
PARTS = ("train", "valid", "test")


def small_data(*, entities: int = 40, relations: int = 5, test: int = 40) -> KnowledgeData:
    """Make a data set whose queries share parts, and of which two test lines are equal."""
    rows = triples(200, entities=entities, relations=relations, seed=8)
    asked = triples(test, entities=entities // 3, relations=relations, seed=9)
    asked[-1] = asked[0]
    return KnowledgeData(
        name="small", path=None, train=rows[:180], valid=rows[180:], test=asked,
        entities=tuple(f"e{i}" for i in range(entities)),
        relations=tuple(f"r{i}" for i in range(relations)),
        texts=Texts(("x",) * entities, ("x",) * relations), fingerprint="small",
    )  # fmt: skip


@dataclass
class Table:
    """Stand in for an engine: logits are looked up in scores (E, R, E)."""

    scores: NDArray[np.float64]
    labels: int = 2
    asked: list[int] = field(default_factory=list)

    @property
    def sequences(self) -> Any:
        return replace(
            sequences(),
            starts=(np.zeros(self.scores.shape[0]), np.zeros(self.scores.shape[1])),
        )

    def logits(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        self.asked.append(len(rows))
        found = self.scores[tuple(rows.T)].astype(np.float32)
        return np.stack([np.zeros_like(found), found], axis=1)


def engine_of(scores: NDArray[np.float64]) -> ScoringEngine:
    return cast(ScoringEngine, Table(scores))


def brute(
    data: KnowledgeData, scores: NDArray[np.float64], *, filtered_by: tuple[Any, ...], side: Side
) -> list[tuple[int, int, int]]:
    """Return optimistic rank, pessimistic rank and candidates of each test line, one by one."""
    known = {tuple(row) for part in filtered_by for row in data.positives(part).tolist()}
    found = []
    for row in data.test.tolist():
        true, better, equal, others = scores[tuple(row)], 0, 0, 0
        for entity in range(len(data.entities)):
            other = (entity, *row[1:]) if side == "head" else (*row[:2], entity)
            if other == tuple(row) or other in known:
                continue
            others += 1
            better += bool(scores[other] > true)
            equal += bool(scores[other] == true)
        found.append((better + 1, better + equal + 1, others + 1))
    return found


def rows_of(found: QueryRanks) -> list[tuple[Any, ...]]:
    ranks = found.ranks()
    columns = (ranks.optimistic, ranks.pessimistic, ranks.candidates)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def planted(seed: int, *, levels: int, entities: int = 40, relations: int = 5) -> Any:
    generator = np.random.default_rng(seed)
    return generator.integers(0, levels, (entities, relations, entities)).astype(np.float64) / 4


@settings(max_examples=20)
@given(
    st.integers(0, 1000), st.integers(2, 30), st.integers(1, 60),
    st.sets(st.sampled_from(PARTS)), st.sets(st.sampled_from(SIDES), min_size=1),
)  # fmt: skip
def test_ranks_are_those_of_brute_force(
    seed: int, levels: int, block: int, filtered_by: set[Any], sides: set[Side]
) -> None:
    data, scores = small_data(), planted(seed, levels=levels)
    found = rank_triples(
        engine_of(scores), data, sides=sides, filtered_by=filtered_by, block_queries=block
    )
    parts = tuple(filtered_by)
    expected = [
        row
        for side in SIDES
        if side in sides
        for row in brute(data, scores, filtered_by=parts, side=side)
    ]
    assert rows_of(found) == expected
    assert found.scores.tolist() == [scores[tuple(row)] for row in found.triples.tolist()]
    assert found.places.tolist() == [*range(len(data.test))] * len(sides)


def test_a_query_is_asked_once() -> None:
    data = small_data()
    table = Table(planted(1, levels=9))
    rank_triples(cast(ScoringEngine, table), data, sides=["tail"])
    known = data.filter("train", "valid", "test")
    queries = {(head, relation) for head, relation, _ in data.test.tolist()}
    wrong = sum(len(data.entities) - len(known.tails(*query)) for query in queries)
    assert len(queries) < len(data.test)
    assert sum(table.asked) == wrong + len(data.test)


@settings(max_examples=15)
@given(
    st.integers(0, 1000), st.sampled_from([0.0, 0.01, 0.3, 4.0]), st.integers(1, 30),
    st.sampled_from([(), PARTS]),
)  # fmt: skip
def test_low_precision_comes_to_the_same_ranks(
    seed: int, noise: float, block: int, filtered_by: tuple[Any, ...]
) -> None:
    """However coarse the fast scores are, and with ties among the exact ones."""
    data, scores = small_data(), planted(seed, levels=12)
    generator = np.random.default_rng(seed)
    fast = engine_of(scores + generator.uniform(-noise, noise, scores.shape))
    arguments: dict[str, Any] = {"filtered_by": filtered_by, "block_queries": block}
    expected = rank_triples(engine_of(scores), data, **arguments)
    found = rank_triples(engine_of(scores), data, fast=fast, **arguments)
    assert rows_of(found) == rows_of(expected)
    assert found.scores.tolist() == expected.scores.tolist()


def test_a_block_is_decided_again_if_a_difference_was_underestimated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The fast scores of the last block's true triples are far off, of all others nearly right.

    Its margin is then too small for blocks that came before, where half-right scores hide.
    """
    monkeypatch.setattr("kgbert.blocks._SAMPLE", (1, 1))
    data, scores = small_data(), planted(3, levels=40)
    generator = np.random.default_rng(0)
    low = scores + generator.uniform(-1e-3, 1e-3, scores.shape)
    low += (generator.random(scores.shape) < 0.05) * 1.5
    low[tuple(data.test.T)] = scores[tuple(data.test.T)]
    relation, head = np.unique(data.test[:, [1, 0]], axis=0)[-1]  # queries go by relations
    low[head, relation, :] += 2.0
    seen: list[Progress] = []
    found = rank_triples(
        engine_of(scores), data, fast=engine_of(low), sides=["tail"], block_queries=4,
        on_block=seen.append,
    )  # fmt: skip
    assert rows_of(found) == rows_of(rank_triples(engine_of(scores), data, sides=["tail"]))
    assert len(seen) > seen[0].blocks
    assert seen[-1].error >= 2.0 > seen[0].error


@given(st.integers(0, 1000), st.integers(1, 12))
@settings(max_examples=10)
def test_shards_and_the_order_of_lines_change_nothing(seed: int, count: int) -> None:
    data, engine = small_data(), engine_of(planted(seed, levels=20))
    whole = rank_triples(engine, data, block_queries=5)
    parts = [
        rank_triples(engine, data, block_queries=5, shard=(i + 1, count)) for i in range(count)
    ]
    assert (sum(part.done.astype(int) for part in parts) == 1).all()
    for part in parts:
        assert part.better[part.done].tolist() == whole.better[part.done].tolist()
    order = np.random.default_rng(seed).permutation(len(data.test))
    shuffled = rank_triples(engine, replace(data, test=data.test[order]), block_queries=5)
    both = np.concatenate([order, order + len(order)])
    assert rows_of(shuffled) == [rows_of(whole)[i] for i in both]


def real_engine(**arguments: Any) -> ScoringEngine:
    return ScoringEngine(network(), sequences(), batch_tokens=512, **arguments)


def test_a_networks_ranks_are_those_of_its_logits_one_by_one(tmp_path: Path) -> None:
    data, engine = small_data(), real_engine()
    everything = np.stack(np.meshgrid(*map(np.arange, (40, 5, 40)), indexing="ij"), axis=-1)
    logits = engine.logits(everything.reshape(-1, 3)).astype(np.float64)
    scores = (logits[:, 1] - logits[:, 0]).reshape(40, 5, 40)
    expected = [row for s in SIDES for row in brute(data, scores, filtered_by=PARTS, side=s)]
    found = rank_triples(engine, data, folder=tmp_path / "exact", block_queries=9)
    assert rows_of(found) == expected
    assert rank_metrics(found.ranks()).tied > 0.1  # entities with equal texts
    seen: list[Progress] = []
    fast = real_engine(precision="bf16")
    low = rank_triples(engine, data, fast=fast, block_queries=9, on_block=seen.append)
    assert rows_of(low) == expected
    assert 0 < seen[-1].rescored < 0.7 * seen[-1].scored
    logit1 = rank_triples(engine, data, kind="logit1")
    assert rows_of(logit1) != expected
    again = brute(data, logits[:, 1].reshape(40, 5, 40), filtered_by=PARTS, side="head")
    assert rows_of(logit1)[: len(again)] == again


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.kgbert.test_ranking import rank_triples, real_engine, small_data

def stop(progress):
    if progress.done == 3:
        os.kill(os.getpid(), signal.SIGKILL)

rank_triples(real_engine(), small_data(), folder=Path(sys.argv[1]), block_queries=6, on_block=stop)
"""


def test_a_killed_evaluation_goes_on_where_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "ranks"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder)], cwd=REPOSITORY, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    partial = RankFolder(folder).ranks()
    assert 0 < partial.done.sum() < len(partial)
    assert not (folder / "ranks.parquet").exists()
    with pytest.raises(RunError, match="ranks are not computed yet"):
        partial.ranks()
    seen: list[Progress] = []
    arguments: dict[str, Any] = {"folder": folder, "block_queries": 6}
    found = rank_triples(real_engine(), small_data(), on_block=seen.append, **arguments)
    assert len(seen) == seen[0].blocks - 3
    whole = rank_triples(real_engine(), small_data())
    assert rows_of(found) == rows_of(whole)
    for policy, figures in found.metrics().figures.items():
        for name, value in figures.items():
            low, high = partial.bounds()[policy][name]
            assert low <= value <= high and low < high
            assert found.bounds()[policy][name] == pytest.approx((value, value))
    seen.clear()
    assert rows_of(rank_triples(real_engine(), small_data(), on_block=seen.append, **arguments))
    assert seen == []


def test_shards_share_a_folder_and_the_last_one_finishes_it(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    data, engine = small_data(), real_engine()
    for i in (2, 3, 1):
        assert not (tmp_path / "ranks.parquet").exists()
        found = rank_triples(engine, data, folder=tmp_path, shard=(i, 3), block_queries=7)
    assert rows_of(found) == rows_of(rank_triples(engine, data))
    table = pq.read_table(tmp_path / "ranks.parquet").to_pydict()
    ranks = found.ranks()
    assert table["optimistic"] == ranks.optimistic.tolist()
    assert table["realistic"] == ranks.realistic.tolist()
    assert table["pessimistic"] == ranks.pessimistic.tolist()
    assert table["candidates"] == ranks.candidates.tolist()
    assert table["score"] == found.scores.tolist()
    assert np.stack([table[name] for name in ("head", "relation", "tail")], axis=1).tolist() == [
        *data.test.tolist(), *data.test.tolist(),
    ]  # fmt: skip
    assert table["side"] == [0] * 40 + [1] * 40 and table["place"] == [*range(40)] * 2


def test_a_shard_that_another_one_makes_doubtful_is_done_again(tmp_path: Path) -> None:
    data, engine, fast = small_data(), real_engine(), real_engine(precision="bf16")
    arguments: dict[str, Any] = {"fast": fast, "folder": tmp_path, "block_queries": 30}
    rank_triples(engine, data, shard=(1, 2), **arguments)
    folder = RankFolder(tmp_path)
    first = folder.blocks()[0]
    assert first.margin >= first.error > 0
    folder.write(0, first._replace(margin=0.0))  # as if it had been decided by too small a margin
    found = rank_triples(engine, data, shard=(2, 2), **arguments)
    assert not found.done[first.rows].any() and found.done.any()
    assert not (tmp_path / "ranks.parquet").exists()
    seen: list[Progress] = []
    found = rank_triples(engine, data, shard=(1, 2), on_block=seen.append, **arguments)
    assert len(seen) == 1 and rows_of(found) == rows_of(rank_triples(engine, data))
    assert (tmp_path / "ranks.parquet").exists()


def test_another_evaluation_is_refused(tmp_path: Path) -> None:
    data, engine = small_data(), real_engine()
    rank_triples(engine, data, folder=tmp_path, shard=(1, 4))
    other = ScoringEngine(network(seed=1), sequences())
    cases: list[tuple[str, Any, Any, dict[str, Any]]] = [
        ("weights", other, data, {}),
        ("data", engine, replace(data, fingerprint="other"), {}),
        ("filtered_by", engine, data, {"filtered_by": ["train"]}),
        ("score", engine, data, {"kind": "logit1"}),
        ("block_queries", engine, data, {"block_queries": 5}),
        ("inputs", ScoringEngine(network(), sequences(max_length=16)), data, {}),
        ("max_length", ScoringEngine(network(), sequences(max_length=15)), data, {}),
    ]
    for name, engine_, data_, arguments in cases:
        if name == "inputs":
            tables = replace(engine_.sequences, sep_id=4)
            engine_ = ScoringEngine(network(), tables)
        with pytest.raises(RunError, match=f"another .*{name}"):
            rank_triples(engine_, data_, folder=tmp_path, **arguments)


def test_damage_is_found_and_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no evaluation"):
        RankFolder(tmp_path).ranks()
    data, engine = small_data(), real_engine()
    rank_triples(engine, data, folder=tmp_path, block_queries=20)
    block = tmp_path / "blocks" / "000001.parquet"
    block.write_bytes(block.read_bytes()[:-20])
    with pytest.raises(RunError, match=r"000001\.parquet: damaged: .*; delete it and run again"):
        rank_triples(engine, data, folder=tmp_path, block_queries=20)
    block.unlink()
    seen: list[Progress] = []
    found = rank_triples(engine, data, folder=tmp_path, block_queries=20, on_block=seen.append)
    assert len(seen) == 1 and found.done.all()
    rows = tmp_path / "rows.parquet"
    rows.write_bytes(rows.read_bytes()[:-20])
    with pytest.raises(RunError, match=r"rows\.parquet: damaged: .*; delete it and run again"):
        rank_triples(engine, data, folder=tmp_path, block_queries=20)
    rows.unlink()
    again = rank_triples(engine, data, folder=tmp_path, block_queries=20)
    assert again.better.tolist() == found.better.tolist()
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(RunError, match=r"plan\.json: damaged"):
        RankFolder(tmp_path).ranks()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="file: cannot be made"):
        rank_triples(engine, data, folder=tmp_path / "file")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"shard": (0, 2)}, "shard is 0/2"),
        ({"shard": (3, 2)}, "shard is 3/2"),
        ({"block_queries": 0}, "block_queries is 0"),
        ({"sides": ["relation"]}, "name some of head, tail"),
        ({"sides": "head"}, "name some of head, tail"),
        ({"sides": []}, "name some of head, tail"),
        ({"kind": "logit"}, "known are difference, probability, logit1"),
        ({"part": "dev"}, "no part 'dev'"),
        ({"filtered_by": ["dev"]}, "no part 'dev'"),
    ],
)
def test_settings_that_cannot_be_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        rank_triples(real_engine(), small_data(), **arguments)


def test_engines_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SettingsError, match="two labels"):
        rank_triples(ScoringEngine(network(labels=5), sequences()), small_data())
    with pytest.raises(SettingsError, match="two labels"):
        rank_triples(ScoringEngine(network(), sequences(form="pair")), small_data())
    with pytest.raises(SettingsError, match="are not those of the data set"):
        rank_triples(real_engine(), small_data(entities=39))
    with pytest.raises(SettingsError, match="no triples to rank"):
        rank_triples(real_engine(), replace(small_data(), test=np.zeros((0, 3), dtype=np.int32)))


def test_a_report_has_the_figures_of_each_group() -> None:
    data = small_data()
    found = rank_triples(engine_of(planted(2, levels=9)), data)
    report = found.report(data)
    assert list(report) == ["all", "side", "relation", "cardinality", "entities", "leakage"]
    assert report["all"]["all"] == found.metrics()
    for groups in report.values():
        assert sum(each.queries for each in groups.values()) == len(found)
    assert list(report["side"]) == ["head", "tail"]
    head = rank_metrics(found.ranks().select(found.sides == 0))
    assert report["side"]["head"] == head
