"""Enrolment: grade progression, projection with its doubt, and what it means in classes and seats.

Pure: frames in, frames out. Nothing here knows a district, a plan or a standard; class sizes are arguments.
"""

from planlib.enrolment.cube import CHAINS, STAGE_OF_GRADE
from planlib.enrolment.entry import BIRTH_AGE
from planlib.enrolment.progression import progression_ratios
from planlib.enrolment.project import project
from planlib.enrolment.ratios import METHODS
from planlib.enrolment.seats import new_seats, seats, staff_posts

__all__ = [
    "BIRTH_AGE",
    "CHAINS",
    "METHODS",
    "STAGE_OF_GRADE",
    "new_seats",
    "progression_ratios",
    "project",
    "seats",
    "staff_posts",
]
