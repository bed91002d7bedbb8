"""Inputs from strangers: each was a traceback, a wait or a blow-up of memory, and is now one short message.

The harness (`tests/fuzz`) bounds time and memory of every input; here it judges the cases by name.
"""

import gzip
import hashlib
import io
import json
import os
import struct
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from simcore.app.cli import exit_code
from simcore.app.sweep_journal import MAX_LINE_BYTES, Journal
from simcore.errors import MOST_CHARACTERS, InputError
from simcore.limits import MAX_DEPTH, digest_of_file, parse_json, unzipped
from tests.fuzz.guard import REFUSED, judge
from tests.fuzz.readers import files_of
from tests.fuzz.targets import TARGETS
from tests.fuzz.trees import tar_of

SCENARIO = 'format = "hetpmu-scenario/1"\n'
STUDY = 'format = "hetpmu-study/1"\nname = "x"\nquestion = "?"\n'
SOC = "docs/examples/board.toml"
MANY = 200_000


def refused(target: str, data: bytes | str) -> str:
    """Return the message with which a target refuses an input, in time and with little memory."""
    outcome = judge(TARGETS[target].read, data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)
    assert outcome.kind == REFUSED, (outcome.kind, outcome.what, outcome.detail[-2000:])
    return outcome.what


def elf(segments: list[tuple[int, int]]) -> bytes:
    """Return an ELF file with segments of (bytes in the file, bytes in memory)."""
    head = struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, 0x40080000, 64, 0, 0, 64, 56, len(segments), 0, 0, 0)
    rows = [struct.pack("<IIQQQQQQ", 1, 5, 0, 0x40080000, 0x40080000, file, memory, 8) for file, memory in segments]
    return b"\x7fELF\x02\x01\x01" + bytes(9) + head + b"".join(rows) + bytes(64)


def packet(field: int, data: bytes) -> bytes:
    """Return a field of a protocol buffer with bytes."""
    return varint(field << 3 | 2) + varint(len(data)) + data


def varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7) if number > 0x7F else bytes([number])


def sparse_tar() -> bytes:
    """Return a tar file of 200 files of a MiB each, as holes, in 200 KiB."""
    files = []
    for number in range(200):
        row = tarfile.TarInfo(f"sys/devices/system/cpu/cpu{number}")
        row.size = 0
        head = bytearray(row.tobuf(tarfile.GNU_FORMAT))
        head[156:157] = b"S"
        head[483:495] = b"%011o\0" % (1 << 20)
        head[148:156] = b" " * 8
        head[148:156] = b"%06o\0 " % sum(head[:512])
        files.append(bytes(head))
    return b"".join(files) + bytes(1024)


def long_links(depth: int) -> bytes:
    """Return a tar file whose head is a name for a name for a name ..."""
    row = tarfile.TarInfo("././@LongLink")
    row.type, row.size = tarfile.GNUTYPE_LONGNAME, 2
    return (row.tobuf(tarfile.GNU_FORMAT) + b"x\0" + bytes(510)) * depth + bytes(1024)


