from __future__ import annotations

import pickle

import pytest

from graphs import GraphError, GraphNotFound, ParseError, UnknownGraph
from graphs.errors import UnknownFormat, suggestion

ERRORS = [
    ParseError("2 fields", file="kg.spo", line=7),
    GraphError("a"),
    UnknownGraph("b"),
    GraphNotFound("c"),
    UnknownFormat("d"),
]


def test_a_parse_error_begins_with_the_place() -> None:
    assert str(ERRORS[0]) == "kg.spo:7: 2 fields"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_survive_pickling(error: GraphError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))
    assert isinstance(copy, GraphError)


def test_suggestions_name_the_nearest() -> None:
    assert suggestion("hownett", ["hownet", "medical"]) == "; did you mean 'hownet'?"
    assert suggestion("zzz", ["hownet", "medical"]) == ""
