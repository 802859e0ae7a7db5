from __future__ import annotations

import importlib.util

import pytest

from services.preprocess.backend import Backend, compiled, portable


@pytest.fixture(scope="session", params=[portable, compiled], ids=lambda make: make.__name__)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each installed backend."""
    if request.param is compiled and not importlib.util.find_spec("numba"):
        pytest.skip("This test needs Numba, which is not installed: the extra [fast] brings it.")
    made: Backend = request.param()
    return made
