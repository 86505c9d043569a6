"""How a status looks: a shape, a tone that survives grey print, a hatch; the word comes from labels.yml.

Colours are Okabe and Ito's (2008), which people with any colour-blindness can tell apart; shape and hatch carry
the same meaning without colour.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.path import Path as Shape
from matplotlib.patheffects import withStroke

from planlib.errors import DataError, listing

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE = "#8C8C8C", "#E4E4E4"

_DOWN_TWICE = Shape(
    [(-1, 1), (1, 1), (0, 0), (-1, 1), (-1, 0), (1, 0), (0, -1), (-1, 0)],
    [Shape.MOVETO, Shape.LINETO, Shape.LINETO, Shape.CLOSEPOLY] * 2,
)


# Text over lines and dots stays legible with a rim of paper.
HALO = [withStroke(linewidth=2.6, foreground="white")]


class Mark(NamedTuple):
    """Shape, colour, whether the shape is filled, and the hatch and rim of an area."""

    shape: Any
    colour: str
    is_filled: bool = True
    hatch: str = ""
    edge: str = "white"


# Order is from good to bad, then what cannot be judged; every legend and stacked bar keeps it.
STATUS: dict[str, Mark] = {
    "early": Mark("*", BLUE, hatch="xx"),
    "met": Mark("*", BLUE, hatch="xx"),
    "ahead": Mark("^", SKY, hatch="//"),
    "on_track": Mark("o", GREEN),
    "held": Mark("s", GREEN, hatch=".."),
    "behind": Mark("v", ORANGE, hatch="\\\\"),
    "far_behind": Mark(_DOWN_TWICE, VERMILION, hatch="--"),
    "below_baseline": Mark("X", BLACK),
    "not_held": Mark("P", VERMILION, hatch="++"),
    "not_met": Mark("X", VERMILION, hatch="--"),
    "ambiguous": Mark("D", GREY, False, "||"),
    "no_data": Mark("o", GREY, False),
}

PROMISE: dict[str, Mark] = {
    "done": Mark("*", BLUE),
    "kept": Mark("s", GREEN, hatch=".."),
    "on_schedule": Mark("o", SKY, hatch="//"),
    "late": Mark("v", ORANGE, hatch="\\\\"),
    "not_kept": Mark("X", VERMILION, hatch="xx"),
    "no_record": Mark("o", "#F4F4F4", False, edge=GREY),
}

OUTLOOK: dict[str, Mark] = {
    "likely": Mark("o", GREEN),
    "at_risk": Mark("v", ORANGE),
    "unlikely": Mark("X", VERMILION),
}

STAGE: dict[str, Mark] = {
    "preschool": Mark("o", PURPLE),
    "primary": Mark("o", BLUE),
    "junior": Mark("s", ORANGE),
    "senior": Mark("^", GREEN),
}

LINES: list[Any] = ["-", (0, (5, 1.6)), (0, (1.2, 1.4)), (0, (5, 1.4, 1.2, 1.4))]


def known(codes: Iterable[Any], looks: Mapping[str, Mark], what: str) -> list[str]:
    """Return the codes that occur, in house order.

    Raises
    ------
    DataError
        If a code has no look: leaving it out would drop rows silently.

    Examples
    --------
    >>> known(["junior", "primary", "junior"], STAGE, "stages")
    ['primary', 'junior']
    """
    found = set(codes)
    strange = sorted(str(code) for code in found - set(looks))
    if strange:
        hint = f"use {', '.join(looks)}"
        raise DataError(listing(f"unknown {what}", [repr(code) for code in strange], hint))
    return [code for code in looks if code in found]


def draw(axes: Axes, x: float, y: float, mark: Mark, size: float = 8.0, **extra: Any) -> None:
    """Draw one marker, hollow where the mark is not filled."""
    axes.plot(
        [x],
        [y],
        linestyle="none",
        marker=mark.shape,
        markersize=size * {"*": 1.35, "D": 0.8}.get(mark.shape if isinstance(mark.shape, str) else "", 1.0),
        markerfacecolor=mark.colour if mark.is_filled else "white",
        markeredgecolor="white" if mark.is_filled else mark.colour,
        markeredgewidth=0.6 if mark.is_filled else 1.4,
        clip_on=False,
        zorder=5,
        **extra,
    )


def spread(heights: Sequence[float], least: float, floor: float) -> list[float]:
    """Push heights, given from high to low, apart by at least ``least`` and keep them above a floor.

    Examples
    --------
    >>> spread([10.0, 9.5, 2.0], 1.0, 0.0), spread([0.2, 0.1], 1.0, 0.0)
    ([10.0, 9.0, 2.0], [1.0, 0.0])
    """
    placed: list[float] = []
    for height in heights:
        placed.append(min(height, placed[-1] - least) if placed else height)
    lowest = [floor + least * step for step in range(len(placed))][::-1]
    return [max(pair) for pair in zip(placed, lowest, strict=True)]


def end_labels(
    axes: Axes, labels: list[tuple[float, float, str]], span: float, floor: float = float("-inf"), **how: Any
) -> None:
    """Write a label to the right of the end of each line; labels closer than a line of type are pushed apart.

    ``labels`` holds x, y and text; ``span`` is the height of the axes in units of y; no label stands below ``floor``.
    """
    # Axes of some 110 points' height: nine points keep two labels of 8 point apart.
    ordered = sorted(labels, key=lambda label: -label[1])
    heights = spread([y for _, y, _ in ordered], 9.0 * span / 110, floor)
    for (x, _, text), height in zip(ordered, heights, strict=True):
        settings = {"fontsize": 8, "va": "center", "path_effects": HALO, "zorder": 6, **how}
        axes.annotate(text, (x, height), (5, 0), textcoords="offset points", annotation_clip=False, **settings)


def near(axes: Axes, x: float, y: float, text: str, lift: float, side: str = "right") -> None:
    """Write a number some points above (or, with a negative lift, below) a point; ``side`` is flush with it."""
    axes.annotate(
        text,
        (x, y),
        (0, lift),
        textcoords="offset points",
        ha=side,
        va="bottom" if lift > 0 else "top",
        fontsize=8.5,
        path_effects=HALO,
        zorder=6,
    )


def patch(mark: Mark, label: str) -> Patch:
    """Return the legend entry of a hatched area."""
    return Patch(facecolor=mark.colour, hatch=mark.hatch, edgecolor=mark.edge, linewidth=0.7, label=label)
