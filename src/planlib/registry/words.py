"""``definitions/*.yml``: loaded once, and the words people read, in both languages."""

import copy
from functools import lru_cache
from typing import Any

from planlib.errors import RegistryError, UsageError
from planlib.paths import DEFINITIONS
from planlib.registry.documents import did_you_mean, read_document

LANGUAGES = ("zh", "en")


def load_definitions(name: str) -> dict[str, Any]:
    """Return a file of ``definitions/`` as plain values.

    Read safely and once; every call gets a copy of its own. Dates are ISO text (they compare as text).

    Parameters
    ----------
    name : str
        Without the ending: ``"labels"``, ``"standards"``, ``"forms/collection"``.

    Returns
    -------
    dict

    Raises
    ------
    RegistryError
        If there is no such file, it is no YAML, or a key stands twice.

    Examples
    --------
    >>> load_definitions("labels")["attribute"]["binding"]
    {'zh': '约束性', 'en': 'binding'}
    """
    return copy.deepcopy(_definitions(name))


def label(code: str, language: str, group: str) -> str:
    """Return the word for a code in one language (``definitions/labels.yml``).

    Parameters
    ----------
    code : str
        For example ``"binding"``.
    language : {"zh", "en"}
    group : str
        The group of codes, for example ``"attribute"``.

    Returns
    -------
    str

    Raises
    ------
    UsageError
        If the language is another one.
    RegistryError
        If the group or the code is unknown; names the nearest one.

    Examples
    --------
    >>> label("binding", "zh", "attribute")
    '约束性'
    >>> label("fall", "en", "direction")
    'to fall'
    """
    if language not in LANGUAGES:
        raise UsageError(f"Unknown language {language!r}, expected zh or en.\nTo do: pass one of the two.")
    groups = _definitions("labels")
    if group not in groups:
        raise RegistryError(f"labels.yml has no group {group!r}.\nTo do: {did_you_mean(group, groups)}")
    if code not in groups[group]:
        raise RegistryError(
            f"labels.yml has no {code!r} in the group {group!r}.\nTo do: {did_you_mean(code, groups[group])}"
        )
    return str(groups[group][code][language])


def codes(group: str) -> tuple[str, ...]:
    """Return the codes of a group of ``labels.yml``, in its order.

    Examples
    --------
    >>> codes("attribute")
    ('binding', 'anticipatory')
    """
    return tuple(_definitions("labels")[group])


@lru_cache(maxsize=32)
def _definitions(name: str) -> dict[str, Any]:
    # walking the folder instead of joining the name keeps "../" out
    known = sorted(p.relative_to(DEFINITIONS).with_suffix("").as_posix() for p in DEFINITIONS.rglob("*.yml"))
    if name not in known:
        raise RegistryError(f"There is no definitions/{name}.yml.\nTo do: {did_you_mean(name, known)}")
    document = read_document(DEFINITIONS / f"{name}.yml", f"definitions/{name}.yml")
    if not isinstance(document.data, dict):
        document.fault((), "the top of the file", "keys with values", "start lines with `key:`")
    if name == "labels":
        _check_labels(document)
    document.raise_faults()
    return dict(document.data)


def _check_labels(document: Any) -> None:
    for group, entries in document.data.items():
        if group == "schema_version":
            continue
        for code, words in entries.items() if isinstance(entries, dict) else [("", None)]:
            texts = [words.get(language) for language in LANGUAGES] if isinstance(words, dict) else []
            if len(texts) != len(words or ()) or not all(isinstance(text, str) for text in texts):
                document.fault(
                    (group, code), f"the label {group}/{code}", "{zh: …, en: …}", "write both languages, no more"
                )
