"""What all tests share: the hypothesis profile and the check for external tools."""

import os

import pytest
from hypothesis import settings

from tests import tools

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


ONCE = frozenset({
    "test_app_lanes", "test_app_pairing", "test_app_tables", "test_app_uapi_docs", "test_app_uapi_exploring",
    "test_app_uapi_parsing", "test_architecture",
    "test_board", "test_board_input", "test_docs", "test_import_perf", "test_predict_cli", "test_rtapp_files",
    "test_simcore_draws", "test_simcore_errors", "test_simcore_loader", "test_simcore_platform",
    "test_simcore_scenario", "test_simcore_units", "test_trace_errors", "test_trace_findings", "test_trace_forms",
    "test_trace_laws", "test_trace_perfetto", "test_trace_real", "test_validation", "test_workloads_catalog",
    "test_workloads_model", "test_workloads_phase",
})  # fmt: skip
"""Files whose tests run nothing that is compiled (but for a counter's settling): they read, check, or print."""


def pytest_collection_modifyitems(items):
    """Mark what needs one pass only."""
    for item in items:
        if item.path.stem in ONCE:
            item.add_marker(pytest.mark.once)


@pytest.fixture
def require_tool():
    """Return the function that skips a test when a tool is absent, or fails it under CI_REQUIRE=all."""
    return tools.require_tool
