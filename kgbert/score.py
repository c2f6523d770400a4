"""`python -m kgbert.score RUN FILE`: a score for each triple of a TSV file.

Lines of FILE (plain, .gz or .zst) are head TAB relation TAB tail, by ids or texts; each is written
with a fourth column, its score, in the order of the file. With `--output-file` a scoring that was
stopped goes on where it stood; `--shard i/n` does a share of it, on whichever machine, and
`--merge` puts the shares together.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from graphs.errors import GraphError
from kbert import console
from kbert.errors import KbertError, SettingsError
from kbert.preflight import check_space
from kgbert.names import OnUnknown
from kgbert.score_shards import Job, Line, Shards, read_blocks

if TYPE_CHECKING:
    from kgbert.scorer import TripleScorer

_COPIES: Final = 2  # shards, and what they are put together to
_SCORE: Final = 16  # bytes of a score, at most
_EVERY: Final = 10.0  # seconds between two lines of progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    return console.guard(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = console.Parser(
        prog="python -m kgbert.score",
        description="Score the triples of a TSV file with a trained run.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("run", metavar="RUN", help="a run of kgbert.train, or a model folder")
    add("file", metavar="FILE", type=Path, help="lines of head TAB relation TAB tail")
    add("-o", "--output-file", type=Path, metavar="OUT", help="default: standard output")
    add("--score", choices=["probability", "logit", "logit_difference", "calibrated"],
        default="probability", help="what is written (default: probability)")  # fmt: skip
    add("--on-missing", choices=get_args(OnUnknown), default="error",
        help="what is neither id nor text: an error (default), read as an id in words, read as a"
        " text, or left out with the score nan")  # fmt: skip
    add("--texts", type=Path, metavar="TSV", help="further entities: id TAB text")
    add("--shard", metavar="I/N", help="compute the I-th of N shards, for --merge")
    add("--merge", action="store_true", help="put the shards of OUT together; computes nothing")
    add("--overwrite", action="store_true", help="replace OUT")
    add("--device", default="cpu", metavar="DEVICE", help="cpu (default), cuda or cuda:N")
    add("--precision", choices=["32", "bf16"], default="32", help="default: 32")
    add("--batch-tokens", type=int, default=4096, metavar="N", help="default: 4096")
    return parser


def _run(options: argparse.Namespace) -> None:
    shard, shards = _shard(options.shard)
    _check(options)
    out: Path | None = options.output_file
    if out is None:
        _stream(options)
        return
    whole = options.shard is None
    folder = Shards(out)
    try:
        if not options.merge:
            _compute(folder, options, shard=shard, shards=shards)
    except (KbertError, GraphError):
        if whole:
            folder.forget()
        raise
    if whole or options.merge:
        console.say(f"{out}: {folder.merge():,} triples")


def _check(options: argparse.Namespace) -> None:
    """Refuse flags that do not go together and an output that cannot be, by `SettingsError`."""
    out: Path | None = options.output_file
    if options.batch_tokens < 1:
        raise SettingsError(f"--batch-tokens is {options.batch_tokens}; give 1 or more")
    if out is None:
        if options.merge or options.shard is not None:
            raise SettingsError("--shard and --merge need --output-file")
        return
    file: Path = options.file
    if not options.merge and file.exists() and not (file.is_file() or file.is_dir()):
        raise SettingsError(
            f"{file}: is no regular file, and with --output-file it is read twice; save it to one,"
            " or leave --output-file out"
        )
    if out.is_dir():
        raise SettingsError(f"{out}: is a folder, and a file is to be written; name another one")
    if (options.shard is None or options.merge) and out.exists() and not options.overwrite:
        raise SettingsError(f"{out}: exists already; choose another --output-file or --overwrite")


def _stream(options: argparse.Namespace) -> None:
    """Write the scores of all lines to standard output, and say how many are left out."""
    scorer = _scorer(options)
    skipped = 0
    for block in read_blocks(options.file):
        lines = _scored(scorer, block, options)
        skipped += _left_out(lines)
        for line in lines:
            console.emit(line)
    if skipped:
        console.say(f"{options.file}: {skipped:,} triples are left out (nan): a part is unknown")


def _left_out(lines: Sequence[str]) -> int:
    return sum(line.endswith("\tnan") for line in lines)


def _shard(text: str | None) -> tuple[int, int]:
    """Read `i/n`. Raises `SettingsError`."""
    match = re.fullmatch(r"([1-9]\d{0,8})/([1-9]\d{0,8})", text or "1/1", re.ASCII)
    if match is None or int(match[1]) > int(match[2]):
        raise SettingsError(f"--shard is {text!r}; expected i/n, i from 1 to n")
    return int(match[1]), int(match[2])


def _compute(folder: Shards, options: argparse.Namespace, *, shard: int, shards: int) -> None:
    """Compute what is missing of a shard."""
    from kbert.nn.hub import resolve

    settings = {name: getattr(options, name) for name in ("score", "on_missing", "precision")}
    settings["texts"] = _fingerprint(_texts(options.texts))
    job = Job.survey(resolve(options.run), options.file, settings=settings, shards=shards)
    named = f"shard {shard}/{shards} of {folder.out}"
    is_done = folder.is_done(shard, shards=shards)
    scorer = None if is_done else _scorer(options)  # what it refuses is told before files are made
    check_space(folder.out, needed=_COPIES * (options.file.stat().st_size + _SCORE * job.rows))
    folder.begin(job)
    if scorer is None:
        console.say(f"{named}: is done already")
        return
    total = job.rows_of(shard, shards=shards)
    with folder.write(shard, shards=shards) as (there, append):
        if there:
            console.say(f"{named}: {there:,} of {total:,} triples are there already")
        pace = Pace(total, there=there, say=console.say)
        place = skipped = 0
        for number, block in enumerate(read_blocks(options.file)):
            if number % shards != shard - 1:
                continue
            place += len(block)
            if place > there:
                lines = _scored(scorer, block, options)
                append(lines)
                skipped += _left_out(lines)
                pace.step(place)
    if skipped:
        console.say(f"{named}: {skipped:,} triples are left out (nan): a part is unknown")


def _scorer(options: argparse.Namespace) -> TripleScorer:
    from kgbert.scorer import TripleScorer

    scorer = TripleScorer.from_pretrained(
        options.run,
        texts=_texts(options.texts),
        device=options.device,
        precision=options.precision,
        batch_tokens=options.batch_tokens,
    )
    if options.score == "calibrated" and scorer.calibrator is None:
        raise SettingsError(
            f"--score calibrated: nothing is calibrated in {options.run}; in Python,"
            " TripleScorer.calibrate(…).write(RUN) does it, or choose another --score"
        )
    return scorer


def _texts(file: Path | None) -> Mapping[str, str]:
    from kgbert.text_files import read_text_file

    return {} if file is None else read_text_file(file).checked().texts


def _fingerprint(texts: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(list(texts.items())).encode()).hexdigest()


def _scored(scorer: TripleScorer, block: Sequence[Line], options: argparse.Namespace) -> list[str]:
    """Return the lines of a block with their scores."""
    scores = scorer.score(
        [line.parts for line in block],
        output=options.score,
        on_missing=options.on_missing,
        places=[f"{options.file}:{line.number}" for line in block],
    )
    return [f"{line.text}\t{score:.9g}" for line, score in zip(block, scores, strict=True)]


class Pace:
    """Say now and then how far the work is, how fast it goes, and when it will end."""

    def __init__(
        self,
        total: int,
        *,
        there: int,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to count time, at `there` of `total` triples."""
        self._total, self._there = total, there
        self._say, self._clock = say, clock
        self._began = self._said = clock()

    def step(self, done: int) -> None:
        """Say how far it is, unless that was said just now."""
        now = self._clock()
        if now - self._said < _EVERY:
            return
        self._said = now
        rate = (done - self._there) / (now - self._began)
        left = round((self._total - done) / rate)
        self._say(
            f"{done:,} of {self._total:,} triples, {rate:,.0f} a second,"
            f" {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left"
        )


if __name__ == "__main__":
    sys.exit(main())
