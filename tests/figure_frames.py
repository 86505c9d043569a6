"""Believable made-up frames for the figures: what the rooms before them hand over."""

from functools import cache

import numpy as np
import pandas as pd

from planlib import evaluate
from planlib.registry import Plan, load_definitions, load_plan

# the value of each series at the mid-term; none for the census and for what was not recorded
MIDTERM = {
    "kindergarten_children": 4.02,
    "compulsory_students": 11.9,
    "senior_students": 0.24,
    "inclusive_kindergarten_coverage": 95.2,
    "public_kindergarten_coverage": 78.10,
    "quality_preschool_coverage": 97.02,
    "education_group_coverage": 100,
    "balance_primary": 0.309,
    "balance_junior": 0.268,
    "disabled_entry_preschool": 94.0,
    "disabled_entry_compulsory": 100,
    "standardised_schools": 100,
    "modern_schools": 21,
    "understanding_brands": 43,
    "postgraduate_teachers": 25.4,
    "master_teachers_preschool": 31.9,
    "master_teachers_primary": 32.2,
    "master_teachers_junior": 37.1,
    "myopia_rate": 54.90,
    "fitness_pass_rate": 97.8,
    "clinic_coverage": 99.3,
    "school_doctor_coverage": 100,
    "psychology_teacher_ratio": 100,
}
FAN = [
    "public_kindergarten_coverage",
    "balance_primary",
    "balance_junior",
    "modern_schools",
    "postgraduate_teachers",
    "myopia_rate",
]
RESOURCES = [
    "teachers_above_required_degree",
    "backbone_teachers",
    "sports_arts_teachers",
    "teaching_area_m2",
    "sports_area_m2",
    "equipment_value_yuan",
    "multimedia_rooms",
]


@cache
def plan() -> Plan:
    return load_plan("shangcheng")


@cache
def scorecard(phase: str = "midterm") -> pd.DataFrame:
    year = 2022 if phase == "midterm" else 2025
    values = pd.Series(MIDTERM)
    series = plan().series.set_index("series_id")
    if phase != "midterm":
        values = series["baseline"] + (values - series["baseline"]) * 2.6
        values = values.dropna()
    rows = pd.DataFrame({"series_id": values.index, "year": year, "value": values.to_numpy(), "relation": "="})
    rows["as_of"], rows["status"] = f"{year}-09-01", "审定"
    rules = load_definitions("evaluation")
    return evaluate.scorecard(plan().series, rows, f"{year}-12-31", rules, phase=phase)


def status_counts(phase: str = "midterm") -> pd.DataFrame:
    return evaluate.status_counts(evaluate.roll_up(scorecard(phase), plan().indicators))


def commitments() -> pd.DataFrame:
    rows = plan().commitments[["commitment_id", "box"]].copy()
    codes = [
        "done",
        "on_schedule",
        "on_schedule",
        "late",
        "kept",
        "on_schedule",
        "no_record",
        "on_schedule",
        "kept",
        "not_kept",
        "done",
    ]
    rows["status"] = [codes[(i * 7) % len(codes)] for i in range(len(rows))]
    return rows


def balance_table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = []
    for stage, start in (("primary", 0.36), ("junior", 0.33)):
        levels = start * rng.uniform(0.75, 1.45, len(RESOURCES))
        for step, year in enumerate(range(2018, 2024)):
            values = levels * (1 - 0.035 * step) + rng.normal(0, 0.008, len(RESOURCES))
            rows += [
                {"stage": stage, "year": year, "resource": r, "cv": v}
                for r, v in zip(RESOURCES, values, strict=True)
            ]
            rows.append({"stage": stage, "year": year, "resource": "composite", "cv": values.mean()})
    return pd.DataFrame(rows)


def thresholds() -> pd.DataFrame:
    primary = [4.2, 1.0, 0.9, 4.5, 7.5, 2000, 2.3]
    junior = [5.3, 1.0, 0.9, 5.8, 10.2, 2500, 2.4]
    rows = pd.DataFrame(
        {"stage": ["primary"] * 7 + ["junior"] * 7, "resource": RESOURCES * 2, "threshold": primary + junior}
    )
    return rows.assign(floor=rows["threshold"] * 0.85)


