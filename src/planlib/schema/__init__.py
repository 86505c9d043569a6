"""The tables between the rooms, as declared schemas with a version.

A processed table has the columns, types, keys and ranges declared here, or it is not written. Names, types, units
and labels of columns stand once, in ``definitions/fields.yml``.
"""

import pandas as pd

from planlib.schema.check import conform, empty
from planlib.schema.dates import as_of_dates, is_iso_date
from planlib.schema.dictionary import Field, fields, label, unit
from planlib.schema.files import DISTINCT, read_table, used, write_csv, write_table
from planlib.schema.keys import ordered, row_numbers
from planlib.schema.tables import SCHEMA_VERSION, TABLES, Table

__all__ = [
    "DISTINCT", "SCHEMA_VERSION", "TABLES", "Field", "Table", "as_of_dates", "conform", "empty", "fields", "is_iso_date",
    "label", "ordered", "read_table", "row_numbers", "unit", "used", "write_csv", "write_table",
]  # fmt: skip

# Tables here have tens of rows and are asked cell by cell: Arrow's texts take a tenth more of every notebook, and a
# quarter more of cleaning. The same everywhere, for the types in a written file depend on it.
pd.set_option("mode.string_storage", "python")
