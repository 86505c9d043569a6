"""The school year of each sheet: it is the sheet's own, or that of the workbook's other sheets if they agree."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from planlib.clean.issues import Issue

_KIND = "title"
_SHEET = ["file", "sheet"]


def with_own_years(sheets: pd.DataFrame) -> pd.DataFrame:
    """Give a sheet of schools that does not say its year that of its workbook's other sheets, if they agree.

    Parameters
    ----------
    sheets : DataFrame
        Of all workbooks, with ``file``.

    Examples
    --------
    >>> sheets = pd.DataFrame({"file": list("aabbb"), "sheet": list("12123"), "schools": 9, "total": 0})
    >>> years = pd.array([2020, None, 2020, 2021, None], "Int64")
    >>> with_own_years(sheets.assign(year=years))["year"].tolist()
    [2020, 2020, 2020, 2021, <NA>]
    """
    said = sheets[sheets["schools"] > 0].groupby("file")["year"].agg(["min", "max"])
    alone = said["min"][(said["min"] == said["max"]).fillna(False)]
    is_open = sheets["year"].isna() & (sheets[["schools", "total"]].sum(axis=1) > 0)
    return sheets.assign(year=sheets["year"].mask(is_open, sheets["file"].map(alone)))


def unsaid_years(sheets: pd.DataFrame, told: pd.DataFrame) -> Iterator[Issue]:
    """Yield a warning for each sheet that takes the year of others, and an error where it has none to take.

    A workbook that speaks for several years is noted: a title may be last year's.

    Parameters
    ----------
    sheets : DataFrame
        As they were read. A school's workbook of national forms has said so itself.
    told : DataFrame
        The issues of reading: a title that cannot be read was told then.
    """
    tables = sheets[(sheets["schools"] > 0) & (sheets["form"] == "")]
    silent = tables[tables["year"].isna()]
    told = told[(told["kind"] == _KIND) & (told["level"] == "error")]
    is_told = set(told[_SHEET].itertuples(index=False, name=None))
    said = tables[tables["year"].notna()].drop_duplicates(["file", "year"])
    for file, own in said.groupby("file", sort=False):
        if len(own) > 1:
            found = f"the school years {_named(own)}"
            yield Issue("note", _KIND, str(file), found=found, done="each sheet read as of its own year")
    for file, own in silent.groupby("file", sort=False)["sheet"]:
        others = said[said["file"] == file]
        years = others["year"].tolist()
        if len(years) == 1:
            found, done = "no school year in the sheet", "year of the other sheets taken"
            for sheet in own:
                yield Issue("warning", _KIND, str(file), sheet, year=str(years[0]), found=found, done=done)
        elif years:
            found = f"no school year, but {_named(others)} in others"
            wanted = "its school year in its title or in its name"
            for sheet in own:
                if (file, sheet) not in is_told:
                    yield Issue("error", _KIND, str(file), sheet, found=found, expected=wanted)
        elif file not in {name for name, _ in is_told}:
            found = "no school year above the header"
            yield Issue("error", _KIND, str(file), own.iloc[0], found=found, expected="one school year")


def _named(sheets: pd.DataFrame) -> str:
    """Return years, each with a sheet that says it."""
    return "、".join(f"{year} ({sheet})" for year, sheet in zip(sheets["year"], sheets["sheet"], strict=True))


def with_years(cells: pd.DataFrame, sheets: pd.DataFrame) -> pd.DataFrame:
    """Give every cell the school year of its sheet.

    Parameters
    ----------
    cells : DataFrame
        With ``file`` and ``sheet``, both categories.
    sheets : DataFrame
        With their own years (`with_own_years`).

    Returns
    -------
    DataFrame
        With ``year``, 0 where there is none: then there is an error too.
    """
    file, sheet = cells["file"].cat, cells["sheet"].cat
    known = sheets[sheets["year"].notna()].drop_duplicates(_SHEET)
    known = known[known["file"].isin(file.categories) & known["sheet"].isin(sheet.categories)]
    # one whole number for a sheet: looked up once, however many cells it has
    numbers = [own.categories.get_indexer(known[name]) for own, name in ((file, "file"), (sheet, "sheet"))]
    places = pd.Index(numbers[0] * len(sheet.categories) + numbers[1])
    own = file.codes.to_numpy("int64") * len(sheet.categories) + sheet.codes.to_numpy()
    years = np.append(known["year"].to_numpy("int64"), 0)
    return cells.assign(year=years[places.get_indexer(own)])
