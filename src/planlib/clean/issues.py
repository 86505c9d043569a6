"""What was wrong, where, and what was done: one list for faults, warnings and notes."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from planlib import schema
from planlib.errors import DataError
from planlib.registry import heading, label, phrase

SHOWN = 10


@dataclass(frozen=True)
class Issue:
    """One thing that a person may want to know; `subject` is the column it is about, if any."""

    level: str
    kind: str
    file: str = ""
    sheet: str = ""
    cell: str = ""
    school: str = ""
    year: str = ""
    found: str = ""
    expected: str = ""
    done: str = ""
    subject: str = ""


def foreign_encoding(file: str, encoding: str) -> Issue:
    """Return the note that says as what a text file was read, where it is not UTF-8."""
    return Issue("note", "table", file, found=f"text in {encoding}", expected="UTF-8", done=f"read as {encoding}")


COLUMNS = tuple(Issue.__dataclass_fields__)


class FaultyData(DataError):
    """The raw files have faults.

    The message shows ten of each kind and counts the rest; `issues` holds all of them, `in_words` says them in Chinese.
    """

    def __init__(self, district: str, issues: pd.DataFrame, listed: Path | None = None) -> None:
        self.district, self.issues, self.listed = district, issues, listed
        super().__init__(self.in_words("en"))
        self.short = self.in_short(listed)

    def in_short(self, listed: Path | None) -> str:
        """Return the first fault with its place, how many more there are and where all are listed, what to do."""
        faults = self.issues[self.issues["level"] == "error"]
        first, kinds = faults.iloc[0].to_dict(), faults["kind"].nunique()
        of_kinds = f", of {kinds} kinds in all" if kinds > 1 else ""
        more = f"; and {len(faults) - 1} more{of_kinds}" if len(faults) > 1 else ""
        where = f"; the whole list is {listed}" if listed else ""
        to_do = heading(first["kind"], "en", "todo")
        return f"raw files of {self.district}: {sentence(first)}{more}\nTo do: {to_do}{where}"

    def write_list(self, file: Path) -> None:
        """Write every fault as a line of a CSV file that a spreadsheet opens."""
        _write_list(self.issues[self.issues["level"] == "error"], file)

    def in_words(self, language: str) -> str:
        """Return the message in ``zh`` or ``en``: how many faults, then each kind with its places and what to do."""
        faults = self.issues[self.issues["level"] == "error"]
        kinds = faults.groupby("kind", sort=False)
        counts = {"district": self.district, "count": len(faults), "kinds": kinds.ngroups, "listed": self.listed}
        head = [_say("refused_one" if len(faults) == 1 else "refused", language, **counts)]
        head += [_say("all_listed", language, **counts)] if self.listed else []
        return "\n".join([*head, *(_group(str(kind), rows, language) for kind, rows in kinds)])


def frame(issues: Iterable[Issue]) -> pd.DataFrame:
    """Return issues as a frame, in the order given."""
    return pd.DataFrame([asdict(issue) for issue in issues], columns=list(COLUMNS)).astype("str")


def refuse_faults(issues: pd.DataFrame, district: str, listed: Path) -> None:
    """Raise if any issue is an error, and leave the list of all errors where a person can open it.

    Parameters
    ----------
    issues : DataFrame
        With the columns of `COLUMNS`.
    district : str
        Named in the message.
    listed : Path
        Where the list is written, and named if the message does not show all; removed if there is no error.

    Raises
    ------
    FaultyData
        All faults, grouped by kind, ten of each kind shown and the rest counted.
    """
    faults = issues[issues["level"] == "error"]
    if faults.empty:
        listed.unlink(missing_ok=True)
        return
    listed.parent.mkdir(parents=True, exist_ok=True)
    _write_list(faults, listed)
    is_long = bool((faults["kind"].value_counts() > SHOWN).any())
    raise FaultyData(district, issues, listed if is_long else None)


def _write_list(faults: pd.DataFrame, file: Path) -> None:
    schema.write_csv(faults[[name for name in COLUMNS if name != "subject"]], file)


def _group(kind: str, rows: pd.DataFrame, language: str) -> str:
    """Say the faults of one kind: how many in how many schools and files, then ten of them."""
    spread = {"schools": rows["school"].replace("", pd.NA).nunique(), "files": rows["file"].nunique()}
    said = [_say(f"in_{name}", language, count=count) for name, count in spread.items() if count > 1]
    spread_text = _say("spread", language, where=" ".join(said)) if len(rows) > SHOWN and said else ""
    # of many faults the ten shown are of as many files, sheets and columns as can be
    again = rows.groupby(["file", "sheet", "subject"], sort=False).cumcount()
    first = rows.loc[again.sort_values(kind="stable").index[:SHOWN].sort_values()]
    lines = [f"  {sentence(row, language)}" for row in first.to_dict("records")]
    rest = len(rows) - SHOWN
    lines += [_say("rest", language, count=rest)] if rest > 0 else []
    todo = _say("todo", language, todo=heading(kind, language, "todo"))
    head = _say("counted", language, title=heading(kind, language), count=len(rows), spread=spread_text)
    return "\n".join([head, *lines, todo])


def _say(code: str, language: str, **values: object) -> str:
    return label(code, language, "faults").format(**values)


def sentence(issue: Mapping[str, str], language: str = "en") -> str:
    """Say an issue in one line: where, what was found, what was expected.

    Examples
    --------
    >>> issue = asdict(Issue("error", "total", "returns/a.xlsx", "教师", "D9", found="10", expected="11"))
    >>> sentence(issue)
    'returns/a.xlsx, sheet 教师, cell D9: found 10; expected 11'
    >>> sentence(issue, "zh")
    'returns/a.xlsx，工作表“教师”，单元格 D9：现为 10；应为 11'
    """
    is_line = issue["cell"].startswith("line ")
    names = {
        "file": "file",
        "sheet": "sheet",
        "cell": "line" if is_line else "cell",
        "school": "school",
        "year": "year",
    }
    values = {**issue, "cell": issue["cell"].removeprefix("line ")}
    where = [_say(f"at_{name}", language, text=values[key]) for key, name in names.items() if issue[key]]
    found = phrase(issue["found"], language)
    said = _say("found", language, text=found) if found else _say("nothing", language)
    expected = _say("expected", language, text=phrase(issue["expected"], language)) if issue["expected"] else ""
    joined = _say("comma", language).join(where)
    return _say("sentence", language, where=joined, said=said + expected)
