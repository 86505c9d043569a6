"""Write the simulated returns of the shipped case again (plan.yml and responsibility.yml are not touched)."""

import sys

from planlib import params, paths
from planlib.sample import generate

if __name__ == "__main__":
    sys.exit(generate(paths.raw(params.DEFAULTS["district"])))
