"""Long: damaged raw files end in a clear error or in tables, never in a crash."""

import random
import zipfile

import pytest

from planlib.clean import clean_district
from planlib.errors import PlanlibError

pytestmark = pytest.mark.full


def damage_bytes(content, rng):
    """Flip, cut or repeat a few bytes."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(data))
        what = rng.randrange(3)
        if what == 0:
            data[at] = rng.randrange(256)
        elif what == 1:
            del data[at : at + rng.randint(1, 40)]
        else:
            data[at:at] = data[at : at + rng.randint(1, 40)]
    return bytes(data)


def damage_inside(path, rng):
    """Damage one part inside a workbook and zip it again, so that the damage reaches the reader of cells."""
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    name = rng.choice([n for n in parts if n.endswith(".xml") and parts[n]])
    parts[name] = damage_bytes(parts[name], rng)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for part, content in parts.items():
            book.writestr(part, content)


def outcome():
    """Clean, and return the error's message or nothing; any error that is not planlib's own is a crash."""
    try:
        clean_district("shangcheng")
    except PlanlibError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_file_is_refused_or_read(cleaned_project, seed):
    rng = random.Random(seed)
    folder = cleaned_project / "data" / "raw" / "shangcheng"
    path = rng.choice(sorted([*folder.glob("returns/*.xlsx"), *folder.glob("*.csv"), folder / "corrections.yml"]))
    if path.suffix == ".xlsx" and rng.random() < 0.7:
        damage_inside(path, rng)
    else:
        path.write_bytes(damage_bytes(path.read_bytes(), rng))
    message = outcome()
    assert message == "" or path.name in message
