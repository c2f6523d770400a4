"""Small data sets and the runs that were trained on them once, for every test that needs one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TABLES = {
    "classification": (
        "label\ttext_a\n"
        "好\t我爱北京的苹果\n坏\t我不去上海\n好\t我爱吃在上海\n坏\t他不在北京\n"
        "好\t我爱 apples 哈\n坏\t不 , never\n"
    ),
    "pair": (
        "text_a\ttext_b\tlabel\n"
        "我在北京\t他在北京\t1\n我在北京\t苹果\t0\n去上海\t上海\t1\n吃苹果\t在北京\t0\n"
    ),
    "tagging": (
        "text_a\tlabel\n"
        "我 在 北 京\tO O B-LOC I-LOC\n库 克 去 上 海\tB-PER I-PER O B-LOC I-LOC\n"
        "在 北 京 吃\tO B-LOC I-LOC O\n库 克 吃\tB-PER I-PER O\n"
    ),
    "bioes": (
        "text_a\tlabel\n"
        "Tim Cook visits Beijing\tB-PER E-PER O S-LOC\nBeijing is old\tS-LOC O O\n"
        "Tim sleeps\tS-PER O\nNew York is loud\tB-LOC E-LOC O O\n"
    ),
    "punctuated": (
        "text_a\tlabel\n"
        "The U.S. paid Al-Qaida 3,000 dollars .\tO B-LOC O B-ORG O O O\n"
        "Al-Qaida left ( the U.S. ) , didn't it ?\tB-ORG O O O B-LOC O O O O O\n"
        "A.B.C. Ltd. sold 3,000\tB-ORG I-ORG O O\nIt was 3,000 , not 3\tO O O O O O\n"
    ),
}
GRAPH = "北京\t首都\t中国\n上海\t位于\t中国\n苹果\t是\t水果\n库克\t职业\t总裁\n"
SIZES = {"layers": 1, "width": 16, "heads": 2, "feed_forward": 32, "max_length": 48}

Train = Callable[..., Path]


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a graph and, for each table, a folder of train, dev and test."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "graph.spo").write_text(GRAPH, encoding="utf-8")
    for name, table in TABLES.items():
        (folder / name).mkdir()
        for split in ("train", "dev", "test"):
            (folder / name / f"{split}.tsv").write_text(table, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def train(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Train a tiny model on one of the tables, and return its run folder."""

    def run(table: str = "classification", **settings: Any) -> Path:
        from kbert.finetune import finetune
        from kbert.settings import TrainSettings

        output = settings.pop("output", None) or tmp_path_factory.mktemp("runs") / "run"
        chosen: dict[str, Any] = {"max_length": 48} if "init" in settings else SIZES
        chosen = chosen | {
            "data": str(small_data / table),
            "task": "tagging" if table in ("bioes", "punctuated") else table,
            "kg": str(small_data / "graph.spo"),
            "epochs": 1,
            "accelerator": "cpu",
            "output": str(output),
        }
        finetune(TrainSettings(**(chosen | settings)))
        return Path(output)

    return run


@pytest.fixture(scope="session")
def runs(train: Train) -> Iterator[Callable[[str], Path]]:
    """Give a run of each table, trained until it knows its few sentences by heart."""
    made: dict[str, Path] = {}

    def get(table: str) -> Path:
        if table not in made:
            made[table] = train(table, epochs=25, learning_rate=0.02, dropout=0.0)
        return made[table]

    yield get
