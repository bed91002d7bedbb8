"""What all tests share: the hypothesis profile and the check for external tools."""

import os

import pytest
from hypothesis import settings

from tests import tools

# What a pass runs compiled, commands in processes of their own do as well.
os.environ.setdefault("HETPMU_COMPILE", "first")

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


ONCE = frozenset({
    "test_app_comparing", "test_app_conforming", "test_app_finding", "test_app_lanes", "test_app_migrating",
    "test_app_pairing", "test_app_plotting", "test_app_sampling", "test_app_tables", "test_app_tier", "test_app_uapi",
    "test_app_uapi_docs", "test_app_uapi_exploring", "test_app_uapi_parsing", "test_app_vectors", "test_app_watching",
    "test_architecture", "test_benchmarks_mechanisms", "test_benchmarks_shadowing", "test_benchmarks_suite",
    "test_benchmarks_ticks",
    "test_benchmarks_assembly",
    "test_benchmarks_baseline", "test_benchmarks_machine", "test_benchmarks_pictures", "test_benchmarks_report",
    "test_benchmarks_rows", "test_benchmarks_versions", "test_benchmarks_whole", "test_plotting_bench",
    "test_board", "test_board_input", "test_cli", "test_docs", "test_docs_policies",
    "test_export_ftrace", "test_ftrace_roundtrip", "test_guest_code", "test_guest_programs",
    "test_guest_matrix",
    "test_guest_pmu", "test_fuzz", "test_robustness",
    "test_guest_sharing",
    "test_import_perf", "test_measured", "test_named_policies_cli", "test_outcomes", "test_predict_cli",
    "test_replay_cli",
    "test_report", "test_report_browser", "test_report_parts",
    "test_rtapp_files", "test_simcore_draws", "test_simcore_errors", "test_simcore_loader",
    "test_simcore_platform", "test_simcore_scenario", "test_simcore_units", "test_trace_errors",
    "test_trace_findings", "test_trace_forms", "test_trace_laws", "test_trace_perfetto", "test_trace_real",
    "test_validation", "test_vmms", "test_watch_cli", "test_watching_replays",
    "test_workloads_alarm", "test_workloads_catalog", "test_workloads_engine",
    "test_workloads_guests", "test_workloads_linux_pmu", "test_workloads_linux_sampling",
    "test_workloads_model", "test_workloads_perf_stat", "test_workloads_phase",
    "test_api", "test_app_storing", "test_confine", "test_notebooks", "test_show", "test_store_faults",
    "test_examples", "test_reviewers_page", "test_site",
    "test_app_sweeping", "test_benchmarks_sweeping", "test_shipped_studies", "test_study_files", "test_study_plots",
    "test_export_perf_stat", "test_perf_forms", "test_perf_intervals",
    "test_export_perfetto", "test_export_perfetto_cli", "test_protobuf_columns",
    "test_export_tables", "test_study_points", "test_sweep_cli", "test_sweep_dask", "test_sweep_kill",
    "test_soak", "test_soak_findings",
})  # fmt: skip
"""Files that one pass is enough for: they run nothing compiled, or what scenes and laws run in every pass."""


def pytest_collection_modifyitems(items):
    """Mark what needs one pass only."""
    for item in items:
        if item.path.stem in ONCE:
            item.add_marker(pytest.mark.once)


@pytest.fixture
def require_tool():
    """Return the function that skips a test when a tool is absent, or fails it under CI_REQUIRE=all."""
    return tools.require_tool
