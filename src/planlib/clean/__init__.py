"""Raw files of a district to checked tables: read, recognise, check, correct, and remember where each value stood.

``clean_district("shangcheng")`` reads every file below ``data/raw/shangcheng`` and swaps all tables of
``data/processed/shangcheng`` in together, or raises with every fault at once and leaves them as they were.
What a *standard* does with raw measures (splitting shared plant, leaving out gyms or schools) is not done here.

The way of a cell, and the rooms on it, each of which knows those before it only:

1. ``files``, bytes to cells: ``file_kinds`` (what it is), ``confined`` (a process of its own), ``read``, ``sheet``; what
   readers say nothing of: ``ooxml``, ``styles`` and ``struck`` (.xlsx), ``biff`` (.xls)
2. ``words``, what its texts mean: ``writing`` (how people write), ``forms`` (collection sheets), ``national`` (school
   workbooks), ``headers`` (the CSV files that a district brings), ``years`` (the school year), ``convert`` (one value)
3. ``layout``, which cell is what: ``sheet_tables``, ``recognise``, ``units`` (collection sheets); ``grid``, ``school``
   (school workbooks); ``doubts`` (struck out, never computed); ``workbook`` (a file)
4. ``values``, what holds for whom: ``years`` (of each sheet), ``correct``, ``resolve``, ``absent``, ``campuses``
5. ``tables``: ``returns``, ``collected`` (CSV files); ``roster`` and ``check`` (the rules), ``accounts`` (no cell is
   lost), ``digests``

All of them know ``issues`` (what is said of faults) and ``frames`` (long columns). ``pipeline`` leads through all of
it, ``cache`` keeps what a file gave; ``summary`` and ``inspect`` show it, ``fitting`` tries corrections before it.
"""

from planlib.clean.issues import FaultyData
from planlib.clean.pipeline import CleanResult, clean_district
from planlib.clean.summary import summary

__all__ = ["CleanResult", "FaultyData", "clean_district", "summary"]
