"""How a status looks: a shape, a tone that survives grey print, a hatch; the word comes from labels.yml.

Colours are Okabe and Ito's (2008), which people with any colour-blindness can tell apart; shape and hatch carry the same
meaning without colour.
"""

from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.path import Path as Shape

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE = "#8C8C8C", "#E4E4E4"

_DOWN_TWICE = Shape(
    [(-1, 1), (1, 1), (0, 0), (-1, 1), (-1, 0), (1, 0), (0, -1), (-1, 0)],
    [Shape.MOVETO, Shape.LINETO, Shape.LINETO, Shape.CLOSEPOLY] * 2,
)


class Mark(NamedTuple):
    """Shape, colour, whether the shape is filled, and the hatch of an area."""

    shape: Any
    colour: str
    is_filled: bool = True
    hatch: str = ""


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
    "no_record": Mark("o", "#F4F4F4", False),
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

LINES = ["-", (0, (5, 1.6)), (0, (1.2, 1.4)), (0, (5, 1.4, 1.2, 1.4))]


def draw(axes: Axes, x: float, y: float, mark: Mark, size: float = 8.0, **extra: Any) -> None:
    """Draw one marker, hollow where the mark is not filled."""
    axes.plot(
        [x],
        [y],
        linestyle="none",
        marker=mark.shape,
        markersize=size * (1.35 if mark.shape == "*" else 1.0),
        markerfacecolor=mark.colour if mark.is_filled else "white",
        markeredgecolor="white" if mark.is_filled else mark.colour,
        markeredgewidth=0.6 if mark.is_filled else 1.4,
        clip_on=False,
        zorder=5,
        **extra,
    )


def is_dark(colour: str) -> bool:
    """Say whether white text reads better than black on a colour (relative luminance below 0.36).

    Examples
    --------
    >>> is_dark("#0072B2"), is_dark("#F0E442")
    (True, False)
    """
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 < 0.36


def patch(mark: Mark, label: str) -> Patch:
    """Return the legend entry of a hatched area."""
    return Patch(facecolor=mark.colour, hatch=mark.hatch, edgecolor="white", linewidth=0, label=label)
