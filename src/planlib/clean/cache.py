"""What became of each workbook, kept by content: a changed workbook is read again, the others are not.

Files speak to each other only about a school in a year that both name: what is kept of the others stays true. The
cache is only ever a shortcut: if it is absent, damaged or of another version, everything is read again.
"""

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather

from planlib import schema
from planlib.clean import frames
from planlib.clean.values.years import with_own_years, with_years
from planlib.freshness import SEEN

Pieces = dict[str, pd.DataFrame]
"""What came of some workbooks: their tables, accounts, issues; `files` with digests; `claims`, whom they speak of."""

_READ = ("cells", "extra", "sheets", "issues")
_SCHOOL = ["school_id", "year"]
_BY_SCHOOL = ("schools", "lineage")
_PIECES = (*_BY_SCHOOL, "form_cells", "accounts", "issues", "claims", "files")


def key(code: str, *settings: object) -> str:
    """Return what must be the same for kept pieces to hold: code and definitions, settings, libraries."""
    return json.dumps([code, pd.__version__, pa.__version__, version("python-calamine"), *map(str, settings)])


def load(folder: Path, wanted: str) -> Pieces:
    """Return the pieces kept under a `key`, empty if nothing can be used.

    Parameters
    ----------
    folder : Path
        Where the cache stands.
    wanted : str
    """
    for left_by_a_killed_run in _beside(folder):
        shutil.rmtree(left_by_a_killed_run, ignore_errors=True)
    try:
        if json.loads((folder / "key.json").read_text(encoding="utf-8")) != wanted:
            return {}
        return {part: feather.read_feather(folder / f"{part}.feather") for part in _PIECES}
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return {}


def _beside(folder: Path) -> tuple[Path, Path]:
    """Return where the next cache is written and where the one before it goes while they change places."""
    return folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")


def save(folder: Path, wanted: str, pieces: Pieces) -> None:
    """Keep the pieces for the next run; a cache that cannot be written is no fault."""
    new, old = _beside(folder)
    try:
        new.mkdir(parents=True)
        for part in _PIECES:
            feather.write_feather(pieces[part].reset_index(drop=True), new / f"{part}.feather", "lz4")
        (new / "key.json").write_text(json.dumps(wanted), encoding="utf-8")
        if (folder / SEEN).is_file():
            shutil.copyfile(folder / SEEN, new / SEEN)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)


def joined(chunks: Sequence[Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """Return the frames of many workbooks as one frame of each kind, ordered by file."""
    return {part: _in_order(frames.stacked([chunk[part] for chunk in chunks])) for part in _READ}


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows ordered by file; files are mostly read in order, and sorting copies everything."""
    at = pd.Series(schema.row_numbers(frame, ["file"]))
    if at.is_monotonic_increasing:
        return frame
    return frame.take(np.argsort(at, kind="stable")).reset_index(drop=True)


def claims(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return which schools a file speaks of in which year: ``file, school_id, year``, each once."""
    cells = parts["cells"][["file", "sheet", "school_id"]]
    cells = with_years(cells[cells["school_id"] != ""], with_own_years(parts["sheets"])).drop(columns="sheet")
    at = schema.row_numbers(cells, ["file", *_SCHOOL])
    return frames.as_texts(cells[~pd.Series(at).duplicated().to_numpy()])


def with_mended(claimed: pd.DataFrame, lineage: pd.DataFrame) -> pd.DataFrame:
    """Return claims with the codes that corrections gave: under those a file's schools stand in the tables."""
    born = lineage[["file", *_SCHOOL]]
    born = frames.as_texts(born[~pd.Series(schema.row_numbers(born, ["file", *_SCHOOL])).duplicated().to_numpy()])
    return pd.concat([claimed, born.astype(claimed.dtypes.to_dict())]).drop_duplicates(ignore_index=True)


def reached(claimed: pd.DataFrame, files: Collection[str]) -> set[str]:
    """Return files and all others that speak of one of their schools in the same year, and so on.

    Examples
    --------
    >>> claimed = pd.DataFrame({"file": list("aabc"), "school_id": list("1223"), "year": 2020})
    >>> sorted(reached(claimed, ["a"]))
    ['a', 'b']
    """
    file, names = pd.factorize(claimed["file"])
    school = pd.factorize(schema.row_numbers(claimed, _SCHOOL))[0]
    is_reached, before = np.isin(names, list(files)), -1
    while before != (before := int(is_reached.sum())):
        is_known = np.zeros(len(claimed) + 1, dtype=bool)
        is_known[school[is_reached[file]]] = True
        is_reached[file[is_known[school]]] = True
    return {*files, *names[is_reached]}


def without(pieces: Pieces, files: Collection[str]) -> Pieces:
    """Return the pieces of the other files; whoever shares a school with one of `files` must be among them."""
    if not pieces or not files:
        return pieces
    gone = pieces["claims"].loc[pieces["claims"]["file"].isin(files), _SCHOOL]
    made = {part: frame[~frame["file"].isin(files)] for part, frame in pieces.items() if part not in _BY_SCHOOL}
    for part in _BY_SCHOOL:
        both = schema.row_numbers(frames.stacked([pieces[part][_SCHOOL], gone]), _SCHOOL)
        count = len(pieces[part])
        made[part] = pieces[part][~np.isin(both[:count], both[count:])]
    return made


def together(kept: Pieces, more: Pieces) -> Pieces:
    """Return the pieces of different files as one set, each part in its order."""
    made = {part: frames.stacked([kept[part], more[part]]) if kept else more[part] for part in _PIECES}
    tables = {
        name: schema.ordered(made[name], name) if kept else made[name] for name in (*_BY_SCHOOL, "form_cells")
    }
    return {**{part: _in_order(frame) for part, frame in made.items() if part not in tables}, **tables}
