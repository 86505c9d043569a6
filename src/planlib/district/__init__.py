"""A district's folder, opened: its tables as frames, the pure rooms called on them, every value traceable."""

from planlib.district import views
from planlib.district.evaluation import Evaluation
from planlib.district.opened import District, open_district

__all__ = ["District", "Evaluation", "open_district", "views"]
