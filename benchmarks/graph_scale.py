"""How does a graph of the size of CN-DBpedia fare: building, opening, look-ups, memory, linking?

`python -m benchmarks.graph_scale` makes a graph of 5,170,000 triples over 1,050,000 heads (see
`benchmarks.synthetic`), compiles it with `python -m graphs build`, and measures it beside a dict of
lists, rdflib and networkx, the latter two at a size that they can bear. A second graph has five
million heads; its names are looked for in 20,000 texts, on one core. Every measurement is a process
of its own. With `--triples`, `--heads` and `--names` it is smaller and proves nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.data import REPOSITORY
from benchmarks.report import Spread, environment, one_core, table, write_result
from benchmarks.synthetic import make_names, write_graph, write_texts
from graphs import MentionIndex, TripleStore

TEXTS: Final = 20_000
ROUNDS: Final = 5
_PEERS: Final = (
    ("dict of lists", 0),
    ("in memory", 0),
    ("networkx", 500_000),
    ("rdflib", 200_000),
)


class Build(NamedTuple):
    """What compiling took: seconds, the greatest resident memory, and the folder's size."""

    seconds: float
    peak_bytes: int
    folder_bytes: int
    source_bytes: int


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and write `results/graph_scale.json`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content: dict[str, Any] = {
            "environment": environment("graph_scale", arguments),
            "sizes": vars(options),
            **_graph(folder, options),
            "linking": _linking(folder, names=options.names),
        }
    print(render(content))
    if not arguments:
        print("wrote", write_result("graph_scale", content).relative_to(REPOSITORY))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph_scale")
    parser.add_argument("--triples", type=int, default=5_170_000)
    parser.add_argument("--heads", type=int, default=1_050_000)
    parser.add_argument("--names", type=int, default=5_000_000)
    return parser.parse_args(arguments)


def _graph(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    source = folder / "graph.tsv"
    tails = options.triples // 2
    write_graph(source, triples=options.triples, heads=options.heads, tails=tails)
    print(f"wrote {source.stat().st_size / 1e6:.0f} MB of triples", file=sys.stderr)
    build = _build(source, folder / "compiled")
    ours = _measured("compiled", folder / "compiled", 0)
    peers = {kind: _measured(kind, source, limit) for kind, limit in _PEERS}
    source.unlink()
    return {"build": build, "compiled": ours, "peers": peers}


def _build(source: Path, target: Path) -> Build:
    command = [sys.executable, "-m", "graphs", "build", str(source), "-o", str(target)]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"building failed with status {process.returncode}")
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    return Build(seconds, usage.ru_maxrss * 1024, size, source.stat().st_size)


def _measured(kind: str, path: Path, limit: int) -> dict[str, Any]:
    print(f"measuring: {kind}", file=sys.stderr)
    command = [sys.executable, "-m", "benchmarks.graph_store", kind, str(path), str(limit)]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _linking(folder: Path, *, names: int) -> dict[str, Any]:
    """Compile a graph with one fact a name, and look for the names in text."""
    source, texts = folder / "names.tsv", folder / "texts.txt"
    listed = make_names(names, seed=3)
    with source.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{name}\t是\t名字\n" for name in listed)
    write_texts(texts, listed, count=TEXTS)
    del listed
    build = _build(source, folder / "named")
    lines = texts.read_text(encoding="utf-8").splitlines()
    opened, mapped = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        store = TripleStore.open(folder / "named")
        opened.append(time.perf_counter() - start)
        start = time.perf_counter()
        index = MentionIndex(store)
        mapped.append(time.perf_counter() - start)
    rates, found = [], 0
    with one_core():
        for _ in range(ROUNDS):
            start = time.perf_counter()
            found = sum(len(index.find(line)) for line in lines)
            rates.append(len(lines) / (time.perf_counter() - start))
    return {
        "names": names,
        "build": build,
        "store_open_s": Spread.of(opened),
        "index_open_s": Spread.of(mapped),
        "texts": len(lines),
        "characters": sum(map(len, lines)),
        "mentions": found,
        "texts_per_s": Spread.of(rates),
        "resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def render(content: dict[str, Any]) -> str:
    """Draw the figures as Markdown tables."""
    rows = [["graph", "triples", "load or open", "private memory", "look-ups a second"]]
    compiled = content["compiled"]
    ours = [("compiled", compiled, max(compiled["worker_private_bytes"]))]
    peers = [(kind, peer, peer["private_bytes"]) for kind, peer in content["peers"].items()]
    for kind, figures, private in ours + peers:
        seconds = Spread.of(figures["open_s"]).median if "open_s" in figures else figures["load_s"]
        taken = f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
        rows.append(
            [
                kind,
                f"{figures['triples']:,}",
                taken,
                f"{private / 1e6:,.0f} MB",
                f"{Spread.of(figures['look_ups_per_s']).median:,.0f}",
            ]
        )
    return table(rows)


if __name__ == "__main__":
    main()
