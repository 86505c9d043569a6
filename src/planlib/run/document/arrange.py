"""A report's HTML body → blocks in a row that say what they are, as pandoc shall read them."""

import base64
import re
from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from planlib.run.document.widths import DENSE, ON_ITS_SIDE, share_page

_PICTURE = "data:image/png;base64,"
# What pandoc, or whoever opens the document, might load: of it only our own pictures stay.
_LOADING = ("img", "iframe", "object", "embed", "script", "style", "link", "svg", "audio", "video", "input")
# For a picture on a page, in mm: the text block of GB/T 9704-2012, less a heading and a line of text.
_ROOM = (156.0, 205.0)
_BRIEF_ROOM = (156.0, 118.0)
_LEAVES = {"h1", "h2", "h3", "h4", "p", "ul", "ol", "table", "img", "figcaption", "pre", "blockquote"}
_KEPT = {"subtitle", "note"}
_PIXELS_PER_MM = 96 / 25.4
_LONGEST_TITLE_LINE = 20
# So many blocks between two wide tables, or after the last, lie on their side too: no page is left half empty.
_MOST_BETWEEN = 12


def arranged(body: str, folder: Path, is_brief: bool = False) -> str:
    """Return the body as pandoc shall read it: what nbconvert wrapped laid bare, pictures and columns measured.

    Parameters
    ----------
    body : str
        Of `planlib.run.page.body`.
    folder : Path
        Where the pictures are written, as files of their own; nothing else may be read from a disk or fetched.
    is_brief : bool
        Let no table take a page of its own across.

    Returns
    -------
    str
        Blocks in a row. Divs tell by their class what a block is: ``title``, ``subtitle``, ``note``, ``verdict``,
        ``lead`` (what stays with the figure after it), ``figure``, ``caption`` (under it), ``contents``, ``dense``
        (a table in smaller type), and ``wide`` around what stands on a page of its own across.
    """
    from lxml import html

    whole = html.fragment_fromstring(body, create_parent="main")
    for number, element in enumerate([*whole.iter(*_LOADING)]):
        if element.tag == "img" and (element.get("src") or "").startswith(_PICTURE):
            _put_apart(element, folder / f"{number}.png", _BRIEF_ROOM if is_brief else _ROOM)
        else:
            element.drop_tree()
    blocks = list(_blocks(whole, "", html))
    for _, block in blocks:
        _legible(block, html)
    sizes = {at: share_page(block, html, is_brief) for at, (_, block) in enumerate(blocks) if block.tag == "table"}
    wide = {blocks[at][1] for at, size in sizes.items() if size == ON_ITS_SIDE}
    for at, size in sizes.items():
        blocks[at] = ("dense" if size == DENSE else blocks[at][0], blocks[at][1])
    for (_, before), (at, (kind, block)), (follows, _) in zip(
        blocks, [*enumerate(blocks)][1:], blocks[2:], strict=False
    ):
        if before.tag == "h2" and follows == "figure" and not kind and block.tag == "p":
            blocks[at] = ("lead", block)
    first = next((at for at, (kind, block) in enumerate(blocks) if block.tag == "h2" and not kind), None)
    if first is not None:
        blocks.insert(first, ("contents", html.Element("p")))
    return "\n".join(_boxed(blocks, _across(blocks, wide), html))


