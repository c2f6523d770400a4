"""Injection, rule by rule: budgets, truncation, pairs, odd names, and one tree in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Library
from tokenizers import models, pre_tokenizers

from graphs import Fact, MentionIndex, TripleStore
from graphs.selection import ByRelation, First, Rare
from kbert.errors import DataError
from kbert.inject import Injector
from kbert.tokenizer import SPECIALS, Tokenizer
from kbert.tree import SentenceTree

REPOSITORY = Path(__file__).resolve().parents[2]


def pieces(tree: SentenceTree, tokenizer: Tokenizer) -> list[str]:
    return [tokenizer.piece(number) for number in tree.token_ids]


def test_text_goes_before_branches(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    sizes = {}
    for max_length in range(5, 15):
        tree = Injector(tiny_store, tiny_tokenizer, max_length=max_length)("我爱北京")
        facts = [branch.fact.tail for node in tree.nodes for branch in node.branches]
        sizes[max_length] = (tree.cut, facts, tree.omitted)
    assert sizes == {
        5: (1, [], 0),
        **dict.fromkeys((6, 7, 8), (0, [], 2)),
        9: (0, ["城市"], 1),  # the first fact needs four tokens, the second only three
        **dict.fromkeys((10, 11, 12), (0, ["中国"], 1)),
        **dict.fromkeys((13, 14), (0, ["中国", "城市"], 0)),
    }


def test_a_mention_that_is_cut_through_carries_nothing(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    tree = Injector(tiny_store, tiny_tokenizer, max_length=5, relation_text=False)("我爱北京")
    assert pieces(tree, tiny_tokenizer) == ["[CLS]", *"我爱北", "[SEP]"]
    assert (tree.nodes, tree.cut, tree.omitted) == ((), 1, 0)


def test_the_second_sentence_of_a_pair_keeps_its_segment_and_offsets(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    tree = Injector(tiny_store, tiny_tokenizer)("我爱苹果", "我在北京")
    beijing = tree.nodes[1]
    assert [node.entity for node in tree.nodes] == ["苹果", "北京"]
    assert tree.offsets[beijing.start : beijing.stop] == ((2, 3), (3, 4))
    stop = beijing.branches[-1].stop
    assert set(tree.segments[beijing.start : stop]) == {1}
    assert set(tree.segments[: tree.nodes[0].branches[-1].stop]) == {0}


def test_budgets(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    text = "去上海，去上海，去北京"
    for max_facts, max_branches, expected in (
        (0, None, []),
        (1, None, [["城市"], ["城市"], ["中国"]]),
        (2, None, [["城市", "中国"], ["城市", "中国"], ["中国", "城市"]]),
        (9, None, [["城市", "中国", "沪"], ["城市", "中国", "沪"], ["中国", "城市"]]),
        (2, 3, [["城市", "中国"], ["城市"]]),
        (2, 0, []),
    ):
        inject = Injector(
            tiny_store, tiny_tokenizer, max_facts=max_facts, max_branches=max_branches
        )
        tree = inject(text)
        tails = [[branch.fact.tail for branch in node.branches] for node in tree.nodes]
        assert tails == expected
        assert tree.omitted == (0 if max_branches is None else 6 - max_branches)


def test_the_policy_orders_and_the_index_finds(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    rare = Injector(tiny_store, tiny_tokenizer, max_facts=1, policy=Rare(tiny_store))
    assert [n.branches[0].fact for n in rare("去上海").nodes] == [("简称", "沪")]
    index = MentionIndex(tiny_store, stop_names=["上海"])
    blind = Injector(tiny_store, tiny_tokenizer, index=index)
    assert [node.entity for node in blind("去上海，去北京").nodes] == ["北京"]
    folded = MentionIndex(["cook"], case_fold=True)
    store = TripleStore.from_triples([("cook", "职业", "总裁")])
    tree = Injector(store, tiny_tokenizer, index=folded)("爱COOK，")
    assert pieces(tree, tiny_tokenizer)[1:6] == ["爱", "c", "##o", "##o", "##k"]
    assert (tree.nodes[0].entity, tree.nodes[0].start, tree.nodes[0].stop) == ("cook", 2, 6)


def test_a_branch_reads_the_tail_alone_when_asked(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    for relation_text, read in ((True, "职业总裁"), (False, "总裁")):
        inject = Injector(tiny_store, tiny_tokenizer, relation_text=relation_text)
        tree = inject("库克")
        assert pieces(tree, tiny_tokenizer)[3:-1] == list(read)


def test_specials_in_names_relations_and_tails_are_text(
    make_tokenizer: Callable[..., Tokenizer], tmp_path: Path
) -> None:
    tokenizer = make_tokenizer(["[", "]", "sep", "cls", "pad", "mask", "好", "[unused1]"])
    tokenizer.save(tmp_path)  # its tokenizer.json names the special tokens
    content = Library.from_file(str(tmp_path / "tokenizer.json"))
    assert content.encode("[SEP]", add_special_tokens=False).ids == [tokenizer.sep_id]
    store = TripleStore.from_triples([("[SEP]", "[CLS]", "[PAD][MASK][unused1]")])
    for each in (tokenizer, Tokenizer.from_json(tmp_path / "tokenizer.json")):
        for pair in (None, "[SEP]好"):
            tree = Injector(store, each)("好[SEP][CLS]", pair)
            assert len(tree.nodes) == (1 if pair is None else 2)
            found = [p for p in pieces(tree, each) if p != "[UNK]" and len(p) > 1 and p[0] == "["]
            assert found == ["[CLS]", "[SEP]"] + ([] if pair is None else ["[SEP]"])


def test_a_piece_that_reaches_over_two_mentions_belongs_to_the_left_one(tmp_path: Path) -> None:
    numbers = {piece: i for i, piece in enumerate([*SPECIALS, "서울부산", "수도", "항구", "의"])}
    library = Library(models.WordPiece(numbers, unk_token="[UNK]"))
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    library.save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer.from_json(tmp_path / "tokenizer.json")
    store = TripleStore.from_triples([("서울", "의", "수도"), ("부산", "의", "항구")])
    tree = Injector(store, tokenizer, relation_text=False)("서울부산")
    assert pieces(tree, tokenizer) == ["[CLS]", "서울부산", "수도", "[SEP]"]
    assert [node.entity for node in tree.nodes] == ["서울"]


def test_what_has_no_piece_is_no_mention_and_no_branch(tiny_tokenizer: Tokenizer) -> None:
    blank = "\u200b\u200b"  # not white space, and removed by BERT's normaliser
    store = TripleStore.from_triples([(blank, "是", "城市"), ("北京", blank, blank)])
    tree = Injector(store, tiny_tokenizer)(f"我{blank}爱北京")
    assert pieces(tree, tiny_tokenizer) == ["[CLS]", *"我爱北京", "[SEP]"]
    assert tree.nodes == ()


def test_what_has_no_piece_takes_no_budget(tiny_tokenizer: Tokenizer) -> None:
    blanks = ["\u200b" * count for count in range(1, 40)]
    triples = [("北京", blank, blank) for blank in blanks]
    store = TripleStore.from_triples([*triples, ("北京", "是", "城市"), ("北京", "是", "京")])
    for max_facts, expected in ((0, []), (1, ["城市"]), (2, ["城市", "京"]), (3, ["城市", "京"])):
        tree = Injector(store, tiny_tokenizer, max_facts=max_facts)("我爱北京")
        assert [b.fact.tail for node in tree.nodes for b in node.branches] == expected


def test_no_more_facts_are_chosen_than_a_budget_needs(
    tiny_tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TripleStore.from_triples([("北京", "是", f"城{i}") for i in range(500)])
    asked: list[int | None] = []

    class Listening(First):
        def facts(self, entity: str, *, limit: int | None = None, text: str = "") -> Sequence[Fact]:
            asked.append(limit)
            return super().facts(entity, limit=limit)

    inject = Injector(store, tiny_tokenizer, policy=Listening(store))
    assert len(inject("北京").nodes[0].branches) == 2
    assert len(asked) == 1 and asked[0] is not None and asked[0] < 10


def test_a_name_whose_facts_are_all_denied_hides_no_shorter_name(
    tiny_tokenizer: Tokenizer,
) -> None:
    store = TripleStore.from_triples(
        [("苹果手机", "价格", "城市"), ("苹果", "是", "水果"), ("北京", "价格", "京")]
    )
    denied = ByRelation(First(store), store=store, deny=["价格"])
    for policy, expected in ((None, ["苹果手机", "北京"]), (denied, ["苹果"])):
        tree = Injector(store, tiny_tokenizer, policy=policy)("苹果手机和北京")
        assert [node.entity for node in tree.nodes] == expected


@pytest.mark.parametrize(("text", "pair"), [("", None), (" \u200b\t", None), ("我", " ")])
def test_an_empty_text_is_refused(
    text: str, pair: str | None, tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    with pytest.raises(DataError, match=r"^the text .* is empty: it has no token$"):
        Injector(tiny_store, tiny_tokenizer)(text, pair)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"max_length": 4}, {"max_facts": -1}, {"max_branches": -1}),
        *({"max_fact_share": -0.1}, {"max_fact_share": 1.1}),
    ],
)
def test_impossible_budgets_are_refused(
    wrong: dict[str, Any], tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    with pytest.raises(ValueError, match="max_"):
        Injector(tiny_store, tiny_tokenizer, **wrong)


# Every vector of many trees, by the process itself and by worker processes of either kind.
SCRIPT = """
import hashlib, multiprocessing, sys
from graphs import TripleStore
from kbert.inject import Injector
from kbert.tokenizer import SPECIALS, Tokenizer

