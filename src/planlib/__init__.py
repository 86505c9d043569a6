"""planlib: reproducible evaluations of five-year education plans.

Nothing heavy is imported here, so that ``planlib --help`` and every error message come at once;
import the rooms by name: ``from planlib import balance``, ``from planlib.district import open_district``.
"""

__version__ = "0.5.0"
