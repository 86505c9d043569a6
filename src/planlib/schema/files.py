"""Tables in files: parquet with its schema's version, CSV that a spreadsheet may open."""

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from planlib.errors import DataError
from planlib.schema.check import conform, empty
from planlib.schema.tables import SCHEMA_VERSION, declaration

_VERSION_KEY = b"planlib_schema_version"
_TABLE_KEY = b"planlib_table"
_ARROW_KEY = b"ARROW:schema"
# Full-width signs too: spreadsheets of East Asian systems take them for the plain ones.
_FORMULA = re.compile(r"(?![-+]?[\d.,]+%?$)[=+\-@\t\r＝＋－＠]")
DISTINCT = ("cell",)
"""Columns of texts that are nearly all different: looking for equal ones would only cost."""


def write_table(frame: pd.DataFrame, table: str, path: Path, *, conformed: bool = False) -> None:
    """Conform `frame` to `table` and write it as parquet, with the schema version in the file's metadata.

    The same rows give the same bytes.

    Parameters
    ----------
    frame : DataFrame
    table : str
        A key of `TABLES`.
    path : Path
    conformed : bool
        True for a frame that `conform` returned just now: it is not checked twice.
    """
    frame = frame if conformed else conform(frame, table)
    arrow = pa.Table.from_pandas(frame.assign(**_without_unused(frame)), preserve_index=False)
    # texts are read back as texts, however they came: the schema of the table without rows is kept beside it
    plain = pa.Schema.from_pandas(empty(table), preserve_index=False)
    own = {_VERSION_KEY: str(SCHEMA_VERSION).encode(), _TABLE_KEY: table.encode()}
    plain = plain.with_metadata({**plain.metadata, **own})
    # addresses are nearly all different, and nobody looks for rows by the least and the greatest text of a part
    repeated = [name for name in arrow.column_names if name not in DISTINCT]
    how: dict[str, Any] = {"compression": "zstd", "use_dictionary": repeated, "write_statistics": False}
    with pq.ParquetWriter(path, arrow.schema, store_schema=False, **how) as writer:
        writer.write_table(arrow)
        writer.add_key_value_metadata({_ARROW_KEY: base64.b64encode(plain.serialize().to_pybytes())})


def _without_unused(frame: pd.DataFrame) -> dict[str, pd.Categorical]:
    """Return the columns of categories some of which no row has, with the others alone."""
    made = {}
    for name, column in frame.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            is_used, words = used(column), column.cat.categories
            # words of a column without rows, kept in a file and read back, are no texts any more
            if not is_used.all() or words.empty:
                codes = (np.cumsum(is_used) - 1)[column.cat.codes.to_numpy()]
                made[str(name)] = pd.Categorical.from_codes(codes, words[is_used].astype("str"))
    return made


def used(column: pd.Series) -> np.ndarray:
    """Tell which categories of a column any row has.

    Examples
    --------
    >>> used(pd.Series(pd.Categorical(["b"], ["a", "b"]))).tolist()
    [False, True]
    """
    return np.bincount(column.cat.codes.to_numpy(), minlength=len(column.cat.categories)) > 0


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    r"""Write `frame` as a CSV file that a spreadsheet may open: no text of a stranger becomes a formula there.

    A text that begins with ``= + - @``, a tab or a carriage return, and is no number, gets an apostrophe before it.
    The byte-order mark lets spreadsheets see that it is UTF-8.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> write_csv(pd.DataFrame({"found": ["=1+1", "-3", "a"]}), path)
    >>> path.read_text(encoding="utf-8")
    "\ufefffound\n'=1+1\n-3\na\n"
    """
    safe = {name: _disarmed(texts) for name, texts in frame.select_dtypes(["str", "object"]).items()}
    frame.assign(**safe).to_csv(path, index=False, lineterminator="\n", encoding="utf-8-sig")


def _disarmed(texts: pd.Series) -> pd.Series:
    formulas = [text for text in texts.dropna().unique() if isinstance(text, str) and _FORMULA.match(text)]
    return texts.mask(texts.isin(formulas), "'" + texts.astype("str")) if formulas else texts


def read_table(path: Path, table: str) -> pd.DataFrame:
    """Read a processed table that this version of planlib wrote.

    Raises
    ------
    DataError
        If the file is absent, is not parquet, holds another table, or was written with another schema version:
        says which file and how to build it again.
    """
    again = "To do: build the tables again with `planlib clean <district>`."
    try:
        arrow = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"Could not read {path}: {str(error).splitlines()[0]}.\n{again}") from error
    metadata = arrow.schema.metadata or {}
    found = metadata.get(_VERSION_KEY, b"none").decode()
    if found != str(SCHEMA_VERSION):
        raise DataError(f"{path} has schema version {found}, this planlib reads {SCHEMA_VERSION}.\n{again}")
    holds = metadata.get(_TABLE_KEY, b"?").decode()
    if holds != table or tuple(arrow.column_names) != declaration(table).columns:
        raise DataError(f"{path} holds the table {holds} with other columns than {table} declares.\n{again}")
    return arrow.to_pandas()