def stage_resources() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    rows = []
    for stage, count in (("primary", 70), ("junior", 38)):
        for _, rule in thresholds().query("stage == @stage").iterrows():
            shares = np.exp(rng.normal(0.36, 0.28, count))
            rows += [
                {
                    "stage": stage,
                    "school_id": f"S{i:04d}",
                    "school_name": f"望江第{i}小学",
                    "resource": rule["resource"],
                    "value": share * rule["threshold"],
                }
                for i, share in enumerate(shares)
            ]
    return pd.DataFrame(rows)


def history() -> pd.DataFrame:
    series = plan().series.set_index("series_id")
    rows = [
        {"series_id": s, "year": year, "value": base + (MIDTERM[s] - base) * (year - 2020) / 2}
        for s in FAN
        for base in series.loc[[s], "baseline"]
        for year in range(2020, 2023)
    ]
    return pd.DataFrame(rows)


def forecast() -> pd.DataFrame:
    rows = []
    for series_id, seen in history().groupby("series_id", sort=False):
        last, step = seen["value"].iloc[-1], seen["value"].diff().iloc[-1]
        for ahead in (1, 2, 3):
            spread = (abs(step) * 0.8 + abs(last) * 0.004) * ahead**0.8
            median = last + step * 0.9 * ahead
            rows.append(
                {
                    "series_id": series_id,
                    "year": 2022 + ahead,
                    "median": median,
                    "lower_80": median - spread,
                    "upper_80": median + spread,
                    "lower_95": median - 1.7 * spread,
                    "upper_95": median + 1.7 * spread,
                }
            )
    return pd.DataFrame(rows)


def fan_series(with_outlook: bool = True) -> pd.DataFrame:
    rows = plan().series.set_index("series_id").loc[FAN].reset_index()
    return (
        rows.assign(outlook=["at_risk", "unlikely", "likely", "at_risk", "likely", "unlikely"])
        if with_outlook
        else rows
    )


def comparison() -> pd.DataFrame:
    last = forecast().query("year == 2025")
    rows = fan_series(False).merge(last, on="series_id")
    return rows.assign(
        actual=rows["median"] + (rows["upper_80"] - rows["median"]) * [0.2, -0.7, 1.3, 0.5, -0.1, 2.4]
    )


def projects() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    counts = {"kindergarten": 30, "primary": 13, "junior": 10, "nine_year": 6, "renewal": 10}
    rows = []
    for kind, count in counts.items():
        for i in range(count):
            approved = pd.Timestamp("2020-06-01") + pd.Timedelta(days=int(rng.integers(0, 1500)))
            steps = np.cumsum([0, *rng.integers([120, 500, 30, 20], [300, 800, 90, 120])])
            dates = [(approved + pd.Timedelta(days=int(d))).date().isoformat() for d in steps]
            rows.append([f"{kind}-{i}", kind, *dates])
    return pd.DataFrame(
        rows, columns=["project_id", "kind", "approved", "started", "completed", "handed_over", "opened"]
    )


TARGETS = {"kindergarten": 34, "primary": 13, "junior": 10, "nine_year": 6, "renewal": 10}


def enrolment() -> tuple[pd.DataFrame, pd.DataFrame]:
    seen = {
        "preschool": [40100, 41500, 42593, 42100, 40200, 37900],
        "primary": [72000, 75300, 78200, 81900, 85100, 87600],
        "junior": [27800, 28900, 29968, 31200, 32900, 34100],
    }
    past = [
        {"stage": s, "year": 2018 + i, "students": v} for s, values in seen.items() for i, v in enumerate(values)
    ]
    growth = {"preschool": -0.06, "primary": 0.005, "junior": 0.05}
    ahead = []
    for stage, values in seen.items():
        for i in range(1, 6):
            middle = values[-1] * (1 + growth[stage]) ** i
            ahead.append(
                {
                    "stage": stage,
                    "year": 2023 + i,
                    "students": middle,
                    "lower": middle * (1 - 0.015 * i),
                    "upper": middle * (1 + 0.02 * i),
                }
            )
    return pd.DataFrame(past), pd.DataFrame(ahead)


