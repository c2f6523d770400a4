"""The clock of a ranking, what a folder counts as known, protocol lines, and tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kbert.errors import RunError
from kgbert.figure_tables import aligned, rank_lines
from kgbert.metrics import rank_metrics
from kgbert.protocol import classification_protocol, link_protocol, relation_protocol
from kgbert.rank_files import RankFolder
from kgbert.ranking import Progress, rank_triples
from kgbert.ranking_clock import RankingClock, TimeUp
from kgbert.ranks import Ranks
from tests.kgbert.test_ranking import real_engine, small_data


def test_the_clock_tells_the_time_left_and_ends_after_a_block() -> None:
    seconds, said = [0.0], list[str]()
    clock = RankingClock(about="ranking", say=said.append, seconds=300, now=lambda: seconds[0])
    for done in range(1, 5):
        seconds[0] += 60
        clock(Progress(done, 10, 0, 0, 0.0))
    assert said == [
        "ranking: 1 of 10 blocks, about 9 min left",
        "ranking: 2 of 10 blocks, about 8 min left",
        "ranking: 3 of 10 blocks, about 7 min left",
        "ranking: 4 of 10 blocks, about 6 min left",
    ]
    seconds[0] = 300
    with pytest.raises(TimeUp):
        clock(Progress(5, 10, 0, 0, 0.0))
    clock(Progress(10, 10, 0, 0, 0.0))  # all is done: there is nothing to end


def test_a_block_whose_margin_was_too_small_is_not_known(tmp_path: Path) -> None:
    data, engine = small_data(), real_engine()
    fast = real_engine(precision="bf16")
    arguments: dict[str, Any] = {"fast": fast, "folder": tmp_path, "block_queries": 9}
    whole = rank_triples(engine, data, **arguments)
    folder = RankFolder(tmp_path)
    blocks = folder.blocks()
    folder.write(1, blocks[1]._replace(error=3 * blocks[0].margin, margin=9 * blocks[0].margin))
    left = folder.ranks()
    assert left.done.sum() == len(blocks[1].rows)
    with pytest.raises(RunError, match="ranks are not computed yet"):
        left.ranks()
    again = rank_triples(engine, data, **arguments)
    assert again.done.all() and again.better.tolist() == whole.better.tolist()


def test_a_protocol_names_every_choice() -> None:
    data, engine = small_data(), real_engine()
    common: dict[str, Any] = {"part": "test", "texts": "name"}
    line = link_protocol(engine, data, **common)
    others = [
        link_protocol(engine, replace(data, fingerprint="other"), **common),
        link_protocol(engine, data, part="valid", texts="name"),
        link_protocol(engine, data, part="test", texts="both"),
        link_protocol(engine, data, sides=["tail"], **common),
        link_protocol(engine, data, filtered_by=["train"], **common),
        link_protocol(engine, data, filtered_by=[], **common),
        link_protocol(engine, data, kind="logit1", **common),
        link_protocol(engine, data, certain=True, **common),
    ]
    assert len({line, *others}) == 1 + len(others)
    assert all("\n" not in each for each in (line, *others))


def test_a_protocol_counts_what_is_asked() -> None:
    """Of labelled triples only the true ones are ranked, and all are judged."""
    data, engine = small_data(), real_engine()
    labels = (np.arange(len(data.test)) % 3 == 0).astype(np.int8)
    some = replace(data, test_labels=labels)
    common: dict[str, Any] = {"part": "test", "texts": "name"}
    assert f" test, {labels.sum()} triples;" in link_protocol(engine, some, **common)
    assert f" test, {labels.sum()} triples;" in relation_protocol(engine, some, **common)
    judged = classification_protocol(engine, some, thresholds="0.5", **common)
    assert f" test, {len(labels)} triples;" in judged
    assert link_protocol(engine, data, **common).count(f" {len(labels)} triples;") == 1


def test_tables_keep_their_columns() -> None:
    assert aligned([["a", "b"], ["long", "10"]]) == "a      b\nlong  10"
    ranks = Ranks.from_counts(
        better=np.array([0, 3]), equal=np.array([0, 1]), others=np.array([9, 9])
    )
    lines = rank_lines({"is\ta\nname": rank_metrics(ranks)}).splitlines()
    assert len(lines) == 2 and lines[1].startswith("is a name\t2\t10.0\t0.5\t")
    assert len(lines[0].split("\t")) == len(lines[1].split("\t"))
