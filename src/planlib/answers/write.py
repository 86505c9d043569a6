"""What answers add to a district's files, collected first and written at the end, each file whole."""

import csv
import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from planlib import store
from planlib.clean.files.file_kinds import ENCODING_NAMES
from planlib.clean.files.read import delimiter_of, read_csv
from planlib.clean.words.headers import columns_of, header_at
from planlib.errors import DataError, PlanlibError
from planlib.registry import Plan, codes, load_explanations, load_responsibility
from planlib.registry.documents import as_mapping, did_you_mean, read_document
from planlib.registry.shape import is_date

_CODECS = {name: codec for codec, name in ENCODING_NAMES.items() if not codec.startswith("utf")}
HEADERS = {
    "milestones.csv": ["commitment_id", "date", "achieved", "evidence", "note"],
    "observations.csv": ["series_id", "value", "relation", "as_of", "status", "source_office", "boundary", "note"],
}


class Files:
    """A district's files with the answers added; `save` writes those that changed.

    Parameters
    ----------
    plan : Plan
    folder : Path
        ``data/raw/<district>``.
    facts : mapping
        Report, year and cutoff the answers are about.
    """

    def __init__(self, plan: Plan, folder: Path, facts: Mapping[str, str]):
        self.plan, self.folder, self.facts = plan, folder, facts
        self.explanations: list[dict[str, Any]] = []
        self.leads: list[tuple[str, str, str]] = []
        self.known = load_explanations(plan)
        self.responsible = load_responsibility(plan).set_index("subject_id")
        document = folder / "responsibility.yml"
        data = as_mapping(read_document(document).data) if document.is_file() else {}
        self.offices = {str(zh): str(en) for zh, en in as_mapping(data.get("offices")).items()}
        self.tables = {name: _Csv(folder / name, header) for name, header in HEADERS.items()}

    def add(self, answer: Any) -> list[str]:
        """Take one answer in and return what speaks against it."""
        values = answer.values
        date = str(values.get("date", ""))
        # what is no date has been refused where it was read
        if is_date(date) and date > self.facts["cutoff"]:
            return [f"{values['date']} is after {self.facts['cutoff']}, the last day this report may know"]
        handlers = {"value": self._value, "record": self._record, "evidence": self._evidence, "lead": self._lead}
        return handlers.get(answer.kind, self._explanation)(answer.subject, values)

    def _explanation(self, subject: str, values: Mapping[str, Any]) -> list[str]:
        entry = {"report": self.facts["report"], "year": int(self.facts["year"]), "subject": subject}
        entry |= {
            key: values[key]
            for key in ("cause", "cause_kind", "measure", "deadline", "author", "checked_by")
            if key in values
        }
        rows = self.known[(self.known["report"] == entry["report"]) & (self.known["year"] == entry["year"])]
        rows = rows[rows["subject"] == subject]
        if rows.empty:
            self.explanations.append(entry)
            return []
        said = rows.iloc[-1]
        other = [key for key, value in values.items() if said[key] != value]
        return (
            [f"explanations.yml says something else of {subject} already ({', '.join(other)}); edit it there"]
            if other
            else []
        )

    def _record(self, subject: str, values: Mapping[str, Any]) -> list[str]:
        row = {"commitment_id": subject, "date": values.get("date"), "achieved": _digits(values.get("number"))}
        return self.tables["milestones.csv"].add(
            row | {"evidence": values.get("evidence", "")}, ("commitment_id", "date")
        )

    def _value(self, subject: str, values: Mapping[str, Any]) -> list[str]:
        table = self.tables["observations.csv"]
        office = self.responsible["lead"].get(subject, "")
        row: dict[str, Any] = {"series_id": subject, "value": _digits(values.get("number")), "relation": "="}
        row |= {"as_of": values.get("date"), "status": values.get("standing"), "source_office": office}
        # the first word there is says the boundary of today, on which a figure is reported now
        boundary = table.last("boundary") or next(iter(codes("boundary")))
        row |= {"boundary": boundary, "note": values.get("evidence", "")}
        return table.add(row, ("series_id", "as_of", "status"))

    def _evidence(self, subject: str, values: Mapping[str, Any]) -> list[str]:
        rows = {"commitment_id": subject, "evidence": str(values.get("evidence", ""))}
        return self.tables["milestones.csv"].complete("commitment_id", rows, self.facts["cutoff"])

    def _lead(self, subject: str, values: Mapping[str, Any]) -> list[str]:
        office = {en: zh for zh, en in self.offices.items()}.get(values["lead"], values["lead"])
        if self.offices and office not in self.offices:
            return [f"unknown office {office!r:.40}; {did_you_mean(office, self.offices)}"]
        now = str(self.responsible["lead"].get(subject, ""))
        if not now:
            is_series = subject in set(self.plan.series["series_id"])
            self.leads.append(("series" if is_series else "commitments", subject, office))
        return (
            [f"responsibility.yml names {now} for {subject} already; edit it there"]
            if now not in ("", office)
            else []
        )

    def save(self) -> list[str]:
        """Write every file that changed and return what was added to each.

        Raises
        ------
        DataError
            If a file could not be extended so that it says what it said and the answers; nothing was written.
        """
        texts = {name: (table.text(), table.added) for name, table in self.tables.items() if table.added}
        if self.explanations:
            texts["explanations.yml"] = (self._explanations_text(), len(self.explanations))
        if self.leads:
            texts["responsibility.yml"] = (self._responsibility_text(), len(self.leads))
        sources, renewed = self._registered({name: content for name, (content, _) in texts.items()})
        for name, (content, _) in texts.items():
            store.write_atomic(self.folder / name, content)
        if renewed:
            store.write_atomic(self.folder / "sources.yml", sources)
        said = [f"{name}: {count} added" for name, (_, count) in texts.items()]
        return said + ([f"sources.yml: sha256 of {', '.join(renewed)} written anew"] if renewed else [])

    def _registered(self, contents: Mapping[str, bytes]) -> tuple[bytes, list[str]]:
        """Return sources.yml with the new digests, and of which files: those that were as registered until now."""
        path, renewed = self.folder / "sources.yml", list[str]()
        text = path.read_bytes() if path.is_file() else b""
        for name, content in contents.items():
            if not (self.folder / name).is_file():
                continue
            old, new = store.sha256(self.folder / name), hashlib.sha256(content).hexdigest()
            text, count = re.subn(old.encode(), new.encode(), text, flags=re.IGNORECASE)
            renewed += [name] if count else []
        return text, renewed

    def _explanations_text(self) -> bytes:
        before = _read(self.folder / "explanations.yml")
        text = re.sub(r"^\[\][ \t]*(#.*)?$\n?", "", before, flags=re.MULTILINE)
        indent = re.search(r"^( *)- ", text, re.MULTILINE)
        dumped = yaml.safe_dump(self.explanations, allow_unicode=True, sort_keys=False, width=10**6)
        block = "".join(f"{indent.group(1) if indent else ''}{line}\n" for line in dumped.splitlines())
        after = f"{text.rstrip()}\n{block}" if text.strip() else block
        self._check("explanations.yml", after, load_explanations, len(self.known) + len(self.explanations))
        return after.encode()

    def _responsibility_text(self) -> bytes:
        """Put each office in below the key of its group; comments and everything else stay."""
        text = _read(self.folder / "responsibility.yml")
        for group, subject, office in self.leads:
            named = yaml.safe_dump(
                {"lead": office}, allow_unicode=True, default_flow_style=True, width=10**6
            ).strip()
            line = f"  {subject}: {named}\n"
            head = re.search(rf"^{group}:[ \t]*(\{{\}})?[ \t]*(#.*)?$\n?", text, re.MULTILINE)
            if head is None:
                text = f"{text.rstrip()}\n{group}:\n{line}".lstrip()
            else:
                remark = f"  {head[2]}" if head[2] else ""
                text = f"{text[: head.start()]}{group}:{remark}\n{line}{text[head.end() :]}"
        self._check("responsibility.yml", text, load_responsibility, len(self.responsible))
        return text.encode()

    def _check(self, name: str, text: str, load: Any, rows: int) -> None:
        """Read the new text as the reports will, before anything is written."""
        with TemporaryDirectory(prefix="planlib-") as folder:
            path = Path(folder) / name
            path.write_text(text, encoding="utf-8")
            try:
                is_right = len(load(self.plan, path)) == rows
            except PlanlibError:
                is_right = False
        if not is_right:
            raise DataError(
                f"{self.folder / name} could not be extended without changing what it says; nothing was written.\n"
                "To do: write its lists in block style, an entry a line, and read the sheet in again."
            )


