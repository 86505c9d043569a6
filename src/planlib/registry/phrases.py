"""What cleaning says: written in English where it happens, shown in either language by ``forms/messages.yml``."""

import re
from collections.abc import Sequence
from functools import lru_cache

from planlib.registry.words import label, load_definitions

_PLACE = re.compile(r"\{(\w+)(\*?)\}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
# What may stand in a place of these names; anything may in the others.
_NUMBERS = {"number", "count", "year", "factor", "low", "high", "before", "share"}
_NAMES = {"column", "figure", "of", "stage", "type"}
_LISTS = {"terms", "others"}
_LISTED = {"key", "texts"}
# Said by their labels in English too; elsewhere people need the name of a column.
_FIGURES = {"figure", "of", "terms"}
_KEYS = {"key", "place"}  # names with their values


def phrase(text: str, language: str) -> str:
    """Return what cleaning found, expected or did, in a language.

    Parameters
    ----------
    text : str
        English, as issues.csv and the steps of a value hold it; columns by their names.
    language : {"zh", "en"}

    Returns
    -------
    str
        A text without a translation (a cell as it stands in a file) comes back as it is.

    Examples
    --------
    >>> phrase("text → number, × 10000 (万元 → yuan); dropped 5 cells", "zh")
    '文本转为数，× 10000（万元换算为元）；删去 5 格'
    >>> phrase("at most teachers (10)", "zh"), phrase("at most teachers (10)", "en")
    ('不多于专任教师数（10）', 'at most full-time teachers (10)')
    """
    return _translated(text, language) if text else text


def heading(kind: str, language: str, part: str = "title") -> str:
    """Return what issues of one kind have in common, or what to do about them.

    Parameters
    ----------
    kind : str
        A kind of ``forms/messages.yml`` or the id of a rule of ``forms/checks.yml``.
    language : {"zh", "en"}
    part : {"title", "applied", "todo"}
        ``applied`` is the title of what was done and is no fault.

    Examples
    --------
    >>> heading("total", "en"), heading("backbone_in_teachers", "zh")
    ('totals that are not the sum of their rows', '县级及以上骨干教师应不多于专任教师')
    """
    kinds = load_definitions("forms/messages")["kinds"]
    if kind in kinds:
        return str(kinds[kind].get(part, kinds[kind]["title"])[language])
    rules = {rule["id"]: rule for rule in load_definitions("forms/checks")["rules"]}
    if kind not in rules:
        return kind
    return str((rules[kind]["say"] if part != "todo" else kinds["rule"]["todo"])[language])


@lru_cache(maxsize=4096)
def _translated(text: str, language: str) -> str:
    for pattern, words in _patterns():
        found = pattern.fullmatch(text)
        if found and language == "en":
            return _in_english(text, found)
        if found:
            return _PLACE.sub(lambda place: _filled(place[1], found[place[1]], bool(place[2])), words)  # noqa: B023
    return text


def _in_english(text: str, found: re.Match[str]) -> str:
    """Return a phrase with the labels of the figures it names."""
    spans = sorted(found.span(place) for place in _FIGURES & found.groupdict().keys())
    for begins, ends in reversed(spans):
        named = _NAME.sub(lambda name: _column(name[0], "en"), text[begins:ends])
        text = text[:begins] + named + text[ends:]
    return text


def _filled(place: str, text: str, is_phrase: bool) -> str:
    """Return what stands in a place: names with their labels, a part that is itself a phrase translated."""
    if is_phrase:
        return _translated(text, "zh")
    if place in ("stage", "type"):
        return _named(text, "stage" if place == "stage" else "school_type")
    if place == "unit":
        return str(load_definitions("fields")["units"].get(text, {"zh": text})["zh"])
    if place in _NAMES | _LISTS | _KEYS:
        text = _NAME.sub(lambda name: _column(name[0]), text)
    return text.replace(", ", "、") if place in _LISTED else text


def _named(code: str, group: str) -> str:
    return label(code, "zh", group) if code in load_definitions("labels")[group] else code


def _column(name: str, language: str = "zh") -> str:
    """Return a column's label; within an English sentence it begins small."""
    entry = load_definitions("fields")["fields"].get(name)
    said = str(entry["label"][language]) if entry else name
    return said[:1].lower() + said[1:] if language == "en" and said[1:2].islower() else said


@lru_cache(maxsize=1)
def _patterns() -> Sequence[tuple[re.Pattern[str], str]]:
    """Return the phrases as patterns with their Chinese text, those that leave least open first."""
    pairs = load_definitions("forms/messages")["phrases"]
    pairs.sort(key=lambda pair: -len(_PLACE.sub("", pair["en"])))
    return [(re.compile(_pattern(pair["en"]), re.DOTALL), pair["zh"]) for pair in pairs]


def _pattern(template: str) -> str:
    parts = _PLACE.split(template)
    # split gives text, name, star, text, …: two groups in a place
    made = [re.escape(parts[0])]
    for name, text in zip(parts[1::3], parts[3::3], strict=True):
        made += [f"(?P<{name}>{_allowed(name)})", re.escape(text)]
    return "".join(made)


def _allowed(name: str) -> str:
    if name in _NUMBERS:
        return r"[-+−]?[\d.,]+(?:e[-+]?\d+)?"
    if name in _LISTS:
        return r"[a-z0-9_+*×. ]+"
    return r"[a-z][a-z0-9_]*" if name in _NAMES else ".+?"
