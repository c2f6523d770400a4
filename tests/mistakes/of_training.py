"""Mistakes in the data, graphs, encoders and outputs of `python -m kbert.train`."""

from __future__ import annotations

from typing import Final

from tests.mistakes.place import TABLE, Mistake

_TRAIN: Final = "kbert.train --data data --output new"
_INIT: Final = f"{_TRAIN} --init pretrained"

_DATA: Final = (
    Mistake(
        what="data that is not there",
        line="kbert.train --data ./nowhere",
        says="./nowhere: no such file or folder",
    ),
    Mistake(
        what="a folder without train",
        line="kbert.train --data data --output new",
        files={"data/train.tsv": None},
        says="data: no training data: expected train.tsv (or .tsv, .tsv.gz, .csv, .csv.gz,"
        " .json, .json.gz, .jsonl, .jsonl.gz, .parquet), found dev, test",
    ),
    Mistake(
        what="a column that is not there",
        line=f"{_TRAIN} --text-column txt",
        says="data/train.tsv: no column 'txt' for the text; did you mean 'text_a'? its"
        " columns are 'label', 'text_a'; name one with --text-column",
    ),
    Mistake(
        what="pairs that are none",
        line=f"{_TRAIN} --task pair",
        says="data/train.tsv: no column 'text_b' for the pair; did you mean 'text_a'? its"
        " columns are 'label', 'text_a'; name one with --pair-column",
    ),
    Mistake(
        what="a row with too few fields",
        line=_TRAIN,
        files={"data/dev.tsv": TABLE + "好\n"},
        says="data/dev.tsv:4: 1 fields, but the header has 2: ('label', 'text_a')",
    ),
    Mistake(
        what="an empty text",
        line=_TRAIN,
        files={"data/train.tsv": TABLE + "好\t  \n"},
        says="data/train.tsv:4: the text is empty",
    ),
    Mistake(
        what="an empty file",
        line=_TRAIN,
        files={"data/test.tsv": ""},
        says="data/test.tsv: the file is empty; the first line must name the columns",
    ),
    Mistake(
        what="data in UTF-16",
        line=_TRAIN,
        files={"data/train.tsv": TABLE.encode("utf-16")},
        says="data/train.tsv:1: not UTF-8: byte 0xff in column 1 (counted in bytes); save the"
        " file as UTF-8",
    ),
    Mistake(
        what="a label that training has not",
        line=_TRAIN,
        files={"data/test.tsv": TABLE + "中\t我\n"},
        says="data/test.tsv:4: label '中' does not occur in training,"
        " whose labels are ('坏', '好')",
    ),
    Mistake(
        what="one label for everything",
        line=_TRAIN,
        files={f"data/{part}.tsv": "label\ttext_a\n好\t我\n" for part in ("train", "dev", "test")},
        says="data/train.tsv: all of training is labelled '好', so there is nothing to learn;"
        " is the label in another column (--label-column)?",
    ),
    Mistake(
        what="as many tags as words, but for one row",
        line="kbert.train --data tagged --task tagging --output new",
        files={"tagged/train.tsv": "text_a\tlabel\n我 在\tO O\n我 在 京\tO B-L\n"},
        says="tagged/train.tsv:3: 3 words, but 2 tags",
    ),
    Mistake(
        what="JSON lines that hold lists",
        line="kbert.train --data d --output new",
        files={"d/train.jsonl": "[1, 2]\n"},
        says="d/train.jsonl:1: each row must be an object, not list",
    ),
    Mistake(
        what="a damaged .gz file",
        line="kbert.train --data d --output new",
        files={"d/train.tsv.gz": b"xx"},
        says="d/train.tsv.gz:1: the gzip stream is broken or cut short: Not a gzipped file (b'xx')",
    ),
    Mistake(
        what="a workbook for a table",
        line="kbert.train --data d.xlsx --output new",
        files={"d.xlsx": b"xx"},
        says="d.xlsx: unknown format: the name must end in .tsv, .tsv.gz, .csv, .csv.gz,"
        " .json, .json.gz, .jsonl, .jsonl.gz, .parquet",
    ),
    Mistake(
        what="questions that are not SQuAD's JSON",
        line="kbert.train --data s.json --task qa --output new",
        files={"s.json": '{"a": 1}'},
        says="s.json: data: must be a list, was missing",
    ),
)
_PARTS: Final = (
    Mistake(
        what="a graph that is mistyped",
        line=f"{_TRAIN} --kg cn_dbpedja",
        says="no graph 'cn_dbpedja': neither a known name (cn_dbpedia, cn_dbpedia_sample,"
        " hownet, medical, none) nor an existing file; did you mean 'cn_dbpedia'?",
    ),
    Mistake(
        what="a relation that the graph has not",
        line=f"{_TRAIN} --kg kg.spo --allow-relations 首府",
        says="allow (--allow-relations): graph 'kg.spo' has no relation '首府'",
    ),
    Mistake(
        what="a table of texts for a graph",
        line=f"{_TRAIN} --kg data/train.tsv",
        says="data/train.tsv:1: 2 fields instead of 3 (head, relation, tail): 'label\\ttext_a'",
    ),
    Mistake(
        what="an encoder that is not there",
        line=f"{_TRAIN} --init ./nowhere",
        says="./nowhere: no such folder",
    ),
    Mistake(
        what="a graph for an encoder",
        line=f"{_TRAIN} --init graph",
        says="graph/config.json: cannot be read: No such file or directory",
    ),
    Mistake(
        what="an encoder without weights",
        line=_INIT,
        files={"pretrained/model.safetensors": None},
        says="pretrained/model.safetensors: no such file; only safetensors is read, never"
        " pickle: convert older weights with python -m kbert.convert",
    ),
    Mistake(
        what="an encoder whose weights were cut short",
        line=_INIT,
        files={"pretrained/model.safetensors": b"xxxx"},
        says="pretrained/model.safetensors: broken: its header has 2,021,161,080 bytes, more than"
        " 16,777,216",
    ),
    Mistake(
        what="an encoder with another configuration",
        line=_INIT,
        files={"pretrained/config.json": {"num_hidden_layers": 3}},
        says="pretrained/model.safetensors: the tensors do not fit the model: 32 missing"
        " (encoder.layer.1.attention.self.query.weight,"
        " encoder.layer.1.attention.self.query.bias,"
        " encoder.layer.1.attention.self.key.weight, ...)",
    ),
    Mistake(
        what="an encoder of another architecture",
        line=_INIT,
        files={"pretrained/config.json": {"model_type": "gpt2"}},
        says="pretrained/config.json: model_type is 'gpt2'; only 'bert' can be loaded",
    ),
    Mistake(
        what="texts longer than the encoder takes",
        line=f"{_INIT} --max-length 600",
        says="--max-length 600: pretrained has only 512 positions",
    ),
    Mistake(
        what="a vocabulary without special pieces",
        line=f"{_TRAIN} --vocab v.txt",
        files={"v.txt": "[PAD]\n[UNK]\n我\n"},
        says="v.txt: the vocabulary lacks the special tokens [CLS] [SEP] [MASK]",
    ),
    Mistake(
        what="an output that is there",
        line="kbert.train --data data --output run",
        says="run: exists already; choose another --output, or say --overwrite",
    ),
    Mistake(
        what="an output that is there, and no run",
        line="kbert.train --data data --output facts --overwrite",
        says="facts: is not a run, so --overwrite does not replace it",
    ),
    Mistake(
        what="an output under a file",
        line="kbert.train --data data --output texts.txt/new",
        says="texts.txt/new: cannot be made: texts.txt is not a folder that can be written to",
    ),
    Mistake(
        what="an output where nothing can be written",
        line="kbert.train --data data --output /proc/new",
        says="/proc/new: cannot be made: No such file or directory",
    ),
)
MISTAKES: Final = (*_DATA, *_PARTS)
