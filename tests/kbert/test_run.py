"""Run folders: whole or not at all; what they record, and how they are told from other folders."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any

import pytest

from graphs import TripleStore
from kbert.errors import RunError
from kbert.knowledge import make_injector, make_policy
from kbert.run import (
    GraphRecord,
    RunRecord,
    check_output,
    new_run,
    unfinished,
    write_json,
)
from kbert.settings import TrainSettings
from kbert.tokenizer import Tokenizer

pytestmark = pytest.mark.usefixtures("unsealed")  # files are changed on purpose

RECORD = RunRecord(
    task="tagging",
    labels=("O", "B-地点"),
    unit="character",
    graph=GraphRecord("g", "ab12", 3),
    policy="first allow=['首都']",
    settings=TrainSettings(task="tagging", kg="g.spo", allow_relations=("首都",), seed=9),
    versions={"torch": "2"},
)


def test_a_record_reads_back_equal(tmp_path: Path) -> None:
    RECORD.write(tmp_path)
    assert RunRecord.read(tmp_path) == RECORD
    assert "B-地点" in (tmp_path / "run.json").read_text(encoding="utf-8")
    assert "kg: g.spo" in (tmp_path / "config.yaml").read_text(encoding="utf-8")


def test_a_run_from_before_a_setting_was_there_has_its_default(tmp_path: Path) -> None:
    RECORD.write(tmp_path)
    file = tmp_path / "run.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    new = ("max_fact_share", "max_per_relation", "repeat_mentions", "fact_dropout", "kg_languages")
    for name in new:
        del content["settings"][name]
    file.write_text(json.dumps(content), encoding="utf-8")
    assert RunRecord.read(tmp_path) == RECORD


def test_the_graph_is_recorded_by_its_content(tiny_store: TripleStore) -> None:
    record = GraphRecord.of(tiny_store)
    assert record == GraphRecord(tiny_store.name, tiny_store.fingerprint, len(tiny_store))
    fewer = TripleStore.from_triples(list(tiny_store)[1:])
    assert GraphRecord.of(fewer).fingerprint != record.fingerprint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2 is not the format 1 of this version"),
        ({"labels": []}, "damaged: task, labels, unit or policy are not what training writes"),
        ({"labels": [1, 2]}, "damaged: task, labels, unit or policy are not what training writes"),
        ({"policy": None}, "damaged: task, labels, unit or policy are not what training writes"),
        ({"labels": 3}, "damaged: 'int' object is not iterable"),
        ({"task": "parsing"}, "damaged: task, labels, unit or policy are not what training"),
        ({"unit": "syllable"}, "damaged: task, labels, unit or policy are not what training"),
        ({"graph": {"name": "g"}}, "damaged: GraphRecord.__init__() missing 2 required"),
        ({"settings": {"epochs": 0}}, "damaged: --epochs must be between 1 and 100000, was 0"),
        ({"settings": {"novel": 0}}, "damaged: TrainSettings.__init__() got an unexpected"),
        ({"versions": None}, None),
    ],
)
def test_a_damaged_record_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str | None
) -> None:
    RECORD.write(tmp_path)
    file = tmp_path / "run.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    if message is None:
        del content["versions"]
        message = "damaged: 'versions' is missing"
    else:
        content |= change
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RunError) as caught:
        RunRecord.read(tmp_path)
    assert str(caught.value).startswith(f"{file}: {message}")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"null", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(RunError, match=rf"^{re.escape(str(tmp_path))}/run\.json: damaged: "):
        RunRecord.read(tmp_path)


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run folder"):
        RunRecord.read(tmp_path / "none")
    with pytest.raises(RunError, match=r"not a run of kbert\.train: it has no run\.json"):
        RunRecord.read(tmp_path)


def test_a_run_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "a.b"
    with new_run(target, first=True) as folder:
        assert folder.parent == target.parent and not target.exists()
        (folder / "file").write_text("new")
    assert (target / "file").read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["a.b"]


def test_a_failed_run_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "deep" / "run"  # nor do the folders above it stay
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), new_run(target, first=True) as folder:
            (folder / "file").write_text("half")
            raise error
    assert list(tmp_path.iterdir()) == []


def test_a_failed_run_leaves_what_others_put_beside_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), new_run(tmp_path / "a" / "b" / "run", first=True):
        (tmp_path / "a" / "note").write_text("mine")
        raise ValueError("no")
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "note"]


def test_a_run_that_is_replaced_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "run"
    target.mkdir()
    RECORD.write(target)
    with new_run(target, first=True, overwrite=True) as folder:
        assert RunRecord.read(target) == RECORD and list(folder.iterdir()) == []
        (folder / "new").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert [path.name for path in target.iterdir()] == ["new"]


def test_only_the_first_process_makes_and_renames(tmp_path: Path) -> None:
    target = tmp_path / "run"
    before = dict(os.environ)
    with new_run(target, first=True) as folder:
        with new_run(target, first=False) as same:  # as a process that is started meanwhile
            assert same == folder and same.is_dir()
        assert folder.is_dir() and not target.exists()
    assert target.is_dir() and os.environ == before
    with pytest.raises(RunError, match=r"run: this process was not started by the first one"):
        new_run(target, first=False).__enter__()


def test_two_runs_to_one_place_do_not_mix(tmp_path: Path) -> None:
    """The first to end is kept; the other is refused as it would have been at its start."""
    target = tmp_path / "run"
    with pytest.raises(RunError) as caught, new_run(target, first=True) as late:
        (late / "file").write_text("late")
        with new_run(target, first=True) as early:
            assert early != late and list(early.iterdir()) == []
            assert unfinished(target) == sorted([early, late])
            (early / "file").write_text("early")
        assert (target / "file").read_text() == "early"
    exists = f"{target}: exists already; choose another --output, or say --overwrite"
    assert str(caught.value) == exists
    assert (target / "file").read_text() == "early"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_of_two_runs_that_may_replace_the_later_one_stays(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with new_run(target, first=True, overwrite=True) as late:
        (late / "file").write_text("late")
        with new_run(target, first=True, overwrite=True) as early:
            RECORD.write(early)
    assert [path.name for path in target.iterdir()] == ["file"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_killed_runs_left_is_found_and_stays(tmp_path: Path) -> None:
    assert unfinished(tmp_path / "none" / "run") == []
    left = [tmp_path / "run.old-1-a", tmp_path / "run.partial-2-b"]
    for folder in (*left, tmp_path / "other.partial-3-c", tmp_path / "run.txt"):
        folder.mkdir()
    assert unfinished(tmp_path / "run") == left
    with new_run(tmp_path / "run", first=True):
        pass
    assert all(folder.is_dir() for folder in left)


def test_the_current_folder_can_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "run"
    target.mkdir()
    RECORD.write(target)
    monkeypatch.chdir(target)
    check_output(Path(), overwrite=True)
    with new_run(Path(), first=True, overwrite=True) as folder:
        (folder / "file").write_text("new")
    assert [path.name for path in target.iterdir()] == ["file"]


def test_outputs_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "other").mkdir()
    RECORD.write(tmp_path / "other")
    (tmp_path / "plain").mkdir()

    def refused(name: str, *, overwrite: bool = False) -> str:
        with pytest.raises(RunError) as caught:
            check_output(tmp_path / name, overwrite=overwrite)
        return str(caught.value).removeprefix(f"{tmp_path / name}: ")

    exists = "exists already; choose another --output, or say --overwrite"
    assert refused("file") == refused("other") == refused("plain") == exists
    no_run = "is not a run, so --overwrite does not replace it"
    assert refused("file", overwrite=True) == refused("plain", overwrite=True) == no_run
    under = f"cannot be made: {tmp_path / 'file'} is not a folder that can be written to"
    assert refused("file/run") == refused("file/a/b") == under
    assert refused("x" * 300) == "cannot be made: File name too long"
    check_output(tmp_path / "other", overwrite=True)
    check_output(tmp_path / "new" / "deep", overwrite=False)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_refuses_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(RunError, match="run: cannot be made: Permission denied"):
        new_run(tmp_path / "run", first=True).__enter__()


def test_a_parent_that_may_not_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:  # nothing is forbidden to root
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(RunError, match="is not a folder that can be written to"):
        check_output(tmp_path / "run", overwrite=False)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_json_cannot_say_is_not_written(tmp_path: Path, number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "metrics.json", {"loss": number})
    assert list(tmp_path.iterdir()) == []


def test_the_policy_is_what_the_settings_describe(tiny_store: TripleStore) -> None:
    settings = TrainSettings(selection="rare", deny_relations=("是", "位于"))
    assert make_policy(settings, tiny_store).describe() == "rare deny=['位于', '是']"
    for name, text in (("central", "central"), ("similar", "first similar=256")):
        settings = TrainSettings(selection=name, max_per_relation=3)  # type: ignore[arg-type]
        assert make_policy(settings, tiny_store).describe() == f"{text} per_relation=3"


def test_the_injector_is_what_the_settings_describe(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    def facts(text: str = "我爱上海和北京", **settings: Any) -> list[tuple[str, str]]:
        tree = make_injector(TrainSettings(**settings), tiny_store, tiny_tokenizer)(text)
        return [(n.entity, b.fact.relation) for n in tree.nodes for b in n.branches]

    shanghai, beijing = [("上海", "是"), ("上海", "位于")], [("北京", "首都"), ("北京", "是")]
    assert facts() == shanghai + beijing
    assert facts(max_facts=1) == [shanghai[0], beijing[0]]
    assert facts(max_branches=3) == [*shanghai, beijing[0]]
    assert facts(stop_names=("上海",)) == beijing
    assert facts(allow_relations=("位于", "首都")) == [shanghai[1], beijing[0]]
    assert facts(deny_relations=("是",)) == [shanghai[1], ("上海", "简称"), beijing[0]]
    assert facts(selection="rare", max_facts=1)[1] == beijing[0]
    assert facts(selection="central") == [("上海", "是"), ("上海", "位于"), *beijing]
    assert facts("我爱上海，简称沪", selection="similar", max_facts=1) == [("上海", "简称")]
    assert facts("上海，上海", repeat_mentions=False) == facts("上海")
    assert facts(max_fact_share=0.0) == []
    assert facts("上海", max_fact_share=0.5) == shanghai[:1]
    assert facts(min_name_length=3) == []
    assert facts(max_length=9) == []
    with_relation = make_injector(TrainSettings(), tiny_store, tiny_tokenizer)("北京")
    tail_alone = make_injector(TrainSettings(relation_text=False), tiny_store, tiny_tokenizer)(
        "北京"
    )
    assert len(with_relation) - len(tail_alone) == len("首都是")


def test_at_most_so_many_facts_of_a_relation(tiny_tokenizer: Tokenizer) -> None:
    tails = ("城市", "京", "首都")
    store = TripleStore.from_triples(
        [*(("北京", "是", tail) for tail in tails), ("北京", "位于", "中国")]
    )
    for most, expected in ((None, ["城市", "京"]), (1, ["城市", "中国"]), (2, ["城市", "京"])):
        settings = TrainSettings(max_per_relation=most)
        (node,) = make_injector(settings, store, tiny_tokenizer)("北京").nodes
        assert [branch.fact.tail for branch in node.branches] == expected


def test_of_a_graph_with_names_those_are_found_that_have_something_to_say(
    tiny_tokenizer: Tokenizer,
) -> None:
    store = TripleStore.from_triples(
        [("q1", "是", "q2"), ("q3", "是", "_:x"), ("q4", "位于", "q2")],
        names={"q1": ["苹果"], "q2": ["水果"], "q3": ["苹果手机"], "q4": ["苹果手"]},
    )
    for settings, entity in (
        (TrainSettings(), "q4"),
        (TrainSettings(deny_relations=("位于",)), "q1"),
    ):
        tree = make_injector(settings, store, tiny_tokenizer)("苹果手机")
        assert [(n.entity, n.branches[0].fact.tail) for n in tree.nodes] == [(entity, "水果")]
