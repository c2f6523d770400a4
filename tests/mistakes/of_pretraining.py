"""Mistakes with `python -m kbert.corpus` and `python -m kbert.pretrain`."""

from __future__ import annotations

from typing import Final

from tests.mistakes.place import CPU, SMALL, Mistake

_BUILD: Final = "kbert.corpus build texts.txt -o new"
_LEARN: Final = "-o new --vocab-size 60 --workers 1"
_PRETRAIN: Final = "kbert.pretrain --corpus corpus --output new"
_TEXTS: Final = "kbert.pretrain --texts texts.txt --output new --phases 2x32"

_CORPORA: Final = (
    Mistake(
        what="a command that is mistyped",
        line="kbert.corpus biuld texts.txt",
        says="argument COMMAND: invalid choice: 'biuld' (choose from 'build', 'vocabulary',"
        " 'info'); did you mean 'build'? (see python -m kbert.corpus --help)",
    ),
    Mistake(
        what="no vocabulary",
        line=_BUILD,
        says="one of the arguments --vocab --vocab-size is required (see python -m"
        " kbert.corpus build --help)",
    ),
    Mistake(
        what="texts that are not there",
        line=f"kbert.corpus build nowhere.txt {_LEARN}",
        says="nowhere.txt: no such file or folder here, and no data set (the hub does not"
        " answer); check the spelling and the network, or give a file or folder of texts",
    ),
    Mistake(
        what="texts of no known kind",
        line=f"kbert.corpus build t.pdf {_LEARN}",
        files={"t.pdf": b"%PDF"},
        says="t.pdf: no file of texts; it must be NAME.txt or NAME.jsonl (each also .gz,"
        " .zst), or NAME.parquet",
    ),
    Mistake(
        what="texts in Latin-1",
        line=f"kbert.corpus build t.txt {_LEARN}",
        files={"t.txt": b"ok\ncaf\xe9\n"},
        says="t.txt:2: byte 0xe9 at 4 is not UTF-8; save the file as UTF-8",
    ),
    Mistake(
        what="a damaged .gz file",
        line=f"kbert.corpus build t.txt.gz {_LEARN}",
        files={"t.txt.gz": b"xx"},
        says="t.txt.gz: damaged gzip file (Error -3 while decompressing data: incorrect"
        " header check); download or compress it again",
    ),
    Mistake(
        what="JSON lines without the column",
        line=f"kbert.corpus build t.jsonl {_LEARN}",
        files={"t.jsonl": '{"body": "x"}\n'},
        says="t.jsonl:1: no column 'text', but 'body'; name it with --text-column",
    ),
    Mistake(
        what="a broken JSON line",
        line=f"kbert.corpus build t.jsonl {_LEARN}",
        files={"t.jsonl": '{"text": "x"}\n{"text"\n'},
        says="t.jsonl:2: bad JSON: Expecting ':' delimiter",
    ),
    Mistake(
        what="a vocabulary that is too small",
        line=f"{_BUILD} --vocab-size 3",
        says="a vocabulary of 3 pieces has no room for characters; give at least 6",
    ),
    Mistake(
        what="a vocabulary that is not there",
        line=f"{_BUILD} --vocab no.txt",
        says="--vocab no.txt: no such file",
    ),
    Mistake(
        what="no processes",
        line=f"{_BUILD} --vocab-size 60 --workers 0",
        says="argument --workers: '0' is no number of processes; give 1 or more (see python"
        " -m kbert.corpus build --help)",
    ),
    Mistake(
        what="a corpus that is there",
        line="kbert.corpus build texts.txt -o corpus --vocab-size 60",
        says="corpus: is there already; replace it with --overwrite",
    ),
    Mistake(
        what="a folder that is there, and no corpus",
        line="kbert.corpus build texts.txt -o data --vocab-size 60 --overwrite",
        says="data: is there already, and no corpus; name a new folder",
    ),
    Mistake(
        what="a run for a corpus",
        line="kbert.corpus info run",
        says="run: is no corpus: it has no manifest.json",
    ),
    Mistake(
        what="a damaged corpus",
        line="kbert.corpus info corpus",
        files={"corpus/manifest.json": "x"},
        says="corpus/manifest.json: is no manifest; build the corpus again",
    ),
)
_PRETRAINING: Final = (
    Mistake(
        what="neither corpus nor texts",
        line="kbert.pretrain",
        says="name either --corpus FOLDER or --texts FILE …, one of the two",
    ),
    Mistake(
        what="a corpus that is not there",
        line="kbert.pretrain --corpus nowhere --output new",
        says="nowhere: is no corpus: it has no manifest.json",
    ),
    Mistake(
        what="a graph for a corpus",
        line="kbert.pretrain --corpus graph --output new",
        says="graph/manifest.json: is no manifest of a corpus (kbert-corpus); name another folder",
    ),
    Mistake(
        what="a text for a corpus",
        line="kbert.pretrain --corpus texts.txt --output new",
        says="texts.txt: is no corpus: it has no manifest.json",
    ),
    Mistake(
        what="a phase without a length",
        line=f"{_PRETRAIN} --phases 900",
        says="--phases must be STEPSxLENGTH, such as 900x128, with lengths from 8 to 65536;"
        " was '900'",
    ),
    Mistake(
        what="a batch too small for a sequence",
        line=f"{_PRETRAIN} --batch-tokens 16",
        says="--batch-tokens 16 has no room for a sequence of 128",
    ),
    Mistake(
        what="shares of more than 1",
        line=f"{_PRETRAIN} --mask-share 0.9 --random-share 0.2",
        says="--mask-share and --random-share add up to more than 1",
    ),
    Mistake(
        what="entities without a graph",
        line=f"{_PRETRAIN} --unit entity",
        says="--unit entity: name the graph of the entities with --kg",
    ),
    Mistake(
        what="a graph for a corpus without texts",
        line=f"{_PRETRAIN} --kg kg.spo",
        says="corpus: holds no texts, in which --kg looks for names; build it again with"
        " --keep-text",
    ),
    Mistake(
        what="a graph that is not there, before the texts are tokenised",
        line=f"{_TEXTS} --kg nowhere.spo",
        says="no graph 'nowhere.spo': neither a known name (cn_dbpedia, cn_dbpedia_sample,"
        " hownet, medical, none) nor an existing file",
    ),
    Mistake(
        what="an encoder that is not there",
        line=f"{_PRETRAIN} --init ./nowhere",
        says="./nowhere: no such folder",
    ),
    Mistake(
        what="an encoder without weights, before the texts are tokenised",
        line=f"{_TEXTS} --init pretrained",
        files={"pretrained/model.safetensors": None},
        says="pretrained/model.safetensors: no such file; only safetensors is read, never"
        " pickle: convert older weights with python -m kbert.convert",
    ),
    Mistake(
        what="an encoder with another configuration, before the texts are tokenised",
        line=f"{_TEXTS} --init pretrained",
        files={"pretrained/config.json": {"hidden_size": 16}},
        says="pretrained/model.safetensors: the tensors do not fit the model: 22 of another"
        " shape or type (embeddings.word_embeddings.weight,"
        " embeddings.position_embeddings.weight, embeddings.token_type_embeddings.weight,"
        " ...)",
    ),
    Mistake(
        what="a corpus with another vocabulary than the encoder's",
        line=f"{_PRETRAIN} --init run",
        says="corpus: was made with another vocabulary (60 pieces, not 23); build the corpus"
        " again with the wanted one as --vocab, or take the one in"
        " corpus/data-d12d0eadc47a0692",
    ),
    Mistake(
        what="sequences longer than the encoder takes",
        line=f"{_PRETRAIN} --init pretrained --phases 2x600",
        says="--phases: sequences of 600 tokens, but pretrained has only 512 positions",
    ),
    Mistake(
        what="one document where pairs need two",
        line="kbert.pretrain --texts one.txt --output new --vocab-size 20 --phases 2x32"
        f" {SMALL} {CPU}",
        files={"one.txt": "a b.\n"},
        says="relation 'nsp' draws from another document, and the corpus has not two: put"
        " blank lines between documents, or choose sop or none",
    ),
    Mistake(
        what="a compiler that is not there",
        line=f"{_PRETRAIN} --compile {CPU}",
        environment={"CXX": "no-such-compiler"},
        says="--compile: there is no C++ compiler 'no-such-compiler'; install one, name it"
        " with the environment variable CXX, or leave the flag out",
    ),
    Mistake(
        what="an output that is there",
        line="kbert.pretrain --corpus corpus --output run",
        says="run: exists already; choose another --output, or say --overwrite",
    ),
    Mistake(
        what="an encoder that no memory holds",
        line=f"{_PRETRAIN} --layers 512 --width 32768 --heads 1",
        says="an encoder of 2,217,447,030,784 parameters: its weights take"
        " 8,869,788,123,136 bytes, and this machine has…",
    ),
)
MISTAKES: Final = (*_CORPORA, *_PRETRAINING)