def _blocks(element: Any, kind: str, html: Any) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of the tree with what they are, in reading order."""
    for child in element:
        if child.tag in _LEAVES:
            css = child.get("class") or ""
            own = "title" if child.tag == "h1" else css if css in _KEPT else kind
            child.tail = None
            if child.tag == "h1":
                child.tag = "p"
                _break_title(child, html)
            elif child.tag == "img":
                own, child = "figure", _alone(child, html)
            elif child.tag == "figcaption":
                own, child.tag = "caption", "p"
            yield own, child
        elif isinstance(child.tag, str):
            inside = "verdict" if "verdict" in (child.get("class") or "").split() else kind
            yield from _blocks(child, inside, html)


def _break_title(title: Any, html: Any) -> None:
    """Break a long Chinese title where a name or a quotation ends, nearest its middle: no word is cut."""
    text = title.text_content()
    ends = [match.end() for match in re.finditer(r"[\u201d\u300b\uff09]", text)]
    if len(text) > _LONGEST_TITLE_LINE and ends:
        at = min(ends, key=lambda end: abs(end - len(text) / 2))
        title.text = text[:at]
        line = html.Element("br")
        line.tail = text[at:]
        title[:] = [line]


def _alone(image: Any, html: Any) -> Any:
    paragraph = html.Element("p")
    paragraph.append(image)
    return paragraph


def _legible(block: Any, html: Any) -> None:
    """Say in pandoc's words what the page says by its style sheet: numbers flush right, lists of paragraphs, marks."""
    for cell in block.iter("td", "th"):
        side = "right" if cell.get("class") == "number" else "left"
        cell.set("style", f"text-align:{side}")
    for item in (item for item in block.iter("li") if item.find("p") is None):
        paragraph = html.Element("p")
        paragraph.text, item.text = item.text, None
        paragraph.extend(list(item))
        item.append(paragraph)
    for mark in block.iter("span"):
        if mark.get("class") == "mark":  # pandoc would take it for a highlighter
            mark.attrib.pop("aria-hidden", None)
            mark.set("class", "shape")
            mark.set("data-colour", (mark.attrib.pop("style", "")).partition("#")[2])


def _put_apart(image: Any, file: Path, room: tuple[float, float]) -> None:
    """Write a picture as a file, and set its size: its own, unless the page is smaller."""
    content = base64.b64decode(image.get("src").removeprefix(_PICTURE))
    file.write_bytes(content)
    across, down = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))  # of the PNG's header
    natural = float(image.get("width") or across) / _PIXELS_PER_MM
    (width, height), alt = room, image.get("alt", "")
    image.attrib.clear()
    image.attrib.update(
        {
            "src": file.name,
            "alt": alt,
            "width": f"{min(natural, width, height * across / max(down, 1)):.1f}mm",
        }
    )


def _across(blocks: list[tuple[str, Any]], wide: set[Any]) -> list[bool]:
    """Tell of each block whether it stands across: headings and words before a wide table, and notes after it, too."""
    across = [any(table in wide for table in block.iter("table")) for _, block in blocks]
    for at in reversed(range(len(blocks) - 1)):
        _, block = blocks[at]
        follows_heading = at > 0 and blocks[at - 1][1].tag == "h2"
        leads = block.tag in {"h2", "h3"} or (block.tag == "p" and follows_heading)
        across[at] = across[at] or (leads and across[at + 1])
    for at in range(1, len(blocks)):
        across[at] = across[at] or (blocks[at][0] == "note" and across[at - 1])
    ends = [*(at for at, is_across in enumerate(across) if is_across), len(blocks)]
    for start, end in pairwise(ends):
        has_figure = any(kind == "figure" for kind, _ in blocks[start:end])
        if end - start - 1 <= _MOST_BETWEEN and not has_figure:
            across[start:end] = [True] * (end - start)
    return across


def _boxed(blocks: list[tuple[str, Any]], across: list[bool], html: Any) -> Iterator[str]:
    """Write the blocks in divs that say what they are."""
    sides = zip(blocks, across, strict=True)
    for is_across, side in groupby(sides, key=lambda found: found[1]):
        yield '<div class="wide">' if is_across else ""
        for kind, group in groupby((block for block, _ in side), key=lambda block: block[0]):
            yield f'<div class="{kind}">' if kind else ""
            yield from (html.tostring(block, encoding="unicode") for _, block in group)
            yield "</div>" if kind else ""
        yield "</div>" if is_across else ""
