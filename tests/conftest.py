"""What all tests share: the hypothesis profile and the check for external tools."""

import os

import pytest
from hypothesis import settings

from tests import tools

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture
def require_tool():
    """Return the function that skips a test when a tool is absent, or fails it under CI_REQUIRE=all."""
    return tools.require_tool