CASES: dict[str, tuple[str, Callable[[], bytes | str], str]] = {
    "a key of very many parts": ("scenario", lambda: SCENARIO + "a." * MANY + "b = 1", "nested too deeply"),
    "tables in tables": ("scenario", lambda: SCENARIO + "[" + ".".join("a" * 70) + "]", "nested too deeply"),
    "a number that Python does not print": ("scenario", lambda: SCENARIO + "seed = 0x" + "f" * 9000, "too long"),
    "a value of a megabyte": ("scenario", lambda: f'{SCENARIO}scheduler = "{"x" * 900_000}"', "not valid here"),
    "what steers a terminal": ("scenario", lambda: SCENARIO + 'scheduler = "\\u001b[31mred"', "\\x1b[31mred"),
    "a rate of many digits": ("words", lambda: "scheduler random:" + "9" * 5000, "bad rate"),
    "a frequency of many digits": ("words", lambda: "governor userspace:" + "9" * 5000, "no OPP"),
    "a path of very many parts": ("set", lambda: "a." * MANY + "b=1", "nested too deeply"),
    "more points than atoms": (
        "study",
        lambda: STUDY + "[grid]\n" + "".join(f'"vms.{n}.vcpus" = {list(range(1, 100))}\n' for n in range(40)),
        "points",
    ),
    "more keys than anyone varies": (
        "study",
        lambda: STUDY + "[zip]\n" + "".join(f"k{n} = [1]\n" for n in range(2000)),
        "2000 keys",
    ),
    "rt-app: comments that never end": ("rt-app", lambda: "/*" * MANY, "broken JSON"),
    "rt-app: a string that never ends": ("rt-app", lambda: '"' + '\\"' * MANY, "broken JSON"),
    "rt-app: commas and blanks": ("rt-app", lambda: "[1" + ("," + " " * 400) * 400 + "x", "broken JSON"),
    "rt-app: one key very often": (
        "rt-app",
        lambda: '{"tasks": {' + '"a": 1,' * 30_000 + '"b": 1}}',
        "is not valid here",
    ),
    "rt-app: lists in lists": ("rt-app", lambda: '{"tasks": ' + "[" * 300 + "]" * 300 + "}", "nested too deeply"),
    "perf stat: an event cut very often": ("perf-stat", lambda: "1,,p/a" + ",b" * MANY + "\n", "perf stat"),
    "perf stat: a number that is no float": (
        "perf-stat",
        lambda: '{"event": "cycles", "counter-value": "1", "event-runtime": 1' + "0" * 400 + "}",
        "is not a number",
    ),
    "perf stat: infinitely many": ("perf-stat", lambda: "1e999,,cycles,100,100.00,,\n", "too large"),
    "perf stat: a CPU of many digits": (
        "perf-stat",
        lambda: "CPU" + "1" * 5000 + ",1,,r11,1,100.00,,\n",
        "no core type",
    ),
    "a gzip bomb for vectors": (
        "vectors",
        lambda: gzip.compress(b" " * 70_000_000, 1),
        "too large when it is unzipped",
    ),
    "a gzip bomb for a trace": ("trace", lambda: gzip.compress(b"\n" * 4_000_000, 1), "line of a trace"),
    "a trace without an end of a line": ("trace", lambda: "a" * 1_000_000, "no line of a trace"),
    "perfetto: a packet of 2**63 bytes": ("perfetto", lambda: b"\x0a" + varint(1 << 63) + b"x", "no ftrace events"),
    "perfetto: a bomb": ("perfetto", lambda: packet(1, packet(50, zlib.compress(bytes(1 << 26)))), "no ftrace events"),
    "perfetto: packed in packed": ("perfetto", lambda: nested_packets(300), "no ftrace events"),
    "probe: a frequency of many digits": (
        "probe",
        lambda: "# hetpmu-probe 1\n# cntfrq_hz 000001" + "0" * 40,
        "frequency",
    ),
    "image: more in the file than in memory": ("image", lambda: elf([(64, 1)]), "in the file for 1 in memory"),
    "image: very many large segments": ("image", lambda: elf([(1, 60 << 20)] * 5000), "to load"),
    "tar: files of holes": ("board", sparse_tar, "too large"),
    "tar: names of names": ("board", lambda: long_links(3000), "not a tar file"),
    "tar: a name of very many parts": ("board", lambda: tar_of({"a/" * 30_000 + "b": b""}), "a name of"),
    "tar: zipped zeros": ("board", lambda: gzip.compress(bytes(80 << 20), 1), "too large when it is unzipped"),
    "sysfs: a number of many digits": (
        "board",
        lambda: board_with("cpu_capacity", b"0x" + b"f" * 5000),
        "is no number",
    ),
    "a saved benchmark of infinite speed": ("baseline", lambda: changed_baseline(10**400), "too long"),
    "a regular expression of brackets": ("words", lambda: "threads " + "(" * 3000, "no regular expression"),
    "a regular expression that counts": ("words", lambda: "threads a{99999999999999999999}", "no regular expression"),
    "a name that is too long": ("words", lambda: "platform " + "a" * 5000, "unknown platform"),
    "an image with such a name": ("words", lambda: "image " + "a" * 5000, "unknown guest"),
    "very many steps": ("uapi", lambda: "gic\n" * 5000, "too many steps"),
}


