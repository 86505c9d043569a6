"""How people write: texts without noise, Chinese numerals, numbers with their word, years of an era.

The words stand in ``definitions/forms/values.yml``; a text has one comparable form, its `key`.
"""

import functools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from planlib.paths import DEFINITIONS
from planlib.registry.documents import read_document

SEPARATOR = " › "
"""Between the texts of a label, from above to below or from left to right."""

# Characters that are no text: Excel's escaped carriage return, zero-width and byte-order marks, any white space.
_NOISE = re.compile("_x000[Dd]_|[\u200b\u200c\u200d\u2060\ufeff]")
_SPACE = re.compile(r"\s+")
_APART = re.compile(r"[\d.,]\s+[\d.,]")
# Programs write one and the same of them between digits in threes; what a hand types may part two numbers.
_HARD_SPACES = "\u00a0\u2009\u202f"
_GROUPED = re.compile(rf"(?<![\d.,])(?!0)\d{{1,3}}([{_HARD_SPACES}])\d{{3}}(?:\1\d{{3}})*(?:\.\d+)?(?![\d.,eE])")
_NARROW = dict(zip(range(0xFF01, 0xFF5F), range(0x21, 0x7F), strict=True))  # full-width signs and digits
# ="0123" keeps Excel from reading a code as a number, '0123 too; 123.0 is what is left of one that was read so
_WRAPPED = re.compile(r"""="([^"]+)"|'([^']+)|(\d+)\.0+""")
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"


@dataclass(frozen=True)
class Writing:
    """The words of values.yml, ready for look-ups."""

    numerals: re.Pattern[str]
    digits: Mapping[str, str]
    tens: Mapping[str, int]
    scales: Mapping[str, float]
    shares: Mapping[str, float]
    relations: Mapping[str, str]
    number: re.Pattern[str]
    era: re.Pattern[str]
    eras: Mapping[str, int]
    characters: Mapping[int, int]
    codes: Mapping[str, Mapping[str, Sequence[str]]]


class Written(NamedTuple):
    """A number as written: the relation before it (``""`` if none), its digits, the word after it."""

    relation: str
    digits: str
    word: str


def compact(text: Any) -> str:
    r"""Return a text in NFKC without any white space, for comparisons.

    Examples
    --------
    >>> compact("学 校　标识码_x000D_\n（１）")
    '学校标识码(1)'
    """
    text = str(text)
    if text.isalnum() and unicodedata.is_normalized("NFKC", text):  # most codes and names: nothing to take off
        return text
    return _SPACE.sub("", unicodedata.normalize("NFKC", _NOISE.sub("", text)))


def tidy(text: Any) -> str:
    r"""Return a text as a person would type it: no noise, no spaces but single ones between Latin words.

    Examples
    --------
    >>> tidy("  采 荷　第一小学_x000D_\n")
    '采荷第一小学'
    >>> tidy("Green  Bay Elementary ")
    'Green Bay Elementary'
    """
    text = str(text)
    if text.isalnum():
        return text
    plain = _SPACE.sub(" ", _NOISE.sub("", text)).strip()
    return re.sub(r"(?<![\x21-\x7e]) | (?![\x21-\x7e])", "", plain)


def key(text: str) -> str:
    """Return the comparable form of a heading or code: compact, simplified characters, digits for numerals.

    Examples
    --------
    >>> key("七 年級"), key("第三学段"), key("二〇二〇學年"), key("十二年一贯制")
    ('7年级', '第3学段', '2020学年', '12年1贯制')
    """
    # codes of schools are many and need no second look; headings come again and again
    return text if text.isascii() and text.isalnum() else _key(text)


@functools.lru_cache(maxsize=1 << 16)
def _key(text: str) -> str:
    words = load_writing()
    plain = compact(text).translate(words.characters)
    return words.numerals.sub(lambda found: _arabic(found[0], words), plain)


def _arabic(numeral: str, words: Writing) -> str:
    if not any(ten in numeral for ten in words.tens):
        return "".join(words.digits[c] for c in numeral)
    total = pending = 0
    for c in numeral:
        if c in words.tens:
            total, pending = total + (pending or 1) * words.tens[c], 0
        else:
            pending = int(words.digits[c])
    return str(total + pending)


def written(plain: str) -> Written | None:
    """Take a compact text apart as a number, or return None if it is none.

    Examples
    --------
    >>> written("1,234.5万元"), written("≤5%"), written("some")
    (Written(relation='', digits='1234.5', word='万元'), Written(relation='≤', digits='5', word='%'), None)
    """
    words = load_writing()
    found = words.number.fullmatch(plain)
    if not found:
        return None
    return Written(words.relations.get(found[1], ""), found[2].replace(",", ""), found[3])


