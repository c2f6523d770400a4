"""Mistakes with `python -m kgbert.evaluate` and `python -m kgbert.score`."""

from __future__ import annotations

from typing import Final

from tests.mistakes.place import Mistake, with_line

_EVALUATE: Final = "kgbert.evaluate judge"
_SCORE: Final = "kgbert.score judge ask.tsv"
_ASKED: Final = {"ask.tsv": "lithium\tbelongs_to\talkali_metals\n"}
_UNKNOWN: Final = {"ask.tsv": "lithium\tbelongs_to\talkali_metals\nnobody\tbelongs_to\tlithium\n"}

_EVALUATING: Final = (
    Mistake(
        what="a run that is not there",
        line="kgbert.evaluate nowhere",
        says="nowhere: no such run folder",
    ),
    Mistake(
        what="a second run that is not there, before the first is evaluated",
        line="kgbert.evaluate judge nowhere --task triple-classification",
        says="nowhere: no such run folder",
    ),
    Mistake(
        what="a run that is named twice",
        line="kgbert.evaluate judge ./judge --task triple-classification",
        says="judge: is named twice; name each run once",
    ),
    Mistake(
        what="a run of kbert.train",
        line="kgbert.evaluate run",
        says="run: not a run of kgbert.train, but of another command",
    ),
    Mistake(
        what="a task that the run cannot do",
        line="kgbert.evaluate relations --task link-prediction",
        says="relations: was trained for relation-prediction, which cannot do link-prediction",
    ),
    Mistake(
        what="another graph than the run was trained on",
        line=_EVALUATE,
        files={"facts/test.tsv": with_line("lithium\tbelongs_to\tlithium")},
        says="facts: is not the data that judge was trained on (facts, 124 entities, 434"
        " training triples): ids, texts or triples differ; name that data set with"
        " --dataset, or train anew",
    ),
    Mistake(
        what="data that is no longer there",
        line=_EVALUATE,
        files={"facts": None},
        says="no data set 'facts': neither a folder or file, nor 'sample', nor a folder of"
        " nowhere/kgc, nor a graph of the catalogue",
    ),
    Mistake(
        what="a shard beyond the last",
        line=f"{_EVALUATE} --shard 3/2",
        says="--shard is '3/2'; expected I/N, I from 1 to N, as in 2/8",
    ),
    Mistake(
        what="no time",
        line=f"{_EVALUATE} --minutes nan",
        says="--minutes is nan; it must be more than 0",
    ),
    Mistake(
        what="no tokens",
        line=f"{_EVALUATE} --batch-tokens 0",
        says="--batch-tokens is 0; it must be at least 1",
    ),
    Mistake(
        what="a GPU that is not there",
        line=f"{_EVALUATE} --device cuda",
        says="--device cuda: this machine has no GPU that torch can use",
    ),
    Mistake(
        what="a file for a folder",
        line=f"{_EVALUATE} --output texts.txt",
        says="texts.txt: is a file, and a folder is to be written; name another one",
    ),
    Mistake(
        what="one output for two runs",
        line="kgbert.evaluate judge relations --output new",
        says="--output takes the figures of one run; leave it out for several",
    ),
    Mistake(
        what="weights that were cut short",
        line=_EVALUATE,
        files={"judge/model.safetensors": b"xxxx"},
        says="judge/model.safetensors: broken: its header has 2,021,161,080 bytes, more than"
        " 16,777,216",
    ),
    Mistake(
        what="weights of which a byte is another",
        line=_EVALUATE,
        files={"judge/model.safetensors": with_line("")},
        says="judge/model.safetensors: damaged: 28577 bytes instead of 28576…",
    ),
    Mistake(
        what="texts that were cut short",
        line=_EVALUATE,
        files={"judge/entities.tsv": "lithium\tlithium\n"},
        says="judge/entities.tsv: damaged: 1 lines, but 124 in run.json",
    ),
)
_SCORING: Final = (
    Mistake(
        what="a run that is not there",
        line="kgbert.score ./nowhere ask.tsv",
        says="./nowhere: no such folder",
    ),
    Mistake(
        what="a run of kbert.train",
        line="kgbert.score run ask.tsv",
        files=_ASKED,
        says="run: not a run of kgbert.train, but of another command",
    ),
    Mistake(
        what="triples that are not there",
        line="kgbert.score judge nowhere.tsv",
        says="nowhere.tsv: cannot be read: No such file or directory",
    ),
    Mistake(
        what="four columns where three belong",
        line=_SCORE,
        files={"ask.tsv": "a\tb\tc\td\n"},
        says="ask.tsv:1: 4 columns, not head TAB relation TAB tail: 'a\\tb\\tc\\td'",
    ),
    Mistake(
        what="triples in Latin-1",
        line=_SCORE,
        files={"ask.tsv": b"a\tb\tcaf\xe9\n"},
        says="ask.tsv:1: 0xe9 at byte 8 is not UTF-8; save the file as UTF-8",
    ),
    Mistake(
        what="an entity that is not known",
        line=f"{_SCORE} -o new",
        files=_UNKNOWN,
        says="ask.tsv:2: 'nobody' is neither id nor text of any entity; if it is new,"
        " on_missing 'text' reads it as it stands, 'id' as words, 'skip' leaves it out",
    ),
    Mistake(
        what="a relation that is not known",
        line=_SCORE,
        files={"ask.tsv": "lithium\tbelongs\tlithium\n"},
        says="ask.tsv:1: 'belongs' is neither id nor text of any relation; did you mean"
        " 'belongs_to'?; if it is new, on_missing 'text' reads it as it stands, 'id' as"
        " words, 'skip' leaves it out",
    ),
    Mistake(
        what="columns in another order",
        line=_SCORE,
        files={"ask.tsv": "lithium\talkali_metals\tbelongs_to\n"},
        says="ask.tsv:1: 'alkali_metals' is neither id nor text of any relation; if it is new,"
        " on_missing 'text' reads it as it stands, 'id' as words, 'skip' leaves it out; the"
        " relation seems to come last; give head, relation, tail",
    ),
    Mistake(
        what="texts without a TAB",
        line=f"{_SCORE} --texts t.tsv",
        files={**_ASKED, "t.tsv": "a\n"},
        says="t.tsv:1: 1 columns, not id TAB text: 'a'",
    ),
    Mistake(
        what="an output that is there",
        line=f"{_SCORE} -o texts.txt",
        files=_ASKED,
        says="texts.txt: exists already; choose another --output-file or --overwrite",
    ),
    Mistake(
        what="a folder for a file",
        line=f"{_SCORE} -o data",
        files=_ASKED,
        says="data: is a folder, and a file is to be written; name another one",
    ),
    Mistake(
        what="an output under a file",
        line=f"{_SCORE} -o texts.txt/new",
        files=_ASKED,
        says="texts.txt/new: cannot be made: texts.txt is not a folder that can be written to",
    ),
    Mistake(
        what="shards of nothing",
        line=f"{_SCORE} --shard 1/2",
        files=_ASKED,
        says="--shard and --merge need --output-file",
    ),
    Mistake(
        what="shards that are not there",
        line=f"{_SCORE} -o new --merge",
        files=_ASKED,
        says="new.shards: no shards; compute them with --shard i/n first",
    ),
    Mistake(
        what="a device of no known name",
        line=f"{_SCORE} -o new --device gpu",
        files=_ASKED,
        says="--device must be cpu, cuda or cuda:N, was 'gpu'",
    ),
    Mistake(
        what="probabilities of a run that is not calibrated",
        line=f"{_SCORE} -o new --score calibrated",
        files=_ASKED,
        says="--score calibrated: nothing is calibrated in judge; in Python,"
        " TripleScorer.calibrate(…).write(RUN) does it, or choose another --score",
    ),
)
MISTAKES: Final = (*_EVALUATING, *_SCORING)
