"""Use a graph that came of hostile input: its triples, mentions, exports, and the commands."""

from __future__ import annotations

import contextlib
import io
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from benchmarks.hostile_cases import Case
from benchmarks.hostile_rules import check_line, renamed, require
from graphs.__main__ import main as graphs_main
from graphs.errors import GraphError
from graphs.export import FORMATS, Format, export
from graphs.mentions import MentionIndex
from graphs.readers import read_triples
from graphs.store import TripleStore
from graphs.triple import Fact

MANY: Final = 100
_NO_LANGUAGE: Final = "\udcff"


def check_store(store: TripleStore, *, rng: Random) -> None:
    """Require that a graph's parts fit, its mentions are in the text, and exports come back."""
    for triple in list(store)[:MANY]:
        require(triple in store and all(part.strip() for part in triple), f"unsound: {triple!r}")
        said = store.readable(Fact(triple.relation, triple.tail))
        require(said is None or (said.relation and said.tail), f"says nothing: {triple!r}")
    check_mentions(store, rng=rng)
    if rng.random() < 0.5:
        check_export(store, format=rng.choice(FORMATS))


def sentences(store: TripleStore, *, rng: Random) -> Iterator[str]:
    """Yield texts with names of the graph in them, and with characters that hurt."""
    known = [store.name_of(entity) for entity in list(store.entities)[:MANY]] or ["x"]
    glue = ["", " ", "和", "\u0301", "\u200d", "\ufdfa", "İ", "ß", "\0", "\ud800", "\n", "x", "。"]
    for _ in range(4):
        parts = [(rng.choice(known)[:5000], rng.choice(glue)) for _ in range(rng.randrange(6))]
        yield rng.choice(glue) + "".join(map("".join, parts))


def check_mentions(store: TripleStore, *, rng: Random) -> None:
    """Require that mentions lie in the text in order, and mean the likeliest of their name."""
    case_fold, nfkc = rng.random() < 0.5, rng.random() < 0.5
    index = MentionIndex(store, min_length=rng.choice((1, 2, 3)), case_fold=case_fold, nfkc=nfkc)
    for text in sentences(store, rng=rng):
        end = 0
        for mention in index.find(text):
            require(end <= mention.start < mention.end <= len(text), f"{mention} in {text!r}")
            end = mention.end
            name = text[mention.start : mention.end]
            require(index.candidates(name)[:1] == (mention.entity,), f"{name!r}: no candidate")
            require(
                case_fold or nfkc or name in store.names_of(mention.entity), f"{name!r}: other name"
            )


def check_export(store: TripleStore, *, format: Format) -> None:
    """Require that a graph is refused, or written so that it is read again as it was."""
    path = Path(f"written.{format}")
    try:
        export(store, path)
    except GraphError as error:
        check_line(str(error))
        may_refuse = format in ("tsv", "graphml") or "makes a line" in str(error)
        require(may_refuse, f"{format} is refused: {error}")
        require(not path.exists(), "a refused export leaves a file")
        return
    if format in ("graphml", "parquet"):
        require(path.stat().st_size, "an empty file")
        return
    again = list(read_triples(path))
    path.unlink()
    require(renamed(again) == renamed(store), f"{format} does not come back")


def check_command(case: Case, store: TripleStore | None, *, rng: Random) -> None:
    """Require of a random command that it ends with 0 or with one line and 2."""
    argv = _command(case, store, rng=rng)
    output, talk = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(talk):
        try:
            status = graphs_main(argv)
        except SystemExit as end:  # argparse's way
            status = int(end.code or 0)
    output.flush()
    printed = output.detach().getvalue().decode("utf-8")
    said = talk.getvalue().splitlines()
    require(status in (0, 2), f"status {status} of {argv}")
    for line in said:
        check_line(line)
    if status == 2:
        require(said and said[-1].startswith("error: "), f"2 without an error: {argv}: {said}")
    if _NO_LANGUAGE not in argv and (argv[0] == "info" or argv[-1] == "ttl"):
        good = store is not None and len(store)
        require((status == 0) == bool(good), f"status {status} of {argv}: {said}")
    if "--json" in argv and status == 0:
        for line in printed.split("\n") if argv[0] == "link" else [printed]:
            require(not line or isinstance(json.loads(line), dict), f"no JSON: {argv}")
    elif status == 0 and argv[0] != "export":
        wrong = [char for char in printed if char != "\n" and unicodedata.category(char) == "Cc"]
        require(not wrong, f"{argv} prints {wrong[:3]}")


def _command(case: Case, store: TripleStore | None, *, rng: Random) -> list[str]:
    names = list(store.entities)[:MANY] if store is not None else []
    name = rng.choice([*names, "London", "", "-", "\udcff", "nobody"])
    text = next(iter(sentences(store, rng=rng))) if store is not None else "London"
    languages: tuple[list[str], ...] = (
        [],
        [],
        ["--language", "zh", "en"],
        ["--language", _NO_LANGUAGE],
    )
    language = rng.choice(languages) if case.form != "compiled" else []
    argv = rng.choice(
        (
            ["info", case.target],
            ["facts", case.target, "--incoming", "--limit", "3", "--", name],
            ["link", case.target, "--case-fold", "--", text],
            ["export", case.target, "--format", rng.choice(("nt", "nq", "ttl", "tsv"))],
            ["coverage", case.target, case.texts],
            ["coverage", case.target, case.texts, "--gold", case.texts],
            ["build", case.target, "-o", "commanded"],
            ["splits", case.target],
        )
    )
    with_json = argv[0] in ("info", "facts", "link", "coverage", "splits") and rng.random() < 0.5
    argv[1:1] = ["--json"] if with_json else []
    return argv + (language if argv[0] in ("info", "coverage", "build") else [])
