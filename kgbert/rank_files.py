"""The folder of an evaluation: what is asked, what is answered so far, and the ranks at the end.

    plan.json              what the ranks are a function of, and the number of blocks
    rows.parquet           a row for each test triple and side: place, side, head, relation, tail,
                           others (its wrong candidates)
    blocks/N.parquet       answers of a block of queries: row, score, better, equal
    ranks.parquet          when all blocks are there: both, with the ranks that they come to

Every file appears whole or not at all, so an evaluation can be killed at any moment, and several
processes can write the blocks of one. The only file of the package that knows pyarrow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from graphs.errors import GraphError
from graphs.replacing import replacing
from kbert.errors import RunError
from kgbert.query_ranks import QueryRanks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kgbert.queries import Queries

FORMAT: Final = 2  # 1 had queries in another order
PLAN, ROWS, BLOCKS, RANKS = "plan.json", "rows.parquet", "blocks", "ranks.parquet"
_ROW_TYPES: Final = {
    "place": np.int64,
    "side": np.int8,
    "head": np.int32,
    "relation": np.int32,
    "tail": np.int32,
    "others": np.int64,
}
_CALLED: Final = {"certain": "precision"}  # by users
_BLOCK_TYPES: Final = {"row": np.int64, "score": np.float64, "better": np.int64, "equal": np.int64}


class Block(NamedTuple):
    """The answers of some rows (K,), with the margin they were decided by and the error seen."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    better: NDArray[np.int64]
    equal: NDArray[np.int64]
    margin: float = 0.0
    error: float = 0.0


def uncertain(blocks: Mapping[int, Block]) -> set[int]:
    """Return the blocks whose margin is below the largest difference that any block saw."""
    error = max((block.error for block in blocks.values()), default=0.0)
    return {number for number, block in blocks.items() if block.margin < error}


