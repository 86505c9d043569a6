"""A sheet of a national form to a layout: which cell is a label, and which labels a figure stands under.

A layout holds no figure, so that it serves every school whose sheet has the same labels at the same places.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from planlib.clean.files.sheet import Sheet, address, column_letters
from planlib.clean.words.convert import is_blank, raw_text
from planlib.clean.words.forms import Unit, is_strange, words_of
from planlib.clean.words.national import National, NationalForm, Place, Way
from planlib.clean.words.writing import SEPARATOR, key, tidy

_LEAST = 3  # so many letters A, B, C or numbers 1, 2, 3 make a literal grid


class Label(NamedTuple):
    """What stands before a row or above a column: its comparable way, its text for people, its unit if any."""

    way: Way
    text: str
    unit: Unit | None


class Found(NamedTuple):
    """The cells of one of the form's figures: positions among the layout's figures; `faults` if not clear."""

    place: Place
    at: tuple[int, ...]
    faults: tuple[str, ...]


@dataclass
class Layout:
    """The labels of a sheet and the places of its figures.

    `fixed` are label cells with their text, `loose` titles and notes that differ from school to school, `figures`
    the cells that may hold a figure, `strange` cells of a column of units that name none; every other cell is empty.
    """

    code: str
    form: NationalForm | None
    size: tuple[int, int]
    fixed: dict[tuple[int, int], Any] = field(default_factory=dict)
    loose: dict[tuple[int, int], str] = field(default_factory=dict)
    figures: list[tuple[int, int]] = field(default_factory=list)
    rows: list[Label] = field(default_factory=list)
    columns: list[Label] = field(default_factory=list)
    strays: list[tuple[int, int]] = field(default_factory=list)
    strange: list[tuple[int, int]] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    title_cells: list[tuple[int, int]] = field(default_factory=list)
    stated: Unit | None = None
    taken: dict[str, Any] = field(default_factory=dict)  # what each type of school takes from it (`school.Taken`)

    def seal(self) -> None:
        """Prepare the quick comparison with other sheets."""
        width = self.size[1]
        flat = lambda cells: [r * width + c for r, c in cells]  # noqa: E731 - three times the same words
        used = {*self.fixed, *self.loose, *self.figures}
        void = [(r, c) for r in range(self.size[0]) for c in range(width) if (r, c) not in used]
        self._fixed, self._texts = _getter(flat(self.fixed)), tuple(self.fixed.values())
        self._void, self._nothing = _getter(flat(void)), ("",) * len(void)
        self._figures, self._loose = _getter(flat(self.figures)), _getter(flat(self.loose))
        self.addresses = [address(*cell) for cell in self.figures]

    def values(self, sheet: Sheet) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
        """Return the figures and the loose texts of a sheet, or None where its labels are others."""
        if self.strays or (len(sheet.rows), len(sheet.rows[0]) if sheet.rows else 0) != self.size:
            return None
        flat = list(chain.from_iterable(sheet.rows))
        if self._fixed(flat) != self._texts or self._void(flat) != self._nothing:
            return None
        return self._figures(flat), self._loose(flat)


def _getter(places: Sequence[int]) -> Any:
    """Return a function that gives the items at these places as a tuple."""
    if not places:
        return lambda _items: ()
    if len(places) == 1:
        return lambda items: (items[places[0]],)
    return itemgetter(*places)


class Reader:
    """Reads one sheet's labels; `layout` is the result."""

    def __init__(self, sheet: Sheet, code: str, words: National) -> None:
        self.sheet, self.words = sheet, words
        self.rows = sheet.rows
        self.merged = {
            (r, c): (r0, c0)
            for r0, c0, r1, c1 in sheet.merged
            for r in range(r0, r1 + 1)
            for c in range(c0, c1 + 1)
        }
        self.kind_of: dict[tuple[int, int], str] = {}
        width = len(self.rows[0]) if self.rows else 0
        self.layout = Layout(code, None, (len(self.rows), width))
        self.top, self.left = self._literal_grid()

    def read(self) -> Layout:
        """Find the tables of the sheet, their labels and the form's figures."""
        begins = self.top
        marks = [r for r in range(self.top, len(self.rows)) if self._is_mark_row(r)]
        if not marks:
            self._read_without_marks()
        for number, mark in enumerate(marks):
            limit = marks[number + 1] if number + 1 < len(marks) else len(self.rows)
            begins = self._read_table(self._titles(begins, mark), mark - 1, mark, limit)
        self._name_form()
        self._sort_cells()
        return self.layout

    def _literal_grid(self) -> tuple[int, int]:
        """Return the row and the column at which the sheet begins, behind literal A, B, C and 1, 2, 3."""
        first = [(c, key(raw_text(v))) for c, v in enumerate(self.rows[0] if self.rows else []) if not is_blank(v)]
        shifts = {c - shift for shift in (0, 1) for c, text in first[:1] if text == column_letters(c - shift)}
        is_lettered = len(first) >= _LEAST and any(
            all(text == column_letters(c - first[0][0] + start) for c, text in first) for start in shifts
        )
        top = int(is_lettered)
        side = [
            (r, key(raw_text(row[0])))
            for r, row in enumerate(self.rows)
            if r >= top and row and not is_blank(row[0])
        ]
        offset = {int(text) - r for r, text in side if text.isdigit()}
        is_numbered = len(side) >= _LEAST and len(offset) == 1 and all(text.isdigit() for _, text in side)
        left = int(is_numbered)
        self.kind_of |= {(0, c): "header" for c, _ in first} if is_lettered else {}
        self.kind_of |= {(r, 0): "header" for r, _ in side} if is_numbered else {}
        return top, left

    def _held(self, r: int) -> list[tuple[int, str]]:
        """Return the filled cells of a row, without the literal grid."""
        return [
            (c, key(raw_text(v)))
            for c, v in enumerate(self.rows[r])
            if c >= self.left and v != "" and not is_blank(v)
        ]

    def _is_mark_row(self, r: int) -> bool:
        held = [text for _, text in self._held(r)]
        return any(t in self.words.marks for t in held) and all(t in self.words.marks or t.isdigit() for t in held)

    def _titles(self, begins: int, mark: int) -> int:
        """Take the title lines from a row on, and return the first row of the header."""
        r = begins
        while r < mark and self._is_title(r):
            self._take_title(r)
            r += 1
        return r

    def _is_title(self, r: int) -> bool:
        held = self._held(r)
        return len(held) <= 1 or any(self._says_title(text) for _, text in held)

    def _says_title(self, text: str) -> bool:
        words = self.words
        return bool(
            words.code.search(text)
            or words.unit_line.match(text)
            or text in words.by_title
            or any(pattern.search(text) for pattern in words.base.titles)
        )

    def _take_title(self, r: int) -> None:
        for c, text in self._held(r):
            self.kind_of[r, c] = "title"
            self.layout.titles.append(text)
            said = self.words.unit_line.search(text)
            known = self.words.base.units
            units = [known[w] for w in words_of(text[said.start() :]) if w in known] if said else []
            self.layout.stated = units[0] if len(units) == 1 else self.layout.stated

    def _read_without_marks(self) -> None:
        """Read a table headed by 指标名称, or else labels with their value to the right."""
        for r in range(self.top, len(self.rows)):
            heads = [c for c, text in self._held(r) if text in self.words.label_headers]
            if heads:
                begins = self._titles(self.top, r)
                spans = [r1 for r0, c0, r1, _ in self.sheet.merged if (r0, c0) == (r, heads[0])]
                bottom = max(spans, default=r)
                self._read_table(min(begins, r), bottom, bottom, len(self.rows))
                return
        self._read_pairs()

    def _read_table(self, head: int, bottom: int, mark: int, limit: int) -> int:
        """Read a table with its header in rows `head` to `bottom`; return the row behind it."""
        above = self._header(head, bottom)
        labels, figures = self._split_columns(above, mark, bottom)
        for r in range(head, mark + 1):
            self.kind_of |= {(r, c): "header" for c, _ in self._held(r)}
        parent: tuple[Way, str] = ((), "")
        for r in range(mark + 1, len(self.rows)):
            held = self._held(r)
            if r < limit and held and held[0][1].startswith(self.words.base.notes_rows):
                self._take_notes(r, limit)
                return limit
            if limit < len(self.rows) and any(self._says_title(text) for _, text in held):
                return r
            label, parent = self._row_label(r, labels, above, parent)
            if label.way:
                self._take_row(r, label, figures)
        return len(self.rows)

    def _header(self, head: int, bottom: int) -> dict[int, list[str]]:
        """Return the texts above each column from above to below; a merged one heads all it spans."""
        above: dict[int, list[str]] = {}
        for c in range(self.left, self.layout.size[1]):
            cells = dict.fromkeys(self.merged.get((r, c), (r, c)) for r in range(head, bottom + 1))
            texts = [raw_text(self.rows[r][k]) for r, k in cells if r >= head and not is_blank(self.rows[r][k])]
            if texts:
                above[c] = texts
        return above

    def _split_columns(
        self, above: dict[int, list[str]], mark: int, bottom: int
    ) -> tuple[list[int], dict[int, Label]]:
        """Return the columns of labels and those of figures."""
        marked = dict(self._held(mark)) if mark > bottom else {}
        if marked:
            first = min((c for c, text in marked.items() if text.isdigit()), default=self.layout.size[1])
            labels = [c for c in range(self.left, self.layout.size[1]) if c < first]
            names = [c for c, text in marked.items() if text.isdigit()]
        else:
            words = self.words.label_headers | self.words.line_headers | self.words.unit_headers
            labels = [c for c, texts in above.items() if key(texts[-1]) in words]
            names = [c for c in above if c not in labels]
        return labels, {c: self._label(above.get(c, [""]), above.get(c, [""])) for c in names}

    def _label(self, texts: Sequence[str], shown: Sequence[str]) -> Label:
        way = tuple(self.words.label(text)[0] for text in texts)
        units = [self.words.base.units.get(self.words.base.split(text)[1]) for text in texts]
        return Label(
            way, SEPARATOR.join(tidy(text) for text in shown), next((u for u in reversed(units) if u), None)
        )

    def _row_label(
        self, r: int, labels: Sequence[int], above: dict[int, list[str]], parent: tuple[Way, str]
    ) -> tuple[Label, tuple[Way, str]]:
        """Return a row's label and, for the parts below it, the label they are parts of."""
        cells = dict.fromkeys(self.merged.get((r, c), (r, c)) for c in labels)
        texts, unit = [], None
        for row, c in cells:
            text, head = raw_text(self.rows[row][c]), key(above.get(c, [""])[-1])
            if is_blank(text):
                continue
            self.kind_of[row, c] = "header"
            if head in self.words.unit_headers:
                unit = self.words.base.units.get(key(text))
                self.layout.strange += [(row, c)] if is_strange(key(text), self.words.base) else []
            elif head not in self.words.line_headers:
                texts.append(text)
        if not texts:
            return Label((), "", None), parent
        label = self._label(texts, texts)
        label = label._replace(unit=unit or label.unit)
        if self.words.label(texts[-1])[1] and parent[0]:
            own = (*parent[0], label.way[-1])
            return label._replace(way=own, text=f"{parent[1]}{SEPARATOR}{tidy(texts[-1])}"), parent
        return label, (label.way, label.text)

    def _take_row(self, r: int, label: Label, figures: dict[int, Label]) -> None:
        for c, above in figures.items():
            if (r, c) not in self.kind_of:
                self._take_figure(r, c, label, above)

    def _take_figure(self, r: int, c: int, label: Label, above: Label) -> None:
        self.kind_of[r, c] = "figure"
        self.layout.figures.append((r, c))
        self.layout.rows.append(label)
        self.layout.columns.append(above)

    def _take_notes(self, begins: int, limit: int) -> None:
        for r in range(begins, limit):
            self.kind_of |= {(r, c): "note_row" for c, _ in self._held(r)}

    def _read_pairs(self) -> None:
        """Read labels with their value in the next filled column: a column with known labels is one of labels."""
        begins = self._titles(self.top, len(self.rows)) if not self._has_pairs() else self.top
        known = self._known_labels()
        columns = {
            c for r in range(begins, len(self.rows)) for c, t in self._held(r) if self.words.label(t)[0] in known
        }
        nothing = Label((), "", None)
        for r in range(begins, len(self.rows)):
            held = self._held(r)
            if held and held[0][1].startswith(self.words.base.notes_rows):
                self._take_notes(r, len(self.rows))
                return
            if self._is_title(r) and not any(self.words.label(t)[0] in known for _, t in held):
                self._take_title(r)
                continue
            self._take_pairs(r, columns, nothing)

    def _has_pairs(self) -> bool:
        return bool(self._known_labels())

    def _known_labels(self) -> set[str]:
        form = self.words.by_code.get(self.layout.code) or next(iter(self.words.by_code.values()))
        return {way[-1] for place in form.places for way in (*place.rows, *place.part_ways)}

    def _take_pairs(self, r: int, columns: set[int], nothing: Label) -> None:
        label = nothing
        for c in range(self.left, self.layout.size[1]):
            value = self.rows[r][c]
            if c in columns and not is_blank(value):
                label = self._label([raw_text(value)], [raw_text(value)])
                self.kind_of[r, c] = "header"
            elif label.way and self.merged.get((r, c), (r, c)) == (r, c) and c not in columns:
                self._take_figure(r, c, label, nothing)

    def _name_form(self) -> None:
        layout = self.layout
        layout.form = self.words.named(layout.code, layout.titles)
        places = layout.form.places if layout.form else ()
        layout.found = [found for place in places if (found := find(layout, place, self.words)).at or found.faults]

    def _sort_cells(self) -> None:
        """Give every filled cell its kind: a label, a figure, or a stray that belongs to nothing."""
        layout = self.layout
        for r in range(len(self.rows)):
            for c, value in enumerate(self.rows[r]):
                kind = self.kind_of.get((r, c), "")
                if is_blank(value) or kind == "figure":
                    if value != "" and kind != "figure":
                        layout.fixed[r, c] = value
                elif not kind:
                    layout.strays.append((r, c))
                else:
                    layout.kinds[kind] = layout.kinds.get(kind, 0) + 1
                    layout.title_cells += [(r, c)] if kind == "title" else []
                    is_loose = kind == "note_row" or (kind == "title" and not self._is_fixed(value))
                    (layout.loose if is_loose else layout.fixed)[r, c] = kind if is_loose else value
        layout.seal()

    def _is_fixed(self, value: Any) -> bool:
        text = key(raw_text(value))
        return bool(
            self.words.code.search(text) or self.words.unit_line.search(text) or text in self.words.by_title
        )


