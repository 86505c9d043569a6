"""A figure with its alternative text and the data behind it, and the sheet it is drawn on."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import patheffects
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from planlib.columns import FIGURE_MIME, SCHEMA_VERSION, guess, typed
from planlib.figures.lettering import INK, QUIET, Canvas, check_glyphs, style, wrap
from planlib.words import say, visible

CSS_PIXELS_PER_INCH = 96
_TITLE, _SMALL = 12.5, 8.5
_MARGIN = 0.16


@dataclass(frozen=True)
class Picture:
    """One finished figure.

    Notebooks show it as a PNG whose alternative text travels in the output's metadata (nbconvert writes it into
    the page) and as ``text/plain``, which strict nbval compares: a changed finding fails although images are skipped.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        For anyone who wants another format or a change.
    title : str
        The finding, as it stands over the figure.
    alt : str
        Whole sentences: the finding and its numbers.
    data : DataFrame
        What was drawn.
    language : {"zh", "en"}
    png : bytes
        The rendered figure; the same data give the same bytes.
    caption : str
        What it shows, in a few words: printed with its number under it in a report.
    """

    figure: Figure = field(repr=False)
    title: str
    alt: str
    data: pd.DataFrame = field(repr=False)
    language: str
    png: bytes = field(repr=False)
    caption: str = ""

    def save(self, path: str | Path) -> Path:
        """Write the PNG and return its path."""
        target = Path(path)
        target.write_bytes(self.png)
        return target

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give Jupyter the image, its alternative text, its width on the page, and the values drawn."""
        width = round(self.figure.get_figwidth() * CSS_PIXELS_PER_INCH)
        columns = [guess(self.data, str(name), self.language) for name in self.data.columns]
        said = [c.header for c in columns]
        # a name in both languages, a value and its text: people call them alike, and no two columns may be
        heads = [f"{c.header} ({c.name})" if said.count(c.header) > 1 else c.header for c in columns]
        drawn = typed(self.data, columns, heads, self.language)
        return (
            {
                "image/png": base64.b64encode(self.png).decode("ascii"),
                "text/plain": self.alt,
                FIGURE_MIME: {"schema_version": SCHEMA_VERSION, "caption": self.caption, "title": self.title}
                | {key: drawn[key] for key in ("columns", "rows")},
            },
            {"image/png": {"alt": self.alt, "width": width}},
        )


@dataclass
class Sheet:
    """A page with a finding on top, a foot note, and room for axes between them.

    Sizes are inches, so that twenty-four rows and four rows are equally legible.

    Attributes
    ----------
    figure : Figure
    left, bottom, right, top : float
        The room for axes, as fractions of the figure.
    """

    figure: Figure
    title: str
    language: str
    left: float
    bottom: float
    right: float
    top: float

    def rows(self, inches_left: float, inches_right: float) -> tuple[float, float, float, float]:
        """Return ``left, bottom, width, height`` of one pair of axes that leaves room for text on both sides."""
        width = self.figure.get_figwidth()
        left, right = inches_left / width, 1 - inches_right / width
        return left, self.bottom, right - left, self.top - self.bottom

    def table(self, count: int) -> Axes:
        """Return invisible axes over the whole width: x in inches from the left edge, y in rows, last row at 0."""
        table = self.figure.add_axes((0, self.bottom, 1, self.top - self.bottom))
        table.set(xlim=(0, self.figure.get_figwidth()), ylim=(-1.0, count + 0.35), facecolor="none")
        table.axis("off")
        return table

    def strip(self, inches: float) -> Axes:
        """Return invisible axes above the body for a legend: x in inches, y from 0 to 1."""
        height = inches / self.figure.get_figheight()
        strip = self.figure.add_axes((0, self.top, 1, height))
        strip.set(xlim=(0, self.figure.get_figwidth()), ylim=(0, 1), facecolor="none")
        strip.axis("off")
        return strip

    def legend(self, handles: Sequence[Artist], **how: Any) -> None:
        """Write a legend in one line between subtitle and body, flush with the title."""
        strip = self.figure.add_axes(
            (self.left, self.top, self.right - self.left, 0.3 / self.figure.get_figheight())
        )
        strip.axis("off")
        settings = {"ncols": len(handles), "handlelength": 2.0, "columnspacing": 1.5, "handletextpad": 0.6, **how}
        strip.legend(handles=handles, loc="center left", borderaxespad=0, borderpad=0, **settings)

    def constrain(self, **pads: float) -> None:
        """Let Matplotlib place small multiples inside the room between title and foot."""
        self.figure.set_layout_engine(
            "constrained",
            rect=(self.left, self.bottom, self.right - self.left, self.top - self.bottom),
            **pads,
        )

    def picture(self, alt: str, data: pd.DataFrame, what: str = "") -> Picture:
        """Render the sheet; ``what`` is the code of the figure's name in ``labels.yml``.

        Raises
        ------
        DataError
            If a character has no glyph.
        """
        return Picture(
            self.figure,
            visible(self.title),
            visible(alt),
            data.reset_index(drop=True),
            self.language,
            render(self.figure),
            say(what, self.language) if what else "",
        )