class _Csv:
    """A CSV file of the district: its rows, and its text with rows added and nothing else touched."""

    def __init__(self, path: Path, header: list[str]):
        self.path = path
        self.content = path.read_bytes() if path.is_file() else b""
        self.content = self.content or (",".join(header) + "\n").encode()
        rows, lines, self.encoding = read_csv(self.content)
        self.top = header_at(path.stem, rows)
        self.header, self.lines, self.added = columns_of(path.stem, rows[self.top]), lines[self.top :], 0
        self.rows = [dict(zip(self.header, row, strict=False)) for row in rows[self.top + 1 :]]
        self.new: list[dict[str, Any]] = []
        self.completed: dict[int, dict[str, str]] = {}

    def last(self, column: str) -> str:
        """Return a column of the row that is latest by its date."""
        dated = sorted(self.rows, key=lambda row: row.get("as_of", ""))
        return dated[-1].get(column, "") if dated else ""

    def add(self, row: Mapping[str, Any], keys: tuple[str, ...]) -> list[str]:
        """Add a row, unless there is one of these keys; return what speaks against it."""
        same = [old for old in self.rows if all(old.get(key) == str(row[key]) for key in keys)]
        number = "achieved" if "achieved" in row else "value"
        if not same:
            self.new.append(dict(row))
            self.added += 1
            return []
        is_equal = _digits(same[-1].get(number)) == row[number]
        place = ", ".join(str(row[key]) for key in keys)
        return [] if is_equal else [f"there is {number} {same[-1].get(number)} for {place} already; edit it there"]

    def complete(self, key: str, row: Mapping[str, str], cutoff: str) -> list[str]:
        """Put evidence into the latest row of a promise that has none; return what speaks against it."""
        found = [
            (n, old)
            for n, old in enumerate(self.rows)
            if old.get(key) == row[key] and old.get("date", "") <= cutoff
        ]
        if not found:
            return [f"milestones.csv has no record of {row[key]}; expected one to put evidence to"]
        number, last = max(found, key=lambda pair: pair[1].get("date", ""))
        if last.get("evidence", "").strip():
            is_same = last["evidence"] == row["evidence"]
            return [] if is_same else [f"milestones.csv has other evidence for {row[key]} already; edit it there"]
        self.completed[number] = {**last, "evidence": row["evidence"]}
        self.added += 1
        return []

    def text(self) -> bytes:
        """Return the file with its new rows and completed ones; every other line as it was."""
        codec = _CODECS.get(self.encoding, "utf-8")  # the mark of UTF-8 stays where it stands
        text = self.content.decode(codec)
        lines, delimiter = io.StringIO(text, newline="").readlines(), delimiter_of(text)  # as read_csv counts them
        end = lines[0][len(lines[0].rstrip("\r\n")) :] or "\n"
        ends = [*self.lines[1:], len(lines) + 1]
        for number in sorted(self.completed, reverse=True):
            first, after = self.lines[number + 1] - 1, ends[number + 1] - 1
            lines[first:after] = [self._line(self.completed[number], delimiter, end)]
        if lines and not lines[-1].endswith(("\n", "\r")):
            lines[-1] += end
        try:
            made = "".join([*lines, *(self._line(row, delimiter, end) for row in self.new)]).encode(codec)
        except UnicodeEncodeError as error:
            raise DataError(
                f"{self.path} is in {self.encoding}, which has no {error.object[error.start : error.end]!r}; nothing was "
                "written.\nTo do: save the file as CSV UTF-8, and read the sheet in again."
            ) from None
        self._check(made)
        return made

    def _check(self, made: bytes) -> None:
        """Read the new text as `clean` will, before it is written: the old header, every row and every answer in it."""
        before, after = read_csv(self.content)[0], read_csv(made)[0]
        is_right = before[self.top] == after[self.top] and len(after) == len(before) + len(self.new)
        lacking = {name for row in self.new for name, value in row.items() if value} - set(self.header)
        if lacking or not is_right:
            why = f" (it has no column {', '.join(sorted(lacking))})" if lacking else ""
            raise DataError(
                f"{self.path} could not be extended without changing what it says{why}; nothing was written.\n"
                "To do: mend it until planlib clean reads it, and read the sheet in again."
            )

    def _line(self, row: Mapping[str, Any], delimiter: str, end: str) -> str:
        buffer = io.StringIO()
        writer = csv.writer(buffer, delimiter=delimiter, lineterminator=end)
        writer.writerow([row.get(name, "") for name in self.header])
        return buffer.getvalue()


def _digits(value: Any) -> str:
    """Write a number as a table has it: 3, not 3.0."""
    try:
        return f"{float(value):.12g}"
    except (TypeError, ValueError):
        return str(value)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig") if path.is_file() else ""