def nested_packets(times: int) -> bytes:
    data = packet(1, packet(1, b""))
    for _ in range(times):
        data = packet(1, packet(50, zlib.compress(data)))
    return data


def board_with(ending: str, content: bytes) -> bytes:
    files = files_of(TARGETS["board"].seeds()[0])
    return tar_of({name: content if name.endswith(ending) else data for name, data in files.items()})


def changed_baseline(value: int) -> str:
    saved = json.loads(TARGETS["baseline"].seeds()[0])
    saved["cases"][0]["rounds"]["ours"][0] = value
    return json.dumps(saved)


@pytest.mark.parametrize("name", CASES)
def test_what_once_broke_a_loader_is_refused(name):
    target, data, part = CASES[name]
    assert part in refused(target, data())


@pytest.mark.parametrize("file", ("meta.json", "timings.json"))
def test_a_result_whose_json_is_nested_deeply_or_wrong_is_refused_or_read(file):
    files = files_of(TARGETS["result"].seeds()[0])
    for content in (b"[" * 100_000, b"[1, 2]", b'{"schema": 1e999}', b"\xff", b""):
        outcome = judge(TARGETS["result"].read, tar_of(files | {file: content}))
        assert outcome.kind == REFUSED or file == "timings.json", outcome


def test_an_event_with_zeros_in_front_is_read():
    assert judge(TARGETS["board"].read, board_with("events/cpu_cycles", b"event=00000644")).kind == "done"


@pytest.mark.parametrize("change", ({"seed": "x"}, {"summary": []}, {"summary": {"policies": [[1.5]]}}))
def test_the_head_of_a_result_is_checked_though_its_digests_are_not_of_it(change):
    files = files_of(TARGETS["result"].seeds()[0])
    meta = json.loads(files["meta.json"]) | change
    assert "is not there" in refused("result", tar_of(files | {"meta.json": json.dumps(meta).encode()}))


def test_a_sweep_whose_wall_times_are_others_is_refused():
    files = files_of(TARGETS["sweep"].seeds()[0])
    times = next(name for name in files if name.startswith("timings/"))
    runs = next(data for name, data in files.items() if name.startswith("runs/") and name.endswith(".parquet"))
    outcome = judge(TARGETS["sweep"].read, tar_of(files | {times: runs}))
    assert outcome.kind in ("done", REFUSED), outcome


def test_a_kept_text_cannot_steer_the_terminal(tmp_path, capsys):
    files = files_of(TARGETS["result"].seeds()[0]) | {"table.txt": b"red: \x1b[31m\x07\nblue\n"}
    for name, data in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    assert exit_code(["show", str(tmp_path)]) == 0
    assert "red: [31m\nblue" in capsys.readouterr().out


@pytest.mark.parametrize("name", ("study.json", "open/block-00000.lines", "runs/policy=none/part-00000.parquet"))
def test_a_sweep_with_a_strangers_file_is_read_or_refused(name):
    finished, unfinished = TARGETS["sweep"].seeds()
    files = files_of(unfinished if "open" in name else finished)
    text = b'[0, 1, 2, ["x"]]'
    for content in (
        b"[" * 5000,
        b"{}",
        b"%08x %b\n" % (zlib.crc32(text), text),
        b"%08x %b\n" % (zlib.crc32(b"x"), b"x"),
    ):
        outcome = judge(TARGETS["sweep"].read, tar_of(files | {name: content}))
        assert outcome.kind == ("done" if "open" in name else REFUSED), outcome


@pytest.mark.parametrize(
    "change",
    (
        ("seeds", {"count": 10**9, "base": 1}),
        ("seeds", {"base": 1}),
        ("seeds", {"count": 2}),
        ("stop", {"metric": "crashes", "half_width": 1.0}),
        ("axes", []),
        ("axes", [{"keys": ["hz"], "rows": [[100, 2]]}]),
    ),
)
def test_the_study_of_a_sweep_is_checked(change):
    files = files_of(TARGETS["sweep"].seeds()[0])
    kept = json.loads(files["study.json"])
    kept["study"][change[0]] = change[1]
    assert "study.json" in refused("sweep", tar_of(files | {"study.json": json.dumps(kept).encode()}))


