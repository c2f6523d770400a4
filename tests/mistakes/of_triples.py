"""Mistakes with `python -m kgbert.data` and `python -m kgbert.train`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.mistakes.place import CPU, Mistake, with_line

_TRAIN: Final = "kgbert.train --dataset facts --output new"


def _with_column(text: str) -> Callable[[Path], object]:
    """Return what gives every line of a file one more column."""
    return lambda path: path.write_text(
        "".join(f"{line}\t{text}\n" for line in path.read_text(encoding="utf-8").splitlines()),
        encoding="utf-8",
    )


_DATA: Final = (
    Mistake(
        what="a data set that is mistyped",
        line="kgbert.data sampel",
        says="no data set 'sampel': neither a folder or file, nor 'sample', nor a folder of"
        " nowhere/kgc, nor a graph of the catalogue; did you mean 'sample'?",
    ),
    Mistake(
        what="a run for a data set",
        line="kgbert.data run",
        says="run: has no train.tsv or train.txt, plain or compressed",
    ),
    Mistake(
        what="no texts of relations",
        line="kgbert.data facts",
        files={"facts/relation2text.txt": None},
        says="facts/relation2text.txt: is not there, and 7 of 7 relations have no text; add"
        " it (id TAB text), or on_missing 'id' reads ids",
    ),
    Mistake(
        what="no texts of entities",
        line="kgbert.data facts",
        files={"facts/entity2text.txt": None},
        says="facts/entity2text.txt: is not there, and 124 of 124 entities have no text; add"
        " it (id TAB text), or on_missing 'id' reads ids",
    ),
    Mistake(
        what="a label that is neither 1 nor -1",
        line="kgbert.data facts",
        files={"facts/test.tsv": _with_column("2")},
        says="facts/test.tsv:1: label '2'; it must be 1 (true) or -1 (made up)",
    ),
    Mistake(
        what="four columns in one line alone",
        line="kgbert.data facts",
        files={"facts/test.tsv": with_line("a\tb\tc\t1")},
        says="facts/test.tsv:55: 4 fields instead of 3: 'a\\tb\\tc\\t1'",
    ),
    Mistake(
        what="an entity without text",
        line="kgbert.data facts",
        files={"facts/test.tsv": with_line("nobody\tbelongs_to\tlithium")},
        says="facts/entity2text.txt: 1 of 125 entities have no text: 'nobody'; add them, or"
        " on_missing 'id' reads their ids, 'skip' leaves their triples out",
    ),
    Mistake(
        what="an entity with an empty text",
        line=_TRAIN,
        files={
            "facts/test.tsv": with_line("nobody\tbelongs_to\tlithium"),
            "facts/entity2text.txt": with_line("nobody\t"),
        },
        says="facts/entity2text.txt:125: 'nobody' has an empty text; write one, or on_missing"
        " 'id' reads their ids, 'skip' leaves their triples out (1 of 125 entities have"
        " no text)",
    ),
    Mistake(
        what="two texts of an entity",
        line=_TRAIN,
        files={"facts/entity2text.txt": with_line("lithium\tLi")},
        says="facts/entity2text.txt:125: a second text of 'lithium'; keep one",
    ),
    Mistake(
        what="texts without a TAB",
        line=_TRAIN,
        files={"facts/entity2text.txt": "lithium\n"},
        says="facts/entity2text.txt:1: 1 columns, not id TAB text: 'lithium'",
    ),
    Mistake(
        what="texts in Latin-1",
        line="kgbert.data facts",
        files={"facts/entity2text.txt": b"lithium\tcaf\xe9\n"},
        says="facts/entity2text.txt:1: 0xe9 at byte 12 is not UTF-8; save the file as UTF-8",
    ),
)
_TRAINING: Final = (
    Mistake(
        what="a flag that is mistyped",
        line=f"{_TRAIN} --negative 3",
        says="unrecognized arguments: --negative 3; did you mean '--negatives'? (see python"
        " -m kgbert.train --help)",
    ),
    Mistake(
        what="a task that is mistyped",
        line=f"{_TRAIN} --task link-predction",
        says="argument --task: invalid choice: 'link-predction' (choose from"
        " 'triple-classification', 'link-prediction', 'relation-prediction'); did you"
        " mean 'link-prediction'? (see python -m kgbert.train --help)",
    ),
    Mistake(
        what="no negatives",
        line=f"{_TRAIN} --negatives 0",
        says="--negatives must be between 1 and 10000, was 0",
    ),
    Mistake(
        what="shares that leave nothing",
        line=f"{_TRAIN} --valid-share 0.5 --test-share 0.5",
        says="--valid-share and --test-share leave nothing to train on",
    ),
    Mistake(
        what="settings that contradict each other",
        line=f"{_TRAIN} --original --ties pessimistic",
        says="--ties pessimistic contradicts --original, which is --ties optimistic; leave"
        " one of them out",
    ),
    Mistake(
        what="a default that contradicts",
        line=f"{_TRAIN} --original --ties realistic",
        says="--ties realistic contradicts --original, which is --ties optimistic; leave"
        " one of them out",
    ),
    Mistake(
        what="descriptions that are not there",
        line=f"{_TRAIN} --texts description",
        files={"facts/entity2textlong.txt": None},
        says="facts: no descriptions: add entity2textlong.txt or entity2textmid.txt, or take"
        " texts 'name'",
    ),
    Mistake(
        what="no triples",
        line=_TRAIN,
        files={"facts/train.tsv": ""},
        says="facts: no triples to train on",
    ),
    Mistake(
        what="an encoder that is not there",
        line=f"{_TRAIN} --init ./nowhere",
        says="./nowhere: no such folder",
    ),
    Mistake(
        what="an encoder without weights, before the data is read",
        line=f"{_TRAIN} --init pretrained",
        files={"pretrained/model.safetensors": None},
        says="pretrained/model.safetensors: no such file; only safetensors is read, never"
        " pickle: convert older weights with python -m kbert.convert",
    ),
    Mistake(
        what="a GPU that is not there",
        line=f"{_TRAIN} --accelerator gpu",
        says="--accelerator gpu: this machine has no GPU that torch can use",
    ),
    Mistake(
        what="an output that is there",
        line=f"kgbert.train --dataset facts --output run {CPU}",
        says="run: exists already; choose another --output, or say --overwrite",
    ),
    Mistake(
        what="the recipe of another command",
        line=f"{_TRAIN} --config run/config.yaml",
        says="run/config.yaml:1: unknown setting 'kg'",
    ),
    Mistake(
        what="an encoder that no memory holds",
        line=f"{_TRAIN} --layers 512 --width 32768 --heads 1",
        says="an encoder of 2,217,452,535,808 parameters: its weights take"
        " 8,869,810,143,232 bytes, and this machine has…",
    ),
)
MISTAKES: Final = (*_DATA, *_TRAINING)
