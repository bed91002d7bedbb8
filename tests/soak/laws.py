"""The laws that a soak checks, by name, and what must have been seen for each to have been exercised."""

from collections.abc import Callable

from tests.soak import laws_runs as runs
from tests.soak import laws_tables as tables
from tests.soak.laws_exports import history
from tests.soak.recount import recount
from tests.soak.trial import Trial

LAWS: dict[str, Callable[[Trial], None]] = {
    "order of times": tables.times,
    "work": tables.work,
    "4 ledger": tables.ledger,
    "stalls": tables.stalls,
    "busy and idle": tables.cpus,
    "migrations": tables.moves,
    "guests": tables.guests,
    "samples": tables.samples,
    "run --json": tables.answer,
    "3 4 5 recount": recount,
    "2 tick": runs.tick,
    "6 repeat": runs.repeat,
    "6 7 observation": runs.observation,
    "1 7 8 watching": runs.watching,
    "8 shadow": runs.shadow,
    "7 history": history,
    "exercised": tables.exercised,
}
"""By name; law 9 is checked while the first run goes on (`observing`)."""

WANTED = (
    "overflows", "overflows recounted", "shadow overflows", "crossings", "migrations", "stalls", "reloads", "deaths",
    "guest writes", "reads recounted", "ledgers recounted", "streams recounted", "ledger: counted", "ledger: disabled",
    "ledger: excluded_level", "ledger: off_pmu", "instruction counters", "ticks", "repetitions", "shadows left out",
    "policies watched", "shadows compared with real runs", "perf samples", "OPP changes asked for",
    "frequencies beyond one a pCPU", "cpuset changes", "affinity changes", "live migrations", "failed entries",
    "user-space irqchip exits", "throttled periods", "successful polls", "rt-app phases", "deep idle states",
    "several VMs", "overcommit", "steal", "looks", "threads wait", "waits beside an idle pCPU", "lags", "samples",
    "answers", "bursts", "traces",
)  # fmt: skip
