"""`hetpmu guest`: real arm64 code on the virtual PMU, as a user runs it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from simcore.app import code_unicorn
from simcore.app.cli import exit_code
from simcore.app.code_images import own_guests, read_image
from tests.guest_programs import NOP, POWER_OFF, image, load
from tests.tools import need_unicorn

GUESTS = Path(__file__).parent.parent / "workloads" / "data" / "guests"
EXACT = ("--free", "--cpi", "1", "--mhz", "armv8_cortex_a76=2400", "--mhz", "armv8_cortex_a55=1600")

need_unicorn()


def account(capsys, *arguments: str) -> dict:
    """Return the answer of `guest run`; it must not be an error."""
    code = exit_code(["guest", "run", *arguments, "--json", "-"])
    out, err = capsys.readouterr()
    assert code in (0, 1), err
    found: dict = json.loads(out)
    assert code == int(not found["well"])
    return found


@pytest.mark.parametrize(
    "policy, crossing, mhz",
    (
        ("fixed-counters-only", "at=3ms:0", 1840),  # 0.3 * 2400 + 0.7 * 1600
        ("default", "at=3ms:0", 720),  # bound to big: 0.3 * 2400
        ("default", "at=1:0", 0),
        ("fixed-counters-only", "at=1:0", 1600),
    ),
)
def test_calibration_across_a_crossing(capsys, policy: str, crossing: str, mhz: int):
    found = account(capsys, "calibration", "--init-cpu", "4", "--policy", policy, "--migrate", crossing, *EXACT)
    assert f"MHz: {mhz}\n" in found["console"]
    assert found["well"] == (mhz > 0)
    assert sum(found["vcpus"][0]["ledger"].values()) == found["vcpus"][0]["cycles"]


@pytest.mark.parametrize(
    "guest, passed", (("overflow", 1), ("el0", 4), ("timer", 3), ("abort", 6), ("counts", 4), ("exact", 4))
)
def test_no_length_of_slices_changes_anything(capsys, guest: str, passed: int):
    moves = ("--init-cpu", "4", "--migrate", "at=100:5,40us:6,120us:7,260us:5")
    answers = [account(capsys, guest, *moves, "--slice", str(length)) for length in (97, 5000, 1_000_000)]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["verdicts"] == {"PASS": passed, "FAIL": 0, "SKIP": 0}
    assert answers[0]["vcpus"][0]["migrations"] == 4


def test_an_overflow_interrupts_at_its_instruction(capsys):
    found = account(capsys, "overflow", "--init-cpu", "4", *EXACT)
    assert found["vcpus"][0]["overflows"] == found["vcpus"][0]["interrupts"] == 5


def test_two_vcpus(capsys):
    found = account(capsys, "power", "--vcpus", "2", "--migrate", "every=10us")
    assert found["verdicts"] == {"PASS": 3, "FAIL": 0, "SKIP": 0}
    assert account(capsys, "power", "--migrate", "none")["verdicts"]["SKIP"] == 1


def test_a_stalled_counter_fails_the_guest(capsys):
    assert exit_code(["guest", "run", "reads", "--init-cpu", "4", "--migrate", "at=30000:0"]) == 1
    text = capsys.readouterr().out
    assert "FAIL: the cycle counter advances between reads" in text
    assert "off pmu" in text
    assert "0 PASS, 1 FAIL" in text


def test_stalls_are_stretches_that_follow_each_other(capsys):
    """Counting on 4 and 5, stalled on 0 and 1 in a row, and again on 2 until the end."""
    moves = "at=10000:0,20000:1,30000:5,40000:2"
    found = account(capsys, "reads", "--init-cpu", "4", "--migrate", moves, *EXACT)["vcpus"][0]
    stalled = [row["stalled"] for row in found["stretches"]]
    assert [count > 0 for count in stalled] == [False, True, True, False, True]
    lengths = [count * 1000 // 1600 for count in stalled]
    assert (found["stalls"], found["stalled_ns"]) == (2, sum(lengths))
    assert found["longest_stall_ns"] == max(lengths[4], lengths[1] + lengths[2])
    assert sum(stalled) == found["ledger"]["off_pmu"]


def test_a_vcpu_that_may_not_run(capsys):
    unpinned = ("--policy", "set-pmu-unpinned:armv8_cortex_a76", "--init-cpu", "4")
    found = account(capsys, "reads", *unpinned, "--migrate", "at=30000:0")
    assert (found["outcome"], found["well"]) == ("fail-entry", False)
    back = account(capsys, "reads", *unpinned, "--migrate", "at=30000:0,2ms:5")
    assert (back["outcome"], back["well"], back["vcpus"][0]["failed_entries"]) == ("off", True, 1)


def test_pinned_threads_stay(capsys):
    found = account(capsys, "el0", "--policy", "set-pmu:armv8_cortex_a55", "--migrate", "at=50:6,100:1")
    assert (found["vcpus"][0]["migrations"], found["vcpus"][0]["refused_moves"]) == (1, 1)


def test_a_recorded_schedule(capsys, tmp_path):
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(
        'format = "hetpmu-scenario/1"\nseconds = "20ms"\nscheduler = "random:2000"\n[[vms]]\nvcpus = 1\n'
    )
    assert exit_code(["run", str(scenario), "--out", str(tmp_path / "recorded")]) == 0
    capsys.readouterr()
    found = account(capsys, "calibration", "--migrate", f"schedule={tmp_path / 'recorded'}", "--cpi", "8")
    assert found["vcpus"][0]["migrations"] > 5


# What can go wrong


@pytest.mark.parametrize(
    "words, what",
    (
        (
            [*load(1, 0x10000000), 0xF9400020],
            "physical address 0x10000000; vCPU 0, PC 0x40080010, instruction 0xf9400020",
        ),
        ([NOP, 0xD53EF200], "unknown system register S3_6_C15_C2_0 is read; vCPU 0, PC 0x40080004"),
        ([0xD51EF200], "unknown system register S3_6_C15_C2_0 is written; vCPU 0, PC 0x40080000"),
    ),
)
def test_what_the_machine_lacks_is_named(capsys, tmp_path, words: list[int], what: str):
    file = tmp_path / "guest.bin"
    file.write_bytes(image([*words, *POWER_OFF]))
    assert exit_code(["guest", "run", str(file)]) == 2
    assert what in capsys.readouterr().err


def test_a_guest_that_waits_for_nothing_hangs(capsys, tmp_path):
    file = tmp_path / "guest.bin"
    file.write_bytes(image([0xD503207F]))
    found = account(capsys, str(file))
    assert (found["outcome"], found["well"]) == ("hang", False)


@pytest.mark.parametrize("plan", ("none", "at=50:0,100:4", "at=1us:0", "every=20us"))
def test_a_guest_that_does_not_end_is_stopped(capsys, tmp_path, plan: str):
    file = tmp_path / "guest.bin"
    file.write_bytes(image([0x14000000]))
    found = account(capsys, str(file), "--instructions", "12345", "--migrate", plan)
    assert (found["outcome"], found["vcpus"][0]["instructions"]) == ("limit", 12345)
    found = account(capsys, str(file), "--seconds", "30us", "--migrate", plan)
    assert found["outcome"] == "limit"
    assert "PC 0x40080000, instruction 0x14000000" in found["where"]


def test_a_vector_that_faults_itself_hangs(capsys, tmp_path):
    file = tmp_path / "guest.bin"
    file.write_bytes(image([0]))  # UDF, without a vector table
    found = account(capsys, str(file))
    assert found["outcome"] == "hang"
    assert "exceptions without executing an instruction; vCPU 0, PC 0x200" in found["where"]


def test_counters_of_the_engine_that_cannot_be_found(capsys, monkeypatch):
    monkeypatch.setattr(code_unicorn, "_SEEN", 64)
    code_unicorn.counter_offset.cache_clear()
    try:
        assert exit_code(["guest", "run", "reads"]) == 2
        err = capsys.readouterr().err
        assert "cannot be found in its state" in err
        assert "0 places match" in err
    finally:
        code_unicorn.counter_offset.cache_clear()


@pytest.mark.parametrize(
    "arguments, message",
    (
        (("nothing",), "unknown guest 'nothing'"),
        (("reads", "--migrate", "sometimes"), "unknown plan"),
        (("reads", "--migrate", "at=5:8"), "bad move '5:8'"),
        (("reads", "--migrate", "at=5:\u00b2"), "bad move"),
        (("reads", "--migrate", "at=\u00b2:1"), "is not a time"),
        (("reads", "--migrate", "random:\u00b2"), "moves per second"),
        (("reads", "--migrate", "every=999ns"), "moves every 999 ns"),
        (("reads", "--mhz", "armv8_cortex_a76=fast"), "'fast' MHz"),
        (("reads", "--mhz", "armv8_cortex_a76=\u00b2"), "MHz"),
        (("reads", "--policy", "default@v99"), "unknown kernel"),
        (("reads", "--cpi", "0"), "cycles per instruction"),
        (("reads", "--cpi", "1e400000000"), "cycles per instruction"),
        (("reads", "--migrate", "at=1:\u00b2"), "bad move"),
        (("reads", "--migrate", f"at={'9' * 5000}:0"), "is not a time"),
        (("reads", "--seconds", "0"), "--seconds: '0' is zero"),
    ),
)
def test_bad_input(capsys, arguments: tuple[str, ...], message: str):
    assert exit_code(["guest", "run", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) <= 3


def test_an_elf_is_loaded_by_its_headers(capsys, tmp_path):
    code = image(POWER_OFF)
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + (183).to_bytes(2, "little")
    header += (1).to_bytes(4, "little") + (0x40100000).to_bytes(8, "little") + (64).to_bytes(8, "little") + bytes(8)
    header += bytes(4) + b"".join(n.to_bytes(2, "little") for n in (64, 56, 1, 0, 0, 0))
    segment = (1).to_bytes(4, "little") + (5).to_bytes(4, "little")
    segment += b"".join(n.to_bytes(8, "little") for n in (120, 0x40100000, 0x40100000, len(code), len(code) + 8, 4))
    file = tmp_path / "guest.elf"
    file.write_bytes(header + segment + code)
    assert account(capsys, str(file))["outcome"] == "off"
    file.write_bytes((header + segment + code)[:100])
    assert exit_code(["guest", "run", str(file)]) == 2


def test_without_the_extra_the_command_says_what_to_install():
    code = "import sys; sys.modules['unicorn'] = None; from simcore.app.cli import main; main(sys.argv[1:])"
    ended = subprocess.run([sys.executable, "-c", code, "guest", "run", "reads"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "pip install 'hetpmu[guest]'" in ended.stderr


# The guests that come with the product


@pytest.mark.parametrize("name", own_guests())
def test_the_words_are_those_of_the_source(name: str, tmp_path):
    if shutil.which("aarch64-linux-gnu-as") is None:
        pytest.skip("there is no cross compiler")
    for file in (*GUESTS.glob("*.S"), *GUESTS.glob("*.inc"), GUESTS / "Makefile"):
        shutil.copy(file, tmp_path)
    subprocess.run(["make", "-s", "-C", tmp_path, f"{name}.words"], check=True)
    assert (tmp_path / f"{name}.words").read_text() == (GUESTS / f"{name}.words").read_text()
    assert read_image(name)[:4] != bytes(4)
