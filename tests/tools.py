"""External tools that some tests need: absent ones skip their tests, or fail them under CI_REQUIRE=all."""

import importlib.util
import os
import shutil

import pytest


def require_tool(name: str) -> str:
    """Return the path of a tool; skip the test when it is absent, or fail it under CI_REQUIRE=all."""
    path = shutil.which(name)
    if path is None:
        unavailable(f"{name} is not installed")
    return str(path)


def unavailable(reason: str) -> None:
    """Skip the test with ``reason``, or fail it under CI_REQUIRE=all."""
    if os.environ.get("CI_REQUIRE") == "all":
        pytest.fail(f"{reason}, and CI_REQUIRE=all demands it")
    pytest.skip(reason)


def need_unicorn() -> None:
    """Skip a module's tests without the extra `guest`, or fail under CI_REQUIRE=all."""
    if importlib.util.find_spec("unicorn") is None:
        if os.environ.get("CI_REQUIRE") == "all":
            pytest.fail("unicorn is not installed, and CI_REQUIRE=all demands it", pytrace=False)
        pytest.skip("unicorn is not installed", allow_module_level=True)
