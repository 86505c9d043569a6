"""Back-test of enrolment projection on Baltimore City (CC0) and its speed: writes its section of docs/benchmarks.md.

    PLANLIB_REAL_DATA=… python benchmarks/enrolment.py

Grades 1–8 in total, origins 2006–2024, one to five years ahead. Every projection sees its own past only. The package's
weight of the shared movement was chosen by looking at this table; a row beside it chooses it before each origin from
what earlier projections got wrong, so that nothing later is seen.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from _write import write

from planlib import enrolment
from planlib.enrolment import ratios

CHAINS = [["PK"], ["K", *map(str, range(1, 9))], ["9", "10", "11", "12"]]
MIDDLE = {grade: "one_to_eight" if grade in list("12345678") else "other" for chain in CHAINS for grade in chain}
ORIGINS = range(2006, 2025)
STEPS = range(1, 6)


def read() -> pd.DataFrame:
    """School × grade × year."""
    folder = os.environ.get("PLANLIB_REAL_DATA")
    if not folder:
        sys.exit("Set PLANLIB_REAL_DATA to the folder with baltimore_bcpss_enrollment.csv.gz.")
    raw = pd.read_csv(
        Path(folder) / "baltimore_bcpss_enrollment.csv.gz", dtype={"school_number": str, "grade": str}
    )
    cells = raw[(raw["race"] == "All") & (raw["school_number"] != "0") & raw["grade"].notna()]
    cells = cells[cells["enrolled_count"].notna()]
    return cells.rename(columns={"school_number": "area", "enrolled_count": "students"})[
        ["area", "grade", "year", "students"]
    ]


def backtest(cells: pd.DataFrame, by: list[str], origins: range = ORIGINS, **options: object) -> pd.DataFrame:
    """Project from every origin and lay the truth and the last value beside it."""
    truth = cells.assign(stage=cells["grade"].map(MIDDLE)).groupby([*by, "year"])["students"].sum().rename("truth")
    naive = truth.rename("naive").reset_index().rename(columns={"year": "origin"})
    found = []
    for origin in origins:
        known = cells[cells["year"] <= origin]
        table = enrolment.project(
            known, horizon=min(5, 2025 - origin), by=by, chains=CHAINS, stages=MIDDLE, **options
        )
        found.append(table.assign(origin=origin, h=table["year"] - origin))
    together = pd.concat(found).merge(truth.reset_index(), on=[*by, "year"]).merge(naive, on=[*by, "origin"])
    return together[(together["students"] > 0) & (together["truth"] > 0)]


def district(cells: pd.DataFrame) -> pd.DataFrame:
    """All schools together."""
    return cells.groupby(["grade", "year"], as_index=False)["students"].sum()


def errors(found: pd.DataFrame, column: str = "students") -> pd.Series:
    """Absolute percentage errors of grades 1–8 by origin and distance."""
    rows = found[found["stage"] == "one_to_eight"].set_index(["origin", "h"])
    return 100 * (rows[column] / rows["truth"] - 1).abs()


def newey_west(differences: np.ndarray, lag: int) -> float:
    """Standard error of a mean of overlapping errors (Bartlett weights)."""
    centred = differences - differences.mean()
    total = (centred**2).sum()
    for shift in range(1, lag + 1):
        total += 2 * (1 - shift / (lag + 1)) * (centred[shift:] * centred[:-shift]).sum()
    return float(np.sqrt(max(total, 0.0)) / len(centred))


def point_table(cells: pd.DataFrame) -> str:
    """Every variant that was tried with the package, against the plainest."""
    total = district(cells)
    plain = backtest(total, ["stage"], paths=0)
    base = errors(plain)
    lines = [
        "| variant | " + " | ".join(f"h = {h}" for h in STEPS) + " |",
        "| --- |" + " --- |" * len(STEPS),
        "| no change | "
        + " | ".join(f"{errors(plain, 'naive').xs(h, level='h').mean():.2f}" for h in STEPS)
        + " |",
    ]
    for name, options, weight in variants():
        with following(weight):
            error = errors(backtest(total, ["stage"], paths=0, **options))
        lines.append(f"| {name} | " + " | ".join(_cell(error, base, h) for h in STEPS) + " |")
    error = chosen_before(total, base)
    lines.append(
        "| **shared, weight chosen before each origin** | "
        + " | ".join(_cell(error, base, h) for h in STEPS)
        + " |"
    )
    return "\n".join(lines)


def chosen_before(total: pd.DataFrame, plain: pd.Series) -> pd.Series:
    """Errors of the weight that had erred least, against the plainest, on everything known at each origin.

    Candidates: 0.2, 0.3, …, 1; before anything is known, the plainest method.
    """
    tried = {}
    for tenth in range(2, 11):
        with following(tenth / 10):
            tried[tenth / 10] = errors(backtest(total, ["stage"], paths=0, method="shared", held="smoothed"))
    table = pd.DataFrame(tried)
    origin, h = (table.index.get_level_values(name) for name in ("origin", "h"))
    chosen = []
    for start in ORIGINS:
        past, mine = table[origin + h <= start], table[origin == start]
        relative = past.div(plain.reindex(past.index).groupby("h").transform("mean"), axis=0).mean()
        chosen.append(mine[relative.idxmin()] if len(past) else plain.reindex(mine.index))
    return pd.concat(chosen)


def _cell(error: pd.Series, base: pd.Series, h: int) -> str:
    own, plain = (item.xs(h, level="h") for item in (error, base))
    difference = (own - plain).to_numpy()
    if not difference.any():
        return f"{own.mean():.2f}"
    return f"{own.mean():.2f} ({own.mean() / plain.mean() - 1:+.0%}, se {newey_west(difference, h - 1) / plain.mean():.0%})"


def variants() -> list[tuple[str, dict[str, object], float]]:
    """Name, options, weight of the shared movement."""
    own = ratios.FOLLOWING
    rows: list[tuple[str, dict[str, object], float]] = [
        ("mean, 3 years, entrants as last year (plainest)", {}, own)
    ]
    for method, years in (
        ("mean", 2),
        ("mean", 5),
        ("weighted", 3),
        ("median", 3),
        ("last", 1),
        ("smoothed", None),
    ):
        rows.append((f"{method}, {years or 'all'} years", {"method": method, "years": years}, own))
    rows.append(("mean, entrants smoothed", {"held": "smoothed"}, own))
    for years in (3, 4, 5, None):
        name = f"shared 0.8, pattern of {years or 'all'} years, entrants smoothed"
        rows.append((name, {"method": "shared", "years": years, "held": "smoothed"}, own))
    rows.append(("shared 0.8, 3 years, entrants as last year", {"method": "shared"}, own))
    for weight in (0.4, 0.6, 1.0):
        rows.append(
            (f"shared {weight}, 3 years, entrants smoothed", {"method": "shared", "held": "smoothed"}, weight)
        )
    return rows


class following:
    """Set the weight of the shared movement for a while."""

    def __init__(self, weight: float) -> None:
        self.weight, self.own = weight, ratios.FOLLOWING

    def __enter__(self) -> None:
        ratios.FOLLOWING = self.weight

    def __exit__(self, *_: object) -> None:
        ratios.FOLLOWING = self.own


def cover_table(cells: pd.DataFrame) -> str:
    """How often the truth lies inside, and the error against no change, by level of detail."""
    total = district(cells)
    lines = [
        "| what | method | cases | 80 % | 95 % | error / no change |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    every_other = range(2007, 2025, 2)
    for method, held in (("mean", "last"), ("shared", "smoothed")):
        for name, table, by, origins in (
            ("district, grades 1–8 and the rest", total, ["stage"], ORIGINS),
            ("district, every grade", total, ["grade"], ORIGINS),
            ("school × grade", cells, ["area", "grade"], every_other),
            ("school totals", cells, ["area"], every_other),
        ):
            found = backtest(table, by, origins, method=method, held=held, paths=500)
            inside = [found["truth"].between(found[f"lower_{n}"], found[f"upper_{n}"]).mean() for n in (80, 95)]
            missed, naive = ((found[column] - found["truth"]).abs().sum() for column in ("students", "naive"))
            cover = " | ".join(f"{v:.1%}" for v in inside)
            lines.append(f"| {name} | {method} | {len(found)} | {cover} | {missed / naive:.2f} |")
    return "\n".join(lines)


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def speed() -> str:
    """Every county of a nation: 2 844 areas × 12 grades × 10 years, 1 000 paths."""
    grades = [str(grade) for grade in range(1, 13)]
    generator = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([range(2844), grades, range(2016, 2024)], names=["area", "grade", "year"])
    nation = index.to_frame(index=False).assign(students=generator.integers(500, 4000, len(index)))
    chains = [grades[:9], grades[9:]]
    whole = timed(lambda: enrolment.project(nation, horizon=10, by=["area", "grade"], chains=chains, paths=1000))
    step = np.diag(np.full(11, 0.98, dtype=np.float32), 1)
    state = generator.random((12, 2844 * 1000), dtype=np.float32)

    def products() -> None:
        moved = state
        for _ in range(10):
            moved = step.T @ moved

    bare = timed(products)
    return (
        f"2 844 areas × 12 grades × 10 years × 1 000 paths in one call: {whole:.0f} s of CPU, "
        f"{whole / bare:.0f} times the bare matrix products ({bare:.1f} s)."
    )


def section(cells: pd.DataFrame) -> list[str]:
    """The whole section."""
    return [
        "Mean absolute percentage error of the total of grades 1–8, origins 2006–2024; in brackets the change "
        "against the plainest method and its standard error (Newey–West, h − 1 lags; 15 to 19 overlapping "
        "origins allow no more).",
        point_table(cells),
        "The weight 0.8 was chosen by looking at this table, so its row flatters it; the last row is what a user "
        "would have had who chose among 0.2, 0.3, …, 1 before each origin by the errors known then (the plainest "
        "method at the first). Every weight from 0.6 to 1 beats the plainest method at every h, 0.4 does not. The "
        "smoothing 0.4 is that of NCES. The mark of −10 % at h ≤ 3 together with −20 % at h = 5 is reached at every "
        "h but the second by the honest row. Also tried and no better: choosing by the errors of single grades, equal "
        "or error-weighted means of all variants, letting kindergarten entry drift, feeding it from pre-kindergarten.",
        "Cover of the intervals one to five years ahead, and the sum of absolute errors against no change (school "
        "rows: every other origin). Schools are projected each by its own history, with the grades it has: a school "
        "that ends at grade 5 gets no grade 6, one that begins with it goes on receiving. Ratios of *shared* are "
        "drawn towards those of all schools (half way at 100 pupils), which takes 10 to 20 % off the errors of single "
        "schools; *mean* is each school's own.",
        cover_table(cells),
        speed(),
    ]


def main() -> None:
    """Replace the section in docs/benchmarks.md."""
    write("enrolment", "Enrolment (Baltimore City, 2003–2025)", section(read()))


if __name__ == "__main__":
    main()
