"""Pages in a real browser: nothing complains, nothing leaves, and what lights is what is seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kbert
from benchmarks.chromium import Page
from graphs import TripleStore
from kbert.account import Account, account_for
from kbert.attention import gazes_of
from kbert.effects import effects_of, outcome_of
from kbert.inject import Injector
from kbert.knowledge import make_injector
from kbert.pages.inspection import Findings, inspection_page
from kbert.run import RunRecord
from kbert.tokenizer import Tokenizer
from kbert.tree import SentenceTree

pytestmark = pytest.mark.browser
TEXT = "我爱北京和上海的苹果，库克在北京"
LIT = """(() => {
  const shown = svg => svg.getBoundingClientRect().width > 0;
  const tree = Array.from(document.querySelectorAll('svg.tree')).find(shown);
  const tokens = (kind) => Array.from(tree.querySelectorAll(kind), t => Number(t.dataset.token));
  const matrix = document.querySelector('svg.matrix');
  const margin = Number(matrix.dataset.margin), cell = Number(matrix.dataset.cell);
  const lit = Array.from(matrix.querySelectorAll('.lit rect[data-key]'));
  const places = (side) => lit.map(r => (Number(r.getAttribute(side)) - margin) / cell);
  return {
    seen: tokens('.token.seen'),
    chosen: tokens('.token.chosen'),
    pressed: tokens('.token[aria-pressed=true]'),
    columns: places('x'),
    rows: places('y'),
    said: document.getElementById('seen').textContent,
  };
})()"""


def save(folder: Path, html: str) -> Path:
    file = folder / "page.html"
    file.write_text(html, encoding="utf-8")
    return file


def middle(page: Page, selector: str) -> tuple[float, float]:
    """Bring an element into view, and say where its middle is."""
    x, y = page.evaluate(
        f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
        " e.scrollIntoView({block: 'center', inline: 'center'});"
        " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
    )
    return x, y


def chip(token: int, *, within: str = ".wide") -> str:
    return f"{within} [data-token='{token}'] rect"


@pytest.fixture(scope="module")
def account(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> Account:
    return account_for(Injector(tiny_store, tiny_tokenizer, max_facts=3), TEXT)


@pytest.fixture(scope="module")
def file(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("pages"), inspection_page(account))


@pytest.fixture(scope="module")
def modelled(runs: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with all that a model has to say."""
    run = runs("classification")
    model = kbert.load(run)
    settings = RunRecord.read(run).settings

    def rebuild(store: TripleStore) -> Injector:
        return make_injector(settings, store, model.inject.tokenizer)

    tree, outcome = outcome_of(model, TEXT)
    found = account_for(model.inject, TEXT)
    effects = list(effects_of(model, found, rebuild=rebuild))
    findings = Findings(outcome, effects, list(gazes_of(model, tree)))
    return save(tmp_path_factory.mktemp("pages"), inspection_page(found, findings))


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_complains_nothing_leaves_and_nothing_sticks_out(
    page: Page, modelled: Path, width: int
) -> None:
    page.resize(width)
    page.open(modelled)
    assert page.requests == [modelled.as_uri()]
    assert page.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    heads = page.evaluate("Array.from(document.querySelectorAll('h2'), h => h.textContent)")
    assert heads == [
        "Text", "Prediction", "What each fact does", "Sentence tree", "Visible matrix", "Attention",
        "Mentions and their facts",
    ]  # fmt: skip
    shown = page.evaluate(
        "['.wide', '.narrow'].map(s => getComputedStyle(document.querySelector(s)).display)"
    )
    assert shown == (["none", "block"] if width == 390 else ["block", "none"])
    reach = page.evaluate(  # what is said without the fact, and by how much, needs no scrolling
        "Math.max(...Array.from(document.querySelectorAll('.effects .number'),"
        " cell => cell.getBoundingClientRect().right))"
    )
    assert 0 < reach <= width


