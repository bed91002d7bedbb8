"""The table of targets: one row for each thing that the program reads. A new reader is a new row."""

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from simcore.loader import SCHEMAS
from tests.fuzz import readers, words
from tests.fuzz.guard import HERE
from tests.fuzz.mutate import BYTES, TEXT, Change, line, nudge, number, token
from tests.fuzz.readers import by_directory, by_path
from tests.fuzz.table import Target
from tests.fuzz.trees import JSON, JSON_LINES, TAR, TOML, change, in_file
from tests.fuzz.wire import PROTOBUF, bomb, elf, packed, zipped

CORPUS = Path(__file__).parent / "corpus"
DATA = HERE / "tests" / "data"
MOST_SEED_BYTES = 1 << 20

TOMLS: tuple[Change, ...] = (change(TOML),)
JSONS: tuple[Change, ...] = (change(JSON),)
ROWS: tuple[Change, ...] = (change(JSON_LINES), number, token, line)
PACKETS: tuple[Change, ...] = (*[PROTOBUF] * 20, packed, packed, bomb)
EVENTS: tuple[Change, ...] = (number, nudge, token, line, line, line)
FOLDERS: tuple[Change, ...] = (
    change(TAR),
    in_file({".json": JSONS, ".parquet": BYTES, ".lines": (change(JSON_LINES), *TEXT), ".toml": TOMLS}),
    in_file({".json": (*JSONS, *TEXT), ".parquet": BYTES}),
)
SYSFS: tuple[Change, ...] = (change(TAR), *[in_file({})] * 4)


def _examples(name: str, *patterns: str, most: int = 12) -> Callable[[], Sequence[bytes]]:
    """Return files of the repository by pattern, each pattern's small ones first, then those of the target's corpus."""

    def found() -> Sequence[bytes]:
        paths = [
            path for pattern in patterns for path in sorted(HERE.glob(pattern), key=lambda path: path.stat().st_size)
        ]
        paths = paths[:most]
        own = sorted(path for path in (CORPUS / name).glob("*") if path.is_file())
        return [_opened(path) for path in (*paths, *own)] or [b""]

    return found


def _opened(path: Path) -> bytes:
    """Return a file; a compressed tar file of the corpus stands for what is in it."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.parent.parent == CORPUS and path.name.endswith(".tar.gz") else data


def _schema(*kinds: str) -> Callable[[], Sequence[str]]:
    """Return the keys and fixed values of kinds of TOML files."""

    def found() -> Sequence[str]:
        return sorted({word for kind in kinds for word in _words_of(SCHEMAS[kind].model_json_schema())} | set(UNITS))

    return found


def _words_of(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {word for part in schema for word in _words_of(part)}
    if not isinstance(schema, dict):
        return set()
    words = set(schema.get("properties", ()))
    words |= {str(value) for value in (*schema.get("enum", ()), schema.get("const", "x"))}
    return words.union(*(_words_of(part) for part in schema.values()))


UNITS = (
    "2s",
    "10ms",
    "100us",
    "5ns",
    "0",
    "rk3588",
    "default",
    "fixed-counters-only@v8",
    "random:100",
    "windows",
    "429.mcf",
)


def _fixed(name: str) -> Callable[[], Sequence[str]]:
    """Return the words below a name in brackets in dictionary.txt."""

    def found() -> Sequence[str]:
        sections = (HERE / "tests" / "fuzz" / "dictionary.txt").read_text(encoding="utf-8").split("\n\n")
        return next(section.split()[1:] for section in sections if section.startswith(f"[{name}]"))

    return found


RTAPP = _fixed("rt-app")
PERF = _fixed("perf-stat")
TRACE = _fixed("trace")
STEPS = _fixed("uapi")
VECTOR = _fixed("vectors")
PATHS = _fixed("board")
META = _fixed("result")
TYPED = _fixed("words")
SETTINGS = _schema("scenario")

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target(
            "scenario",
            by_path(readers.scenario, ".toml"),
            _examples(
                "scenario",
                "docs/examples/[blo]*[tev].toml",
                "tests/data/scenario.toml",
                "tests/data/malformed/scenario_*.toml",
                most=9,
            ),
            _schema("scenario"),
            shaped=TOMLS,
        ),
        Target("set", words.setting, _examples("set"), SETTINGS, shaped=(number, token, line)),
        Target(
            "study",
            by_path(readers.study, ".toml"),
            _examples("study", "docs/examples/study.toml", "simcore/data/studies/*.toml"),
            _schema("study", "scenario"),
            shaped=TOMLS,
        ),
        Target(
            "soc",
            by_path(readers.soc, ".toml"),
            _examples(
                "soc", "docs/examples/board.toml", "tests/data/malformed/platform_*.toml", "simcore/data/socs/r*.toml"
            ),
            _schema("soc"),
            shaped=TOMLS,
        ),
        Target(
            "core",
            by_path(readers.core, ".toml"),
            _examples("core", "simcore/data/cores/*.toml"),
            _schema("core"),
            shaped=TOMLS,
        ),
        Target(
            "workload", by_path(readers.workload, ".toml"), _examples("workload"), _schema("workload"), shaped=TOMLS
        ),
        Target(
            "validate",
            by_path(readers.anything, ".toml"),
            _examples(
                "validate", "docs/examples/*.toml", "simcore/data/studies/*.toml", "simcore/data/cores/c*.toml", most=9
            ),
            _schema(*SCHEMAS),
            shaped=TOMLS,
        ),
        Target(
            "rt-app", by_path(readers.rtapp, ".json"), _examples("rt-app", "tests/data/rtapp/*"), RTAPP, shaped=JSONS
        ),
        Target(
            "perf-stat",
            by_path(readers.perf_stat, ".txt"),
            _examples("perf-stat", "tests/data/perf/rk3588*", "tests/data/perf/[jm]*"),
            PERF,
            shaped=ROWS,
        ),
        Target(
            "trace",
            by_path(readers.trace, ".txt"),
            _examples("trace", "tests/data/traces/*.txt"),
            TRACE,
            (*TEXT, zipped),
            EVENTS,
        ),
        Target(
            "perfetto",
            by_path(readers.trace, ".pftrace"),
            _examples("perfetto", "tests/data/traces/*.perfetto-trace"),
            changes=(*BYTES, zipped),
            shaped=PACKETS,
        ),
        Target("probe", by_path(readers.probe, ".log"), _examples("probe"), shaped=(number, nudge, line)),
        Target("board", by_path(readers.board, ".tar"), _examples("board"), PATHS, (*BYTES, zipped), SYSFS, 20),
        Target("board-folder", by_directory(readers.board_directory), _examples("board"), PATHS, BYTES, SYSFS, 10),
        Target("vectors", by_path(readers.vectors, ".json"), _examples("vectors"), VECTOR, (*TEXT, zipped), JSONS),
        Target("uapi", by_path(readers.uapi, ".txt"), _examples("uapi"), STEPS, shaped=(number, token, line)),
        Target("words", words.words, _examples("words"), TYPED),
        Target("command-line", words.command_line, _examples("command-line"), TYPED, short=60),
        Target("result", by_directory(readers.result), _examples("result"), META, BYTES, FOLDERS, 30),
        Target("sweep", by_directory(readers.sweep), _examples("sweep"), META, BYTES, FOLDERS, 30),
        Target("table", by_path(readers.table, ".parquet"), _examples("table"), changes=BYTES),
        Target("image", by_path(readers.image, ".elf"), _examples("image"), changes=BYTES, shaped=(elf,)),
        Target("baseline", by_path(readers.baseline, ".json"), _examples("baseline"), META, shaped=JSONS),
    )
}