def find(layout: Layout, place: Place, words: National) -> Found:
    """Return the cells in which a form's figure stands.

    Parameters
    ----------
    layout : Layout
    place : Place
    words : National

    Returns
    -------
    Found
        Without cells if a label is absent; with faults if several rows or columns fit equally well.
    """
    rows = list(
        dict.fromkeys((cell[0], label.way) for cell, label in zip(layout.figures, layout.rows, strict=True))
    )
    columns = list(
        dict.fromkeys((c[1], label.way) for c, label in zip(layout.figures, layout.columns, strict=True))
    )
    totals = tuple((text,) for text in words.total_rows)
    first = [columns[0][0]] if columns else []
    at_rows = [_fitting(place.rows, rows, words)] if place.rows else [_fitting(totals, rows, words)]
    at_columns = [_fitting(place.columns, columns, words)] if place.columns else [first]
    if not place.rows and not at_rows[0] and len({r for r, _ in rows}) == 1:
        at_rows = [[rows[0][0]]]
    if place.adds == "rows":
        at_rows = [hit for part in place.parts for hit in _of_part(part, rows, words)]
    elif place.adds == "columns":
        at_columns = [hit for part in place.parts for hit in _of_part(part, columns, words)]
    return _crossing(layout, place, at_rows, at_columns)


