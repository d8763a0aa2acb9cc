"""Fixtures for all tests, and how random inputs are drawn.

`make test` draws the same inputs every time, so that one commit has one verdict. `make explore` draws new ones, and
more of them; what it finds becomes a fixed example beside the rule that it broke.
"""

import os

from hypothesis import HealthCheck, settings

from tests.sandbox_process import sandbox

__all__ = ["sandbox"]

# A slow machine is no verdict on a rule: no deadline for one example, and no limit on how long drawing one takes.
settings.register_profile("fixed", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "explore", settings.get_profile("fixed"), derandomize=False, max_examples=1000, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
