"""Which texts are dates, and from which day a row may be known."""

import re

import numpy as np
import pandas as pd

from planlib.schema.tables import declaration

_ISO_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")


def as_of_dates(frame: pd.DataFrame, table: str) -> pd.Series:
    """Return the date from which each row may be known, as its table declares (``"all"`` if it is undated).

    Examples
    --------
    >>> as_of_dates(pd.DataFrame({"year": [2020]}), "births").tolist()
    ['2020-12-31']
    """
    rule = declaration(table).as_of
    if not rule:
        return pd.Series("all", index=frame.index, dtype="str")
    column, _, day = rule.partition("-")
    codes, values = pd.factorize(frame[column], use_na_sentinel=False)  # few dates, many rows
    words = pd.Series(values).astype("str") + (f"-{day}" if day else "")
    return pd.Series(words.array.take(codes), index=frame.index)


def is_iso_date(column: pd.Series) -> pd.Series:
    """Tell which texts are real dates written as YYYY-MM-DD.

    Examples
    --------
    >>> is_iso_date(pd.Series(["2023-09-01", "2023-02-30", "2023/9/1"])).tolist()
    [True, False, False]
    """
    codes, different = pd.factorize(column.astype("str"))  # few days, many rows
    words = pd.Series(different, dtype="str")
    is_real = words.str.fullmatch(_ISO_DATE) & pd.to_datetime(words, format="%Y-%m-%d", errors="coerce").notna()
    return pd.Series(np.append(is_real.to_numpy(bool), False)[codes], column.index)
