"""The page is legible to everybody: contrast, headings, names of pictures and columns; counts read as English does."""

import itertools
import re
import string

import lxml.html
import nbformat
import pytest

from planlib import params, paths
from planlib.registry import load_definitions
from planlib.run import page
from planlib.words import filled

CSS = (paths.PACKAGE / "run" / "page.css").read_text(encoding="utf-8")
ENOUGH = 4.5  # WCAG 2.2, 1.4.3, text of ordinary size


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def colours(declaration):
    """Return the colours that a property takes anywhere in the style sheet, variables replaced."""
    named = dict(re.findall(r"--(\w+): (#\w{6})", CSS))
    found = re.findall(rf"(?<![\w-]){declaration}: (?:var\(--(\w+)\)|(#\w{{6}}))", CSS)
    return {named.get(name, colour) for name, colour in found}


def test_the_measure_of_contrast_is_the_published_one():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_every_text_of_the_page_stands_out_from_every_ground():
    texts, grounds = colours("color"), colours("background")
    assert len(texts) >= 4
    assert len(grounds) >= 3
    # every text colour on every ground, also where they do not meet today; #fff3cd is the notice's alone
    pairs = [(t, g) for t, g in itertools.product(texts, grounds) if g != "#fff3cd"]
    faint = [(t, g, contrast(t, g)) for t, g in [*pairs, ("#4d3800", "#fff3cd")] if contrast(t, g) < ENOUGH]
    assert not faint
    assert "prefers-color-scheme" not in CSS, "a dark page needs this test for its own colours"
    assert "opacity" not in CSS


@pytest.fixture(scope="module", params=[(name, language) for name in params.REPORTS for language in ("zh", "en")])
def shown(request):
    """Each report as the committed notebook holds it, as a page of either language."""
    name, language = request.param
    file = paths.notebooks() / f"{params.NOTEBOOKS[name].file}.ipynb"
    body = page.body(nbformat.read(file, as_version=4), language)
    return lxml.html.fromstring(page.render(body, language, is_simulated=True).encode()), language


def test_the_page_reads_aloud_well(shown):
    root, language = shown
    assert root.get("lang") == {"zh": "zh-CN", "en": "en"}[language]
    levels = [int(element.tag[1]) for element in root.iter("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    images = list(root.iter("img"))
    assert images
    assert all((image.get("alt") or "").strip() for image in images)
    for table in root.iter("table"):
        heads = table.findall("thead/tr/th")
        assert heads
        assert all(head.get("scope") == "col" and head.text_content().strip() for head in heads)
        assert table.find("caption").text_content().strip()


def test_the_page_refers_to_nothing_outside(shown):
    root, _ = shown
    assert not list(root.iter("script", "link", "iframe"))
    refers = [
        element.get(key)
        for element in root.iter()
        for key in ("src", "href", "srcset", "data")
        if element.get(key)
    ]
    assert all(place.startswith(("#", "data:image/png;base64,")) for place in refers)
    assert "url(" not in CSS
    assert "@import" not in CSS


def test_captions_count_tables_and_figures_from_one(shown):
    root, language = shown
    captions = [element.text_content() for element in root.iter("caption", "figcaption")]
    for word in {"zh": ("表", "图"), "en": ("Table ", "Figure ")}[language]:
        numbers = [int(m[1]) for m in (re.match(rf"{word}(\d+)\b", caption) for caption in captions) if m]
        assert numbers == list(range(1, len(numbers) + 1))
        assert numbers


def sentences(tree):
    """Yield every English sentence below an entry."""
    if isinstance(tree, dict):
        if isinstance(tree.get("en"), str):
            yield tree["en"]
        for below in tree.values():
            yield from sentences(below)


@pytest.mark.parametrize("tree", [load_definitions("narrative"), load_definitions("labels")["figures"]])
def test_one_thing_is_not_counted_as_many(tree):
    places = string.Formatter()
    odd = []
    for sentence in sentences(tree):
        try:
            names = {name for _, name, _, _ in places.parse(sentence) if name}
        except ValueError:
            continue  # a number format, not a sentence
        years = {name: 2022 for name in names if name in {"year", "date", "first", "last", "end", "peak"}}
        said = filled(sentence, **dict.fromkeys(names, 1) | years) if names else ""
        odd += re.findall(
            r".*(?<!of )(?<![\d.])\b1 (?:are|have|were|promises|projects|schools|offices|items|series (?:are|have)).*",
            said,
        )
    assert not odd
