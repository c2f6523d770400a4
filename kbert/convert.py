"""`python -m kbert.convert SOURCE -o FOLDER --trust`: a pickle checkpoint to a model folder.

SOURCE is a `.bin`, `.pt` or `.pth` file of a BERT, or a folder with `pytorch_model.bin`. Names of
tensors are Hugging Face's or UER's (K-BERT's `google_model.bin`). FOLDER becomes a model folder in
the Hugging Face layout, with safetensors and checksums. Such a file is a pickle, which elsewhere
can run code; here nothing but tensors is read from it (`kbert.nn.legacy`), and only with --trust,
because numbers can do harm too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kbert import console
from kbert.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from kbert.tokenizer import Tokenizer

_WEIGHTS: Final = "pytorch_model.bin"
_VOCABULARIES: Final = ("vocab.txt", "google_vocab.txt")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    return console.guard(lambda: _convert(options))


def _parser() -> argparse.ArgumentParser:
    parser = console.Parser(
        prog="python -m kbert.convert",
        description="Convert a pickle checkpoint of a BERT to a model folder with safetensors.",
        allow_abbrev=False,
    )
    parser.add_argument("source", metavar="SOURCE", help="a .bin, .pt or .pth file, or its folder")
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True, help="a new folder")
    parser.add_argument(
        "--trust", action="store_true", help="you know who made the file, and want its weights"
    )
    parser.add_argument("--vocab", metavar="FILE", help="vocab.txt (default: the one beside it)")
    parser.add_argument("--cased", action="store_true", help="keep upper case (with --vocab)")
    parser.add_argument(
        "--heads",
        type=int,
        metavar="INT",
        help="attention heads, where no config.json says so (default: the width / 64)",
    )
    return parser


def _convert(options: argparse.Namespace) -> None:
    source, output = Path(options.source), Path(options.output)
    weights = source / _WEIGHTS if source.is_dir() else source
    if not weights.is_file():
        raise CheckpointError(f"{weights}: no such file; give a .bin, .pt or .pth file")
    if not options.trust:
        raise CheckpointError(
            f"{weights}: is a pickle, which other programs run as code when they open it; this one"
            " reads tensors alone, but say --trust only if you know who made it"
        )
    from kbert.nn.legacy import read_legacy
    from kbert.nn.uer import from_uer, is_uer
    from kbert.run import check_output, new_run

    check_output(output, overwrite=False)
    tokenizer = _tokenizer(weights.parent, options)
    tensors = read_legacy(weights)
    if is_uer(tensors):
        tensors = from_uer(tensors, path=weights)
        console.say("note: tensors of UER; its layer norm differs a little from BERT's, see docs")
    with new_run(output, first=True) as folder:
        tokenizer.save(folder)
        _write(tensors, folder, weights=weights, options=options, pieces=len(tokenizer))
    console.say(f"wrote {output}: {len(tensors):,} tensors and {len(tokenizer):,} pieces")


def _tokenizer(folder: Path, options: argparse.Namespace) -> Tokenizer:
    """Read the vocabulary that is named, or that stands beside the weights."""
    from kbert.tokenizer import Tokenizer

    if options.vocab is not None:
        return Tokenizer.from_vocab(options.vocab, lowercase=not options.cased)
    if options.cased:
        raise CheckpointError("--cased is of use with --vocab alone; name the vocabulary")
    if (folder / "tokenizer.json").is_file() or (folder / "vocab.txt").is_file():
        return Tokenizer.from_pretrained(folder)
    for name in _VOCABULARIES:
        if (folder / name).is_file():
            return Tokenizer.from_vocab(folder / name)
    raise CheckpointError(f"{folder}: no vocab.txt beside the weights; say where with --vocab")


def _write(
    tensors: dict[str, Tensor],
    folder: Path,
    *,
    weights: Path,
    options: argparse.Namespace,
    pieces: int,
) -> None:
    """Write the model's two files, and open them as any model is opened, which checks them."""
    from kbert.nn.checkpoint import load_encoder
    from kbert.nn.config import EncoderConfig
    from kbert.nn.folder import CONFIG, read_json
    from kbert.nn.raw_folder import config_of, write_raw

    given = weights.parent / CONFIG
    if given.is_file() and read_json(given).get("model_type", "bert") == "bert":
        entries = {"model_type": "bert", **read_json(given)}
        if options.heads is not None:
            raise CheckpointError(f"{given} says how many heads there are; leave out --heads")
    else:
        entries = config_of(tensors, heads=options.heads, path=weights).to_hugging_face()
    config = EncoderConfig.from_hugging_face(entries, file=given)
    if pieces > config.vocab_size:
        raise CheckpointError(
            f"{weights}: has {config.vocab_size} embeddings for {pieces} pieces; name the"
            " vocabulary that belongs to it with --vocab"
        )
    write_raw(folder, tensors, entries)
    load_encoder(folder, use_pooler=False)


if __name__ == "__main__":
    sys.exit(main())
