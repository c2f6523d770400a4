"""Pictures are drawn without a window, a warning, or a change of matplotlib's state."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from graphs import GraphError, TripleStore
from graphs.coverage import measure_coverage
from graphs.pictures import SUFFIXES, check_picture, draw_coverage, draw_degrees
from graphs.statistics import Degrees, degrees

pytest.importorskip("matplotlib")

STORE = TripleStore.from_triples(
    [("北京", "首都", "中国"), ("$x_1$ & co", "is", "中国"), ("ab", "is", "cd")]
)
MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_each_suffix_gives_its_format(tmp_path: Path, suffix: str) -> None:
    for name in ("degrees", "coverage"):
        file = tmp_path / f"{name}{suffix}"
        if name == "degrees":
            draw_degrees(degrees(STORE), file, title="北京 $x$")
        else:
            texts = ["北京 $x_1$ & co", "", "ab " * 30]
            draw_coverage(measure_coverage(STORE, texts), file)
        assert file.read_bytes().startswith(MAGIC[suffix])
    assert len(list(tmp_path.iterdir())) == 2


def test_a_png_is_large_enough_to_read_and_an_svg_is_well_formed(tmp_path: Path) -> None:
    draw_degrees(degrees(STORE), tmp_path / "a.png", title="t")
    width, height = struct.unpack(">II", (tmp_path / "a.png").read_bytes()[16:24])
    assert (width, height) == (1050, 675)
    draw_degrees(degrees(STORE), tmp_path / "a.svg", title="<&>")
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")


def test_names_without_a_font_become_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphs import pictures

    monkeypatch.setattr(pictures, "_CHINESE_FONTS", ())
    assert pictures._drawable("北京") == ""
    assert pictures._drawable("a$b") == r"a\$b"
    assert pictures._font("北京") == {}


def test_nothing_to_draw_is_drawn(tmp_path: Path) -> None:
    nothing = np.zeros(0, dtype=np.int64)
    draw_degrees(Degrees(nothing, nothing, nothing), tmp_path / "a.png", title="")
    draw_coverage(measure_coverage(TripleStore.from_triples([]), []), tmp_path / "b.png")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["a.bmp", "a", "png"])
def test_another_suffix_is_refused(name: str) -> None:
    with pytest.raises(GraphError, match=r"suffix is one of \.png, \.svg, \.pdf"):
        check_picture(name)


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path) -> None:
    code = (
        "import sys, matplotlib\n"
        "before = dict(matplotlib.rcParams)\n"
        "from graphs import TripleStore\nfrom graphs.pictures import draw_degrees\n"
        "from graphs.statistics import degrees\n"
        "store = TripleStore.from_triples([('a', 'r', 'b')])\n"
        f"draw_degrees(degrees(store), {str(tmp_path / 'a.png')!r}, title='t')\n"
        "assert dict(matplotlib.rcParams) == before\n"
        "assert 'tkinter' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
