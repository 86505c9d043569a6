"""What planlib understands of one file, what not, and the lines of YAML that would teach it (``planlib inspect``)."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from planlib import schema
from planlib.clean.files.confined import read_workbook
from planlib.clean.files.read import read_csv
from planlib.clean.files.sheet import Sheet, address
from planlib.clean.issues import Issue, sentence
from planlib.clean.layout.grid import Layout
from planlib.clean.layout.recognise import Recognised
from planlib.clean.layout.school import FormSheet, Layouts, SchoolBook, is_school_book, read_school_book
from planlib.clean.layout.sheet_tables import recognise_tables
from planlib.clean.summary import aligned
from planlib.clean.tables.collected import collected_table
from planlib.clean.values.correct import Corrections
from planlib.clean.words.convert import is_blank, raw_text
from planlib.clean.words.forms import Form, load_form
from planlib.clean.words.headers import header_at, read_header
from planlib.clean.words.national import National, Place, load_national
from planlib.clean.words.writing import SEPARATOR, key, tidy
from planlib.errors import DataError, UsageError
from planlib.registry.phrases import phrase
from planlib.registry.words import label, load_definitions

_NEAR = 0.5  # texts that share half of their characters are perhaps meant
_SHOWN = 12


def inspect_file(path: Path, language: str = "zh") -> str:
    """Return what was recognised in a file, what was not, and what it would take.

    Parameters
    ----------
    path : Path
        A workbook or CSV file, wherever it stands; its name decides nothing but which of a district's own CSV files
        (``births.csv`` …) it is.
    language : {"zh", "en"}

    Returns
    -------
    str

    Raises
    ------
    UsageError
        If there is no such file.
    DataError
        If it cannot be read, or nothing in it is recognised: says what it is and what to do.
    """
    if not path.is_file():
        raise UsageError(f"{path} is no file. To do: name a workbook or CSV file.")
    try:
        sheets = read_workbook(path.read_bytes())
    except DataError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    table = schema.TABLES.get(path.stem)
    if path.suffix == ".csv" and table and table.is_collected:
        return "\n".join(_of_collected(path, table.name, language))
    words = load_national()
    if is_school_book(sheets, words):
        return "\n".join(_of_book(path, read_school_book(sheets, words, Layouts()), words, language))
    return "\n".join(_of_sheets(path, sheets, load_form(), language))


def _say(words: str, language: str, /, **values: object) -> str:
    return label(words, language, "inspect").format(**values)


def _of_collected(path: Path, name: str, language: str) -> Iterator[str]:
    """Yield what a CSV file that a district brings is: its columns, its lines, what speaks against it."""
    content = path.read_bytes()
    frame, issues, _ = collected_table(name, content, Corrections())
    rows = read_csv(content)[0] or [[]]
    top = header_at(name, rows)
    heads = read_header(name, rows[top], [text for row in rows[:top] for text in row])
    yield _say("collected", language, file=path.name, table=name)
    known = [(tidy(head.text), head.column, head.unit.text) for head in heads if head.column]
    yield from _table([(text, schema.label(column, language), unit) for text, column, unit in known], language)
    if frame is not None:
        yield "  " + _say("lines", language, count=len(frame))
    yield from _told(issues, language)


def _of_sheets(path: Path, sheets: Sequence[Sheet], form: Form, language: str) -> Iterator[str]:
    encoding = next((f" ({sheet.encoding})" for sheet in sheets if sheet.encoding), "")
    yield _say("collection", language, file=path.name) + encoding
    asked: list[tuple[str, str]] = []
    found = [one for sheet in sheets for one in recognise_tables(sheet, form)]
    if not any(one.places for one in found):
        brought = ", ".join(f"{table.name}.csv" for table in schema.TABLES.values() if table.is_collected)
        raise DataError(
            f"Nothing in {path} is recognised: no sheet has the header {form.columns['school_id'].headers[0]}, and "
            f"no form of a school stands in it.\nTo do: name a return of schools, or one of {brought} by that name."
        )
    for one in found:
        yield from _of_table(one, form, language, asked)
    yield from _lines_to_add(asked, language)


def _of_table(one: Recognised, form: Form, language: str, asked: list[tuple[str, str]]) -> Iterator[str]:
    """Yield what one table of a collection sheet is; unknown headers go to `asked` with the nearest field."""
    yield _say("sheet", language, sheet=one.sheet.name)
    if not one.places:
        yield "  " + _say("no_header", language, header=form.columns["school_id"].headers[0])
        return
    cell, title = one.titled
    told = {"title": tidy(title) or "—", "cell": phrase(cell, language) or "—", "year": one.year or "—"}
    yield "  " + _say("title", language, **told)
    yield "  " + _say("rows", language, schools=len(one.data_rows), totals=len(one.total_rows))
    rows = [
        (
            address(*place.cell),
            place.path,
            schema.label(place.column.name, language),
            _stage(place.stage, language),
            place.unit.text,
        )
        for place in one.places
    ]
    yield from _table(rows, language)
    yield from _unknown(one.issues, form, language, asked)
    others = [issue for issue in one.issues if issue.kind != "unknown header"]
    yield from _told(others, language)


def _stage(stage: str, language: str) -> str:
    return label(stage, language, "stage") if stage else ""


def _table(rows: Sequence[Sequence[str]], language: str) -> Iterator[str]:
    yield "  " + _say("fields", language)
    yield from (f"    {line}" for line in aligned(rows) if rows)


def _unknown(issues: Iterable[Issue], form: Form, language: str, asked: list[tuple[str, str]]) -> Iterator[str]:
    unknown = [issue for issue in issues if issue.kind == "unknown header"]
    if unknown:
        yield "  " + _say("unknown", language)
    for issue in unknown:
        text = issue.found.split(SEPARATOR)[-1]
        name = nearest(text, form)
        asked.append((text, name))
        near = schema.label(name, language) if name else "—"
        yield f"    {issue.cell}  " + _say("nearest", language, text=issue.found, field=near)


def _told(issues: Sequence[Issue], language: str) -> Iterator[str]:
    if issues:
        yield "  " + _say("issues", language)
    for issue in issues[:_SHOWN]:
        said = sentence({name: getattr(issue, name) for name in Issue.__dataclass_fields__}, language)
        yield f"    {said.lstrip('，, ')}"
    if len(issues) > _SHOWN:
        yield "    " + _say("more", language, count=len(issues) - _SHOWN)


def nearest(text: str, form: Form) -> str:
    """Return the field whose headers are most like a text, or ``""``.

    Examples
    --------
    >>> nearest("图书藏量（册）", load_form()), nearest("Wi-Fi", load_form())
    ('books', '')
    """
    plain = form.split(text)[0]
    likeness = {
        name: _likeness(plain, [form.split(header)[0] for header in column.headers])
        for name, column in form.columns.items()
    }
    best = max(likeness, key=lambda name: likeness[name])
    return best if likeness[best] >= _NEAR else ""


def _likeness(text: str, known: Iterable[str]) -> float:
    return max((SequenceMatcher(None, text, one).ratio() for one in known), default=0.0)


def _lines_to_add(asked: Sequence[tuple[str, str]], language: str) -> Iterator[str]:
    """Yield the lines of collection.yml that would make unknown headers known."""
    if not asked:
        return
    entries = load_definitions("forms/collection")["fields"]
    yield _say("to_add", language, file="definitions/forms/collection.yml")
    for name in dict.fromkeys(name for _, name in asked if name):
        texts = [tidy(text) for text, near in asked if near == name]
        yield f"  {name}: " + _flow({**entries[name], "headers": [*entries[name]["headers"], *texts]})
    strangers = [tidy(text) for text, _ in asked]
    yield "  " + _say("or_ignore", language)
    yield "  ignored: " + _flow([*load_definitions("forms/collection")["ignored"], *strangers])


def _flow(value: Any) -> str:
    """Return a value as one line of YAML."""
    import yaml

    return yaml.safe_dump(
        value, allow_unicode=True, default_flow_style=True, width=10_000, sort_keys=False
    ).strip()


def _of_book(path: Path, book: SchoolBook, words: National, language: str) -> Iterator[str]:
    yield _say("school_book", language, file=path.name)
    school_type = label(book.school_type, language, "school_type") if book.school_type else "—"
    yield "  " + _say("school", language, code=book.school_id or "—", type=school_type, year=book.year or "—")
    sheet, cell, text = book.title
    place = f"{sheet} {phrase(cell, language)}".strip()
    yield "  " + _say("title", language, title=tidy(text) or "—", cell=place or "—", year=book.year or "—")
    columns = [book.cells[name] for name in ("sheet", "cell", "column", "stage", "unit")]
    used = {(own, at): said for own, at, *said in zip(*columns, strict=True)}
    for one in book.sheets:
        if one.layout.figures:
            yield from _of_form(one, used, words.base.stages(book.school_type), words, language)
        else:
            yield _say("plain_sheet", language, sheet=one.sheet.name)
    yield from _told(book.issues, language)


def _of_form(
    one: FormSheet,
    used: dict[tuple[str, str], list[str]],
    stages: Sequence[str],
    words: National,
    language: str,
) -> Iterator[str]:
    """Yield what a sheet of a national form is, its fields, and the lines that an unknown one would take."""
    layout = one.layout
    named = layout.code or _say("no_form", language)
    yield _say(
        "form",
        language,
        sheet=one.sheet.name,
        code=named,
        known=_say("known" if layout.form else "not_known", language),
    )
    rows = []
    for at, (cell, row, column) in enumerate(zip(layout.addresses, layout.rows, layout.columns, strict=True)):
        found = used.get((one.sheet.name, cell))
        if found:
            shown = tidy(raw_text(one.values[at])) or "—"
            name, stage, unit = found
            labels = f"{row.text} × {column.text}".removesuffix(" × ")
            rows.append((cell, labels, shown, schema.label(name, language), stage, unit))
    yield from _table(rows, language) if rows else ()
    kept = one.counts["form_cell"]
    if kept:
        yield "  " + _say("kept", language, count=kept)
    yield from _form_to_add(layout, one, stages, words, language)


def _form_to_add(
    layout: Layout, one: FormSheet, stages: Sequence[str], words: National, language: str
) -> Iterator[str]:
    """Yield the lines of school.yml for a form that is not known, or for fields whose labels were not found."""
    if layout.form is None and layout.figures:
        titles = [t for t in layout.titles if not words.code.search(t) and not words.unit_line.match(t)]
        yield "  " + _say("to_add", language, file="definitions/forms/school.yml")
        yield f"    - codes: {_flow([layout.code or one.sheet.name])}"
        yield f"      titles: {_flow(titles[:1] or [key(one.sheet.name)])}"
        yield "      fields:"
        for name, labels in _guesses(layout, one, words.base):
            yield f"        {name}: {_flow(labels)}"
        return
    found = {one_found.place for one_found in layout.found}
    for wanted in layout.form.places if layout.form else ():
        if wanted not in found and not wanted.is_single and wanted.stage in ("", *stages):
            yield from _absent(layout, wanted, language)


def _absent(layout: Layout, place: Place, language: str) -> Iterator[str]:
    """Yield a field whose labels are not in the form, and the line that would take the label most like them."""
    ways = place.rows or place.columns or place.part_ways
    side, labels = ("row", layout.rows) if place.rows or place.adds == "rows" else ("column", layout.columns)
    texts = " / ".join("›".join(way) for way in ways[:_SHOWN])
    yield "  " + _say("absent", language, field=schema.label(place.column.name, language), text=texts)
    there = {"/".join(one.way): _likeness(one.way[-1], [way[-1] for way in ways]) for one in labels if one.way}
    best = max(there, key=lambda text: there[text], default="")
    if best and there[best] >= _NEAR:
        yield "    " + _say("to_add", language, file="definitions/forms/school.yml")
        yield f"      {place.column.name}: {_flow({side: [*('/'.join(way) for way in ways), best]})}"


def _guesses(layout: Layout, one: FormSheet, form: Form) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Yield fields that labels of an unknown form are like, with the labels that would name them."""
    seen = set()
    for at, value in enumerate(one.values):
        if is_blank(value):
            continue
        row, column = layout.rows[at], layout.columns[at]
        for own, other, side in ((row, column, "row"), (column, row, "column")):
            name = nearest(own.way[-1], form) if own.way and own.way[-1] else ""
            if name and name not in seen:
                seen.add(name)
                rest = {"column" if side == "row" else "row": ["/".join(other.way)]} if any(other.way) else {}
                yield name, {side: ["/".join(own.way)], **rest}
