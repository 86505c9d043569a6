"""Raw files of a district to checked tables: read, recognise, check, correct, and remember where each value stood.

``clean_district("shangcheng")`` reads every file below ``data/raw/shangcheng`` and swaps all tables of
``data/processed/shangcheng`` in together, or raises with every fault at once and leaves them as they were.
What a *standard* does with raw measures (splitting shared plant, leaving out gyms or schools) is not done here.

The way of a cell, and the modules on it:

1. a file: ``file_kinds`` (what it is), ``confined`` (a process of its own), ``read``, ``sheet``, ``workbook``; what readers
   say nothing of: ``ooxml`` and ``struck`` (.xlsx), ``biff`` (.xls)
2. what its texts mean: ``writing`` (how people write), ``forms`` (collection sheets), ``national`` (school workbooks),
   ``headers`` (the CSV files that a district brings), ``years`` (the school year)
3. which cell is what: ``sheet_tables``, ``recognise`` (collection sheets); ``grid``, ``school`` (school workbooks)
4. its value: ``convert``, ``correct``, ``resolve``, ``absent``, ``campuses``
5. the tables: ``tables``, ``frames``; ``roster`` and ``check`` (the rules), ``accounts`` (no cell is lost), ``digests``
6. what is said: ``issues``, ``summary``, ``inspect``

``pipeline`` leads through all of it, ``cache`` keeps what a file gave; ``fitting`` tries corrections before any of it.
"""

from planlib.clean.issues import FaultyData
from planlib.clean.pipeline import CleanResult, clean_district
from planlib.clean.summary import summary

__all__ = ["CleanResult", "FaultyData", "clean_district", "summary"]
