"""Figures: type, titles and alternative texts that say the finding, equal bytes, no global state, empty frames."""

import base64
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

import figure_frames as frames
import matplotlib as mpl
import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from matplotlib import patheffects
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from nbconvert import HTMLExporter

from planlib import figures, paths
from planlib.errors import DataError, PlanlibError, UsageError
from planlib.figures import Picture, lettering, marks
from planlib.registry import codes
from planlib.words import number

CAPS, TARGETS = {"primary": 0.50, "junior": 0.45}, {"primary": 0.30, "junior": 0.25}
LANGUAGES = ("zh", "en")


@cache
def draw(name: str, language: str = "zh", rows: int | None = None, **how: object) -> Picture:
    """Draw a figure by name from the made-up frames, once; `rows` keeps only the first of its main frame."""

    def cut(frame: pd.DataFrame) -> pd.DataFrame:
        return frame if rows is None else frame.head(rows)

    past, ahead = frames.enrolment()
    calls: dict[str, Callable[[], Picture]] = {
        "progress_bullets": lambda: figures.progress_bullets(cut(frames.scorecard()), language, **how),
        "status_overview": lambda: figures.status_overview(cut(frames.status_counts()), language, **how),
        "promises_by_box": lambda: figures.promises_by_box(
            cut(frames.commitments()), frames.plan().frame, language, **how
        ),
        "balance_by_year": lambda: figures.balance_by_year(
            cut(frames.balance_table()), CAPS, TARGETS, language, **how
        ),
        "school_strip": lambda: figures.school_strip(
            cut(frames.stage_resources()), frames.thresholds(), language, **how
        ),
        "contributions_chart": lambda: figures.contributions_chart(cut(frames.contributions()), language, **how),
        "before_after_chart": lambda: figures.before_after_chart(cut(frames.transfer_plan()), language, **how),
        "fan_chart": lambda: figures.fan_chart(
            frames.history(), cut(frames.forecast()), frames.fan_series(), 2020, 2025, language, **how
        ),
        "forecast_review": lambda: figures.forecast_review(cut(frames.comparison()), language, **how),
        "project_timeline": lambda: figures.project_timeline(
            cut(frames.projects()), "2023-06-30", frames.TARGETS, 2021, 2025, language, **how
        ),
        "seats_chart": lambda: figures.seats_chart(cut(frames.seats()), language, known_until=2023, **how),
        "seats_by_area": lambda: figures.seats_by_area(cut(frames.seats_by_area()), 2025, language, **how),
        "enrolment_chart": lambda: figures.enrolment_chart(past, cut(ahead), language, **how),
        "finance_chart": lambda: figures.finance_chart(cut(frames.finance()), language, **how),
        "received_chart": lambda: figures.received_chart(cut(frames.received()), language, **how),
    }
    return calls[name]()


NAMES = [
    "progress_bullets",
    "status_overview",
    "promises_by_box",
    "balance_by_year",
    "school_strip",
    "contributions_chart",
    "before_after_chart",
    "fan_chart",
    "forecast_review",
    "project_timeline",
    "seats_chart",
    "seats_by_area",
    "enrolment_chart",
    "finance_chart",
    "received_chart",
]


def texts(picture: Picture) -> str:
    """All text of a figure with its line breaks taken out."""
    found = picture.figure.findobj(mpl.text.Text)
    return "\n".join(t.get_text().replace("\n", "").replace("\xa0", " ") for t in found)


# ---- every figure


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_draws_with_a_finding_an_alt_text_and_its_data(name, language):
    picture = draw(name, language)
    assert picture.png.startswith(b"\x89PNG")
    assert picture.alt.startswith(picture.title)
    assert picture.alt.endswith("。" if language == "zh" else ".")
    assert any(c.isdigit() for c in picture.title)
    assert "{" not in picture.alt
    assert not re.search(r"\bnan\b|\bNone\b|<NA>", picture.alt + texts(picture))
    assert len(picture.data) > 0
    assert ("模拟数据" if language == "zh" else "Simulated") not in texts(picture)


