from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import TripleStore
from graphs.errors import GraphError
from graphs.frames import from_frame

pandas = pytest.importorskip("pandas")

text = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1
).filter(lambda value: bool(value.strip()))


class Plain:
    """A frame of nobody's library."""

    def __init__(self, **columns: list[Any]) -> None:
        self.columns = tuple(columns)
        self._values = columns

    def __getitem__(self, name: str) -> list[Any]:
        return self._values[name]


def frame(**columns: list[Any]) -> Any:
    return pandas.DataFrame(columns)


@given(st.lists(st.tuples(text, text, text), max_size=8))
def test_rows_come_as_they_stand(rows: list[tuple[str, str, str]]) -> None:
    columns = ["head", "relation", "tail"]
    assert list(from_frame(pandas.DataFrame(rows, columns=columns))) == rows
    assert list(from_frame(pandas.DataFrame(rows, columns=columns, dtype=object))) == rows
    assert list(from_frame(pandas.DataFrame(rows, columns=columns, dtype="category"))) == rows


def test_a_store_takes_a_frame_with_columns_of_any_name() -> None:
    made = frame(weight=[1, 2], o=["中国", "NA"], s=["北京", "null"], p=["首都", "r"])
    made.index = [7, 7]
    triples = from_frame(made, head="s", relation="p", tail="o")
    assert list(TripleStore.from_triples(triples)) == [
        ("北京", "首都", "中国"),
        ("null", "r", "NA"),
    ]


def test_any_frame_will_do() -> None:
    assert list(from_frame(Plain(head=["a"], relation=["r"], tail=["b"]))) == [("a", "r", "b")]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "missing"),
        (float("nan"), "missing"),
        (pandas.NA, "missing"),
        (pandas.NaT, "missing"),
        (42, r"42 \(int\), no string"),
        (True, "True"),
        (b"bytes", r"b'bytes' \(bytes\)"),
        (["a"], "list"),
        ("", "empty"),
        (" \t", "empty"),
        ("a\0", "NUL"),
        ("\ud800", "surrogate"),
    ],
)
def test_what_is_no_text_is_named_by_its_row(value: object, words: str) -> None:
    for column in ("head", "relation", "tail"):
        columns = {name: ["x", "y", "z"] for name in ("head", "relation", "tail")}
        columns[column] = ["x", "y", value]
        for made in (Plain(**columns), pandas.DataFrame(columns, dtype=object)):
            triples = from_frame(made)
            assert [next(triples), next(triples)] == [("x",) * 3, ("y",) * 3]
            with pytest.raises(GraphError, match=rf"^row 2: {column} is .*{words}") as caught:
                next(triples)
            assert "\n" not in str(caught.value)


def test_numbers_of_a_library_are_no_text() -> None:
    with pytest.raises(GraphError, match="row 0: tail is missing"):
        list(from_frame(frame(head=["a"], relation=["r"], tail=[float("nan")])))
    with pytest.raises(GraphError, match=r"row 0: tail is .*no string"):
        list(from_frame(frame(head=["a"], relation=["r"], tail=[7])))


def test_columns_are_checked_at_once() -> None:
    with pytest.raises(GraphError, match=r"no column 'tail'; it has .*; did you mean 'tial'\?"):
        from_frame(frame(head=[], relation=[], tial=[]))
    with pytest.raises(GraphError, match="no column 'head'; it has none"):
        from_frame(pandas.DataFrame())
    twice = pandas.DataFrame([["a", "r", "b", "c"]], columns=["head", "relation", "tail", "tail"])
    with pytest.raises(GraphError, match="2 columns 'tail'"):
        from_frame(twice)
    with pytest.raises(GraphError, match="no data frame"):
        from_frame([("a", "r", "b")])  # type: ignore[arg-type]


def test_subclasses_of_text_become_text() -> None:
    numpy = pytest.importorskip("numpy")
    (triple,) = from_frame(Plain(head=[numpy.str_("a")], relation=["r"], tail=["b"]))
    assert type(triple.head) is str


def test_no_library_of_frames_is_imported() -> None:
    code = "import sys, graphs.frames; sys.exit('pandas' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
