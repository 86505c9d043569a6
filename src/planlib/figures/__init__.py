"""Figures a person can hand in: Chinese type everywhere, the finding as title, status by shape and word.

Frames in, :class:`Picture` out: the image, its alternative text and the data behind it. No figure touches
``matplotlib.pyplot`` or leaves a setting changed, so they are safe in notebooks and in threads. Every figure takes the
language, whether the data are simulated, and a note for its foot, and raises DataError where a column is missing.
"""

# Before any other room: it keeps Matplotlib's first font scan from writing to stderr.
from planlib.figures.lettering import font_file, missing_glyphs, style  # isort: skip

from planlib.figures.balance import balance_by_year, school_strip
from planlib.figures.decisions import before_after_chart, contributions_chart
from planlib.figures.money import finance_chart
from planlib.figures.outlook import fan_chart, forecast_review
from planlib.figures.picture import Picture
from planlib.figures.places import enrolment_chart, seats_by_area, seats_chart
from planlib.figures.progress import progress_bullets, promises_by_box, status_overview
from planlib.figures.projects import project_timeline
from planlib.figures.received import received_chart

__all__ = [
    "Picture",
    "balance_by_year",
    "before_after_chart",
    "contributions_chart",
    "enrolment_chart",
    "fan_chart",
    "finance_chart",
    "font_file",
    "forecast_review",
    "missing_glyphs",
    "progress_bullets",
    "project_timeline",
    "promises_by_box",
    "received_chart",
    "school_strip",
    "seats_by_area",
    "seats_chart",
    "status_overview",
    "style",
]
