"""The school year of a return: what its titles and the names of its sheets say, and how sure that is."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from planlib.clean.words.forms import Form
from planlib.clean.words.writing import compact, key

SHEET_NAME = "sheet name"
"""In the place of a cell's address, where the name of the sheet says it."""


class Said(NamedTuple):
    """A year as said: the autumn in which the school year begins, the place (None for a sheet's name), the text.

    `is_bare` tells that no school year is written, only 2020年 or two years: it is taken as one.
    """

    year: int
    place: Any
    text: str
    is_bare: bool


def years_in(text: str, form: Form) -> list[int]:
    """Return the first years of the school years written in a text, of those whose two years follow each other.

    Examples
    --------
    >>> from planlib.clean.words.forms import load_form
    >>> years_in("2020/2021学年初", load_form()), years_in("2020年", load_form())
    ([2020], [])
    """
    return list(_years(form.titles, key(text)))


def bare_years(text: str, form: Form) -> list[int]:
    """Return the years of a text that says no more than 2020年 or 2020-2021; a day or a span is no such year.

    Examples
    --------
    >>> from planlib.clean.words.forms import load_form
    >>> [bare_years(text, load_form()) for text in ("2020年小学情况", "2020-2021", "2020年9月", "2018-2020年", "2020年底")]
    [[2020], [2020], [], [], []]
    """
    return list(_years(form.bare_years, key(text)))


def says_year(row: Sequence[Any], form: Form) -> bool:
    """Tell whether a row names a school year."""
    return any(years_in(value, form) for value in row if isinstance(value, str))


def years_said(cells: Sequence[tuple[Any, str]], name: str, form: Form) -> list[Said]:
    """Return the different years that titles and the name of their sheet say, the surest first.

    A bare year in a title counts only where no title writes a school year: 2021 年 may be the year of the survey's
    books. The name of a sheet counts always, so that a copy of last year's sheet does not pass.

    Parameters
    ----------
    cells : sequence of (place, text)
    name : str
        ``""`` for none.
    form : Form

    Examples
    --------
    >>> from planlib.clean.words.forms import load_form
    >>> [said.year for said in years_said([("A1", "2020/2021学年"), ("A2", "2021年")], "2021", load_form())]
    [2020, 2021]
    """
    told = [Said(year, place, text, False) for place, text in cells for year in years_in(text, form)]
    told = told or [Said(year, place, text, True) for place, text in cells for year in bare_years(text, form)]
    told += _of_name(name, form)
    told.sort(key=lambda said: said.is_bare)
    return list({said.year: said for said in reversed(told)}.values())[::-1]


def both_said(told: Sequence[Said]) -> str:
    """Write years that contradict each other; where one is a sheet's name, where each stands.

    Examples
    --------
    >>> both_said([Said(2020, "A1", "", False), Said(2021, None, "", True)])
    "2020 in the title and 2021 in the sheet's name"
    """
    if all(said.place is not None for said in told):
        return " and ".join(str(said.year) for said in told)
    where = {True: "the sheet's name", False: "the title"}
    return " and ".join(f"{said.year} in {where[said.place is None]}" for said in told)


def taken(said: Said) -> str:
    """Write what a bare year was taken for.

    Examples
    --------
    >>> taken(Said(2020, "A1", "2020年", True))
    'taken as the school year 2020/2021'
    """
    return f"taken as the school year {said.year}/{said.year + 1}"


def _of_name(name: str, form: Form) -> list[Said]:
    sure = _years_of_name(form.titles, name)
    years = sure or _years_of_name((*form.bare_years, *form.name_years), name)
    return [Said(year, None, name, not sure) for year in years]


@lru_cache(maxsize=1 << 14)
def _years_of_name(patterns: tuple[re.Pattern[str], ...], name: str) -> tuple[int, ...]:
    return _years(patterns, key(name)) or _years(patterns, compact(name))  # 2022九年一贯制 is no 20229


@lru_cache(maxsize=1 << 14)
def _years(patterns: tuple[re.Pattern[str], ...], text: str) -> tuple[int, ...]:
    found = [hit for pattern in patterns for hit in pattern.finditer(text)]
    # the second year may be short: 2020-21
    clear = [
        int(hit[1])
        for hit in found
        if not hit.groups()[1:] or not hit[2] or int(hit[2][-2:]) == (int(hit[1]) + 1) % 100
    ]
    return tuple(dict.fromkeys(clear))
