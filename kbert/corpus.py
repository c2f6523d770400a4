"""`python -m kbert.corpus build|vocabulary|info`: from texts to a corpus for pre-training.

`build` tokenises texts once into a folder that is mapped into memory; `vocabulary` learns
WordPiece from them; `info` checks a corpus and says what it holds. `--help` needs no tokeniser.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphs.opening import is_there
from graphs.progress import Stages
from kbert import console
from kbert.errors import SettingsError

if TYPE_CHECKING:
    from kbert.pretraining.corpus import Columns
    from kbert.pretraining.shards import Corpus
    from kbert.tokenizer import Tokenizer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    options = _parser().parse_args(arguments)
    return console.guard(lambda: options.run(options))


def _parser() -> console.Parser:
    parser = console.Parser(
        prog="python -m kbert.corpus",
        description="Make a corpus for pre-training from texts.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, run, add_to, help in (
        ("build", _build, _add_build, "tokenise texts into a folder, in parallel"),
        ("vocabulary", _vocabulary, _add_vocabulary, "learn a WordPiece vocabulary from texts"),
        ("info", _info, _add_info, "check a corpus and say what it holds"),
    ):
        command = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
        command.set_defaults(run=run)
        add_to(command)
    return parser


def _add_sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="files (.txt, .jsonl, each also .gz or .zst; .parquet), folders of them, or ids of"
        " data sets on the hub; in .txt a blank line stands between documents",
    )
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", help="folder to write")
    parser.add_argument("--text-column", default="text", help="column of the text (default: text)")
    parser.add_argument("--data-config", help="configuration name of a hub data set")
    parser.add_argument("--split", default="train", help="split of a hub data set (default: train)")
    parser.add_argument("--cased", action="store_true", help="keep upper case")


def _add_build(parser: argparse.ArgumentParser) -> None:
    _add_sources(parser)
    vocabulary = parser.add_mutually_exclusive_group(required=True)
    vocabulary.add_argument(
        "--vocab", metavar="PATH", help="vocab.txt, tokenizer.json, model folder or hub id"
    )
    vocabulary.add_argument(
        "--vocab-size", type=int, metavar="N", help="learn a vocabulary of N pieces from the texts"
    )
    parser.add_argument(
        "--lines",
        choices=("paragraph", "sentence"),
        default="paragraph",
        help="what a line of text is; paragraphs are cut into sentences (default: paragraph)",
    )
    parser.add_argument(
        "--keep-text", action="store_true", help="keep the text as well, for use with a graph"
    )
    parser.add_argument(
        "--workers",
        type=_process_count,
        metavar="N",
        default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
        help="processes that tokenise (default: as many as there are processors)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the corpus in FOLDER")


def _process_count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes; give 1 or more")
    return int(text)


def _add_vocabulary(parser: argparse.ArgumentParser) -> None:
    _add_sources(parser)
    parser.add_argument("--size", type=int, required=True, metavar="N", help="number of pieces")


def _add_info(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", help="a corpus")


def _build(options: argparse.Namespace) -> None:
    from kbert.pretraining.build import build_corpus
    from kbert.pretraining.placing import check_target

    check_target(Path(options.output), overwrite=options.overwrite)  # before anything is learnt
    with Stages(say=console.say) as stages:
        corpus = build_corpus(
            options.sources,
            options.output,
            tokenizer=_tokenizer(options, stages),
            lines=options.lines,
            columns=_columns(options),
            keep_text=options.keep_text,
            workers=options.workers,
            overwrite=options.overwrite,
            announce=stages.note,
            progress=stages,
        )
    console.emit(_summary(corpus))


def _vocabulary(options: argparse.Namespace) -> None:
    from kbert.pretraining.placing import check_new, scratch_for

    folder = Path(options.output)
    check_new(folder)
    with Stages(say=console.say) as stages, scratch_for(folder, announce=stages.note) as scratch:
        tokenizer = _learn(options, options.size, stages)
        result = scratch / "result"
        result.mkdir()
        tokenizer.save(result)
        result.rename(folder)
    console.emit(f"{folder}: a vocabulary of {len(tokenizer):,} pieces")


def _info(options: argparse.Namespace) -> None:
    from kbert.pretraining.shards import Corpus

    console.emit(_summary(Corpus.open(options.folder)))


def _tokenizer(options: argparse.Namespace, stages: Stages) -> Tokenizer:
    """Read the vocabulary that was asked for, or learn one."""
    from kbert.tokenizer import Tokenizer

    if options.vocab is None:
        return _learn(options, options.vocab_size, stages)
    is_file = is_there(options.vocab) and Path(options.vocab).is_file()
    if not is_file and options.vocab.endswith((".txt", ".json")):
        raise SettingsError(f"--vocab {options.vocab}: no such file")
    if is_file and not options.vocab.endswith(".json"):
        return Tokenizer.from_vocab(options.vocab, lowercase=not options.cased)
    if options.cased:
        raise SettingsError("--cased is for a vocab.txt or a learnt vocabulary; others know it")
    if is_file:
        return Tokenizer.from_json(options.vocab)
    return Tokenizer.from_pretrained(options.vocab)


def _learn(options: argparse.Namespace, size: int, stages: Stages) -> Tokenizer:
    from kbert.pretraining.vocabulary import train_vocabulary

    return train_vocabulary(
        options.sources,
        size=size,
        lowercase=not options.cased,
        columns=_columns(options),
        announce=stages.note,
        progress=stages,
    )


def _columns(options: argparse.Namespace) -> Columns:
    from kbert.pretraining.corpus import Columns

    return Columns(text=options.text_column, config=options.data_config, split=options.split)


def _summary(corpus: Corpus) -> str:
    counts = corpus.counts
    lines = [
        f"{corpus.path}: {counts.tokens:,} tokens, {counts.sentences:,} sentences,"
        f" {counts.documents:,} documents",
        f"vocabulary: {corpus.vocab_size:,} pieces ({corpus.fingerprint}), {counts.unknown:,}"
        f" tokens are [UNK] ({counts.unknown / counts.tokens:.2%})",
        f"documents of one sentence: {counts.one_sentence:,};"
        f" lines or sentences left out: {counts.dropped:,}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
