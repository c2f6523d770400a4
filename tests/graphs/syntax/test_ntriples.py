from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.syntax.ntriples import format_quad, format_triple, parse_line, parse_lines, parse_quad
from tests.graphs.syntax.ntriples_cases import (
    TAILS,
    WRONG,
    blanks,
    iris,
    line_of,
    literals,
    quad_lines,
    triple_lines,
)

LONG = 1 << 20


@pytest.mark.parametrize(("tail", "term"), TAILS)
def test_every_form_of_a_tail(tail: str, term: str) -> None:
    triple = ("urn:x:s", "urn:x:p", term)
    assert parse_line(line_of(tail)) == triple
    assert parse_line(f"<urn:x:s><urn:x:p>{tail}.") == triple
    assert parse_quad(line_of(tail)) == (*triple, "")
    assert parse_quad(f"<urn:x:s><urn:x:p>{tail}<urn:x:g>.") == (*triple, "urn:x:g")
    assert parse_quad(line_of(f"{tail} _:g")) == (*triple, "_:g")


@pytest.mark.parametrize(("written", "term"), TAILS[:8])
def test_nodes_are_heads_and_graphs_too(written: str, term: str) -> None:
    line = f"{written}<urn:x:p>{written}"
    assert parse_line(f"{line}.") == (term, "urn:x:p", term)
    assert parse_quad(f"{line} {written}.") == (term, "urn:x:p", term, term)


@pytest.mark.parametrize("parse", [parse_line, parse_quad])
@pytest.mark.parametrize("line", ["", " \t", "#", " # <urn:x:s> .", "#\0", "\n", "\r", "# c\r\n"])
def test_lines_without_a_triple(parse: Any, line: str) -> None:
    assert parse(line) is None


@pytest.mark.parametrize("end", ["", " ", "\t# c", "# . <", "#", "\r", "\n", "\r\n", " # c\n"])
def test_what_may_follow_the_full_stop(end: str) -> None:
    assert parse_line(f"\t <urn:x:s>\t\t<urn:x:p>  _:o.{end}") == ("urn:x:s", "urn:x:p", "_:o")
    assert parse_quad(f"_:s<urn:x:p>_:o _:g.{end}") == ("_:s", "urn:x:p", "_:o", "_:g")


def refusal(parse: Any, line: str) -> str:
    with pytest.raises(ValueError, match=r"^(line|column) ") as caught:
        parse(line)
    return str(caught.value)


@pytest.mark.parametrize("parse", [parse_line, parse_quad])
@pytest.mark.parametrize(("line", "at", "why"), WRONG)
def test_what_is_wrong_is_told_with_its_column(parse: Any, line: str, at: int, why: str) -> None:
    message = refusal(parse, line)
    assert why in message
    assert message.startswith(f"column {at}: ")
    assert re.fullmatch(r"column \d+: [^\n]+; [^\n]+|column \d+: [^\n;]+", message)


@pytest.mark.parametrize(
    ("graph", "at", "why"),
    [
        ('"g"', 31, "a literal can only be a tail"),
        ('"g"@en', 31, "a literal can only be a tail"),
        ('"g"^^<urn:x:d>', 31, "a literal can only be a tail"),
        ("<g>", 31, "relative IRI"),
        ("<urn:x:g> <urn:x:h>", 41, "instead of a full stop"),
        ("_:g:", 34, "instead of a full stop"),
        ("{", 31, "instead of a full stop"),
        ("_:-", 31, "label"),
        ("<<(", 31, "RDF 1.2"),
    ],
)
def test_what_names_no_graph(graph: str, at: int, why: str) -> None:
    message = refusal(parse_quad, f"<urn:x:s> <urn:x:p> <urn:x:o> {graph} .")
    assert message.startswith(f"column {at}: ")
    assert why in message


def test_long_quotes_belong_to_turtle() -> None:
    line = line_of('"""x"""')
    assert refusal(parse_line, line).startswith("column 23: a fourth term; ")
    assert refusal(parse_quad, line).startswith("column 23: a literal can only be a tail; ")


def test_a_graph_name_is_no_part_of_a_triple() -> None:
    assert "name it .nq" in refusal(parse_line, "<urn:x:s> <urn:x:p> <urn:x:o> <urn:x:g> .")


