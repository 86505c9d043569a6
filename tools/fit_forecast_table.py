"""Fit the forecast table that planlib ships, from the hashed copies of its sources.

    PLANLIB_REAL_DATA=<folder> python tools/fit_forecast_table.py [--check]

Reads wdi_education.csv.gz (World Bank, CC BY 4.0) and ppts_easia_weuro_world.csv.gz (FanWangEcon/PrjCompPPTS,
MIT); removes regional and income aggregates; leaves out the countries of fold 0 (a fifth, by the hash of their
code), which the tests score; writes src/planlib/forecast/table.json. The same files give the same bytes under the
project's lock; another vintage of the sources gives another table. ``--check`` compares instead of writing.
"""

import argparse
import hashlib
import os
import sys
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the order of sums, and so the last digit, depends on the threads

import pandas as pd

from planlib.forecast.fit import FOLDS, fit_table, fold_of, without_groups
from planlib.forecast.pool import build_pool
from planlib.forecast.table import SHIPPED, Table, dump

HELD_BACK = 0
SOURCES = {
    "wdi_education.csv.gz": (
        "CC BY 4.0",
        "The World Bank, World Development Indicators (education series)",
        "https://datacatalog.worldbank.org/search/dataset/0037712",
    ),
    "ppts_easia_weuro_world.csv.gz": (
        "MIT",
        "FanWangEcon/PrjCompPPTS: pupils, teachers, schools, child population",
        "https://github.com/FanWangEcon/PrjCompPPTS",
    ),
}


def about(folder: Path, pool: pd.DataFrame) -> dict[str, object]:
    """Return what the table says about itself: sources with hashes and licences, what was held back."""
    files = {
        name: {
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
            "licence": licence,
            "producer": producer,
            "address": address,
        }
        for name, (licence, producer, address) in SOURCES.items()
    }
    held = sorted(g for g in pool["group"].unique() if fold_of(g) == HELD_BACK)
    return {
        "name": "planlib forecast table",
        "licence": "CC BY 4.0 (adapted from World Bank data; coefficients only, no observations)",
        "made_by": "tools/fit_forecast_table.py",
        "sources": files,
        "held_back": {"rule": f"sha256(group) mod {FOLDS} == {HELD_BACK}", "groups": held},
    }


def fit(folder: Path) -> Table:
    """Fit the table from the files of a folder."""
    pool = build_pool(*(pd.read_csv(folder / name) for name in SOURCES))
    return fit_table(without_groups(pool, HELD_BACK), about=about(folder, pool))


def main() -> int:
    """Write the table, or compare it with the shipped one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the shipped table, write nothing")
    chosen = parser.parse_args()
    folder = os.environ.get("PLANLIB_REAL_DATA")
    if not folder or not all((Path(folder) / name).is_file() for name in SOURCES):
        print(f"Set PLANLIB_REAL_DATA to a folder with {', '.join(SOURCES)}.", file=sys.stderr)
        return 2
    text = dump(fit(Path(folder)))
    if chosen.check:
        same = SHIPPED.read_text(encoding="utf-8") == text
        print("the shipped table is reproduced" if same else "the fitted table differs from the shipped one")
        return 0 if same else 1
    SHIPPED.write_text(text, encoding="utf-8", newline="\n")
    print(f"{SHIPPED}: {len(text):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
