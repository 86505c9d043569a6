"""The learnt table: how much of a recent movement continues, and how far off the rest may be.

The shipped table stands beside this file as ``table.json`` with its sources, their hashes and licences. It is read
once. ``tools/fit_forecast_table.py`` makes it; :mod:`planlib.forecast.fit` fits another from anyone's series.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from planlib.errors import DataError
from planlib.forecast.features import Floats

SCHEMA_VERSION = 1
_PARTS = ("centre", "below", "above", "errors", "skill")
SHIPPED = Path(__file__).with_name("table.json")


@dataclass(frozen=True)
class Block:
    """What was learnt about one kind and window length, by horizon.

    ``centre[horizon, feature]`` moves the median, in scales; ``below`` and ``above[horizon, feature]``
    give the log of the spread on either side over the usual movement; ``errors[horizon, share]`` are the quantiles
    of (value - median) / spread;
    ``skill[horizon]`` is 1 - MAE / MAE of no change on series that were not fitted.
    """

    centre_names: tuple[str, ...]
    spread_names: tuple[str, ...]
    centre: Floats
    below: Floats
    above: Floats
    errors: Floats
    skill: Floats
    rows: int


@dataclass(frozen=True, eq=False)
class Table:
    """A learnt table.

    ``shares`` are the probabilities of the quantiles, ``horizons`` the years ahead that were fitted (between them
    coefficients are interpolated), ``usual`` the median yearly movement at a level per kind, ``blocks`` the
    coefficients by kind and window length, ``staying`` the share of series at 100 % that were still there,
    by values at the end that were 100 (1..) and horizon.
    """

    shares: Floats
    horizons: Floats
    usual: dict[str, float]
    blocks: dict[tuple[str, int], Block]
    staying: Floats
    about: dict[str, Any]

    @property
    def longest(self) -> int:
        """The largest horizon."""
        return int(self.horizons[-1])

    def block(self, kind: str, length: int) -> Block:
        """Return the block of a kind and window length."""
        return self.blocks[kind, length]


def _block(entry: dict[str, Any]) -> Block:
    centre, below, above, errors, skill = (np.array(entry[part], float) for part in _PARTS)
    names = tuple(entry["centre_features"]), tuple(entry["spread_features"])
    return Block(*names, centre, below, above, errors, skill, entry["rows"])


def _parse(content: dict[str, Any]) -> Table:
    """Build a table from its JSON form."""
    blocks = {(e["kind"], int(e["values"])): _block(e) for e in content["blocks"]}
    about = {k: v for k, v in content.items() if k not in {"blocks", "staying", "shares", "horizons", "usual"}}
    return Table(
        np.array(content["shares"], float),
        np.array(content["horizons"], float),
        {kind: float(x) for kind, x in content["usual"].items()},
        blocks,
        np.array(content["staying"], float),
        about,
    )


def read_table(path: Path = SHIPPED) -> Table:
    """Read a table from its JSON file.

    Parameters
    ----------
    path : pathlib.Path
        The shipped table by default.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        If the file is no table of this schema version.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        version = content["schema_version"]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise DataError(
            f"{path} is not a forecast table: {fault}.\nTo do: run tools/fit_forecast_table.py."
        ) from fault
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{path}: schema_version {version}, expected {SCHEMA_VERSION}.\n"
            "To do: run tools/fit_forecast_table.py."
        )
    return _parse(content)


@cache
def shipped() -> Table:
    """Return the shipped table, read once."""
    return read_table(SHIPPED)


def _rounded(numbers: Floats) -> Any:
    """Round to four decimals, without negative zeros."""
    return (np.round(numbers, 4) + 0.0).tolist()


def _packed(kind: str, length: int, block: Block, pack: Callable[[Any], str]) -> str:
    """Return one block as JSON, a part a line."""
    head: dict[str, Any] = {"kind": kind, "values": length, "rows": block.rows}
    head |= {"centre_features": list(block.centre_names), "spread_features": list(block.spread_names)}
    parts = [f'"{part}":{pack(_rounded(getattr(block, part)))}' for part in _PARTS]
    return pack(head)[:-1] + ",\n" + ",\n".join(parts) + "}"


def dump(table: Table) -> str:
    """Return the table as JSON text, one part of a block a line, the same bytes for the same table."""
    pack = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))
    lines = [f'"{k}":{pack(v)}' for k, v in table.about.items()]
    lines += [f'"shares":{pack(table.shares.tolist())}', f'"horizons":{pack(table.horizons.tolist())}']
    lines += [f'"usual":{pack({k: round(v, 6) for k, v in table.usual.items()})}']
    lines += [f'"staying":{pack(_rounded(table.staying))}']
    blocks = [_packed(kind, length, block, pack) for (kind, length), block in table.blocks.items()]
    return "{" + ",\n".join(lines) + ',\n"blocks":[\n' + ",\n".join(blocks) + "\n]}\n"