def seats() -> pd.DataFrame:
    past, ahead = enrolment()
    rows = pd.concat([past, ahead], ignore_index=True)
    start = rows["stage"].map({"preschool": 45000, "primary": 80500, "junior": 32000})
    rows["seats"] = start * (1 + 0.016 * (rows["year"] - 2018))
    return rows


def seats_by_area() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    names = [
        "湖滨",
        "清波",
        "小营",
        "望江",
        "南星",
        "紫阳",
        "凯旋",
        "采荷",
        "四季青",
        "笕桥",
        "彭埠",
        "九堡",
        "丁兰",
        "闸弄口",
    ]
    rows = []
    for stage, size in (("preschool", 2800), ("primary", 6200), ("junior", 2500)):
        for name in names:
            students = size * rng.uniform(0.4, 1.6)
            rows.append(
                {
                    "area": name,
                    "stage": stage,
                    "year": 2025,
                    "students": students,
                    "seats": students * rng.uniform(0.88, 1.25),
                }
            )
    return pd.DataFrame(rows)


def finance() -> pd.DataFrame:
    table = {
        "education_expenditure_yuan": ([41.2e8, 43.5e8, 46.0e8, 48.8e8], "yuan"),
        "general_expenditure_yuan": ([193.9e8, 201e8, 212e8, 219e8], "yuan"),
        "education_share_pct": ([21.25, 21.64, 21.70, 22.28], "percent"),
        "preschool_share_pct": ([9.1, 9.4, 9.3, 9.8], "percent"),
        "per_pupil_funds_preschool_yuan": ([1100, 1150, 1200, 1260], "yuan"),
        "per_pupil_funds_primary_yuan": ([1800, 1860, 1900, 1990], "yuan"),
        "per_pupil_funds_junior_yuan": ([2300, 2380, 2370, 2500], "yuan"),
        "teacher_pay_yuan": ([198000, 204000, 207500, 213000], "yuan"),
        "civil_servant_pay_yuan": ([196500, 203000, 207000, 211000], "yuan"),
    }
    return pd.DataFrame(
        [
            {"item": item, "year": 2019 + i, "value": v, "unit": unit}
            for item, (values, unit) in table.items()
            for i, v in enumerate(values)
        ]
    )


def contributions() -> pd.DataFrame:
    """Thirteen schools a stage, of the resource that differs most."""
    rng = np.random.default_rng(11)
    parts = []
    for stage, resource in (("primary", "sports_area_m2"), ("junior", "equipment_value_yuan")):
        share = np.sort(rng.gamma(1, 1, 13))[::-1]
        rows = {"stage": stage, "resource": resource, "school_name": [f"示例{stage}{i}" for i in range(13)]}
        parts.append(pd.DataFrame({**rows, "share": share / share.sum(), "relative": rng.gamma(9, 0.11, 13)}))
    return pd.concat(parts, ignore_index=True)


def transfer_plan() -> pd.DataFrame:
    """A plan that lifts the lowest schools and takes from the highest."""
    rows = []
    for stage in ("primary", "junior"):
        for i in range(12):
            before = 2000.0 + 500 * i
            after = min(max(before, 3000.0), 6500.0)
            told = {
                "stage": stage,
                "resource": "equipment_value_yuan",
                "school": f"S{i}",
                "change": 800 * (after - before),
            }
            rows.append(
                {**told, "ratio_before": before, "ratio_after": after, "cv_before": 0.36, "cv_after": 0.27}
            )
    return pd.DataFrame(rows)


def received() -> pd.DataFrame:
    """Rows of tables by year: births stop, promises begin with the plan."""
    rows = [("schools", year, 200 + year - 2018) for year in range(2018, 2023)]
    rows += [("births", year, 5) for year in range(2015, 2021)]
    rows += [("milestones", year, 70) for year in (2021, 2022)]
    rows += [("mended", 2019, 2), ("asked", 2022, 1)]
    return pd.DataFrame(rows, columns=["what", "year", "count"])