@pytest.mark.parametrize("name", NAMES)
def test_simulated_data_and_the_source_stand_in_the_foot(name):
    shown = texts(draw(name, "zh", rows=8, simulated=True, note="来源：区教育局。"))
    assert "【模拟数据】 来源：区教育局。" in shown


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_an_empty_frame_says_so(name, language):
    picture = draw(name, language, rows=0)
    if name in {"seats_by_area", "seats_chart", "finance_chart"}:
        assert picture.data.empty
    assert ("暂无数据" if language == "zh" else "no data") in picture.title
    assert picture.alt == picture.title
    assert picture.png.startswith(b"\x89PNG")


@pytest.mark.parametrize("name", NAMES)
def test_one_row_is_enough(name):
    rows = 8 if name == "status_overview" else 1  # the first statuses have no indicators
    assert len(draw(name, rows=rows).data) >= 1


@pytest.mark.parametrize("name", NAMES)
def test_the_same_data_give_the_same_bytes(name):
    assert draw(name).png == draw.__wrapped__(name).png


@pytest.mark.parametrize("name", NAMES)
def test_nothing_leaves_the_page(name):
    for language in LANGUAGES:
        picture = draw(name, language)
        renderer = picture.figure.canvas.get_renderer()
        page = picture.figure.bbox
        for text in picture.figure.findobj(mpl.text.Text):
            if (
                not text.get_text().strip()
                or not text.get_visible()
                or not text.axes
                or not text.axes.get_visible()
            ):
                continue
            box = text.get_window_extent(renderer)
            inside = (
                box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1 and box.y0 >= page.y0 - 1 and box.y1 <= page.y1 + 1
            )
            ticks = text.axes.get_xticklabels() + text.axes.get_yticklabels()
            assert inside or text in ticks, f"{name} {language}: {text.get_text()!r} at {box}"


def test_missing_columns_are_named():
    with pytest.raises(DataError, match=r"progress_bullets \(2\):\n  elapsed\n  status"):
        figures.progress_bullets(frames.scorecard().drop(columns=["elapsed", "status"]))


@pytest.mark.parametrize("name", NAMES)
def test_unknown_language_is_refused(name):
    with pytest.raises(UsageError, match="'fr'"):
        draw(name, "fr")


# ---- type


def test_the_font_comes_by_file_and_its_package_is_not_imported():
    assert lettering.font_file().name == "NotoSansSC-Regular.ttf"
    assert "zhplot" not in sys.modules


def test_missing_font_says_what_to_install(monkeypatch):
    monkeypatch.setattr(paths, "FONT_PACKAGE", "no_such_package")
    lettering.font_file.cache_clear()
    with pytest.raises(PlanlibError, match=r"not installed(.|\n)*pip install"):
        lettering.font_file()
    monkeypatch.undo()
    lettering.font_file.cache_clear()


def test_a_character_without_glyph_is_named_with_its_text():
    rows = frames.scorecard().assign(name_zh="公办\U00013000园")
    with pytest.raises(DataError, match=r"U\+13000\) in '公办"):
        figures.progress_bullets(rows)


def test_a_glyph_missing_in_a_drawing_of_ones_own_is_an_error_too():
    def own_drawing() -> None:
        with figures.style():
            figure = Figure()
            figure.text(0, 0, "\U00013000")
            mpl.backends.backend_agg.FigureCanvasAgg(figure).draw()

    with pytest.raises(DataError, match="EGYPTIAN"):
        own_drawing()


def test_every_label_has_its_glyphs():
    labels = (lettering.font_file().parent, Path(figures.__file__).parents[1] / "definitions")
    text = "".join(p.read_text(encoding="utf-8") for p in sorted(labels[1].glob("*.yml")))
    assert figures.missing_glyphs(text) == []


def test_chinese_and_minus_and_superscripts_are_drawn_by_the_two_fonts():
    assert figures.missing_glyphs("校际优质均衡系数≥≤≈−±→▲●▼✕⁻⁶₂m²①“”（）") == []


def test_a_dollar_in_a_name_is_a_dollar():
    rows = frames.scorecard().assign(name_zh="花费$x_1$与$y")
    assert "花费$x_1$与$y" in texts(figures.progress_bullets(rows))


@given(st.text(alphabet="学校际系数，。（）abc de", max_size=60), st.integers(4, 30))
@settings(max_examples=150, deadline=None)
def test_wrapping_keeps_the_text_and_the_width(text, width):
    lines = lettering.wrap(text, width).split("\n")
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    for before, line in zip([""], lines[:1], strict=False):
        assert before == "" or line
    for line in lines:
        pieces = lettering._pieces(line)
        assert lettering.width_em(line) <= width or len(pieces) == 1
    for line in lines[1:]:
        assert not line or line[0] not in "，。）" or len(line) < len(text)


