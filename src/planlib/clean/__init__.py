"""Raw files of a district to checked tables: read, recognise, check, correct, and remember where each value stood.

``clean_district("shangcheng")`` reads every file below ``data/raw/shangcheng`` and swaps all tables of
``data/processed/shangcheng`` in together, or raises with every fault at once and leaves them as they were.
What a *standard* does with raw measures (splitting shared plant, leaving out gyms or schools) is not done here.
"""

from planlib.clean.issues import FaultyData
from planlib.clean.pipeline import CleanResult, clean_district
from planlib.clean.summary import summary

__all__ = ["CleanResult", "FaultyData", "clean_district", "summary"]
