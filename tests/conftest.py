"""What holds for every test."""

import os

import pytest
from hypothesis import settings

# The gate must give the same answer twice, and a busy machine is no failure. To look for new cases,
# run with HYPOTHESIS_PROFILE=explore.
settings.register_profile("gate", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))

#: Tests with real kernels, sandboxes and browsers, whose own limits a busy machine can outlast.
REAL = ("chapterhouse/integration", "site")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give what runs real processes a second try, which the summary then shows."""
    for item in items:
        folder = item.path.parent.as_posix()
        if folder.endswith(tuple(f"/tests/{name}" for name in REAL)):
            item.add_marker(pytest.mark.flaky(reruns=1))
