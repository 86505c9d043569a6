"""Words and numbers as each language writes them; every Chinese or English label stands in labels.yml."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from numbers import Integral
from typing import Any
from unicodedata import category

import pandas as pd

from planlib.errors import DataError, UsageError, listing
from planlib.registry import LANGUAGES, label, load_definitions

# Control, format, surrogate, private-use characters; separators of lines and paragraphs.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# A coefficient has no unit to print; its label names what it is.
_UNPRINTED = {"coefficient"}
# Units that Chinese counts in and English does not: how their codes begin → factor.
MULTIPLES = {"ten_thousand_": 1e4, "hundred_million_": 1e8}


def check_language(language: str) -> None:
    """Raise unless the language is one the labels are written in.

    Raises
    ------
    UsageError
        For anything but ``"zh"`` and ``"en"``.
    """
    if language not in LANGUAGES:
        raise UsageError(f"Unknown language {language!r}, expected zh or en.\nTo do: pass one of the two.")


def word(group: str, code: str, language: str) -> str:
    """Return the label of a code, from ``definitions/labels.yml``.

    Raises
    ------
    RegistryError
        If there is no such label.

    Examples
    --------
    >>> word("status", "early", "zh")
    '提前实现'
    """
    return label(code, language, group)


@cache
def _labels() -> dict[str, Any]:
    return load_definitions("labels")


def has_words(group: str, codes: Iterable[str]) -> bool:
    """Tell whether every one of the codes has a label in the group; false for a group that is not there.

    Examples
    --------
    >>> has_words("attribute", ["binding"]), has_words("attribute", ["red"]), has_words("colour", ["red"])
    (True, False, False)
    """
    return set(codes) <= set(_labels().get(group, {}))


def optional_word(group: str, code: str, language: str) -> str:
    """Return the label of a code, or the code itself where none is written (a district's own kinds and areas)."""
    return str(_labels().get(group, {}).get(code, {}).get(language, code))


def resource_name(code: str, language: str, names: Mapping[str, str] | None = None) -> str:
    """Return the short name of a resource: from ``names``, else from ``standards.yml``, else its code.

    Examples
    --------
    >>> resource_name("backbone_teachers", "zh"), resource_name("bricks", "zh")
    ('骨干教师', 'bricks')
    """
    if names and code in names:
        return names[code]
    if code == "composite":
        return say("composite", language)
    return str(_resources().get(code, {}).get("short", {}).get(language, code))


def resource_counted(code: str, language: str) -> str:
    """Return what a resource comes in, not per pupil; empty if ``standards.yml`` does not know it.

    Examples
    --------
    >>> resource_counted("backbone_teachers", "zh"), resource_counted("equipment_value_yuan", "en")
    ('人', 'yuan')
    """
    return str(_resources().get(code, {}).get("unit", {}).get(language, ""))


def resource_unit(code: str, language: str) -> str:
    """Return what a resource is counted in: per pupil or per hundred, as ``standards.yml`` says; empty if unknown.

    Examples
    --------
    >>> resource_unit("backbone_teachers", "zh"), resource_unit("teaching_area_m2", "en"), resource_unit("bricks", "en")
    ('人/百名学生', 'm² per pupil', '')
    """
    known = _resources().get(code)
    if known is None:
        return ""
    return say("per_hundred" if known["per"] == 100 else "per_one", language, unit=known["unit"][language])


def factor(code: str, language: str) -> str:
    """Return the name of a cause of change, from ``standards.yml``.

    Examples
    --------
    >>> factor("opened", "en")
    'schools opened'
    """
    return str(load_definitions("standards")["factors"][code][language])


@cache
def _resources() -> dict[str, Any]:
    return dict(load_definitions("standards")["resources"])


def say(code: str, language: str, **values: object) -> str:
    """Return a sentence of the group ``figures`` with its places filled.

    Examples
    --------
    >>> say("count_of", "en", count=3, total=24)
    '3 of 24'
    """
    return filled(word("figures", code, language), **values)


class _Count(int):
    """A number that chooses between two words: ``format(_Count(1), "is|are")`` is ``is``."""

    def __format__(self, wanted: str) -> str:
        one, bar, many = wanted.partition("|")
        return (one if self == 1 else many) if bar else super().__format__(wanted)


def filled(sentence: str, **values: object) -> str:
    """Fill the places of a sentence; ``{count:one|many}`` writes the words that suit the number.

    Examples
    --------
    >>> [filled("{n} {n:school fails|schools fail}", n=n) for n in (0, 1, 2)]
    ['0 schools fail', '1 school fails', '2 schools fail']
    >>> filled("in the {n:year|{n} years} left", n=3)
    'in the 3 years left'
    """
    is_count = {key: isinstance(v, Integral) and not isinstance(v, bool) for key, v in values.items()}
    counts = {key: _Count(value) if is_count[key] else value for key, value in values.items()}  # type: ignore[call-overload]
    return sentence.format(**counts)


def visible(text: str) -> str:
    r"""Return a text in which nothing is hidden: signs that show nothing are written out by their code.

    A name from data may hold a right-to-left override, which shows what follows back to front, a null, or a
    character of private use; each would let a page say something else than its data. The one rule for every output.

    Examples
    --------
    >>> visible("No. 1\u202eloohcs"), visible("line\n")
    ('No. 1[U+202E]loohcs', 'line\n')
    """
    if text.isprintable():
        return text
    return "".join(f"[U+{ord(c):04X}]" if category(c) in _HIDDEN and c not in "\n\t" else c for c in text)


def is_missing(value: object) -> bool:
    """Say whether a scalar is None, NaN or NA.

    Examples
    --------
    >>> is_missing(None), is_missing(float("nan")), is_missing(pd.NA), is_missing(0)
    (True, True, True, False)
    """
    return value is None or bool(pd.isna(value))  # type: ignore[call-overload]


def number(value: object, language: str, decimals: int | None = None) -> str:
    """Write a number as the language writes it: 万 and 亿 in Chinese, commas and millions in English.

    Parameters
    ----------
    value : number
        Missing gives a dash.
    language : str
        ``"zh"`` or ``"en"``.
    decimals : int, optional
        Digits after the point; by default none for whole numbers, else up to two.

    Returns
    -------
    str

    Examples
    --------
    >>> number(42593, "zh"), number(42593, "en")
    ('4.26万', '42,593')
    >>> number(11_860_000_000, "zh"), number(11_860_000_000, "en")
    ('118.6亿', '11,860 m')
    >>> number(-0.305, "zh", 3), number(None, "zh")
    ('−0.305', '—')
    """
    if is_missing(value):
        return "—"
    amount = float(value)  # type: ignore[arg-type]
    if decimals is None and abs(amount) >= 1e4:
        text = _large(amount, language)
    else:
        digits = decimals if decimals is not None else 0 if amount == round(amount) else 2
        text = f"{amount:,.{digits}f}" if language == "en" else f"{amount:.{digits}f}"
    return text.replace("-", "−")


def _large(amount: float, language: str) -> str:
    if language == "zh":
        scale, sign = (1e8, "hundred_million") if abs(amount) >= 1e8 else (1e4, "ten_thousand")
        return _short(amount / scale) + say(sign, language)
    return f"{_short(amount / 1e6, ',')} m" if abs(amount) >= 1e7 else f"{amount:,.0f}"


def _short(amount: float, comma: str = "") -> str:
    text = f"{amount:{comma}.2f}"
    return text.rstrip("0").rstrip(".")


def percent(share: object, language: str, decimals: int = 0) -> str:
    """Write a share (0 to 1) in per cent.

    Examples
    --------
    >>> percent(0.4212, "zh", 1)
    '42.1%'
    """
    text = number(None if is_missing(share) else float(share) * 100, language, decimals)  # type: ignore[arg-type]
    return text if text == "—" else text + "%"


def finer_decimals(unit: str, printed: int) -> int:
    """Return the decimals a value is shown with: one more than the plan prints where it prints hardly any.

    A share printed as 25 % has moved from 23.0 to 24.3 long before it reads 25.

    Examples
    --------
    >>> finer_decimals("percent", 0), finer_decimals("percent", 2), finer_decimals("school", 0)
    (1, 2, 0)
    """
    return printed + (unit.startswith(("percent", *MULTIPLES)) and printed < 2)


def telling_decimals(value: float, printed: int, most: int) -> int:
    """Return `most`, or the decimals that the plan prints where the digits after them say nothing: 98 % stays 98 %.

    Examples
    --------
    >>> telling_decimals(98.0, 0, 1), telling_decimals(98.6, 0, 1)
    (0, 1)
    """
    return printed if round(value, printed) == round(value, most) else most


def with_unit(text: str, unit: object, language: str) -> str:
    """Add a unit: close up for per cent and in Chinese, after a space in English.

    Examples
    --------
    >>> with_unit("60", "所", "zh"), with_unit("60", "schools", "en"), with_unit("60", "%", "en")
    ('60所', '60 schools', '60%')
    """
    if is_missing(unit) or not str(unit):
        return text
    space = " " if language == "en" and unit != "%" else ""
    return f"{text}{space}{unit}"


def unit_name(code: object, language: str, amount: str = "") -> str:
    """Return the name of a unit, or the code where it has no label; empty for none and for a coefficient.

    An amount, as written, of one gives the singular.

    Examples
    --------
    >>> unit_name("ten_thousand_persons", "zh"), unit_name("coefficient", "zh"), unit_name("bricks", "en")
    ('万人', '', 'bricks')
    >>> unit_name("school", "en"), unit_name("school", "en", "≥1"), unit_name("school", "en", "11")
    ('schools', 'school', 'schools')
    """
    if is_missing(code) or not str(code) or code in _UNPRINTED:
        return ""
    one, _, many = optional_word("unit", str(code), language).partition("|")
    return one if not many or amount.lstrip("≥≤<>≈=") == "1" else many


def sentences(parts: Sequence[str], language: str) -> str:
    """Join parts to one text as the language does, with a full stop at its end.

    Examples
    --------
    >>> sentences(["Two rise", "one falls"], "en")
    'Two rise. one falls.'
    """
    return say("sentence_join", language).join(parts) + say("full_stop", language)


def signed_percent(change: float, language: str) -> str:
    """Write a relative change with its sign.

    Examples
    --------
    >>> signed_percent(0.1, "en"), signed_percent(-0.021, "zh")
    ('+10%', '−2%')
    """
    text = percent(change, language)
    text = text.removeprefix("−") if text.strip("−") == "0%" else text
    return f"+{text}" if change > 0 and text != "0%" else text


def date_text(date: str, language: str) -> str:
    """Write a day as the language does.

    Examples
    --------
    >>> date_text("2022-12-31", "zh"), date_text("2022-12-31", "en")
    ('2022年12月31日', '31 December 2022')
    """
    year, month, day = (int(part) for part in date[:10].split("-"))
    return say("date", language, year=year, month=say("months", language).split()[month - 1], day=day)


def named_with_unit(row: Mapping[str, Any] | pd.Series, language: str) -> str:
    r"""Return a series' name with its unit in brackets, as the plan's own table prints it.

    Examples
    --------
    >>> named_with_unit({"name_en": "Myopia", "unit": "percent"}, "en")
    'Myopia\xa0(%)'
    """
    unit, name = unit_name(row["unit"], language), name_of(row, language)
    if not unit:
        return name
    # A line must break neither inside the bracket nor before it, which would leave a lonely "(%)".
    bracket = say("name_unit", language, name="", unit=unit).replace(" ", "\u00a0")
    return name + bracket


def capital(text: str) -> str:
    """Begin a heading with a capital letter; Chinese has none and stays as it is.

    Examples
    --------
    >>> capital("junior secondary"), capital("小学段")
    ('Junior secondary', '小学段')
    """
    return text[:1].upper() + text[1:]


def listed(items: Iterable[str], language: str, most: int = 3, more: str = "list_more") -> str:
    """Join names as the language does; beyond ``most`` the rest is counted (in the words of the label ``more``).

    Examples
    --------
    >>> listed(["a", "b"], "en"), listed(["甲", "乙", "丙", "丁"], "zh")
    ('a, b', '甲、乙、丙等4项')
    """
    names = list(items)
    joined = say("list_separator", language).join(names[:most])
    return joined if len(names) <= most else say(more, language, names=joined, count=len(names))


def name_of(row: Mapping[str, Any] | pd.Series, language: str) -> str:
    """Return ``name_zh`` or ``name_en`` of a row, else its id."""
    name = row.get(f"name_{language}")
    return str(row.get("series_id", "")) if is_missing(name) or not str(name) else str(name)


def need(frame: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """Raise unless a frame has the columns.

    Raises
    ------
    DataError
        Names the missing columns and those that are there.
    """
    lacking = [c for c in columns if c not in frame.columns]
    if lacking:
        there = ", ".join(map(str, frame.columns)) or "none"
        raise DataError(
            listing(f"columns missing for {what}", lacking, f"pass a frame that has them; there are: {there}")
        )


def finite(values: Iterable[Any]) -> list[float]:
    """Return the values that are numbers, as floats."""
    return [float(v) for v in values if not is_missing(v) and math.isfinite(float(v))]