def test_the_grid_is_the_visible_matrix(page: Page, file: Path, account: Account) -> None:
    page.open(file)
    filled = page.evaluate(
        "(() => { const m = document.querySelector('svg.matrix'), p = m.querySelector('.cells');"
        " const margin = Number(m.dataset.margin), cell = Number(m.dataset.cell), n ="
        f" {len(account.tree)}, at = k => margin + (k + 0.5) * cell;"
        " return Array.from({length: n}, (_, q) => Array.from({length: n},"
        " (_, k) => p.isPointInFill(new DOMPoint(at(k), at(q))))); })()"
    )
    assert filled == account.tree.visible().tolist()


def check_lit(lit: dict[str, Any], tree: SentenceTree, token: int) -> None:
    seen = np.flatnonzero(tree.visible()[token]).tolist()
    assert sorted(lit["seen"]) == seen
    assert lit["chosen"] == lit["pressed"] == [token]
    assert sorted(lit["columns"]) == seen
    assert set(lit["rows"]) == {token}
    assert f"({token})" in lit["said"] and f"sees {len(seen)} of {len(tree)}" in lit["said"]


def test_pointing_at_a_token_lights_what_it_sees(page: Page, file: Path, account: Account) -> None:
    page.open(file)
    tree = account.tree
    first, second = tree.nodes[0], tree.nodes[1]
    tokens = [0, first.start, first.branches[0].start, first.branches[1].stop - 1, second.start]
    for token in [*tokens, second.branches[-1].start, len(tree) - 1]:
        page.point(*middle(page, chip(token)))
        check_lit(page.evaluate(LIT), tree, token)
    page.point(2, 2)
    after = page.evaluate(LIT)
    assert after["seen"] == after["columns"] == [] and after["said"].startswith("Point at a token")


def test_pointing_at_a_cell_says_who_sees_whom(page: Page, file: Path, account: Account) -> None:
    page.open(file)
    visible = account.tree.visible()
    middle(page, "svg.matrix")
    left, top, margin, cell = page.evaluate(
        "(() => { const m = document.querySelector('svg.matrix'), r = m.getBoundingClientRect();"
        " return [r.x, r.y, Number(m.dataset.margin), Number(m.dataset.cell)]; })()"
    )
    node = account.tree.nodes[0]
    branch, other = node.branches[0].start, node.branches[1].start
    for q, k in [(0, branch), (node.start, branch), (branch, other), (0, 5), (branch, branch)]:
        page.point(left + margin + (k + 0.5) * cell, top + margin + (q + 0.5) * cell)
        said = page.evaluate(LIT)["said"]
        assert ("does not see" not in said) == bool(visible[q, k])
        assert f"({q})" in said and f"({k})" in said


def test_the_arrow_keys_go_along_the_tokens(page: Page, file: Path, account: Account) -> None:
    page.open(file)
    for _ in range(40):
        page.press("Tab")
        if page.evaluate("document.activeElement.dataset.token") == "0":
            break
    check_lit(page.evaluate(LIT), account.tree, 0)
    for token in range(1, 7):
        page.press("ArrowRight")
        check_lit(page.evaluate(LIT), account.tree, token)
    page.press("End")
    check_lit(page.evaluate(LIT), account.tree, len(account.tree) - 1)
    page.press("Home")
    page.press("Enter")  # stays lit
    page.evaluate("document.activeElement.blur()")
    check_lit(page.evaluate(LIT), account.tree, 0)


def test_a_tap_on_a_phone_lights_and_a_second_one_ends_it(
    page: Page, file: Path, account: Account
) -> None:
    page.resize(390, 800, touch=True)
    page.open(file)
    token = account.tree.nodes[0].branches[0].start
    place = middle(page, chip(token, within=".narrow"))
    page.tap(*place)
    check_lit(page.evaluate(LIT), account.tree, token)
    page.tap(*place)
    assert page.evaluate(LIT)["seen"] == []