def test_lines_end_at_returns_and_feeds_alone() -> None:
    triple = ("_:a", "urn:x:p", '"\u2028\x85"')
    line = '_:a <urn:x:p> "\u2028\x85" .'
    assert parse_lines(f"{line}\r\r{line}# c\r\n\n#{line}\r{line}") == [triple] * 3
    assert parse_lines("") == []
    assert refusal(parse_lines, f"{line}\r\n\r{line}\nx").startswith("line 4, column 1: 'x' is no")


@given(line=triple_lines, quad=quad_lines)
def test_the_quick_way_and_the_strict_way_agree(line: str, quad: str) -> None:
    # The name of the scheme, even in a comment, makes the line be read term by term.
    assert parse_line(line) == parse_line(f"{line}#urn:graphs:") is not None
    assert parse_quad(line) == parse_quad(f"{line}#urn:graphs:") == (*(parse_line(line) or ()), "")
    assert parse_quad(quad) == parse_quad(f"{quad}#urn:graphs:") is not None


nasty = st.text('urn:graphs%3A_"@^<>\\é北. \t\n\r', max_size=10) | st.text(max_size=6)
nasty |= st.sampled_from(['"a"@EN', '"a"@en', '"a', "_:a", "_:a.", "a:b", "urn:graphs:a", '"\t"'])
nasty |= literals | iris | blanks
kept = nasty.filter(lambda text: text and not text.isspace()).filter(
    lambda text: not re.search("[\0\ud800-\udfff]", text)
)


@settings(max_examples=300)
@given(head=kept, relation=kept, tail=kept, graph=kept | st.just(""))
def test_every_triple_of_texts_is_read_as_it_was_written(
    head: str, relation: str, tail: str, graph: str
) -> None:
    line = format_triple(head, relation, tail)
    quad = format_quad(head, relation, tail, graph)
    assert not {"\n", "\r"} & set(line + quad)
    assert parse_line(line) == (head, relation, tail)
    assert parse_quad(quad) == (head, relation, tail, graph)


def test_terms_are_written_as_rdf() -> None:
    assert format_triple("_:a", "urn:x:p", '"x"@en') == '_:a <urn:x:p> "x"@en .'
    assert format_triple('"x"', "_:a", '"x"@EN') == (
        "<urn:graphs:%22x%22> <urn:graphs:_%3Aa> <urn:graphs:%22x%22%40EN> ."
    )
    assert format_quad("a", "b", "c", "").count("<") == 3
    assert format_quad("a", "b", "c", "_:g").endswith(" _:g .")


@pytest.mark.parametrize("tail", ["", " ", "a\0", '"a\0"', '"\ud800"', "\ud800"])
def test_what_no_graph_holds_is_not_written(tail: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be written|lone surrogate"):
        format_triple("a", "b", tail)


@given(st.text('<>"\\_:.@^# \t\nau0é\0', max_size=30) | st.text(max_size=20))
def test_any_text_is_a_line_or_is_refused_in_one_line(line: str) -> None:
    for parse in (parse_line, parse_quad):
        try:
            found = parse(line)
        except ValueError as error:
            match = re.fullmatch(r"column (\d+): [^\n]{1,200}", str(error))
            assert match is not None
            assert 1 <= int(match[1]) <= len(line) + 1
        else:
            assert found is None or all(found[:3])


@pytest.mark.parametrize(
    "line",
    [
        '<urn:x:s> <urn:x:p> "' + r"\n" * LONG,
        '<urn:x:s> <urn:x:p> "' + r"\u0041" * (LONG // 6),
        '<urn:x:s> <urn:x:p> "' + "\\" * LONG,
        "<urn:x:s> <urn:x:p> " + '"' * LONG,
        f"<urn:x:s> <urn:x:p> <{'u' * LONG}",
        f"<{'u' * LONG}> <urn:x:p>",
        f"_:a{'.' * LONG} <urn:x:p>",
        f"_:a{'.a' * LONG} <urn:x:p>",
        f'<urn:x:s> <urn:x:p> "x"@a{"-a" * LONG}-',
        f"<urn:x:s>{' ' * LONG}x",
        "<" * LONG,
    ],
    ids=lambda line: line[:30],
)
def test_long_lines_take_no_more_than_one_look(line: str) -> None:
    # Were a part of the grammar tried at each offset, each of these would take hours.
    assert refusal(parse_quad, line)
