"""Enrolment: grade progression, projection with its doubt, and what it means in classes and seats.

Pure: frames in, frames out. Nothing here knows a district, a plan or a standard; class sizes are arguments.
"""

from planlib.enrolment.cube import CHAINS, STAGE_OF_GRADE
from planlib.enrolment.project import BIRTH_AGE, project
from planlib.enrolment.ratios import METHODS, progression_ratios
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