def test_attention_is_drawn_and_says_its_shares(page: Page, modelled: Path) -> None:
    page.open(modelled)
    cells = page.evaluate(
        "Array.from(document.querySelectorAll('.heat'), h => h.querySelectorAll('.share').length)"
    )
    assert len(cells) > 1 and all(count > 0 for count in cells)
    page.point(*middle(page, ".heat .share"))
    said = page.evaluate("document.querySelector('.attention .said').textContent")
    assert said.startswith("Layer 1, head ") and "%" in said


def test_light_dark_and_print(page: Page, file: Path) -> None:
    page.open(file)
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(colour) == "rgb(255, 255, 255)"
    page.media(dark=True)
    assert page.evaluate(colour) == "rgb(20, 23, 26)"
    page.media(dark=True, kind="print")
    assert page.evaluate(colour) == "rgb(255, 255, 255)"
    page.resize(390)
    assert page.evaluate("getComputedStyle(document.querySelector('.wide')).display") == "block"


def test_every_figure_has_a_name(page: Page, modelled: Path) -> None:
    page.open(modelled)
    nameless = page.evaluate(
        "Array.from(document.querySelectorAll('svg, .heat, section, iframe')).filter(e =>"
        " !e.closest('[aria-hidden=true]') && !(e.getAttribute('aria-label') ||"
        " document.getElementById(e.getAttribute('aria-labelledby')))).map(e => e.outerHTML)"
    )
    assert nameless == []


HOSTILE = [
    "</script><script>window.hacked=1</script>",
    "\"><img src=x onerror='window.hacked=1'>",
    "<!--<script>",
    "مرحبا\u202eevil\u202c",
    "😀👩‍👩‍👧 ‏עברית",
    "&lt;b&gt; ${window.hacked=1} `x` \\u003c",
    "長" * 10_000,
    "a" * 10_000,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_and_texts_are_shown_and_never_run(
    page: Page, tmp_path: Path, name: str, tiny_tokenizer: Tokenizer
) -> None:
    short = name[:40]
    triples = [
        (name, name, "城市"), (short, short, name), ("北京", name, "中国"), ("北京", "是", name),
    ]  # fmt: skip
    inject = Injector(TripleStore.from_triples(triples), tiny_tokenizer, max_length=120)
    for html in (
        inspection_page(account_for(inject, f"北京{name}北京", name)),
        inject(f"{short} 北京", short).to_html(),
    ):
        page.open(save(tmp_path, html))
        assert page.complaints == [] and len(page.requests) == 1
        assert page.evaluate("window.hacked === undefined")
        assert short in page.evaluate("document.body.innerText")
        assert page.evaluate("document.querySelectorAll('main script, main img').length") == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    full = page.evaluate("document.querySelector('.text p').textContent")
    assert full == f"{short} 北京"


def test_a_script_that_got_in_would_not_run(page: Page, tmp_path: Path, account: Account) -> None:
    """What escaping should never let happen, the page's policy stops again."""
    html = account.tree.to_html()
    evil = '<script>window.hacked = 1</script><p onclick="window.hacked = 1" id=evil>x</p>'
    page.open(save(tmp_path, html.replace("</main>", evil + "</main>")))
    page.evaluate("document.getElementById('evil').click()")
    page.settle()
    assert page.evaluate("window.hacked === undefined")
    assert any("Content Security Policy" in complaint for complaint in page.complaints)


def test_a_tree_in_a_notebook_is_shut_off(page: Page, tmp_path: Path, account: Account) -> None:
    html = f"<!doctype html><meta charset=utf-8><title>notebook</title>{account.tree._repr_html_()}"
    page.open(save(tmp_path, html))
    assert page.complaints == []
    assert page.evaluate("document.querySelector('iframe').contentDocument") is None
    assert page.evaluate("document.querySelector('iframe').clientHeight") == 520
