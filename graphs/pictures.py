"""Draw pictures of a graph with matplotlib, which is installed on request: PNG, SVG or PDF.

A picture is one `Figure` without a window; no state of matplotlib is changed. Names in a script
that no installed font can draw are replaced by their number in the printed list.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from graphs.coverage import Coverage
from graphs.errors import GraphError
from graphs.replacing import replacing
from graphs.statistics import Degrees

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES: Final = (".png", ".svg", ".pdf")
_BLUE, _ORANGE, _GREY = "#2f6690", "#d1603d", "#8d99a6"
_LATIN_FONT = "DejaVu Sans"  # comes with matplotlib
_LONGEST_LABEL = 18
_MANY = 12  # texts with at least so many mentions share a bar
# Fonts with Chinese characters that systems bring along, in order of preference.
_CHINESE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC",
    "Source Han Sans CN", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Microsoft YaHei", "SimHei",
    "PingFang SC", "PingFang HK", "Hiragino Sans GB", "Heiti SC", "Arial Unicode MS",
    "Droid Sans Fallback", "SimSun", "AR PL UMing CN", "AR PL UKai CN", "Noto Serif CJK SC",
)  # fmt: skip


def check_picture(path: str | Path) -> None:
    """Raise `GraphError` where a picture cannot be drawn: other suffix, or no matplotlib."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise GraphError(f"{path}: a picture's suffix is one of {', '.join(SUFFIXES)}")
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise GraphError("pictures need matplotlib: pip install 'kbert[plots]'") from None


def draw_degrees(degrees: Degrees, path: str | Path, *, title: str) -> None:
    """Draw how many entities have how many facts, and are in how many: both axes logarithmic.

    Raises what `check_picture` raises, and `GraphError` where `path` cannot be written.
    """
    check_picture(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    axes = figure.subplots()
    pairs = (
        ("as head (facts)", degrees.outgoing, _BLUE, "o"),
        ("as tail", degrees.incoming, _ORANGE, "s"),
    )
    for label, values, colour, marker in pairs:
        sizes, counts = _frequencies(values)
        if len(sizes):
            axes.plot(
                sizes, counts, linestyle="none", marker=marker, markersize=4, alpha=0.7,
                color=colour, label=label,
            )  # fmt: skip
    axes.set(
        xscale="log", yscale="log", xlabel="triples of an entity", ylabel="entities",
    )  # fmt: skip
    axes.set_title(_drawable(title) or "degrees", **_font(title))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    _plain(axes)
    _save(figure, path)


def draw_coverage(coverage: Coverage, path: str | Path) -> None:
    """Draw how many mentions texts have, and which entities are mentioned most.

    Raises what `check_picture` raises, and `GraphError` where `path` cannot be written.
    """
    check_picture(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_histogram(left, coverage)
    _draw_top(right, coverage)
    title = (
        f"{coverage.mention_rate:.1%} of {coverage.texts:,} texts have a mention; "
        f"{coverage.injected_share:.1%} of the characters would be facts"
    )
    figure.suptitle(title, fontsize=11)
    _save(figure, path)


def _draw_histogram(axes: Axes, coverage: Coverage) -> None:
    counts = np.zeros(_MANY + 1, dtype=np.int64)
    for mentions, texts in coverage.per_text:
        counts[min(mentions, _MANY)] += texts
    colours = [_GREY, *[_BLUE] * _MANY]
    shown = range(len(counts))
    axes.bar(shown, counts, color=colours)
    axes.set_xticks(shown, [*map(str, shown[:-1]), f"{_MANY}+"])
    axes.set(xlabel="mentions of a text", ylabel="texts")
    _plain(axes)


def _draw_top(axes: Axes, coverage: Coverage) -> None:
    top = coverage.top[:15]
    places = range(len(top))
    axes.barh(places, [each.mentions for each in top], color=_BLUE)
    labels = [_shortened(each.name or each.entity) for each in top]
    drawn = [_drawable(label) or f"no. {number}" for number, label in enumerate(labels, start=1)]
    axes.set_yticks(places, drawn)
    for tick, label in zip(axes.get_yticklabels(), labels, strict=True):
        tick.set(**_font(label))
    axes.invert_yaxis()
    without_font = not all(map(_drawable, labels))
    note = " (no. in the printed list: no font has the name)" if without_font else ""
    axes.set(xlabel="mentions", ylabel=f"most mentioned{note}")
    _plain(axes)


def _frequencies(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the different positive values, ascending, and how often each occurs."""
    return np.unique(values[values > 0], return_counts=True)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"


def _drawable(text: str) -> str:
    """Return `text` for matplotlib, or `""` where no installed font has all of its characters."""
    # matplotlib reads a formula between two dollars.
    return text.replace("$", r"\$") if _font_of(text) else ""


def _font(text: str) -> dict[str, Any]:
    font = _font_of(text)
    return {"fontfamily": font} if font else {}


def _font_of(text: str) -> str:
    from matplotlib.font_manager import fontManager, get_font

    installed = {entry.name: entry.fname for entry in reversed(fontManager.ttflist)}
    for name in (_LATIN_FONT, *_CHINESE_FONTS):
        if name in installed and _has(get_font(installed[name]), text):
            return name
    return ""


def _has(font: Any, text: Sequence[str]) -> bool:
    return all(font.get_char_index(ord(character)) for character in text)


def _save(figure: Figure, path: str | Path) -> None:
    suffix = Path(path).suffix.lower()
    drawn = io.BytesIO()
    figure.savefig(drawn, format=suffix.removeprefix("."), dpi=150)
    with replacing(path) as file:
        file.write(drawn.getvalue())
