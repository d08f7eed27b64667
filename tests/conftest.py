"""What holds for every test."""

import os

from hypothesis import settings

# The gate must give the same answer twice, and a busy machine is no failure. To look for new cases,
# run with HYPOTHESIS_PROFILE=explore.
settings.register_profile("gate", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))
