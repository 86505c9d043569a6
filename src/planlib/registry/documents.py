"""YAML with line numbers: safe, strict about keys, and able to say where a fault stands."""

import pickle
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, TypeVar

import yaml

from planlib.errors import RegistryError, listing

_DEEPEST = 50
_MOST_WORDS = 30  # of those known, in a message

_Function = TypeVar("_Function", bound=Callable[..., Any])
Where = tuple[str | int, ...]
"""The way from the top of a document to an entry: keys and positions."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe loader that reads true/false, null and numbers; dates, yes/no and 6:30 stay text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute


for _tag, _pattern, _first in (
    ("bool", r"(?:true|True|false|False)$", "tTfF"),
    ("null", r"(?:~|null|)$", ["~", "n", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,17})$", "-+0123456789"),
    ("float", r"[-+]?[0-9]+(?:\.[0-9]*(?:[eE][-+]?[0-9]{1,3})?|[eE][-+][0-9]{1,3})$", "-+0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


@dataclass
class Document:
    """A YAML file as plain values, the line of every entry, and the faults found in it.

    Attributes
    ----------
    name : str
        How messages call the file.
    data : Any
        Dicts, lists, texts, numbers, booleans, None.
    lines : dict
        Line (from 1) of every entry by its way from the top.
    faults : list of (line, text)
    """

    name: str
    data: Any = None
    lines: dict[Where, int] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)

    def line(self, where: Where) -> int:
        """Return the line of an entry, or of the nearest entry it would stand in."""
        for end in range(len(where), -1, -1):
            if where[:end] in self.lines:
                return self.lines[where[:end]]
        return 1

    def fault(self, where: Where, what: str, expected: str, todo: str) -> None:
        """Note a fault: what is wrong at a place, what was expected, what to do."""
        line = self.line(where)
        # the hint where no word is near lists what was expected: once is enough
        todo = todo.replace(f"use one of {expected.removeprefix('one of ')}", "use one of these")
        self.faults.append((line, f"{self.name}, line {line}: {what}, expected {expected}: {todo}"))

    def raise_faults(self) -> None:
        """Raise all faults noted so far as one error, in the order of the file.

        Raises
        ------
        RegistryError
            If there is any; ten are written out, the rest counted.
        """
        if self.faults:
            texts = list(dict.fromkeys(text for _, text in sorted(self.faults, key=lambda fault: fault[0])))
            raise RegistryError(listing(f"{self.name} cannot be used", texts, "mend these lines and run again"))


def remembered(function: _Function) -> _Function:
    """Let a function of texts and paths work once for the same text; everybody gets a copy of his own.

    The text is part of the question, so a changed file is never answered from memory.

    Examples
    --------
    >>> words = remembered(lambda text: text.split())
    >>> words("a b").append("c"), words("a b")
    (None, ['a', 'b'])
    """
    packed = lru_cache(maxsize=64)(lambda *given: pickle.dumps(function(*given)))
    return wraps(function)(lambda *given: pickle.loads(packed(*given)))  # type: ignore[return-value]


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return a hint to the nearest known word, or the known words when none is near: of very many the first.

    Examples
    --------
    >>> did_you_mean("goall", ["goal", "task"])
    "did you mean 'goal'?"
    >>> did_you_mean("x", ["goal", "task"])
    'use one of goal, task'
    """
    words = list(known)
    near = get_close_matches(str(word), words, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    more = f", … ({len(words)} in all)" if len(words) > _MOST_WORDS else ""
    return f"use one of {', '.join(words[:_MOST_WORDS])}{more}" if words else "remove it"


def read_document(path: Path, name: str | None = None) -> Document:
    """Read a YAML file safely, keeping the line of every entry.

    Duplicate keys, keys that are not text or whole numbers, and anchors with aliases are noted as faults of the
    document; the caller raises them together with its own.

    Parameters
    ----------
    path : Path
        A UTF-8 file.
    name : str, optional
        How messages call it; the file name by default.

    Returns
    -------
    Document

    Raises
    ------
    RegistryError
        If the file is missing, cannot be read, is not UTF-8, empty, or not YAML (with line and column).
    """
    return parsed(text_of(path, name or path.name), name or path.name, path)


@remembered
def parsed(text: str, name: str, path: Path | None = None) -> Document:
    """Return a YAML text as a document: what `read_document` does with a file's text.

    Parameters
    ----------
    text, name : str
    path : Path, optional
        Named in the message about an empty file.

    Raises
    ------
    RegistryError
        If the text is empty, too deep, or not YAML.

    Examples
    --------
    >>> parsed("period: {first_year: 2021}", "plan.yml").data
    {'period': {'first_year': 2021}}
    """
    _refuse_controls(text, name)
    document, loader = Document(name), _Loader(text)
    try:
        _refuse_depth(text, name)
        node = loader.get_single_node()
        if node is None:
            raise RegistryError(f"{_called(name, path, 'is empty')}\nTo do: fill it in.")
        document.data = _Builder(document, loader).value(node, ())
    except yaml.MarkedYAMLError as error:
        raise RegistryError(_syntax(name, error)) from None
    finally:
        loader.dispose()
    return document


def _called(name: str, path: Path | None, what: str) -> str:
    """Say what is wrong with a file, and where it is if its name does not say so."""
    return f"{name} {what}." if path is None or str(path) == name else f"{name} {what}: {path}"


def text_of(path: Path, name: str) -> str:
    """Return the text of a file, called `name` in messages; `read_document` says what can be wrong with it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RegistryError(
            f"{_called(name, path, 'is missing')}\nTo do: put the file there, or mend its name."
        ) from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise RegistryError(
            f"{name}, line {line}: this is not UTF-8 text ({path}).\nTo do: save the file as UTF-8."
        ) from None
    except OSError as error:
        raise RegistryError(
            f"{_called(name, path, f'cannot be read ({error.strerror})')}\nTo do: name a file that you may read."
        ) from None
    return text


def _refuse_controls(text: str, name: str) -> None:
    strange = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if strange:
        line = text.count("\n", 0, strange.start()) + 1
        raise RegistryError(
            f"{name}, line {line}: there is a control character ({strange[0]!r}).\nTo do: delete it."
        )


def _refuse_depth(text: str, name: str) -> None:
    """Refuse nesting that would overflow the stack when nodes are composed; events alone need no stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            place = _place(event.start_mark)
            raise RegistryError(f"{name}, {place}: more than {_DEEPEST} levels.\nTo do: write it flat.")


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"


def _syntax(name: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = _place(mark)
    problem = " ".join(part for part in (error.context, error.problem) if part)
    return (
        f"{name}, {place}: this is not YAML that can be read ({problem}).\n"
        "To do: look at this line and the one above it: quotes, brackets, indentation (spaces, no tabs), "
        "and a space after each colon."
    )


class _Builder:
    """Turns composed nodes into plain values while noting lines."""

    def __init__(self, document: Document, loader: Any) -> None:
        self.document, self.loader = document, loader
        self.seen: set[int] = set()

    def value(self, node: yaml.Node, where: Where) -> Any:
        # a mapping of an entry is found at its key, which is set before
        self.document.lines.setdefault(where, node.start_mark.line + 1)
        if id(node) in self.seen:
            self.document.fault(
                where, "an alias (*)", "every entry written out", "copy the entry here; anchors are not used"
            )
            return None
        self.seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*where, place)) for place, item in enumerate(node.value)]
        return self.loader.construct_object(node)

    def mapping(self, node: yaml.MappingNode, where: Where) -> dict[str | int, Any]:
        result: dict[str | int, Any] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node, where)
            if key is None:
                continue
            line = key_node.start_mark.line + 1
            if key in result:
                self.repeated((*where, key), line)
                continue
            self.document.lines[(*where, key)] = line
            result[key] = self.value(value_node, (*where, key))
        return result

    def key(self, node: yaml.Node, where: Where) -> str | int | None:
        key = self.loader.construct_object(node) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(key, bool):
            return str(node.value)
        if isinstance(key, str | int):
            return key
        # `lines` knows no line of a key that is none, so the line is lent for this message
        place = (*where, "")
        self.document.lines[place] = node.start_mark.line + 1
        self.document.fault(place, f"the key {node.value!r:.40}", "a word", "write a plain word before the colon")
        del self.document.lines[place]
        return None

    def repeated(self, where: Where, line: int) -> None:
        first = self.document.lines[where]
        text = (
            f"{self.document.name}, line {line}: the key {where[-1]!r} stands here a second time, "
            f"expected once (it stands in line {first}): remove one of the two"
        )
        self.document.faults.append((line, text))


def as_mapping(value: Any) -> Mapping[Any, Any]:
    """Return the value if it is a mapping, else an empty one (its fault is noted elsewhere)."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return the value if it is a list, else an empty one (its fault is noted elsewhere)."""
    return value if isinstance(value, list) else []