@pytest.mark.parametrize("files", ([], {"a.toml": 1}, None))
def test_the_files_of_a_sweep_are_checked(files):
    kept = files_of(TARGETS["sweep"].seeds()[0])
    identity = json.loads(kept["study.json"]) | {"files": files}
    assert "study.json" in refused("sweep", tar_of(kept | {"study.json": json.dumps(identity).encode()}))


def test_a_table_of_few_bytes_and_wide_texts_is_refused():
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    whole = io.BytesIO()
    parquet.write_table(
        pyarrow.table({"a": pyarrow.array(["x" * 1_000_000, *["y"] * 200_000])}), whole, compression="zstd"
    )
    assert "as wide as" in refused("table", whole.getvalue())


@pytest.mark.parametrize(
    "line",
    ("validate /dev/zero", "conformance /dev/zero", "guest run /dev/zero", "explain {long}", "show {long}",
     "show {long}/a", "uapi {long}", "platforms --from-sysfs {long}", "plot {long} -o x.png", "run {long}",
     "sweep {long}.toml", "import rt-app /dev/zero", "import perf-stat /dev/zero", "platforms --from-sysfs {loop}",
     "replay {long} --threads x --platform rk3588"),
)  # fmt: skip
def test_names_that_lead_nowhere_or_have_no_end(line, tmp_path, capsys):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert exit_code(line.format(long="a" * 300, loop=loop).split()) == 2
    assert len(capsys.readouterr().err.splitlines()) <= 3


def test_a_loop_of_links_in_a_copy_of_sysfs(tmp_path, capsys):
    folder = tmp_path / "sys" / "devices" / "system" / "cpu"
    folder.mkdir(parents=True)
    (folder / "present").symlink_to(folder / "present")
    assert exit_code(["platforms", "--from-sysfs", str(tmp_path)]) == 2
    assert "the file is not there" in capsys.readouterr().err


def test_a_message_is_short_and_printable():
    error = InputError("a" * 10_000 + "b", "\x1b[2J\u202e\ud800", "\U0001f980\x00 " * 3000)
    head, why = str(error).split("\n")
    assert head.startswith("\\x1b[2J\\u202e\\ud800: aaaa")
    assert head.endswith("ab")
    assert max(map(len, (head, why))) < 2 * MOST_CHARACTERS
    assert str(error).replace("\n", "").isprintable()


def test_a_journal_line_that_never_ends_is_cut_off(tmp_path):
    """Of a stranger's sweep: holes that no line break ends."""
    journal = Journal(tmp_path)
    journal.append(0, [(1, 2, 3, [4])])
    with journal.path(0).open("ab") as file:
        file.truncate(300 * MAX_LINE_BYTES)
    tracemalloc.start()
    try:
        assert journal.peek(0) == [[1, 2, 3, [4]]]
        assert tracemalloc.get_traced_memory()[1] < 10 * MAX_LINE_BYTES
    finally:
        tracemalloc.stop()
    assert journal.read(0) == [[1, 2, 3, [4]]]
    assert journal.path(0).stat().st_size < 100, "written anew without it"


@pytest.mark.parametrize("form", ["[{}]", '{{"a": {}}}'])
def test_64_levels_are_read_and_65_are_not(form):
    text = "1"
    for _ in range(MAX_DEPTH):
        text = form.format(text)
    parse_json(text, "file")
    with pytest.raises(InputError, match="at most 64 levels"):
        parse_json(form.format(text), "file")


def test_no_more_is_unpacked_than_is_allowed():
    bomb = gzip.compress(bytes(64 << 20), 1)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="too large when it is unzipped"):
            unzipped(bomb, "file", 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_digest_reads_no_more_than_is_allowed(tmp_path):
    """A stranger's SHA256SUMS may name a file of holes that is as large as a disk."""
    path = tmp_path / "holes"
    path.write_bytes(b"abc")
    assert digest_of_file(path, 3) == hashlib.sha256(b"abc").hexdigest()
    os.truncate(path, 1 << 40)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="too large"):
            digest_of_file(path, 8 << 20)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