def _of_part(part: Sequence[Sequence[Way]], items: Sequence[tuple[int, Way]], words: National) -> list[list[int]]:
    """Return the rows or columns of the first synonym of a part that is found."""
    for synonym in part:
        hits = [hit for way in synonym if (hit := _fitting((way,), items, words))]
        if hits:
            return hits
    return []


def _crossing(layout: Layout, place: Place, at_rows: list[list[int]], at_columns: list[list[int]]) -> Found:
    """Return the figures where rows and columns cross, each of which must be one alone."""
    faults = [f"rows {' and '.join(str(r + 1) for r in hit)}" for hit in at_rows if len(hit) > 1]
    faults += [f"columns {' and '.join(map(column_letters, hit))}" for hit in at_columns if len(hit) > 1]
    number = {cell: i for i, cell in enumerate(layout.figures)}
    cells = dict.fromkeys((r, c) for rows in at_rows for r in rows for columns in at_columns for c in columns)
    at = tuple(number[cell] for cell in cells if cell in number)
    return Found(place, () if faults else at, tuple(faults))


def _fitting(ways: Sequence[Way], items: Sequence[tuple[int, Way]], words: National) -> list[int]:
    """Return the rows or columns that the first fitting synonym names, of the shortest way."""
    for way in ways:
        fits = [(len(own), number) for number, own in items if fits_way(way, own, words.total_rows)]
        if fits:
            least = min(fits)[0]
            return list(dict.fromkeys(number for length, number in fits if length == least))
    return []


def fits_way(wanted: Way, own: Way, totals: Collection[str]) -> bool:
    """Tell whether the labels of a figure are those wanted: the last is the last, the others come before in order.

    Examples
    --------
    >>> fits_way(("在校生数",), ("在校生数", "合计"), frozenset({"合计"}))
    True
    >>> fits_way(("初中", "中级"), ("中级",), frozenset())
    False
    """
    for labels in (own, own[:-1] if own and own[-1] in totals else ()):
        if labels and labels[-1] == wanted[-1]:
            rest = iter(labels[:-1])
            if all(part in rest for part in wanted[:-1]):
                return True
    return False
