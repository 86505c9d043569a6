"""A district's folder, opened: its tables as frames, the pure rooms called on them, every value traceable."""

from planlib.district import views
from planlib.district.evaluation import Evaluation
from planlib.district.opened import District, open_district
from planlib.district.origins import Origin

__all__ = ["District", "Evaluation", "Origin", "open_district", "views"]
