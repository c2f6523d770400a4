"""Mistakes with `python -m kbert.predict` and `python -m kbert.fill`."""

from __future__ import annotations

from typing import Final

from tests.mistakes.place import Mistake

_PREDICTING: Final = (
    Mistake(
        what="no run",
        line="kbert.predict",
        says="the following arguments are required: RUN (see python -m kbert.predict --help)",
    ),
    Mistake(
        what="a run that is not there",
        line="kbert.predict nowhere 我",
        says="nowhere: no such run folder",
    ),
    Mistake(
        what="a run of kbert.pretrain",
        line="kbert.predict pretrained 我",
        says="pretrained: a run of kbert.pretrain, which has no task yet; fine-tune it with"
        " python -m kbert.train --init pretrained",
    ),
    Mistake(
        what="a run of kgbert.train",
        line="kbert.predict judge 我",
        says="judge: a run of kgbert.train, which judges triples; open it with kgbert.TripleScorer",
    ),
    Mistake(
        what="a flag that is mistyped",
        line="kbert.predict run 我 --split-word",
        says="unrecognized arguments: --split-word; did you mean '--split-words'? (see python"
        " -m kbert.predict --help)",
    ),
    Mistake(
        what="an empty text",
        line="kbert.predict run ''",
        says="text 1: the text is empty",
    ),
    Mistake(
        what="an empty line on standard input",
        line="kbert.predict run",
        input="我\n\n我\n".encode(),
        says="standard input:2: the text is empty",
    ),
    Mistake(
        what="a file of texts in Latin-1",
        line="kbert.predict run --file x.txt",
        files={"x.txt": b"ok\ncaf\xe9\n"},
        says="x.txt:2: not UTF-8 at byte 3; save the texts as UTF-8",
    ),
    Mistake(
        what="a folder for a file of texts",
        line="kbert.predict run --file data",
        says="data: cannot be read: Is a directory",
    ),
    Mistake(
        what="texts in two places",
        line="kbert.predict run 我 --file texts.txt",
        says="texts stand on the command line and in --file; give one of them",
    ),
    Mistake(
        what="words for a model of whole texts",
        line="kbert.predict run 我 --split-words",
        says="--split-words is for models of tagging; run is of classification",
    ),
    Mistake(
        what="another graph than the run was trained with",
        line="kbert.predict run 我",
        files={"kg.spo": "a\tb\tc\n"},
        says="run: the run was trained with the graph kg.spo of 3 triples; kg.spo of 1"
        " triples is another one (to use it all the same: --allow-other-graph, or"
        " allow_other_graph=True)",
    ),
    Mistake(
        what="a GPU that is not there",
        line="kbert.predict run 我 --device cuda",
        says="--device cuda: this machine has no GPU that torch can use",
    ),
    Mistake(
        what="a device of no known name",
        line="kbert.predict run 我 --device gpu",
        says="--device must be cpu, cuda or cuda:N, was 'gpu'",
    ),
    Mistake(
        what="a run whose weights were cut short",
        line="kbert.predict run 我",
        files={"run/model.safetensors": b"xxxx"},
        says="run/model.safetensors: broken: its header has 2,021,161,080 bytes, more than"
        " 16,777,216",
    ),
    Mistake(
        what="a run whose record was cut short",
        line="kbert.predict run 我",
        files={"run/run.json": "{"},
        says="run/run.json: damaged: Expecting property name enclosed in double quotes: line"
        " 1 column 2 (char 1)",
    ),
    Mistake(
        what="a run without its vocabulary",
        line="kbert.predict run 我",
        files={"run/vocab.txt": None, "run/tokenizer.json": None},
        says="run: holds neither tokenizer.json nor vocab.txt",
    ),
    Mistake(
        what="a run of a later version",
        line="kbert.predict run 我",
        files={"run/run.json": {"format": 99}},
        says="run/run.json: format 99 is not the format 1 of this version",
    ),
)
_FILLING: Final = (
    Mistake(
        what="no [MASK]",
        line="kbert.fill pretrained 'a b'",
        says="text 1: there is no [MASK] in 'a b'",
    ),
    Mistake(
        what="a model that is not there",
        line="kbert.fill ./nowhere '[MASK]'",
        says="./nowhere: no such folder",
    ),
    Mistake(
        what="a run of kbert.train",
        line="kbert.fill run '[MASK]'",
        says="run: has no head that names tokens; give the folder of a masked language model",
    ),
    Mistake(
        what="no candidates",
        line="kbert.fill pretrained '[MASK]' --top-k 0",
        says="--top-k must be at least 1, was 0",
    ),
    Mistake(
        what="a graph that is not there",
        line="kbert.fill pretrained '[MASK]' --kg no.spo",
        says="no graph 'no.spo': neither a known name (cn_dbpedia, cn_dbpedia_sample, hownet,"
        " medical, none) nor an existing file",
    ),
)
MISTAKES: Final = (*_PREDICTING, *_FILLING)