class RankFolder:
    """Keep the blocks of one evaluation in a folder."""

    def __init__(self, path: Path) -> None:
        """Name the folder; nothing is read or written."""
        self.path = path

    def begin(self, queries: Queries, *, identity: Mapping[str, Any], blocks: int) -> None:
        """Write the plan, or go on with the one that is there.

        Raises `RunError` if what is there is of another evaluation, or no evaluation.
        """
        plan = {"format": FORMAT, "blocks": blocks, "identity": dict(identity)}
        if (self.path / PLAN).exists():
            self._check(plan)
            if not (self.path / ROWS).exists():  # was damaged, and deleted
                _write_table(self.path / ROWS, columns_of(queries))
            return
        try:
            (self.path / BLOCKS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{self.path}: cannot be made: {error.strerror}") from None
        _write_table(self.path / ROWS, columns_of(queries))
        _write(self.path / PLAN, (json.dumps(plan, indent=2) + "\n").encode())

    def blocks(self) -> dict[int, Block]:
        """Read all blocks that are there, by number."""
        found = {}
        for number in range(self._plan()["blocks"]):
            path = self._block(number)
            if path.is_file():
                found[number] = _read_block(path)
        return found

    def write(self, number: int, block: Block) -> None:
        """Write a block in place of none, or of an earlier one."""
        arrays = (block.rows, block.scores, block.better, block.equal)
        columns = dict(zip(_BLOCK_TYPES, arrays, strict=True))
        notes = {"margin": repr(block.margin), "error": repr(block.error)}
        _write_table(self._block(number), columns, notes=notes)

    def ranks(self) -> QueryRanks:
        """Read what is known so far. Raises `RunError` if the folder holds no evaluation.

        A block that was decided by a margin which a difference elsewhere exceeds is not known.
        """
        self._plan()
        rows, _ = _read_table(self.path / ROWS, types=_ROW_TYPES)
        blocks = self.blocks()
        doubtful = uncertain(blocks)
        return gather(rows, {i: block for i, block in blocks.items() if i not in doubtful})

    def finish(self) -> QueryRanks:
        """Return what is known so far; if that is all, write `ranks.parquet` too."""
        ranks = self.ranks()
        if ranks.done.all():
            rows, _ = _read_table(self.path / ROWS, types=_ROW_TYPES)
            found = ranks.ranks()
            columns = {name: array for name, array in rows.items() if name != "others"}
            columns |= {"score": ranks.scores, "optimistic": found.optimistic}
            columns |= {"realistic": found.realistic, "pessimistic": found.pessimistic}
            _write_table(self.path / RANKS, columns | {"candidates": found.candidates})
        return ranks

    def _block(self, number: int) -> Path:
        return self.path / BLOCKS / f"{number:06d}.parquet"

    def _plan(self) -> dict[str, Any]:
        file = self.path / PLAN
        try:
            plan = json.loads(file.read_bytes())
            if plan["format"] != FORMAT:
                raise RunError(
                    f"{file}: format {plan['format']} is not the format {FORMAT} of this version"
                )
            return {"blocks": int(plan["blocks"]), "identity": dict(plan["identity"])}
        except OSError as error:
            raise RunError(f"{self.path}: holds no evaluation: {error.strerror}") from None
        except (ValueError, TypeError, KeyError) as error:
            raise RunError(f"{file}: damaged: {error!r}; delete the folder") from None

    def _check(self, plan: Mapping[str, Any]) -> None:
        """Refuse to go on with another evaluation."""
        there = self._plan()
        ours = {**plan["identity"], "blocks": plan["blocks"]}
        theirs = {**there["identity"], "blocks": there["blocks"]}
        other = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
        if other:
            raise RunError(
                f"{self.path}: holds an evaluation with another"
                f" {', '.join(_CALLED.get(name, name) for name in other)}; choose another folder,"
                " or delete this one"
            )


def gather(rows: Mapping[str, NDArray[Any]], blocks: Mapping[int, Block]) -> QueryRanks:
    """Put the answers of blocks to the rows that they are of; `rows` are columns as in the file."""
    size = len(rows["place"])
    scores = np.full(size, np.nan)
    better, equal, seen = np.zeros((3, size), dtype=np.int64)
    for block in blocks.values():
        scores[block.rows] = block.scores
        better[block.rows], equal[block.rows] = block.better, block.equal
        seen[block.rows] = rows["others"][block.rows]
    return QueryRanks(
        triples=np.stack([rows["head"], rows["relation"], rows["tail"]], axis=1),
        sides=rows["side"],
        places=rows["place"],
        scores=scores,
        better=better,
        equal=equal,
        seen=seen,
        others=rows["others"],
    )


def columns_of(queries: Queries) -> dict[str, NDArray[Any]]:
    """Return the rows of `queries` as columns, as the file has them."""
    columns = (queries.places, queries.sides, *queries.triples.T, queries.others)
    return dict(zip(_ROW_TYPES, columns, strict=True))


def _read_block(path: Path) -> Block:
    columns, notes = _read_table(path, types=_BLOCK_TYPES)
    try:
        return Block(
            rows=columns["row"],
            scores=columns["score"],
            better=columns["better"],
            equal=columns["equal"],
            margin=float(notes["margin"]),
            error=float(notes["error"]),
        )
    except (KeyError, ValueError) as error:
        raise RunError(f"{path}: damaged: {error!r}; delete it and run again") from None


def _write_table(
    path: Path, columns: Mapping[str, NDArray[Any]], *, notes: Mapping[str, str] | None = None
) -> None:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: pa.array(array) for name, array in columns.items()})
    content = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(notes), content)
    _write(path, content.getvalue())


def _write(path: Path, content: bytes) -> None:
    try:
        with replacing(path) as file:
            file.write(content)
    except GraphError as error:
        raise RunError(str(error)) from None


def _read_table(
    path: Path, *, types: Mapping[str, type]
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read the columns that `types` names, and the notes; raises `RunError` for a damaged file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        columns = {
            name: table.column(name).to_numpy().astype(kind, casting="safe", copy=True)
            for name, kind in types.items()
        }
    except (OSError, pa.ArrowException, KeyError, TypeError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(f"{path}: damaged: {what}; delete it and run again") from None
    notes = table.schema.metadata or {}
    return columns, {key.decode(): value.decode() for key, value in notes.items()}