# ---- no trace is left


def test_no_pyplot_and_no_setting_is_left_behind():
    before = dict(mpl.rcParams)
    draw.__wrapped__("fan_chart")
    assert dict(mpl.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_threads_draw_what_one_thread_draws():
    wanted = {name: draw(name).png for name in ("promises_by_box", "finance_chart")}
    found: dict[str, bytes] = {}
    workers = [threading.Thread(target=lambda n=n: found.update({n: draw.__wrapped__(n).png})) for n in wanted]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == wanted


def test_the_first_font_scan_on_a_fresh_machine_is_silent(tmp_path):
    """Matplotlib warns on stderr when the scan is slow; in a report that would be output and a false difference."""
    script = (
        "import threading\n"
        "class Impatient(threading.Timer):\n"
        "    def start(self): self.function()\n"
        "threading.Timer = Impatient\n"
        "import planlib.figures"
    )
    fresh = {**os.environ, "HOME": str(tmp_path), "MPLCONFIGDIR": str(tmp_path / "new")}
    run = subprocess.run([sys.executable, "-c", script], env=fresh, capture_output=True, text=True, check=True)
    assert list((tmp_path / "new").glob("fontlist*.json"))
    assert run.stderr == ""


# ---- how notebooks and pages get it


def test_jupyter_gets_image_alt_text_and_width():
    picture = draw("status_overview")
    data, metadata = DisplayFormatter().format(picture)
    assert base64.b64decode(data["image/png"]) == picture.png
    assert data["text/plain"] == picture.alt
    assert metadata["image/png"]["alt"] == picture.alt
    assert metadata["image/png"]["width"] == round(picture.figure.get_figwidth() * 96)


def test_nbconvert_writes_the_alt_text_into_the_page():
    picture = draw("status_overview")
    data, metadata = picture._repr_mimebundle_()
    output = nbformat.v4.new_output("execute_result", data=data, metadata=metadata, execution_count=1)
    cell = nbformat.v4.new_code_cell("1", outputs=[output], execution_count=1)
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    assert f'alt="{picture.alt}"' in page
    assert "No description has been provided" not in page


def test_save_writes_the_png(tmp_path):
    picture = draw("status_overview")
    assert picture.save(tmp_path / "a.png").read_bytes() == picture.png


# ---- readable without colour


def test_every_status_has_a_word_and_a_look_of_its_own():
    assert set(marks.STATUS) == set(codes("status"))
    assert set(marks.PROMISE) == set(codes("commitment_status"))
    assert set(marks.OUTLOOK) == set(codes("outlook"))
    for looks, same in ((marks.STATUS, {"early", "met"}), (marks.PROMISE, set()), (marks.OUTLOOK, set())):
        shapes = [(str(m.shape), m.is_filled) for c, m in looks.items() if c not in same and c != "not_met"]
        assert len(shapes) == len(set(shapes))
    hatches = [(m.hatch, m.is_filled) for m in marks.PROMISE.values()]
    assert len(hatches) == len(set(hatches))


# ---- the findings are right


def test_bullets_count_the_late_and_say_why_a_row_has_no_bar():
    rows = frames.scorecard()
    late = rows[rows["status"].isin(["behind", "far_behind", "below_baseline", "not_held", "not_met"])]
    picture = figures.progress_bullets(rows)
    assert picture.title.startswith(
        f"24个指标序列中{len(late)}个滞后（约束性{late['attribute'].eq('binding').sum()}个）"
    )
    shown = texts(picture)
    for words in (
        "保持",
        "暂无数据",
        "口径待定，不计进度",
        "未设序时，只看是否达到",
        "0.305 → 0.309",
        ">85",
        "−80.0%",
        "约束性",
    ):
        assert words in shown
    assert all(name in picture.alt for name in late["name_zh"])


def test_bullets_beyond_the_range_keep_their_number_and_get_an_arrow():
    card = (
        frames.scorecard().head(2).assign(progress=[-0.8, 1.6], judged="pace", status=["below_baseline", "early"])
    )
    picture = figures.progress_bullets(card)
    arrows = [
        line.get_marker() for line in picture.figure.findobj(mpl.lines.Line2D) if line.get_marker() in ("<", ">")
    ]
    assert arrows == ["<", ">"]
    assert "−80.0%" in texts(picture)
    assert "160.0%" in texts(picture)


def test_the_end_speaks_of_met_and_not_met():
    rows = frames.scorecard("endterm")
    met, missed = (int(rows["status"].eq(s).sum()) for s in ("met", "not_met"))
    assert figures.progress_bullets(rows).title.startswith(f"24个指标序列中{met}个完成或保持，{missed}个未完成")
    assert "完成或保持" in figures.status_overview(frames.status_counts("endterm")).title


def test_overview_counts_twenty_indicators():
    counts = frames.status_counts()
    picture = figures.status_overview(counts)
    assert "20项主要指标" in picture.title
    assert picture.data["all"].sum() == 20
    assert "约束性 13" in texts(picture)
    assert "预期性 7" in texts(picture)


def test_every_commitment_is_in_a_bar():
    picture = draw("promises_by_box")
    counts = picture.data.drop(columns="box")
    assert counts.to_numpy().sum() == len(frames.commitments())
    assert list(picture.data["box"]) == [*(f"box{i}" for i in range(1, 13)), ""]


def test_balance_names_what_is_over_the_cap():
    table = pd.DataFrame(
        {
            "stage": "primary",
            "year": 2023,
            "resource": ["books", "computers", "composite"],
            "cv": [0.5004, 0.5, 0.50],
        }
    )
    picture = figures.balance_by_year(table, {"primary": 0.50}, language="en")
    assert picture.title == "2023: coefficients over the cap: 1; within it: primary 1 of 2"


def test_schools_on_the_threshold_pass_and_names_below_the_floor_are_shown():
    schools = pd.DataFrame(
        {
            "stage": "primary",
            "school_id": ["a", "b", "c"],
            "school_name": ["甲校", "乙校", "丙校"],
            "resource": "books",
            "value": [25.0, 21.25, 21.2],
        }
    )
    rule = pd.DataFrame({"stage": ["primary"], "resource": ["books"], "threshold": [25.0], "floor": [21.25]})
    picture = figures.school_strip(schools, rule)
    assert picture.data["class"].tolist() == ["above", "between", "below"]
    assert "丙校" in texts(picture)
    assert "乙校" not in texts(picture)


def test_fan_without_outlook_compares_the_median_with_the_target():
    picture = figures.fan_chart(frames.history(), frames.forecast(), frames.fan_series(False), 2020, 2025, "en")
    last = frames.forecast().query("year == 2025").set_index("series_id")["median"]
    reached = sum(
        [
            last["public_kindergarten_coverage"] > 85,
            last["balance_primary"] <= 0.3,
            last["balance_junior"] <= 0.25,
            last["modern_schools"] >= 60,
            last["postgraduate_teachers"] >= 25,
            last["myopia_rate"] < 50.78,
        ]
    )
    assert picture.title == f"By 2025 the median of the forecast reaches the target in {reached} of 6 series"


def test_a_series_held_at_its_bound_gets_a_readable_axis():
    seen = pd.DataFrame({"series_id": "a", "year": [2020, 2021, 2022], "value": 100.0})
    flat = {f"{side}_{level}": 100.0 for side in ("lower", "upper") for level in (80, 95)}
    ahead = pd.DataFrame([{"series_id": "a", "year": 2025, "median": 100.0, **flat}])
    row = frames.fan_series(False).head(1).assign(series_id="a", baseline=100.0, target=100.0, precision=0)
    picture = figures.fan_chart(seen, ahead, row, 2020, 2025)
    low, high = next(a for a in picture.figure.axes if a.lines).get_ylim()
    assert high - low >= 1


def test_review_sorts_hits_by_interval():
    rows = draw("forecast_review").data
    assert rows["hit"].tolist() == ["inside_80", "inside_80", "inside_95", "inside_80", "inside_80", "outside"]


def test_a_project_opened_after_the_cutoff_is_not_open():
    ledger = pd.DataFrame(
        {
            "project_id": ["p"],
            "kind": ["primary"],
            "approved": ["2021-01-01"],
            "started": ["2021-06-01"],
            "completed": [""],
            "handed_over": [None],
            "opened": ["2023-09-01"],
        }
    )
    before = figures.project_timeline(ledger, "2022-12-31", {"primary": 3, "renewal": 2}, 2021, 2025)
    assert before.data[["opened", "started", "planned"]].sum().tolist() == [0, 1, 4]
    after = figures.project_timeline(ledger, "2023-12-31", {"primary": 3}, 2021, 2025)
    assert after.data["opened"].sum() == 1


def test_enough_places_are_not_called_short():
    frame = pd.DataFrame({"stage": "junior", "year": [2022, 2025], "students": [900, 1000], "seats": [1000, 1000]})
    assert figures.seats_chart(frame, "en").title.startswith("Over the whole district places suffice")


def test_finance_judges_only_what_may_not_fall():
    money = frames.finance()
    everything = figures.finance_chart(money)
    assert "学前教育经费占比（2021年）" in everything.title
    some = figures.finance_chart(money, never_falls=["education_expenditure_yuan"])
    assert some.title == "2019—2022年1项经费指标均逐年未降"


def test_a_code_without_a_look_is_refused_not_dropped():
    with pytest.raises(DataError, match="'delayed'"):
        figures.progress_bullets(frames.scorecard().assign(status="delayed"))
    with pytest.raises(DataError, match="unknown stages"):
        figures.seats_chart(frames.seats().assign(stage="college"))


def test_what_cannot_be_drawn_is_counted_in_the_foot():
    ahead = frames.forecast()
    picture = figures.fan_chart(
        frames.history(), ahead[ahead["series_id"].ne("myopia_rate")], frames.fan_series(), 2020, 2025
    )
    assert "未作预测的序列：1个。" in texts(picture)
    rows = frames.comparison()
    rows.loc[0, "actual"] = np.nan
    assert "未列入的预测：1个。" in texts(figures.forecast_review(rows))


def test_a_move_hidden_by_rounding_is_shown_with_one_more_digit():
    card = frames.scorecard()
    row = card[card["series_id"].eq("fitness_pass_rate")]  # 98 before, 97.8 now, not met
    assert "98 → 97.8" in texts(figures.progress_bullets(row))


def test_seats_known_only_ahead_are_said_to_be_projected():
    rows = frames.seats().query("year > 2023")
    assert "各年均为预测值（已知数据到2023年）。" in texts(figures.seats_chart(rows, known_until=2023))


def test_areas_are_added_up_to_the_district():
    rows = frames.seats_by_area()
    picture = figures.seats_chart(rows)
    assert picture.data["students"].sum() == pytest.approx(rows["students"].sum())
    assert len(picture.data) == 3


# ---- numbers


@given(st.floats(-1e12, 1e12, allow_nan=False))
@settings(max_examples=200, deadline=None)
def test_numbers_carry_no_hyphen_and_keep_their_size(value):
    for language in LANGUAGES:
        text = number(value, language)
        assert "-" not in text
        scale = {"万": 1e4, "亿": 1e8, "m": 1e6}.get(text[-1], 1.0)
        read = float(text.replace("−", "-").replace(",", "").rstrip("万亿m "))
        assert np.isclose(read * scale, value, rtol=6e-3, atol=0.006)


def test_a_year_for_which_a_table_has_nothing_is_named_and_hatched():
    picture = figures.received_chart(frames.received(), "en")
    assert "no births in 2021, 2022" in picture.title
    assert "milestones" not in picture.title  # they begin with the plan
    hatched = [patch for axes in picture.figure.axes for patch in axes.patches if patch.get_hatch()]
    assert len(hatched) == 2
    assert picture.title.endswith("2 cells were mended, 1 is to be asked about")


def test_fonts_in_memory_draw_what_fonts_in_files_draw():
    """Matplotlib's canvas asks for its fonts in ways of its own: where ours are passed over, nothing would tell."""
    with lettering.style():
        figure = Figure(figsize=(4, 2))
        axes = figure.add_axes((0.2, 0.2, 0.7, 0.7), title="学位 seats\n≥ 95 %", xlabel="1/3 − ✓")
        axes.set_title("outlined", loc="right", path_effects=[patheffects.withStroke(linewidth=1)], rotation=30)
        drawn = []
        for canvas in (lettering.Canvas(figure), FigureCanvasAgg(figure)):
            canvas.draw()
            drawn.append(bytes(canvas.buffer_rgba()))
        font = lettering.Canvas(figure).get_renderer()._prepare_font(axes.title.get_fontproperties())
    assert drawn[0] == drawn[1]
    assert font is lettering._type()
