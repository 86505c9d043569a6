"""One executed notebook → one HTML page that opens offline, reads aloud well and prints well."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import count, pairwise
from pathlib import Path
from string import Template
from typing import Any

from planlib import paths
from planlib.columns import FIGURE_MIME, TABLE_MIME
from planlib.registry import label

_SPLIT = re.compile(r"<!--\s*(zh|en)\s*-->")


def in_language(markdown: str, language: str) -> str:
    r"""Return the half of a bilingual Markdown cell that is in `language`.

    A cell carries ``<!-- zh -->`` before its Chinese and ``<!-- en -->`` before its English part (neither shows
    in JupyterLab); a cell without marks belongs to both.

    Examples
    --------
    >>> in_language("<!-- zh -->\n## 概况\n<!-- en -->\n## Overview", "en")
    '## Overview'
    """
    parts = _SPLIT.split(markdown)
    if len(parts) == 1:
        return markdown
    marked = zip(parts[1::2], parts[2::2], strict=True)
    return "\n\n".join(text.strip() for mark, text in marked if mark == language)


@dataclass(frozen=True)
class Part:
    """A table or a figure that a cell shows, with its number.

    Attributes
    ----------
    kind : {"table", "figure"}
    number : int
        Counted from 1 through the whole report, tables and figures apart: the one count of every format and of `trace`.
    heading : str
        The chapter it stands in.
    caption : str
        Its name; the heading where it has none.
    data : mapping
        As `planlib.columns.typed` makes it; a figure's finding is its ``title``.
    output : nbformat.NotebookNode
        The output that shows it.
    """

    kind: str
    number: int
    heading: str
    caption: str
    data: Mapping[str, Any]
    output: Any = field(repr=False, compare=False)

    def called(self, language: str) -> str:
        """Return its kind and number, as a text would name it."""
        return label(f"called_{self.kind}", language, "page").format(number=self.number)

    def headed(self, language: str) -> str:
        """Return what is printed over a table and under a figure."""
        caption = self.caption if self.caption != self.heading else ""
        words = label("captioned", language, "page").format(called=self.called(language), caption=caption)
        return words.strip(" .\u3000")


def parts(notebook: Any, language: str) -> list[Part]:
    """Return the typed tables and figures of an executed notebook, in order.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    language : {"zh", "en"}
        Of the headings.
    """
    found, heading = [], ""
    numbers = {"table": count(1), "figure": count(1)}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            lines = [line for line in in_language(cell.source, language).splitlines() if line.startswith("#")]
            heading = lines[0].lstrip("# ") if lines else heading
        for output in cell.get("outputs", []):
            for kind, mime in (("table", TABLE_MIME), ("figure", FIGURE_MIME)):
                if data := output.get("data", {}).get(mime):
                    caption = data.get("caption") or data.get("title") or heading
                    found.append(Part(kind, next(numbers[kind]), heading, caption, data, output))
    return found


def _put_caption(part: Part, language: str) -> None:
    """Print number and name: over a table, under a figure."""
    shown, words = part.output["data"], html.escape(part.headed(language))
    if part.kind == "table":
        page = str(shown.get("text/html", ""))
        shown["text/html"] = re.sub(
            r"<caption>.*?</caption>", lambda _: f"<caption>{words}</caption>", page, count=1
        )
    elif "image/png" in shown:
        about = part.output.get("metadata", {}).get("image/png", {})
        size = f' width="{int(about["width"])}"' if about.get("width") else ""
        image = f'<img alt="{html.escape(about.get("alt", ""))}"{size} src="data:image/png;base64,{shown["image/png"]}">'
        shown["text/html"] = f"<figure>{image}<figcaption>{words}</figcaption></figure>"


def strip(notebook: Any, target: Path) -> None:
    """Write the executed notebook without papermill's and nbclient's traces (paths, times), for a second run."""
    import nbformat

    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell["id"] = "injected-parameters"  # papermill throws one anew for every run
    nbformat.write(notebook, target)


def title_of(body: str) -> str:
    """Return the text of the first main heading.

    Examples
    --------
    >>> title_of("<p>x</p><h1 id='a'>Costs &amp; <em>seats</em></h1>")
    'Costs & seats'
    """
    found = re.search(r"<h1[^>]*>(.*?)</h1>", body, re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "", found.group(1))).strip() if found else "planlib"


def display_width(text: str) -> int:
    """Return how many Latin letters wide a text shows: a Chinese character or a shape is two.

    Examples
    --------
    >>> display_width("学校 A")
    6
    """
    return sum(2 if ord(character) > 0x2E7F or 0x2500 <= ord(character) < 0x2800 else 1 for character in text)


def render(body: str, language: str, is_simulated: bool, is_brief: bool = False) -> str:
    """Return the page: no code, no scripts, no address outside itself.

    Parameters
    ----------
    body : str
        Of `body`.
    language : {"zh", "en"}
    is_simulated : bool
        Put the notice of simulated data on top and at the foot of every printed page.
    is_brief : bool
        Print it closely set, for a report of two pages.

    Returns
    -------
    str
        HTML with a table of contents made from its headings.
    """
    body, contents = _with_contents(body)
    opening, body = _split_at_first_chapter(body)
    notice = label("simulated_notice", language, "page") if is_simulated else ""
    folder = paths.PACKAGE / "run"
    css = (folder / "page.css").read_text(encoding="utf-8")
    return Template((folder / "page.html").read_text(encoding="utf-8")).substitute(
        lang={"zh": "zh-CN", "en": "en"}[language],
        kind="brief" if is_brief else "full",
        title=html.escape(title_of(opening)),
        css=Template(css).substitute(foot=notice.replace('"', "'")),
        contents_label=html.escape(label("contents", language, "page")),
        contents=contents,
        notice=f'<p class="notice" role="note">{html.escape(notice)}</p>' if notice else "",
        opening=opening,
        body=body,
    )


def _split_at_first_chapter(body: str) -> tuple[str, str]:
    """Split before the first chapter: title and verdict come before the table of contents, as on a first page.

    Chapters are headings of Markdown cells; nbconvert wraps each cell in a div.
    """
    starts = [match.start() for match in re.finditer('<div [^>]*class="cell', body)]
    for start, end in pairwise([*starts, len(body)]):
        if "<h2" in body[start:end] and "text_cell" in body[start : body.find(">", start)]:
            return body[:start], body[start:]
    return body, ""


def body(notebook: Any, language: str) -> str:
    """Return what a reader sees: prose in one language and outputs, by nbconvert's plainest template.

    Hints say in JupyterLab what to look for; a report that is handed in goes without them.
    """
    import copy

    shown = copy.deepcopy(notebook)
    hidden = {"parameters", "injected-parameters", "setup", "hint"}
    shown.cells = [c for c in shown.cells if not hidden & set(c.metadata.get("tags", []))]
    for cell in shown.cells:
        if cell.cell_type == "markdown":
            cell.source = in_language(cell.source, language)
    for part in parts(shown, language):
        _put_caption(part, language)
    return str(_exporter().from_notebook_node(shown)[0])


@cache
def _exporter() -> Any:
    """Return nbconvert's exporter of the plainest template, which it compiles once."""
    from nbconvert import HTMLExporter
    from nbconvert.exporters.templateexporter import TemplateExporter
    from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter

    class Exporter(HTMLExporter):
        def from_notebook_node(self, nb: Any, resources: Any = None, **more: Any) -> Any:
            # without its parent's second reading of the whole page: every picture here has its alternative text
            kinds = WidgetsDataTypeFilter(notebook_metadata={}, parent=self, resources=resources)
            self.register_filter("filter_data_type", kinds)
            self.register_filter("highlight_code", html.escape)  # named in the template, though no code is shown
            return TemplateExporter.from_notebook_node(self, nb, self._init_resources(resources), **more)

    return Exporter(
        template_name="basic",
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        embed_images=True,
        optimistic_validation=True,  # once, not after each step
    )


def _with_contents(body: str) -> tuple[str, str]:
    """Number the headings' anchors and return the body with the list of h2 and h3."""
    entries: list[str] = []

    def anchor(match: re.Match[str]) -> str:
        level, inner = match.group(1), match.group(3)
        name = f"s{len(entries) + 1}"
        text = re.sub(r"<[^>]+>", "", inner).strip()
        entries.append(f'<li class="level{level}"><a href="#{name}">{text}</a></li>')
        return f'<h{level} id="{name}">{inner}</h{level}>'

    body = re.sub(r"<h([23])([^>]*)>(.*?)</h\1>", anchor, body, flags=re.DOTALL)
    return body, "\n".join(entries)
