"""Speed of the balance room against its peers: writes its section of docs/benchmarks.md.

    python benchmarks/balance.py          (needs the extra `bench`: polars, duckdb)

A synthetic nation: 200 000 schools × 5 years, 2 844 counties, 2 stages, 7 resources. Each figure is the best of
several calls taken in turns, so that a busy moment hits all of them; only ratios are printed.
"""

import os
import tracemalloc
from collections.abc import Callable
from time import perf_counter

# Threads of BLAS that wait for each other on a busy machine would measure the machine; every method gets one.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import _write
import duckdb
import numpy as np
import pandas as pd
import polars as pl
from scipy import stats

from planlib.balance import balance_table, bootstrap_change, coefficient_of_variation, transfers, transfers_by
from planlib.standard import SEVEN

BY = ["county", "stage", "year"]
COUNTIES, SCHOOLS, YEARS = 2844, 200_000, range(2019, 2024)


def nation(schools: int = SCHOOLS, seed: int = 0) -> pd.DataFrame:
    """One row per school and year; keys as strings."""
    rng = np.random.default_rng(seed)
    # Counties of uneven sizes, as real ones are.
    share = rng.gamma(3, 1, COUNTIES)
    county = np.sort(rng.choice(COUNTIES, schools, p=share / share.sum()))
    stage = rng.choice(["junior", "primary"], schools)
    parts = []
    for year in YEARS:
        pupils = rng.integers(50, 2000, schools)
        amounts = {r: pupils * rng.gamma(10, 0.01, schools) for r in SEVEN}
        parts.append(pd.DataFrame({"county": county, "stage": stage, "year": year, "students": pupils, **amounts}))
    rows = pd.concat(parts, ignore_index=True)
    rows.insert(0, "school_id", np.tile(np.arange(schools), len(YEARS)))
    rows = rows.sample(frac=1, random_state=1, ignore_index=True)
    names = np.array([f"county {i:04d}" for i in range(COUNTIES)])
    schools_named = np.array([f"S{i:06d}" for i in range(schools)])
    return rows.assign(
        county=pd.Series(names[rows["county"]], dtype="str"),
        stage=rows["stage"].astype("str"),
        school_id=pd.Series(schools_named[rows["school_id"]], dtype="str"),
    )