names = [a + b for a in "甲乙丙丁戊" for b in "己庚辛壬癸"]
triples = [(n, r, m) for i, n in enumerate(names) for r in "子丑寅卯" for m in names[i % 7 :: 7]]
texts = ["".join(names[(i * k + k) % 25] + "天地人"[k % 3] for k in range(12)) for i in range(40)]
pieces = [*SPECIALS, *sorted(set("".join(texts) + "子丑寅卯"))]
vocabulary = {piece: number for number, piece in enumerate(pieces)}
tokenizer = Tokenizer._from_vocabulary(vocabulary, lowercase=True)
inject = Injector(TripleStore.from_triples(triples), tokenizer, max_facts=3, max_length=90)

def vectors(text):
    tree = inject(text, texts[0])
    return repr(tree).encode()

def digest(found):
    return hashlib.sha256(b"".join(found)).hexdigest(), sum(map(len, found))

if __name__ == "__main__":
    print(*digest(list(map(vectors, texts))))
    for argument in sys.argv[1:]:
        method, workers = argument.split(":")
        with multiprocessing.get_context(method).Pool(int(workers)) as pool:
            print(*digest(pool.map(vectors, texts, chunksize=7)))
"""


def run(script: Path, *pools: str, seed: int) -> list[bytes]:
    """Run the script; a line for its own trees, and one for each pool, `METHOD:WORKERS`."""
    environment = {"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(REPOSITORY)}
    quiet = {"TOKENIZERS_PARALLELISM": "false"}  # it warns of forks otherwise
    command = [sys.executable, str(script), *pools]
    lines = subprocess.check_output(command, env=os.environ | environment | quiet).splitlines()
    assert len(lines) == 1 + len(pools)
    return lines


def test_the_same_tree_in_every_process(tmp_path: Path) -> None:
    script = tmp_path / "trees.py"
    script.write_text(SCRIPT, encoding="utf-8")
    outputs = set(run(script, *(f"{m}:{n}" for m in ("fork", "spawn") for n in (1, 2, 4)), seed=99))
    with ThreadPoolExecutor(2) as pool:
        for lines in pool.map(lambda seed: run(script, seed=seed), range(20)):
            outputs.update(lines)
    assert len(outputs) == 1
    digest, size = outputs.pop().split()
    assert len(digest) == 64 and int(size) > 50_000
