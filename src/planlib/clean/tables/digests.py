"""Digests of tables by date, so that a report with a cutoff depends only on what it may know."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from planlib import schema


def slices(tables: Mapping[str, pd.DataFrame], issues: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return, by table and date, the SHA-256 of the rows of that date.

    Parameters
    ----------
    tables : mapping
        Processed tables by name. Birthplaces belong to the slice of the schools they are of.
    issues : DataFrame
        By the school year they are about; the others under ``"all"``.

    Returns
    -------
    dict of dict
        ``{"schools": {"2020-09-01": "…"}, "projects": {"all": "…", "2021-05-16": "…"}, …}``. A row of the ledger of
        projects has many dates: each step is in the slice of its day, all that is undated in ``"all"``.
    """
    made = {
        name: _of_table(frame, schema.as_of_dates(frame, name))
        for name, frame in tables.items()
        if name != "lineage"
    }
    if "projects" in tables:
        made["projects"] = _of_projects(tables["projects"])
    if "lineage" in tables:
        lineage = _of_table(tables["lineage"], schema.as_of_dates(tables["lineage"], "lineage"))
        made["schools"] = {day: _joined(made["schools"].get(day, ""), digest) for day, digest in lineage.items()}
    day = schema.TABLES["lineage"].as_of.removeprefix("year")
    dates = (issues["year"].astype("string") + day).fillna("all")
    return {**made, "issues": _of_table(issues, dates)}


def _of_projects(ledger: pd.DataFrame) -> dict[str, str]:
    steps = [name for name in ledger.columns if schema.fields()[name].type == "date"]
    events = ledger.melt("project_id", steps, "step", "date")
    events = events[events["date"] != ""]
    return {"all": _digest(ledger.drop(columns=steps)), **_of_table(events, events["date"])}


def _of_table(frame: pd.DataFrame, dates: pd.Series) -> dict[str, str]:
    codes, days = pd.factorize(dates, sort=True)
    return {
        str(day): _digest(frame if len(days) == 1 else frame[codes == number]) for number, day in enumerate(days)
    }


def _digest(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of a frame, column by column, which no library's own format can change.

    A column of texts is its different texts in order, and the number of each row's: so it is the same for texts and
    for categories, and quick for what comes again and again.
    """
    made = hashlib.sha256()
    for name, column in frame.items():
        made.update(f"{name} {len(column)}\n".encode())
        is_coded = isinstance(column.dtype, pd.CategoricalDtype)
        if name in schema.DISTINCT:
            _add_texts(made, column)
        elif is_coded and column.cat.categories.is_monotonic_increasing:
            is_used, codes = schema.used(column), column.cat.codes.to_numpy()
            codes = codes if is_used.all() else (np.cumsum(is_used) - 1)[codes]
            _add_words(made, codes, column.cat.categories[is_used].tolist())
        elif is_coded or column.dtype in ("str", "object"):
            codes, found = pd.factorize(column.astype("str") if is_coded else column, sort=True)
            _add_words(made, codes, found.tolist())
        else:
            kind = "<f8" if column.dtype.kind == "f" else "<i8"
            made.update(column.isna().to_numpy().tobytes())
            made.update(column.to_numpy(dtype=kind, na_value=0).tobytes())
    return made.hexdigest()


def _add_texts(made: Any, column: pd.Series) -> None:
    texts = pa.array(column.array, pa.large_string())
    texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    lengths = pc.binary_length(texts).to_numpy()
    made.update(lengths.astype("<i8").tobytes())
    begins = int(np.frombuffer(texts.buffers()[1], "<i8")[texts.offset]) if len(texts) else 0
    made.update(memoryview(texts.buffers()[2] or b"")[begins : begins + int(lengths.sum())])


def _add_words(made: Any, codes: np.ndarray, words: list[str]) -> None:
    made.update(json.dumps(words).encode())
    made.update(codes.astype("<i4").tobytes())


def _joined(*digests: str) -> str:
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()
