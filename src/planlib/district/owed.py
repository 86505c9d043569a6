"""What a report still asks of people: an explanation, a record, evidence, a value, a definition, an office."""

from collections.abc import Collection

import pandas as pd

KINDS = ("explanation", "value", "definition", "record", "evidence", "lead")
COLUMNS = ("kind", "subject_id", "name_zh", "name_en", "status", "lead", "lead_en", "is_compulsory")


def owed(
    card: pd.DataFrame,
    late: Collection[str],
    commitments: pd.DataFrame,
    unfinished: Collection[str],
    explained: Collection[str],
    leads: pd.DataFrame,
) -> pd.DataFrame:
    """List what is owed, one row a thing, the offices in the order of ``responsibility.yml``.

    Parameters
    ----------
    card, commitments : DataFrame
        What the report says of each series and each promise.
    late, unfinished : collection of str
        The statuses that ask for an explanation; of a late binding series it is compulsory.
    explained : collection of str
        The series and promises of which somebody wrote already.
    leads : DataFrame
        ``lead, lead_en`` by id of a series or promise.

    Returns
    -------
    DataFrame
        ``kind`` (one of :data:`KINDS`), ``subject_id, name_zh, name_en, status, lead, lead_en, is_compulsory``; what
        is compulsory stands first within an office, and what has no office last.

    Examples
    --------
    >>> card = pd.DataFrame({"series_id": ["s"], "name_zh": "名", "name_en": "s", "status": "behind",
    ...                      "attribute": "binding", "judged": "pace"})
    >>> tasks = pd.DataFrame({"commitment_id": ["c"], "name_zh": "名", "name_en": "c", "status": "no_record",
    ...                       "records": 0, "evidence": None})
    >>> leads = pd.DataFrame({"lead": ["A", "B"], "lead_en": ["A", "B"]}, index=["s", "c"])
    >>> owed(card, ["behind"], tasks, ["late"], [], leads)[["kind", "subject_id", "lead"]].values.tolist()
    [['explanation', 's', 'A'], ['record', 'c', 'B']]
    """
    series, tasks = (_told(frame, leads) for frame in (card, commitments))
    silent = ~series["subject_id"].isin(explained)
    untold = tasks["status"] == "no_record"
    has_none = untold | (tasks["records"] == 0)
    parts = [
        ("explanation", series[series["status"].isin(late) & silent]),
        ("value", series[(series["status"] == "no_data") & (series["judged"] != "census")]),
        ("definition", series[(series["status"] == "ambiguous") & silent]),
        ("explanation", tasks[tasks["status"].isin(unfinished) & ~untold & ~tasks["subject_id"].isin(explained)]),
        ("record", tasks[has_none]),
        ("evidence", tasks[~has_none & (tasks["evidence"].isna() | (tasks["evidence"] == ""))]),
        ("lead", series[series["lead"] == ""]),
        ("lead", tasks[tasks["lead"] == ""]),
    ]
    rows = pd.concat([frame.assign(kind=kind) for kind, frame in parts], ignore_index=True)
    rows["is_compulsory"] = (rows["kind"] != "explanation") | (rows["attribute"] == "binding")
    place = {office: number for number, office in enumerate(filter(None, leads["lead"].unique()))}
    rows["place"] = rows["lead"].map(place).fillna(len(place))
    rows = rows.sort_values(["place", "is_compulsory"], ascending=[True, False], kind="stable", ignore_index=True)
    return rows[list(COLUMNS)]


def _told(frame: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of series or promises under one name for their ids, with their leading office."""
    key = "series_id" if "series_id" in frame else "commitment_id"
    table = frame.rename(columns={key: "subject_id"})
    named = leads[["lead", "lead_en"]].reindex(table["subject_id"]).fillna("").reset_index(drop=True)
    return table.reset_index(drop=True).drop(columns=["lead", "lead_en"], errors="ignore").join(named)
