"""Long frames whose words are numbers: what comes again and again is a category, its categories in order.

Sorted categories sort and group as their words would, at the cost of whole numbers.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

# Of millions of different texts (addresses) Arrow makes less than Python, whatever is better for small tables.
_LONG = pd.StringDtype("pyarrow", na_value=np.nan)


class Coded(NamedTuple):
    """Words by number: the number of each row, and the words (which may repeat)."""

    codes: np.ndarray
    words: Sequence[str] | pa.Array

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.codes)


Piece: TypeAlias = Coded | np.ndarray | list[Any] | pa.Array
"""A part of a column as it was read."""


def column(pieces: Sequence[Piece], kind: str) -> Any:
    """Return the pieces of a column as one: a category, texts (``str``) or numbers.

    Examples
    --------
    >>> list(column([Coded(np.array([1, 0]), ["b", "a"]), ["c", "a"]], "category"))
    ['a', 'b', 'c', 'a']
    """
    # thousands of short lists are one long one
    runs = [
        [list(chain.from_iterable(run))] if is_list else list(run)
        for is_list, run in groupby(pieces, lambda piece: isinstance(piece, list))
    ]
    joined = list(chain.from_iterable(runs))
    if kind == "category":
        return _categories([piece if isinstance(piece, Coded) else _coded(piece) for piece in joined])
    if kind == "str":
        arrays = [piece if isinstance(piece, pa.Array) else pa.array(piece, pa.large_string()) for piece in joined]
        return pd.array(pa.chunked_array(arrays, pa.large_string()), dtype=_LONG)
    return np.concatenate([np.zeros(0, kind), *(np.asarray(piece, kind) for piece in joined)])


def _coded(texts: Any) -> Coded:
    found = pa.array(texts, pa.large_string()).dictionary_encode()
    return Coded(found.indices.to_numpy(), found.dictionary)


def _categories(pieces: Sequence[Coded]) -> pd.Categorical:
    # columns of one sheet share their lists of words: each is looked through once, and never in Python
    lists = {id(piece.words): pa.array(piece.words, pa.large_string()) for piece in pieces}
    words, found = _in_order(lists)
    kind = next(kind for kind in ("int8", "int16", "int32") if len(words) <= np.iinfo(kind).max)
    found = {one: places.astype(kind) for one, places in found.items()}
    codes = [found[id(piece.words)][piece.codes] for piece in pieces]
    index = pd.Index(pd.array(words, dtype="str"))
    return pd.Categorical.from_codes(np.concatenate([np.zeros(0, kind), *codes]), index, validate=False)


def _in_order(lists: Mapping[int, pa.Array]) -> tuple[pa.Array, dict[int, np.ndarray]]:
    """Return the words of all lists, each once, in order, and where each list's words stand among them."""
    # the longest first: often it holds all words, and in order
    ordered = dict(sorted(lists.items(), key=lambda item: -len(item[1])))
    found = pa.chunked_array(ordered.values(), pa.large_string()).combine_chunks().dictionary_encode()
    words, places = found.dictionary, found.indices.to_numpy()
    if not pc.all(pc.less(words[:-1], words[1:]), min_count=0).as_py():
        order = pc.sort_indices(words)
        words, places = words.take(order), np.argsort(order.to_numpy())[places]
    ends = np.cumsum([len(own) for own in ordered.values()])[:-1]
    return words, dict(zip(ordered, np.split(places, ends), strict=True)) if ordered else {}


def stacked(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return frames below each other; a column that is a category in any of them stays one, with the words of all.

    Examples
    --------
    >>> one, two = pd.DataFrame({"a": ["x"]}, dtype="category"), pd.DataFrame({"a": ["w"]}, dtype="category")
    >>> stacked([one, two])["a"].tolist()
    ['x', 'w']
    """
    given = list(frames)
    held = [frame for frame in given if len(frame)] or given[:1]
    if len(held) == 1:
        return held[0].reset_index(drop=True)
    coded = {name for frame in held for name in frame if isinstance(frame[name].dtype, pd.CategoricalDtype)}
    coded = {name for name in coded if not _is_alike([frame[name].dtype for frame in held])}
    made = {name: column([_words(frame[name]) for frame in held], "category") for name in coded}
    rest = pd.concat([frame.drop(columns=list(coded)) for frame in held], ignore_index=True)
    return rest.assign(**made)[list(held[0].columns)]


def _is_alike(kinds: Sequence[Any]) -> bool:
    """Tell whether columns have the very same categories, so that their numbers are the same."""
    words = [getattr(kind, "categories", None) for kind in kinds]
    return words[0] is not None and all(one is not None and words[0].equals(one) for one in words)


def _words(texts: pd.Series) -> Piece:
    if isinstance(texts.dtype, pd.CategoricalDtype):
        return Coded(texts.cat.codes.to_numpy(), pa.array(texts.cat.categories.array))
    return texts.fillna("").to_list()


def as_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose categories are texts again; for few rows."""
    coded = {name: own for name, own in frame.items() if isinstance(own.dtype, pd.CategoricalDtype)}
    # taken by number from the words, not by way of Python's objects
    texts = {
        name: pd.Series(own.cat.categories.array.take(own.cat.codes.to_numpy(), allow_fill=True), frame.index)
        for name, own in coded.items()
    }
    return frame.assign(**{str(name): own.astype("str") for name, own in texts.items()})


def taken(texts: pd.Series, rule: dict[str, Any], default: Any) -> np.ndarray:
    """Return what a rule says to each word of a category, row by row.

    Examples
    --------
    >>> taken(pd.Series(["b", "a", "b"], dtype="category"), {"a": 1}, 0).tolist()
    [0, 1, 0]
    """
    words = [rule.get(word, default) for word in texts.cat.categories.tolist()]
    return np.array([*words, default])[texts.cat.codes.to_numpy()]
