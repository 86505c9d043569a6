"""Values to the tables of returns: schools by stage and year, the birthplace of each value, other figures."""

import numpy as np
import pandas as pd

from planlib import schema
from planlib.clean import frames
from planlib.clean.words.forms import Form
from planlib.clean.words.years import SHEET_NAME

_KEY = ["school_id", "stage", "year"]
_PLACE = ["file", "sheet", "cell", "raw", "step"]


def stage_rows(values: pd.DataFrame, silent: pd.DataFrame) -> pd.DataFrame:
    """Return one row per school, stage and year that the returns speak of, with the cell of the school's type.

    Parameters
    ----------
    values : DataFrame
        Resolved values of all workbooks.
    silent : DataFrame
        ``school_id, stage, year`` of stages of which nothing is known (`planlib.clean.values.resolve.silent_stages`).

    Returns
    -------
    DataFrame
        ``school_id, stage, year, file, sheet, cell, raw``, the last four of the cell that names the type.
    """
    keys = frames.stacked([values.loc[values["stage"] != "", _KEY], silent[_KEY]])
    keys = frames.as_texts(keys[~pd.Series(schema.row_numbers(keys, _KEY)).duplicated()])
    types = values.loc[values["column"] == "school_type", ["school_id", "year", "file", "sheet", "cell", "raw"]]
    return keys.merge(frames.as_texts(types), on=["school_id", "year"], how="left")


def every_value(values: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per value of the table of schools: figures of a whole school once for each of its stages."""
    values = values[["place", *_PLACE, *_KEY, "column", "number", "text"]]
    is_whole = (values["stage"] == "").to_numpy()
    whole, keys = values[is_whole], ["school_id", "year"]
    schools = schema.row_numbers(frames.stacked([whole[keys], rows[keys]]), keys)
    wanted, own = schools[: len(whole)], schools[len(whole) :]
    order = np.argsort(own, kind="stable")
    first, behind = (np.searchsorted(own[order], wanted, side) for side in ("left", "right"))
    count = behind - first
    number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    stages = rows["stage"].iloc[order[np.repeat(first, count) + number]]
    whole = whole.iloc[np.repeat(np.arange(len(whole)), count)].assign(stage=pd.Categorical(stages))
    return frames.stacked([whole, values[~is_whole]])


def schools_table(every: pd.DataFrame, form: Form) -> pd.DataFrame:
    """Return the wide table of schools.

    Parameters
    ----------
    every : DataFrame
        One row per value (`every_value`).
    form : Form

    Returns
    -------
    DataFrame
        As `planlib.schema` declares ``schools``.
    """
    if every.empty:
        return schema.empty("schools")
    figures = schema.row_numbers(every, _KEY)
    rows, at = pd.factorize(figures)[0], pd.Series(figures).duplicated()
    wide = frames.as_texts(every.loc[~at.to_numpy(), _KEY]).reset_index(drop=True)
    names, columns = every["column"].cat.categories, every["column"].cat.codes.to_numpy()
    order = np.argsort(columns, kind="stable")  # keys are unique: each figure has its own place
    ends = np.searchsorted(columns[order], np.arange(len(names) + 1))
    for name, begin, end in zip(names, ends[:-1], ends[1:], strict=True):
        if name not in _KEY and begin < end:
            source = "text" if form.columns[name].type in ("text", "code") else "number"
            own = every[source].iloc[order[begin:end]].set_axis(rows[order[begin:end]])
            wide[name] = (own.astype("str") if source == "text" else own).reindex(wide.index)
    wide["as_of"] = wide["year"].astype("str") + f"-{form.as_of}"
    return schema.conform(wide, "schools")


def lineage_table(every: pd.DataFrame, rows: pd.DataFrame, sheets: pd.DataFrame, form: Form) -> pd.DataFrame:
    """Return the birthplace of every value of the table of schools, keys and dates included.

    A year and an ``as_of`` stand in the first title of the workbook that says that year, a stage follows from the type
    of the school.
    """
    keys = ["file", "year"]
    titles = sheets[sheets["year"].notna() & (sheets["title_cell"] != "")].drop_duplicates(keys)
    titles = titles[[*keys, "sheet", "title_cell", "title_text"]].astype({"year": "int64"})
    titles = titles.rename(columns={"title_cell": "cell", "title_text": "raw"})
    titled = rows.drop(columns=["sheet", "cell", "raw"]).merge(titles, on=keys, how="left")
    says = np.where(titled["cell"] == SHEET_NAME, "year of the sheet's name", "year of the title")
    parts = [
        every,
        titled.assign(column="year", step=says),
        titled.assign(column="as_of", step=[f"{said}, {form.as_of}" for said in says]),
        rows.assign(column="stage", step="stage of the header or of the type"),
    ]
    names = [name for name in schema.TABLES["lineage"].columns if name != "table"]
    born = frames.stacked([part[names] for part in parts])
    table = pd.Categorical.from_codes(np.zeros(len(born), "int8"), ["schools"])
    return schema.conform(born.assign(table=table), "lineage")


def form_cells_table(extra: pd.DataFrame) -> pd.DataFrame:
    """Return the figures of national forms that no other table needs, with the labels they stand under.

    Parameters
    ----------
    extra : DataFrame
        Figures of all workbooks (`planlib.clean.layout.school.EXTRA_TYPES`), with ``file`` and ``year``.

    Returns
    -------
    DataFrame
        As `planlib.schema` declares ``form_cells``: ``raw`` as it stands, ``value`` where it is a number.
    """
    return schema.conform(extra.rename(columns={"number": "value"}), "form_cells")
