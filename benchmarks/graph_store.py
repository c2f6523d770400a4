"""One measurement of a graph in memory, in a process of its own: `graph_scale` starts these.

`python -m benchmarks.graph_store KIND PATH LIMIT` loads up to LIMIT triples (0: all) of PATH into
KIND, asks it for the first two facts of random heads, and prints figures as JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from graphs import MentionIndex, TripleStore, read_triples
from graphs.triple import Triple

LOOK_UPS: Final = 100_000
_ROUNDS: Final = 5
Ask = Callable[[str], object]


def measure(kind: str, path: str, limit: int) -> dict[str, Any]:
    """Load, look up, and weigh."""
    if kind == "compiled":
        return _compiled(path)
    before = private_memory()
    heads: dict[str, None] = {}
    start = time.perf_counter()
    ask, count = _LOADERS[kind](_noted(path, limit, heads=heads))
    seconds = time.perf_counter() - start
    used = private_memory() - before
    rates = [_rate(ask, _sample(list(heads), seed)) for seed in range(_ROUNDS)]
    return {"triples": count, "load_s": seconds, "private_bytes": used, "look_ups_per_s": rates}


def private_memory() -> int:
    """Return the bytes of this process's memory that no other process shares."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    sizes = [line.split()[1] for line in lines if line.startswith("Private_")]
    return 1024 * sum(map(int, sizes))


def _noted(path: str, limit: int, *, heads: dict[str, None]) -> Iterator[Triple]:
    for triple in islice(read_triples(path), limit or None):
        heads[triple.head] = None
        yield triple


def _rate(ask: Ask, heads: Sequence[str]) -> float:
    start = time.perf_counter()
    for head in heads:
        ask(head)
    return len(heads) / (time.perf_counter() - start)


def _sample(heads: Sequence[str], seed: int) -> list[str]:
    chosen = np.random.default_rng(seed).integers(len(heads), size=LOOK_UPS)
    return [heads[i] for i in chosen.tolist()]


def _compiled(path: str) -> dict[str, Any]:
    opened, indexed = [], []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        store = TripleStore.open(path)
        opened.append(time.perf_counter() - start)
        start = time.perf_counter()
        MentionIndex(store)
        indexed.append(time.perf_counter() - start)
    rates = {}
    for name, limit in (("first two", 2), ("all", None)):
        rates[name] = [
            _rate(partial(store.facts, limit=limit), _sample(store.heads, seed))
            for seed in range(_ROUNDS)
        ]
    return {
        "triples": len(store),
        "open_s": opened,
        "index_open_s": indexed,
        "look_ups_per_s": rates["first two"],
        "all_facts_look_ups_per_s": rates["all"],
        "worker_private_bytes": _workers(store),
    }


def _workers(store: TripleStore) -> list[int]:
    """Return the private memory of two worker processes that link text and look up facts."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        return pool.map(_work, [store, store], chunksize=1)


def _work(store: TripleStore) -> int:
    index = MentionIndex(store)
    for head in _sample(store.heads, 7):
        for mention in index.find(f"我听说过{head}吗"):
            store.facts(mention.entity, limit=2)
    time.sleep(1.0)  # until the other worker has touched its pages, too
    return private_memory()


def _dict_of_lists(triples: Iterator[Triple]) -> tuple[Ask, int]:
    facts: dict[str, list[tuple[str, str]]] = {}
    count = 0
    for head, relation, tail in triples:
        facts.setdefault(head, []).append((relation, tail))
        count += 1
    return (lambda head: facts[head][:2]), count


def _rdflib(triples: Iterator[Triple]) -> tuple[Ask, int]:
    import rdflib

    graph = rdflib.Graph()
    for head, relation, tail in triples:
        graph.add((rdflib.Literal(head), rdflib.Literal(relation), rdflib.Literal(tail)))
    return (lambda head: list(islice(graph.predicate_objects(rdflib.Literal(head)), 2))), len(graph)


def _networkx(triples: Iterator[Triple]) -> tuple[Ask, int]:
    import networkx

    graph = networkx.MultiDiGraph()
    for head, relation, tail in triples:
        graph.add_edge(head, tail, key=relation)
    return (lambda head: list(islice(graph.out_edges(head, keys=True), 2))), len(graph.edges)


def _store(triples: Iterator[Triple]) -> tuple[Ask, int]:
    store = TripleStore.from_triples(triples)
    return partial(store.facts, limit=2), len(store)


_LOADERS: Final[dict[str, Callable[[Iterator[Triple]], tuple[Ask, int]]]] = {
    "dict of lists": _dict_of_lists,
    "networkx": _networkx,
    "rdflib": _rdflib,
    "in memory": _store,
}


if __name__ == "__main__":
    kind, path, limit = sys.argv[1:]
    print(json.dumps(measure(kind, path, int(limit))))
