"""Blocks → a PDF by typst, with its fonts embedded and none of the system's."""

import datetime as dt
import importlib.util
from functools import cache
from pathlib import Path

from planlib import paths
from planlib.errors import ReportError, listing
from planlib.registry import label
from planlib.run.document.pandoc import FOLDER, Facts, convert


def write_pdf(text: str, folder: Path, target: Path, facts: Facts) -> None:
    """Write the PDF, its fonts embedded."""
    import typst

    converted = convert(text, folder, "typst", facts.made).decode()
    told = {
        "title": facts.title,
        "notice": facts.notice,
        "language": facts.language,
        "contents": label("contents", facts.language, "page"),
        "brief": "yes" if facts.is_brief else "no",
    }
    _check_glyphs(converted + "".join(told.values()))
    source = folder / "report.typ"
    source.write_text((FOLDER / "report.typ").read_text(encoding="utf-8") + converted, encoding="utf-8")
    moment = int(dt.datetime.combine(facts.made, dt.time(), dt.UTC).timestamp())
    try:
        content = typst.compile(
            str(source), root=str(folder), font_paths=[str(file.parent) for file in _font_files()],
            ignore_system_fonts=True, sys_inputs=told, timestamp=moment,
        )  # fmt: skip
    except (RuntimeError, typst.TypstError) as error:
        raise ReportError(f"typst could not write the PDF: {str(error).strip().splitlines()[0]}") from None
    target.write_bytes(content)


def _check_glyphs(text: str) -> None:
    """Refuse a text with a character that would print as an empty box."""
    faults = [f"{character!r} (U+{ord(character):04X})" for character in _without_glyph(text)]
    if faults:
        hint = "mend the text in the data; such characters often come from a file read in the wrong encoding"
        raise ReportError(listing("characters that no font of the PDF can print", faults, hint))


def _font_files() -> list[Path]:
    """Return Noto Sans SC, and DejaVu Sans for the few signs that it lacks: the two fonts of every figure."""
    spec = importlib.util.find_spec("matplotlib")
    folders = (Path(folder) for folder in (spec.submodule_search_locations or [])) if spec else ()
    second = (folder / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf" for folder in folders)
    return [paths.font_file(), *(file for file in second if file.is_file())]


def _without_glyph(text: str) -> list[str]:
    return [c for c in dict.fromkeys(text) if ord(c) not in _covered() and c not in "\n\t\r"]


@cache
def _covered() -> frozenset[int]:
    """Code points for which a font has a glyph, read without Matplotlib: the runner draws nothing."""
    from fontTools.ttLib import TTFont

    points: set[int] = set()
    for file in _font_files():
        with TTFont(file, lazy=True) as font:
            points.update(font.getBestCmap())
    return frozenset(points)