def render(figure: Figure) -> bytes:
    """Return the PNG of a figure: Agg, no clock and no version in the file, so equal data give equal bytes."""
    canvas = Canvas(figure)
    for text in figure.findobj(Text):
        text.set_text(visible(text.get_text()))
    _relieve(figure)
    _settle(figure)
    check_glyphs(figure)
    canvas.draw()
    # no transparency: a seventh less to store, and for whoever shows it; level 3 packs flat colours best and fast
    stream = io.BytesIO()
    image = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    image.convert("RGB").save(stream, "png", dpi=(figure.dpi, figure.dpi), compress_level=3)
    return stream.getvalue()


def _relieve(figure: Figure) -> None:
    """Tell Matplotlib not to place labels that are empty: it measures every tick of the axis for it, several times."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if not axis.label.get_text():
                axis.set_label_coords(0, 0)


def _settle(figure: Figure) -> None:
    """Let the layout be solved once and round it.

    The solver's last digits depend on where its objects lie in memory, and a pixel's shade on them.
    """
    engine = figure.get_layout_engine()
    if engine is None:
        return
    engine.execute(figure)
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = axes.get_position().bounds
        axes.set_position((round(left, 4), round(bottom, 4), round(width, 4), round(height, 4)))


def sheet(
    width: float,
    height: float,
    title: str,
    language: str,
    subtitle: str = "",
    note: str = "",
    simulated: bool = False,
    legend: float = 0.0,
) -> Sheet:
    """Return a page of a width whose body has a height (both in inches); title and foot come on top of it.

    ``legend`` reserves inches between subtitle and body. ``simulated`` puts the words 模拟数据 (simulated data) in
    the foot, as every page made from generated data must carry them.
    """
    head = wrap(title, (width - 2 * _MARGIN) * 72 / _TITLE)
    under = wrap(subtitle, (width - 2 * _MARGIN) * 72 / _SMALL) if subtitle else ""
    marked = [say("simulated", language)] if simulated else []
    foot = wrap(" ".join([*marked, note] if note else marked), (width - 2 * _MARGIN) * 72 / _SMALL)
    above = _MARGIN + _lines(head, _TITLE) + _lines(under, _SMALL) + legend + 0.10
    below = (_lines(foot, _SMALL) if foot else 0) + _MARGIN
    total = above + height + below
    figure = Figure(figsize=(width, total))
    _headings(figure, head, under, foot, total)
    edge = _MARGIN / width
    return Sheet(figure, title, language, edge, below / total, 1 - edge, 1 - above / total)


def _lines(text: str, size: float) -> float:
    return (text.count("\n") + 1) * size * 1.42 / 72 if text else 0.0


def _headings(figure: Figure, head: str, under: str, foot: str, total: float) -> None:
    left = _MARGIN / figure.get_figwidth()
    top = 1 - _MARGIN * 0.8 / total
    title = figure.text(left, top, head, size=_TITLE, color=INK, va="top", linespacing=1.22)
    # There is one weight of the font; a hairline of the same ink sets the title off without another 10 MB file.
    title.set_path_effects([patheffects.withStroke(linewidth=0.45, foreground=INK)])
    if under:
        below = top - _lines(head, _TITLE) / total
        figure.text(left, below, under, size=_SMALL, color=QUIET, va="top", linespacing=1.22)
    if foot:
        figure.text(left, _MARGIN * 0.7 / total, foot, size=_SMALL, color=QUIET, va="bottom", linespacing=1.22)


def no_data(what: str, language: str, simulated: bool = False, columns: pd.DataFrame | None = None) -> Picture:
    """Return a picture that says there is nothing to draw, so that an empty frame is seen and not skipped.

    ``what`` is the code of the figure's name in ``labels.yml``.
    """
    name = say(what, language)
    title = say("nothing_to_draw", language, name=name)
    with style():
        page = sheet(8.0, 0.9, title, language, simulated=simulated)
        page.figure.text(
            0.5, (page.bottom + page.top) / 2, say("no_rows", language), ha="center", va="center", color=QUIET
        )
        return page.picture(title, pd.DataFrame() if columns is None else columns, what)
