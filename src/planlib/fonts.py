"""The two fonts of every picture and page, by file: no font of the machine is asked for.

Noto Sans SC comes inside the pinned ``zhplot`` wheel; the package itself is never imported, as importing it would
change Matplotlib's global state. DejaVu Sans comes with Matplotlib and supplies the few signs that the first lacks.
"""

import importlib.util
from functools import cache
from pathlib import Path

from planlib.errors import PlanlibError

FONT_PACKAGE = "zhplot"
FONT_FILE = "fonts/NotoSansSC-Regular.ttf"


@cache
def font_file() -> Path:
    """Return the path of the Chinese font, found without importing the package that carries it.

    Returns
    -------
    Path

    Raises
    ------
    PlanlibError
        If the package or its font is not installed; says how to install it.

    Examples
    --------
    >>> font_file().name
    'NotoSansSC-Regular.ttf'
    """
    path = _inside(FONT_PACKAGE, FONT_FILE)
    if path:
        return path
    is_absent = importlib.util.find_spec(FONT_PACKAGE) is None
    where = "the package is not installed" if is_absent else f"the package has no {FONT_FILE}"
    raise PlanlibError(
        f"The Chinese font Noto Sans SC was not found in the package {FONT_PACKAGE}: {where}.\n"
        "Figures in Chinese would show empty boxes, so none is drawn.\n"
        f"To do: install what requirements.lock names (or: python -m pip install {FONT_PACKAGE}==1.0.0)."
    )


def files() -> list[Path]:
    """Return the files of the two fonts, in the order in which they are asked for a glyph.

    Examples
    --------
    >>> [file.name for file in files()]
    ['NotoSansSC-Regular.ttf', 'DejaVuSans.ttf']
    """
    second = _inside("matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf")
    return [font_file(), *([second] if second else [])]


def missing(text: str) -> list[str]:
    r"""Return the characters of a text that neither font has, in order of appearance, each once.

    Read from the files without Matplotlib, for the runner, which draws nothing.

    Examples
    --------
    >>> missing("校际优质均衡系数 ≥ 0.25 ✖"), missing("a\U00013000b")
    ([], ['\U00013000'])
    """
    return [c for c in dict.fromkeys(text) if ord(c) not in _covered() and c not in "\n\t\r"]


@cache
def _covered() -> frozenset[int]:
    from fontTools.ttLib import TTFont

    return frozenset(point for file in files() for point in TTFont(file, lazy=True).getBestCmap())


def _inside(package: str, name: str) -> Path | None:
    """Return a file of an installed package without importing it."""
    spec = importlib.util.find_spec(package)
    found = (Path(folder) / name for folder in (spec.submodule_search_locations or []) if spec) if spec else ()
    return next((path for path in found if path.is_file()), None)