def in_turns(works: dict[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """Best time of each, taken in turns."""
    best = dict.fromkeys(works, np.inf)
    for _ in range(rounds):
        for name, work in works.items():
            start = perf_counter()
            work()
            best[name] = min(best[name], perf_counter() - start)
    return best


# --- the table ----------------------------------------------------------------------------------------------


def by_apply(frame: pd.DataFrame) -> pd.DataFrame:
    """The plain way: a function a group."""

    def group(rows: pd.DataFrame) -> pd.Series:
        total = rows["students"].sum()
        found = {}
        for r in SEVEN:
            mean = rows[r].sum() / total
            found[r] = np.sqrt((rows["students"] * (rows[r] / rows["students"] - mean) ** 2).sum() / total) / mean
        return pd.Series(found)

    return frame.groupby(BY, observed=True)[["students", *SEVEN]].apply(group)


def by_polars(frame: pl.DataFrame) -> pl.DataFrame:
    """Sums and Σ R²/P in one aggregation, CV² = ΣP·ΣR²/P / (ΣR)² − 1: polars' fastest form, not its safest."""
    p = pl.col("students")
    sums = [
        p.sum(),
        *(pl.col(r).sum() for r in SEVEN),
        *((pl.col(r) ** 2 / p).sum().alias(f"q_{r}") for r in SEVEN),
    ]
    cv = [(p * pl.col(f"q_{r}") / pl.col(r) ** 2 - 1).clip(0).sqrt().alias(r) for r in SEVEN]
    return frame.lazy().group_by(BY).agg(sums).select(*BY, *cv).sort(BY).collect()


def by_duckdb(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """The same in SQL."""
    cv = ", ".join(
        f"sqrt(greatest(sum(students) * sum({r} * {r} / students) / sum({r}) ** 2 - 1, 0)) as {r}" for r in SEVEN
    )
    keys = ", ".join(BY)
    return connection.execute(f"select {keys}, {cv} from schools group by {keys} order by {keys}").df()


def bare(codes: np.ndarray, pupils: np.ndarray, amounts: list[np.ndarray], groups: int) -> list[np.ndarray]:
    """The floor: group numbers known, nothing checked, nothing missing, two passes of bincount a column."""
    total = np.bincount(codes, pupils, minlength=groups)
    found = []
    for amount in amounts:
        mean = np.bincount(codes, amount, minlength=groups) / total
        away = pupils * (amount / pupils - mean[codes]) ** 2
        found.append(np.sqrt(np.bincount(codes, away, minlength=groups) / total) / mean)
    return found


def peak(work: Callable[[], object]) -> int:
    """Bytes allocated at most, beyond what was there."""
    tracemalloc.start()
    work()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def compare(frame: pd.DataFrame, *, slow: bool) -> tuple[dict[str, float], tuple[float, float], float]:
    """Times of the table and its peers, largest differences (two passes; one pass of squares), memory over input."""
    table = frame.drop(columns="school_id")
    grouped = table.groupby(BY, observed=True)
    codes, groups = grouped.ngroup().to_numpy(), grouped.ngroups
    pupils, amounts = table["students"].to_numpy(float), [table[r].to_numpy() for r in SEVEN]
    polar = pl.from_pandas(table)
    connection = duckdb.connect()
    connection.register("given", table)
    connection.execute("create table schools as select * from given")
    works: dict[str, Callable[[], object]] = {
        "balance_table": lambda: balance_table(table, BY),
        "balance_table, with school_id: duplicates refused": lambda: balance_table(frame, BY),
        "polars (its own copy of the table, made before)": lambda: by_polars(polar),
        "polars, from the pandas table": lambda: by_polars(pl.from_pandas(table)),
        "DuckDB (its own copy of the table, made before)": lambda: by_duckdb(connection),
        "DuckDB, from the pandas table": lambda: _from_pandas(table),
        "bare NumPy (floor)": lambda: bare(codes, pupils, amounts, groups),
    }
    times = in_turns(works)
    if slow:
        sample = table[table["county"].astype(str) < "county 0100"]
        took = in_turns({"apply": lambda: by_apply(sample)}, 1)["apply"]
        times["groupby.apply (100 counties, scaled)"] = took * len(table) / len(sample)
    own = balance_table(table, BY)
    own = (
        own[own["resource"] != "composite"]
        .pivot_table(index=BY, observed=True, columns="resource", values="cv")[list(SEVEN)]
        .to_numpy()
    )
    others = [
        by_polars(polar).select(SEVEN).to_numpy(),
        by_duckdb(connection)[list(SEVEN)].to_numpy(),
        np.stack(bare(codes, pupils, amounts, groups), axis=1),
    ]
    *_, floor = others
    difference = float(np.nanmax(np.abs(floor - own)))
    cancelled = max(float(np.nanmax(np.abs(other - own))) for other in others)
    memory = peak(lambda: balance_table(table, BY)) / int(table.memory_usage(deep=True, index=False).sum())
    return times, (difference, cancelled), memory


def _from_pandas(table: pd.DataFrame) -> pd.DataFrame:
    connection = duckdb.connect()
    connection.register("schools", table)
    return by_duckdb(connection)


def ratios(times: dict[str, float], unit: str) -> list[list[str]]:
    return [[name, f"{value / times[unit]:.2f}"] for name, value in sorted(times.items(), key=lambda i: i[1])]


def table_section(strings: pd.DataFrame) -> list[str]:
    coded = strings.astype({"county": "category", "stage": "category", "school_id": "category"})
    paragraphs = []
    for kind, frame in (("categories", coded), ("strings", strings)):
        times, (difference, cancelled), memory = compare(frame, slow=kind == "categories")
        paragraphs += [
            f"`balance_table`, keys as {kind}, time over the table's own (below 1 is faster than planlib); memory at most "
            f"{memory:.2f} times the input. Agrees with two passes to {difference:.0e}; the one pass of squares of polars "
            f"and SQL is off by {cancelled:.0e} where a county is nearly even:",
            _write.table(["method", "time / balance_table"], ratios(times, "balance_table")),
        ]
    return paragraphs


def growth() -> str:
    rows = []
    for schools in (2_000, 20_000, 200_000, 1_000_000):
        frame = nation(schools).astype({"county": "category", "stage": "category"}).drop(columns="school_id")
        one_year = frame[frame["year"] == 2023]
        took = in_turns(
            {
                "table": lambda frame=frame: balance_table(frame, BY),
                "transfers": lambda one=one_year: transfers_by(one, BY, SEVEN[:1], 0.2),
            },
            3,
        )
        rows.append((len(frame), took["table"] / len(frame), took["transfers"] / len(one_year)))
    base = rows[2]
    cells = [[f"{n:,}", f"{a / base[1]:.2f}", f"{b / base[2]:.2f}"] for n, a, b in rows]
    return _write.table(["rows", "balance_table", "transfers_by (a fifth of the rows)"], cells)


# --- bootstrap and transfers --------------------------------------------------------------------------------


def by_scipy(rows: pd.DataFrame) -> None:
    """One county and stage, every resource: scipy.stats.bootstrap over pairs of years."""
    wide = rows.pivot_table(index="school_id", columns="year")[["students", *SEVEN]].to_numpy()
    p0, p1 = wide[:, 0], wide[:, 1]

    def cv(r: np.ndarray, p: np.ndarray, axis: int) -> np.ndarray:
        mean = r.sum(axis=axis, keepdims=True) / p.sum(axis=axis, keepdims=True)
        return np.sqrt((p * (r / p - mean) ** 2).sum(axis=axis) / p.sum(axis=axis)) / mean.squeeze(axis)

    for k in range(len(SEVEN)):
        data = (p0, wide[:, 2 + 2 * k], p1, wide[:, 3 + 2 * k])
        stats.bootstrap(
            data,
            lambda a, b, c, d, axis: cv(d, c, axis) - cv(b, a, axis),
            n_resamples=1000,
            method="percentile",
            paired=True,
            vectorized=True,
            rng=np.random.default_rng(0),
        )


def by_loop(rows: pd.DataFrame) -> None:
    """One county and stage: what a loop over replicates does, as `arch` does it."""
    wide = rows.pivot_table(index="school_id", columns="year")[["students", *SEVEN]].to_numpy()
    rng = np.random.default_rng(0)
    for _ in range(1000):
        drawn = wide[rng.integers(0, len(wide), len(wide))].T
        amounts, pupils = drawn[2:].reshape(len(SEVEN), 2, -1), drawn[:2]
        coefficient_of_variation(amounts, pupils[None].repeat(len(SEVEN), axis=0))


def draw_and_multiply(sizes: np.ndarray, features: int, replicates: int) -> None:
    """The floor of a bootstrap: every number drawn, and one product a batch with counts that are ready."""
    rng = np.random.default_rng(0)
    for n, groups in zip(*np.unique(sizes, return_counts=True), strict=True):
        step = max(1, 2**20 // (replicates * max(int(n), features)))
        for first in range(0, groups, step):
            k = min(step, groups - first)
            rng.integers(0, n, size=(k, replicates, n), dtype=np.uint16)
            np.ones((k, features, n)) @ np.ones((k, n, replicates))


def bootstrap_section(strings: pd.DataFrame) -> list[str]:
    years = (2019, 2023)
    rows = strings[strings["year"].isin(years)].astype({"county": "category", "stage": "category"})
    by = ["county", "stage"]
    sizes = rows[rows["year"] == 2019].groupby(by, observed=True).size()
    few = [group for _, group in list(rows.groupby(by, observed=True))[:400:40]]
    few = [group.drop(columns=by) for group in few if len(group) > 4]
    share = sum(len(g) for g in few) / len(rows)
    times = in_turns(
        {
            "planlib": lambda: bootstrap_change(rows, years, SEVEN, by=by, seed=0),
            "floor": lambda: draw_and_multiply(sizes.to_numpy(), 2 * (1 + 2 * len(SEVEN)), 1000),
        },
        2,
    )
    loops = in_turns(
        {
            "scipy": lambda: [by_scipy(group) for group in few],
            "loop": lambda: [by_loop(group) for group in few],
        },
        2,
    )
    # A loop costs by call more than by school, so it is scaled by groups; by schools stands beside it.
    calls = len(sizes) / len(few)
    own = times["planlib"]
    cells = [
        ["bootstrap_change", "1", "1"],
        ["drawing and one matrix product (floor)", *[f"{times['floor'] / own:.2f}"] * 2],
        [
            "loop over scipy.stats.bootstrap",
            f"{loops['scipy'] * calls / own:.0f}",
            f"{loops['scipy'] / share / own:.0f}",
        ],
        [
            "loop over replicates and groups",
            f"{loops['loop'] * calls / own:.0f}",
            f"{loops['loop'] / share / own:.0f}",
        ],
    ]
    told = (
        f"1 000 paired replicates, independent draws for each of the {len(sizes):,} counties × stages, seven resources, "
        f"two years, {len(rows) // 2:,} schools. The loops are timed on {len(few)} groups and scaled by the number of "
        "groups, and by the number of schools:"
    )
    return [told, _write.table(["method", "time, by groups", "by schools"], cells)]


def transfer_section(strings: pd.DataFrame) -> str:
    rows = strings[strings["year"] == 2023].astype({"county": "category", "stage": "category"})
    by, one = ["county", "stage"], SEVEN[0]
    few = [group for _, group in list(rows.groupby(by, observed=True))[:400:40]]
    times = in_turns(
        {
            "all": lambda: transfers_by(rows, by, [one], 0.2),
            "few": lambda: [transfers(group[one], group["students"], 0.2) for group in few],
        },
        2,
    )
    groups = rows.groupby(by, observed=True).ngroups
    ratio = times["few"] / len(few) * groups / times["all"]
    return (
        f"`transfers_by`, least transfers of one resource to 0.20 in all {groups:,} counties × stages in one call: "
        f"{ratio:.0f} times faster than `transfers` (which takes bounds and areas) county by county, timed on {len(few)}."
    )


def main() -> None:
    """Measure everything and write the section."""
    strings = nation()
    paragraphs = [
        f"A synthetic nation: {SCHOOLS:,} schools × 5 years, {COUNTIES:,} counties, 2 stages, 7 resources, rows in "
        f"random order. {_write.machine()}",
        *table_section(strings),
        "Time a row over that at 1,000,000 rows (up to 28,000 groups; below 100,000 rows there is about one row a "
        "group, and what is paid is the group):",
        growth(),
        *bootstrap_section(strings),
        transfer_section(strings),
    ]
    _write.write("balance", "Balance (a synthetic nation)", paragraphs)


if __name__ == "__main__":
    main()
