"""Mistakes with `python -m graphs`."""

from __future__ import annotations

from typing import Final

from tests.mistakes.place import Mistake

MISTAKES: Final = (
    Mistake(
        what="no command",
        line="graphs",
        says="the following arguments are required: COMMAND (see python -m graphs --help)",
    ),
    Mistake(
        what="a command that is mistyped",
        line="graphs infos kg.spo",
        says="argument COMMAND: invalid choice: 'infos' (choose from 'build', 'info',"
        " 'facts', 'link', 'export', 'coverage', 'splits'); did you mean 'info'? (see"
        " python -m graphs --help)",
    ),
    Mistake(
        what="a flag that is mistyped",
        line="graphs facts kg.spo 北京 --limt 3",
        says="unrecognized arguments: --limt 3; did you mean '--limit'? (see python -m graphs"
        " --help)",
    ),
    Mistake(
        what="a format that is mistyped",
        line="graphs info kg.spo --on-error skipp",
        says="argument --on-error: invalid choice: 'skipp' (choose from 'fail', 'skip'); did"
        " you mean 'skip'? (see python -m graphs info --help)",
    ),
    Mistake(
        what="a graph that is mistyped",
        line="graphs info hownett",
        says="no graph 'hownett': neither a known name (cn_dbpedia, cn_dbpedia_sample,"
        " hownet, medical, none) nor an existing file; did you mean 'hownet'?",
    ),
    Mistake(
        what="a graph that has to be fetched first",
        line="graphs info hownet",
        says="hownet (HowNet, the sememes of Chinese words, in K-BERT's selection) is not on"
        " this machine; it is published as brain/kgs/HowNet.spo in"
        " https://github.com/autoliuweijie/K-BERT (licence: MIT by the badge in K-BERT's"
        " README; there is no licence file); save it as home/graphs/hownet.spo",
    ),
    Mistake(
        what="a line with two fields, after a byte order mark",
        line="graphs info bom.spo",
        files={"bom.spo": "\ufeff北京\t首都\n"},
        says="bom.spo:1: 2 fields instead of 3 (head, relation, tail): '北京\\t首都'",
    ),
    Mistake(
        what="a line with two fields, in a file with Windows' line ends",
        line="graphs info dos.spo",
        files={"dos.spo": "a\tb\tc\r\na\tb\r\n"},
        says="dos.spo:2: 2 fields instead of 3 (head, relation, tail): 'a\\tb'",
    ),
    Mistake(
        what="a file in UTF-16",
        line="graphs info wide.spo",
        files={"wide.spo": "a\tb\tc\n".encode("utf-16")},
        says="wide.spo:1: NUL at byte 4; is this a text file?",
    ),
    Mistake(
        what="a file in Latin-1",
        line="graphs info latin.spo",
        files={"latin.spo": b"a\tb\tc\ncaf\xe9\tb\tc\n"},
        says="latin.spo:2: 0xe9 at byte 4 is not UTF-8; save the file as UTF-8",
    ),
    Mistake(
        what="an empty file",
        line="graphs info e.spo",
        files={"e.spo": ""},
        says="e.spo: holds no triple (0 lines were skipped); the empty graph is called none",
    ),
    Mistake(
        what="a table with four columns",
        line="graphs info four.csv",
        files={"four.csv": "a,b,c\na,b,c,d\n"},
        says="four.csv:2: 4 fields instead of 3 (head, relation, tail): 'a,b,c,d'",
    ),
    Mistake(
        what="a quote that does not close",
        line="graphs info quote.csv",
        files={"quote.csv": 'a,"b,c\n'},
        says="quote.csv:1: field 2 opens a quote that does not close before a comma or the"
        " line's end: 'a,\"b,c'",
    ),
    Mistake(
        what="Turtle that ends too early",
        line="graphs info a.ttl",
        files={"a.ttl": "@prefix x: <http://x/> .\nx:a x:b .\n"},
        says="a.ttl:2: '.' where an IRI or a blank node is expected",
    ),
    Mistake(
        what="RDF/XML that is no XML",
        line="graphs info a.rdf",
        files={"a.rdf": "<rdf:RDF>"},
        says="a.rdf:1: not XML: unbound prefix",
    ),
    Mistake(
        what="JSON-LD that is no JSON",
        line="graphs info a.jsonld",
        files={"a.jsonld": "{"},
        says="a.jsonld:1: not JSON: Expecting property name enclosed in double quotes",
    ),
    Mistake(
        what="a damaged .zst file",
        line="graphs info a.nt.zst",
        files={"a.nt.zst": b"xx"},
        says="a.nt.zst:1: damaged zstd file (zstd decompressor error: Unknown frame"
        " descriptor); download or compress it again",
    ),
    Mistake(
        what="a document for a graph",
        line="graphs info a.docx",
        files={"a.docx": "x"},
        says="a.docx: unknown format; known are .spo, .tsv, .csv, .nt, .nq, .ttl, .trig, .n3,"
        " .rdf, .owl, .xml, .jsonld, and each with .gz or .zst",
    ),
    Mistake(
        what="a run for a graph",
        line="graphs info run",
        says="run: is a folder without train.tsv, train.txt or a file of Wikidata5M's; name a"
        " file of triples in it",
    ),
    Mistake(
        what="a corpus for a graph",
        line="graphs info corpus",
        says="corpus/manifest.json: 'kbert-corpus' of version 1; this program reads version 1"
        " of kbert-graph: build the graph again",
    ),
    Mistake(
        what="a compiled graph that was cut short",
        line="graphs info graph",
        files={"graph/manifest.json": b""},
        says="graph/manifest.json: damaged, or not made by `python -m graphs build`; build"
        " the graph again",
    ),
    Mistake(
        what="a name that nothing has",
        line="graphs facts kg.spo 北京市",
        says="graph 'kg.spo' has nothing called '北京市'; did you mean '北京'?",
    ),
    Mistake(
        what="a text that is not UTF-8 on standard input",
        line="graphs link kg.spo -",
        input=b"\xff\xfe\n",
        says="standard input:1: 0xff at byte 1 is not UTF-8; save the file as UTF-8",
    ),
    Mistake(
        what="texts without the column that is named",
        line="graphs coverage kg.spo data/train.tsv --column txt",
        says="data/train.tsv: no column 'txt'; there are 'label', 'text_a'; did you mean 'text_a'?",
    ),
    Mistake(
        what="a picture of no known kind",
        line="graphs info kg.spo --picture kg.bmp",
        says="kg.bmp: a picture's suffix is one of .png, .svg, .pdf",
    ),
    Mistake(
        what="splits without test",
        line="graphs splits facts",
        files={"facts/test.tsv": None},
        says="facts: has no test.tsv or test.txt, plain or compressed",
    ),
    Mistake(
        what="splits with five columns",
        line="graphs splits facts",
        files={"facts/test.tsv": "a\tb\tc\td\te\n"},
        says="facts/test.tsv:1: 5 fields instead of 3 (head, relation, tail) or 4 (and a"
        " label): 'a\\tb\\tc\\td\\te'",
    ),
    Mistake(
        what="building over a graph",
        line="graphs build kg.spo -o graph",
        says="graph: is there already; replace it with --overwrite",
    ),
    Mistake(
        what="building over what is no graph",
        line="graphs build kg.spo -o run --overwrite",
        says="run: is there already and was not made by build; name a new folder",
    ),
    Mistake(
        what="building under a file",
        line="graphs build kg.spo -o texts.txt/graph",
        says="texts.txt/graph: cannot be written: File exists; nothing was changed",
    ),
    Mistake(
        what="exporting over a file",
        line="graphs export kg.spo -o texts.txt --format nt",
        says="texts.txt: is there already; replace it with --overwrite",
    ),
    Mistake(
        what="exporting to no known format",
        line="graphs export kg.spo -o kg.docx",
        says="kg.docx: its suffix names no format that is written: nt, nq, ttl, tsv, graphml,"
        " parquet",
    ),
)