def figure(text: Any) -> Written | None:
    """Take a cell's text apart as one number, or return None if it is none or may be two.

    Examples
    --------
    >>> figure(" １，234 "), figure("300 310"), figure("300①")
    (Written(relation='', digits='1234', word=''), None, None)
    """
    text = str(text)
    return None if may_be_two(text) else written(compact(text))


def may_be_two(text: str) -> bool:
    r"""Tell whether digits stand apart, or a note's sign stands beside them.

    Without its white space and in NFKC such a text would be another number.

    Examples
    --------
    >>> may_be_two("1\u00a0234"), may_be_two("300\n310"), may_be_two("300②"), may_be_two("1200㎡")
    (False, True, True, False)
    """
    # the sign of a unit stands behind a letter: m²
    if not text.isascii() and any(_is_sign(c) and not before.isalpha() for before, c in pairwise(f" {text}")):
        return True
    return bool(_APART.search(ungrouped(text)))


def ungrouped(text: str) -> str:
    r"""Return a text without the spaces that group a number's digits in threes (GB/T 15835-2011, ISO 80000-1).

    Programs write one and the same hard or thin space between all groups; one that a hand typed may part two numbers.

    Examples
    --------
    >>> ungrouped("1\u00a0234\u00a0567.5"), ungrouped("1 234 567"), ungrouped("1234\u00a0567") == "1234\u00a0567"
    ('1234567.5', '1 234 567', True)
    """
    if not _SPACE.search(text):  # as most
        return text
    plain = _NOISE.sub("", text).translate(_NARROW)
    return _GROUPED.sub(lambda found: found[0].replace(found[1], ""), plain, count=1)


@functools.lru_cache(maxsize=1 << 10)
def _is_sign(character: str) -> bool:
    """Tell whether a character is no digit, and yet NFKC makes digits of it alone: ① and ², but not ㎡."""
    plain = unicodedata.normalize("NFKC", character)
    is_made = plain != character and not character.isdecimal()
    return is_made and any(c.isdecimal() for c in plain) and not any(c.isalpha() for c in plain)


def code(text: Any) -> str:
    """Return a code as it is compared: without white space and without what programs write around or behind it.

    Examples
    --------
    >>> code("3133000001.0"), code('="0133000001"'), code("'3133000001"), code(" S 01")
    ('3133000001', '0133000001', '3133000001', 'S01')
    """
    plain = compact(text)
    found = _WRAPPED.fullmatch(plain)
    return next(part for part in found.groups() if part is not None) if found else plain


def era_year(text: str) -> tuple[str, int] | None:
    """Return a year of an era as found and the year it would be, or None.

    Examples
    --------
    >>> era_year("民国一〇九学年"), era_year("令和2年"), era_year("2020年")
    (('民国109', 2020), ('令和2', 2020), None)
    """
    words = load_writing()
    found = words.era.search(key(text))
    return (found[0], words.eras[found[1]] + int(found[2])) if found else None


@functools.lru_cache(maxsize=1)
def load_writing(path: Path = DEFINITIONS / "forms" / "values.yml") -> Writing:
    """Read the words.

    Raises
    ------
    RegistryError
        If the file cannot be read.
    """
    document = read_document(path, f"definitions/forms/{path.name}")
    document.raise_faults()
    data = document.data
    relations = {compact(text): relation for text, relation in data["relations"].items()}
    known = "|".join(sorted(map(re.escape, relations), key=len, reverse=True))
    eras = {compact(text): int(first) for text, first in data["eras"].items()}
    traditional, simplified = data["characters"]
    return Writing(
        numerals=re.compile(f"[{''.join([*data['numerals'], *data['tens']])}]+"),
        digits={c: str(digit) for c, digit in data["numerals"].items()},
        tens=data["tens"],
        scales={compact(word): float(factor) for word, factor in data["scales"].items()},
        shares={compact(word): float(factor) for word, factor in data["shares"].items()},
        relations=relations,
        number=re.compile(rf"({known})?([+-]?{_DIGITS})(\D*(?:m2)?)"),
        era=re.compile(f"({'|'.join(eras)})(\\d{{1,3}})"),
        eras=eras,
        characters=str.maketrans(traditional, simplified),
        codes={name: data[f"{name}s"] for name in ("grade", "stage", "kind", "item", "unit")},
    )


@functools.lru_cache(maxsize=8)
def codes(column: str) -> Mapping[str, str]:
    """Return the code of each word of a coded column of a district's CSV files, by its `key`; other columns have none.

    Examples
    --------
    >>> codes("grade")[key("七年级")], codes("stage")[key("小学")], codes("area")
    ('7', 'primary', {})
    """
    words = load_writing().codes.get(column, {})
    return {key(text): str(code) for code, texts in words.items() for text in texts}
