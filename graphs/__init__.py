"""Hold knowledge graphs: read, store, look up, find their entities in text, choose facts.

The package knows nothing of learning: it imports neither torch nor a tokeniser. Triples stream from
a file (`readers`) into a `TripleStore`, or into a folder that is mapped (`compile`); a
`MentionIndex` finds its entities in raw text; a policy of `selection` says which facts of a mention
come first; `load` opens a named graph, a file or a compiled folder.
"""

from graphs.catalog import load
from graphs.compiled.building import compile
from graphs.errors import GraphError, GraphNotFound, ParseError, UnknownFormat, UnknownGraph
from graphs.mentions import Mention, MentionIndex
from graphs.readers import ReadReport, read_triples
from graphs.store import TripleStore
from graphs.triple import Fact, Triple

from . import selection

__all__ = [
    "Fact",
    "GraphError",
    "GraphNotFound",
    "Mention",
    "MentionIndex",
    "ParseError",
    "ReadReport",
    "Triple",
    "TripleStore",
    "UnknownFormat",
    "UnknownGraph",
    "compile",
    "load",
    "read_triples",
    "selection",
]
