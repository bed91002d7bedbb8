"""Vector files of the KVM format: what is accepted, and that whatever else is refused with its place."""

import copy
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pmu.revisions import REVISIONS
from simcore.app import conforming, vectors
from simcore.app.replaying import OPERATIONS
from simcore.app.vector_steps import ARGUMENTS, check_operation
from simcore.errors import InputError

PMU = {"type": 8, "cpus": [0, 1], "n": 6, "ceid0": "0x7fff0f3f", "ceid1": "0xf2ae7f"}
OPS = (
    ["create_vcpu"],
    ["vcpu_init", 0, 0, 1],
    ["set_attr", 0, 0, "FILTER", [17, 1, 1]],
    ["get_attr", 0, "IRQ"],
    ["vm"],
    ["set_reg", 0, "PMCR_EL0", "0x1"],
    ["adv", 0, 10, {"0x8": 5}, 1],
)
RESULTS = (0, 0, 0, "-ENXIO", [6, [0, 1, 2, 3], 8], 0, "NOTRUN")


def content() -> dict[str, Any]:
    """Return a sound file."""
    plat = {"ncpus": 4, "host_pmuver": 4, "el0_32": 1, "impdef": 0, "pmus": [copy.deepcopy(PMU)]}
    vm = {"gic": 1, "nr_spis": 64, "el2": 0, "el3": 0}
    sequence = {
        "id": "s0",
        "plat": plat,
        "vm": vm,
        "ops": copy.deepcopy(list(OPS)),
        "res": {"mainline": copy.deepcopy(list(RESULTS)), "v6": "="},
        "period_quirk": {"v6": {"6": "ok"}},
    }
    return {"header": {"schema": vectors.SCHEMA}, "sequences": [sequence]}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return a sound file but for one value; the path has dots, and starts at the sequence or at `/`."""
    made = content()
    holder: Any = made if path.startswith("/") else made["sequences"][0]
    *parts, last = [int(part) if part.isdigit() else part for part in path.strip("/").split(".")]
    for part in parts:
        holder = holder[part]
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    return made


def refusal(made: dict[str, Any]) -> str:
    """Return how a content is refused, in at most three lines."""
    with pytest.raises(InputError) as found:
        vectors.read(made)
    text = str(found.value)
    assert len(text.splitlines()) <= 3
    return text


def with_op(*op: Any) -> dict[str, Any]:
    """Return a file with a last operation that gives NOTRUN."""
    return changed("ops.6", list(op))


def test_a_sound_file_is_read():
    (recording,) = vectors.read(content())
    assert (recording.id, recording.vcpus, recording.host.ncpus) == ("s0", 1, 4)
    assert recording.options == {"gic": True, "nr_spis": 64, "el2": False, "el3": False}
    assert recording.expected("v6", quirks=True) == list(RESULTS)
    assert recording.expected("v6", quirks=False) == [*RESULTS[:6], "ok"]
    assert recording.expected("mainline", quirks=False) == list(RESULTS)


def test_every_operation_has_its_arguments():
    assert set(ARGUMENTS) == set(OPERATIONS)
    for name, (_, kind) in OPERATIONS.items():
        assert kind == "vm" or ARGUMENTS[name][0].name == "v"


LEGAL: tuple[tuple[str, Any], ...] = (
    ("mode", {"anything": [1.5]}),
    ("plat.pmus", []),
    ("plat.pmus", [PMU, PMU | {"type": 9}]),  # PMUs that share CPUs
    ("plat.pmus.0.n", 0),
    ("plat.pmus.0.n", 31),
    ("plat.pmus.0.type", 0),
    ("plat.pmus.0.cpus", [3, 0]),
    ("plat.pmus.0.cpus", []),
    ("plat.pmus.0.ceid0", "0xFFFFFFFFFFFFFFFF"),
    ("plat.host_pmuver", 0),
    ("plat.host_pmuver", 15),
    ("plat.impdef", 1),
    ("vm.nr_spis", 988),
    ("ops.6", ["create_vcpu"]),  # at any point
    ("ops.6", ["gic_init"]),
    ("ops.6", ["run", 7, 0]),  # a vCPU that was not created
    ("ops.6", ["run", -1, 0]),
    ("ops.6", ["set_pmuver", 15]),
    ("ops.6", ["set_attr", 0, 3, "SET_PMU", -1]),
    ("ops.6", ["set_attr", 0, 3, "SET_NR_COUNTERS", 0xFFFFFFFF]),
    ("ops.6", ["set_attr", 0, 3, "INIT", 5]),
    ("ops.6", ["set_attr", 0, 3, "FILTER", None]),
    ("ops.6", ["set_attr", 0, 3, "FILTER", [65535, 65535, 255]]),
    ("ops.6", ["set_attr", 0, 3, 99, [1, 2, 3]]),
    ("ops.6", ["has_attr", 0, 7]),
    ("ops.6", ["get_attr", 0, "FIXED_COUNTERS_ONLY"]),
    ("ops.6", ["get_reg", 0, "PMXEVCNTR_EL0"]),
    ("ops.6", ["rd", 0, "PMICNTR_EL0", 0]),
    ("ops.6", ["wr", 0, "PMEVTYPER30_EL0", "0x00FF", 1]),
    ("ops.6", ["adv", 0, (1 << 64) - 1, {"0x0": 1, "0x4000": 0}, 0]),
    ("res", {"v8": list(RESULTS)}),
    ("res", {"v4": list(RESULTS), "review": list(RESULTS)}),
    ("res.mainline.5", "-EBUSY"),
    ("res.mainline.5", 7),
    ("res.mainline.6", ["ok", "INTR"]),
    ("res.mainline.4", [0, [], -1]),
    ("period_quirk", ...),
    ("period_quirk", {"v8": {"0": 0}}),
    ("/header", {"schema": vectors.SCHEMA, "variants": {"v99": ""}, "count": "many"}),
)


@pytest.mark.parametrize("path, value", LEGAL)
def test_what_the_header_documents_is_accepted_and_replays(path: str, value: Any):
    (recording,) = vectors.read(changed(path, value))
    for variant in recording.results:
        conforming.KvmCase(recording, variant, quirks=True).mismatch()


def test_a_hex_string_counts_as_its_value():
    made = changed("ops.6", ["get_reg", 0, "PMUSERENR_EL0"])
    made["sequences"][0]["res"]["mainline"][6] = "0x000"
    (recording,) = vectors.read(made)
    assert recording.expected("mainline", quirks=True)[6] == "0x0"
    made["sequences"][0]["res"]["mainline"][6] = ["0x0F", "INTR"]
    made["sequences"][0]["ops"][6] = ["rd", 0, "PMUSERENR_EL0", 1]
    (recording,) = vectors.read(made)
    assert recording.expected("mainline", quirks=True)[6] == ["0xf", "INTR"]


ILLEGAL: tuple[tuple[str, Any, str], ...] = (
    # the file
    ("/sequences", ..., "missing key 'sequences'"),
    ("/sequences", {}, "sequences: wrong value {}"),
    ("/sequences", [], "the file has no sequence"),
    ("/sequences", [7], "sequence number 0: wrong value 7"),
    ("/sequence", [], "did you mean sequences"),
    # a sequence
    ("id", ..., "sequence number 0: missing key 'id'"),
    ("id", 5, "sequence number 0, id: wrong value 5"),
    ("id", "", "id: wrong value"),
    ("id", "a\nb", "id: wrong value"),
    ("plat", ..., "missing key 'plat'"),
    ("vm", ..., "missing key 'vm'"),
    ("ops", ..., "missing key 'ops'"),
    ("res", ..., "missing key 'res'"),
    ("resu", 1, "unknown key 'resu'"),
    # the host
    ("plat", [], "plat: wrong value []"),
    ("plat.ncpus", ..., "plat: missing key 'ncpus'"),
    ("plat.ncpus", 0, "plat, ncpus: wrong value 0"),
    ("plat.ncpus", True, "plat, ncpus: wrong value true"),
    ("plat.ncpus", "4", "it is a string"),
    ("plat.ncpus", 4.0, "it is a number with fraction"),
    ("plat.ncpus", 1 << 40, "plat, ncpus"),
    ("plat.ncpus", 1, "pmus 0, cpus: wrong value 1"),
    ("plat.host_pmuver", 16, "plat, host_pmuver: wrong value 16"),
    ("plat.el0_32", 2, "plat, el0_32: wrong value 2"),
    ("plat.impdef", None, "plat, impdef: wrong value null"),
    ("plat.cpus", 4, "unknown key 'cpus'"),
    ("plat.pmus", {}, "plat, pmus: wrong value {}"),
    ("plat.pmus", [PMU, PMU], "type 8 stands there twice"),
    ("plat.pmus.0", "pmu", 'plat, pmus 0: wrong value "pmu"'),
    ("plat.pmus.0.name", "x", "plat, pmus 0: unknown key 'name'"),
    ("plat.pmus.0.type", ..., "plat, pmus 0: missing key 'type'"),
    ("plat.pmus.0.type", -1, "pmus 0, type: wrong value -1"),
    ("plat.pmus.0.n", 32, "pmus 0, n: wrong value 32"),
    ("plat.pmus.0.n", -1, "pmus 0, n: wrong value -1"),
    ("plat.pmus.0.cpus", [4], "pmus 0, cpus: wrong value 4"),
    ("plat.pmus.0.cpus", [0, 0], "CPU 0 stands there twice"),
    ("plat.pmus.0.cpus", 3, "pmus 0, cpus: wrong value 3"),
    ("plat.pmus.0.ceid0", 255, "pmus 0, ceid0: wrong value 255"),
    ("plat.pmus.0.ceid1", "ff", 'ceid1: wrong value "ff"'),
    ("plat.pmus.0.ceid1", "0x10000000000000000", "ceid1: wrong value"),
    # the VM
    ("vm", 1, "vm: wrong value 1"),
    ("vm.gic", ..., "vm: missing key 'gic'"),
    ("vm.gic", 3, "vm, gic: wrong value 3"),
    ("vm.el3", True, "vm, el3: wrong value true"),
    ("vm.nr_spis", -32, "vm, nr_spis: wrong value -32"),
    ("vm.nr_spi", 1, "did you mean nr_spis"),
    # operations
    ("ops", [], "ops: wrong value []"),
    ("ops", {}, "ops: wrong value {}"),
    ("ops.6", "vm", 'ops, step 6: wrong value "vm"'),
    ("ops.6", [], "step 6: wrong value []"),
    ("ops.6", [5], "step 6: wrong value 5"),
    ("ops.6", ["create_cpu"], "unknown operation 'create_cpu'\nvalid: did you mean create_vcpu"),
    ("ops.6", ["run", 0], "operation 'run' has 1 arguments, not 2"),
    ("ops.6", ["vm", 0], "operation 'vm' has 1 arguments, not 0\nvalid: [\"vm\"]"),
    ("ops.6", ["run", "0", 0], "argument 'v' of 'run': wrong value \"0\""),
    ("ops.6", ["run", False, 0], "argument 'v'"),
    ("ops.6", ["run", 0, 4], "argument 'cpu' of 'run': wrong value 4"),
    ("ops.6", ["migrate", 0, -1], "argument 'cpu'"),
    ("ops.6", ["set_pmuver", 16], "argument 'ver'"),
    ("ops.6", ["vcpu_init", 0, 0, 2], "argument 'pmu'"),
    ("ops.6", ["set_attr", 0, 0, "FIXED_COUNTERS", None], "unknown attribute 'FIXED_COUNTERS'"),
    ("ops.6", ["set_attr", 0, 0, None, None], "argument 'name'"),
    ("ops.6", ["set_attr", 0, 0, -1, None], "argument 'name'"),
    ("ops.6", ["set_attr", 0, 0, "FILTER", 5], "argument 'value' of 'set_attr': wrong value 5"),
    ("ops.6", ["set_attr", 0, 0, "FILTER", [0, 1]], "base_event, nevents, action"),
    ("ops.6", ["set_attr", 0, 0, "FILTER", [65536, 1, 0]], "wrong value 65536"),
    ("ops.6", ["set_attr", 0, 0, "FILTER", [0, 1, 256]], "wrong value 256"),
    ("ops.6", ["set_attr", 0, 0, "FILTER", [0, True, 0]], "wrong value true"),
    ("ops.6", ["set_attr", 0, 0, "IRQ", [23, 1, 0]], "argument 'value'"),
    ("ops.6", ["set_attr", 0, 0, "IRQ", "23"], "argument 'value'"),
    ("ops.6", ["set_attr", 0, 0, "IRQ", 1 << 32], "an integer of 32 bits"),
    ("ops.6", ["set_attr", 0, 0, 99, "x"], "argument 'value'"),
    ("ops.6", ["get_attr", 0, "irq"], "unknown attribute 'irq'"),
    ("ops.6", ["get_reg", 0, "PMCRR_EL0"], "unknown register 'PMCRR_EL0'\nvalid: did you mean PMCR_EL0"),
    ("ops.6", ["rd", 0, "PMEVCNTR31_EL0", 1], "unknown register"),
    ("ops.6", ["rd", 0, 5, 1], "argument 'reg'"),
    ("ops.6", ["rd", 0, "PMCR_EL0", 2], "argument 'el'"),
    ("ops.6", ["wr", 0, "PMCR_EL0", 1, 1], "argument 'val'"),
    ("ops.6", ["wr", 0, "PMCR_EL0", "1", 1], "argument 'val'"),
    ("ops.6", ["wr", 0, "PMCR_EL0", "-0x1", 1], "argument 'val'"),
    ("ops.6", ["set_reg", 0, "PMCR_EL0", "0x1ffffffffffffffff"], "argument 'val'"),
    ("ops.6", ["adv", 0, -1, {}, 1], "argument 'cycles'"),
    ("ops.6", ["adv", 0, 1.5, {}, 1], "argument 'cycles'"),
    ("ops.6", ["adv", 0, 1 << 64, {}, 1], "argument 'cycles'"),
    ("ops.6", ["adv", 0, 1, [], 1], "argument 'events'"),
    ("ops.6", ["adv", 0, 1, {"8": 1}, 1], "argument 'events'"),
    ("ops.6", ["adv", 0, 1, {"0x10000": 1}, 1], "argument 'events'"),
    ("ops.6", ["adv", 0, 1, {"0x8": -1}, 1], "argument 'events'"),
    ("ops.6", ["adv", 0, 1, {"0x8": "1"}, 1], "argument 'events'"),
    ("ops.6", ["adv", 0, 1, {"0x11": 1}, 1], "event 0x11 does not belong here"),
    ("ops.6", ["adv", 0, 1, {"0x8": 1, "0x08": 1}, 1], "event 0x08 does not belong here"),
    # results
    ("res", {}, "res: wrong value {}"),
    ("res", [], "res: wrong value []"),
    ("res.v7", "=", "unknown variant 'v7'"),
    ("res.mainline", "=", "res, variant 'mainline': wrong value \"=\""),
    ("res.v8", "same", "variant 'v8': wrong value \"same\""),
    ("res", {"v6": "="}, "it means the same as mainline, whose results are not here"),
    ("res.mainline", list(RESULTS[:6]), "6 results of 7 operations"),
    ("res.mainline", [*RESULTS, 0], "8 results of 7 operations"),
    ("res.mainline", {}, "variant 'mainline': wrong value {}"),
    ("res.mainline.5", "perhaps", "res, variant 'mainline', step 5: unknown form of result \"perhaps\""),
    ("res.mainline.5", "-EWRONG", "unknown form of result"),
    ("res.mainline.5", "EINVAL", "unknown form of result"),
    ("res.mainline.5", "0xg", 'wrong value "0xg"'),
    ("res.mainline.5", "0x1ffffffffffffffff", "wrong value"),
    ("res.mainline.5", None, "unknown form of result null"),
    ("res.mainline.5", True, "unknown form of result true"),
    ("res.mainline.5", 1.0, "unknown form of result 1.0"),
    ("res.mainline.5", -22, "unknown form of result -22"),
    ("res.mainline.5", {}, "unknown form of result {}"),
    ("res.mainline.5", [0], "of 'set_reg'\nvalid: no list"),
    ("res.mainline.3", [0], "valid: [0, value]"),
    ("res.mainline.3", [1, 23], "valid: [0, value]"),
    ("res.mainline.4", [6, 8, 8], "supported_cpus"),
    ("res.mainline.4", [6, [True], 8], "supported_cpus"),
    ("res.mainline.4", [6, [0], -2], "supported_cpus"),
    ("res.mainline.6", ["ok", "guest"], "valid: [result, exit]"),
    ("res.mainline.6", [["ok", "INTR"], "INTR"], "valid: [result, exit]"),
    ("res.mainline.6", ["maybe", "INTR"], 'unknown form of result "maybe"'),
    # the ideal
    ("period_quirk", [], "period_quirk: wrong value []"),
    ("period_quirk.v9", {}, "unknown variant 'v9'"),
    ("period_quirk.v6", "=", "period_quirk, variant 'v6': wrong value"),
    ("period_quirk.v6", {"7": 0}, '"7" is no step\nvalid: "0" to "6"'),
    ("period_quirk.v6", {"-1": 0}, "is no step"),
    ("period_quirk.v6", {"06": 0}, "is no step"),
    ("period_quirk.v6", {"": 0}, "is no step"),
    ("period_quirk.v6", {"\u0662": 0}, "is no step"),
    ("period_quirk.v6", {"\u00b2": 0}, "is no step"),
    ("period_quirk.v6", {"6": "never"}, "variant 'v6', step 6: unknown form of result"),
)


@pytest.mark.parametrize("path, value, named", ILLEGAL)
def test_what_has_no_meaning_is_refused_with_its_place(path: str, value: Any, named: str):
    text = refusal(changed(path, value))
    assert named in text
    assert path.startswith(("/", "id")) or 'sequence "s0"' in text


def test_a_sequence_stands_there_once():
    made = content()
    made["sequences"] *= 2
    assert "sequence 's0' stands there twice" in refusal(made)


def test_the_first_wrong_sequence_is_named():
    made = content()
    made["sequences"] += [copy.deepcopy(made["sequences"][0]) | {"id": "s1", "ops": [["vim"]]}]
    assert 'sequence "s1", ops, step 0: unknown operation' in refusal(made)


def test_a_long_value_is_shortened():
    assert len(refusal(changed("vm.gic", "x" * 10_000))) < 200
    assert len(refusal(changed("ops.6", ["x" * 10_000]))) < 500


ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    40,
    1 << 64,
    0.5,
    "",
    "=",
    "0x8",
    "-EPERM",
    "ok",
    "v6",
    "IRQ",
    [],
    [0, 0],
    {},
    {"0x8": 1},
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inner for place in _places(part, (*path, key)))]


def _replaced(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    made = copy.copy(value)
    made[path[0]] = _replaced(value[path[0]], path[1:], odd)
    return made


def test_any_value_at_any_place_is_refused_or_replays():
    """Nothing that gets through the check may stop a replay."""
    refused = 0
    for path in _places(content())[1:]:
        for odd in ODD:
            try:
                recordings = vectors.read(_replaced(content(), path, odd))
            except InputError:
                refused += 1
                continue
            for variant in recordings[0].results:
                conforming.KvmCase(recordings[0], variant, quirks=False).mismatch()
    assert refused > 500


# Files


def test_plain_and_compressed_files_are_read(tmp_path: Path):
    text = json.dumps(content()).encode()
    for name, data in (
        ("a.json", text),
        ("b.json.gz", gzip.compress(text)),
        ("c.gz", text),
        ("d", gzip.compress(text)),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        assert tuple(conforming.read(str(path)).cases()) == ("mainline", "v6")


def _damaged(change: Callable[[bytes], bytes]) -> bytes:
    return change(gzip.compress(json.dumps(content()).encode()))


FILES: tuple[tuple[bytes, str], ...] = (
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b"\x1f\x8b", "damaged gzip file"),
    (_damaged(lambda data: data[:-20]), "damaged gzip file"),
    (_damaged(lambda data: data[:30] + b"\0\0\0\0" + data[34:]), "damaged gzip file"),
    (_damaged(lambda data: data + b"tail"), "damaged gzip file"),
    (b"\xff\xfe{}", "neither gzip nor text in UTF-8"),
    (gzip.compress(b"\xff"), "neither gzip nor text in UTF-8"),
    (gzip.compress(b"{]"), "not JSON"),
    (b"[]", "wrong value []"),
    (b"5", "wrong value 5"),
    (b'{"header": NaN}', "NaN is no number"),
    (b'{"header": -Infinity}', "-Infinity is no number"),
    (b'{"header": 1, "header": 2}', "key 'header' stands twice"),
    (b'{"header": %s}' % (b"9" * 5000), "not JSON"),
    (b"[" * 100_000, "nested too deeply"),
    (b"{}", "missing key 'header'"),
    (b'{"header": []}', "the header has no 'schema'"),
    (b'{"header": {}}', "the header has no 'schema'"),
    (b'{"header": {"schema": 1}}', "schema: wrong value 1"),
    (b'{"header": {"schema": "hetpmu-vectors/2"}, "sequences": []}', "unknown schema 'hetpmu-vectors/2'"),
    (b'{"schema": "hetpmu-sched-vectors/1", "part": "rt", "vectors": []}', "unknown part 'rt'"),
)


@pytest.mark.parametrize("data, named", FILES)
def test_what_is_no_vector_file_is_refused_with_its_name(data: bytes, named: str, tmp_path: Path):
    path = tmp_path / "x.json.gz"
    path.write_bytes(data)
    with pytest.raises(InputError) as found:
        conforming.read(str(path))
    assert str(found.value).startswith(f"{path}: ")
    assert named in str(found.value)
    assert len(str(found.value).splitlines()) <= 3


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    for path, what in ((tmp_path, "this is a directory"), (tmp_path / "none", "cannot read the file")):
        with pytest.raises(InputError, match=f"{path}: {what}"):
            conforming.read(str(path))


def test_a_content_that_is_nested_deeply_is_refused():
    deep: Any = 0
    for _ in range(200_000):
        deep = [deep]
    assert "nested too deeply" in refusal(changed("vm.gic", deep))


def test_the_variants_of_a_file_come_in_the_order_of_the_revisions():
    made = changed("res", {variant: list(RESULTS) for variant in reversed(list(REVISIONS))})
    assert conforming.KvmFile("f", vectors.read(made)).variants == tuple(REVISIONS)


def test_an_operation_is_checked_for_its_own_host():
    check_operation(["run", 0, 3], ncpus=4)
    with pytest.raises(InputError, match="an integer from 0 to 2"):
        check_operation(["run", 0, 3], ncpus=3)
