"""Every VMM's calls on a homogeneous and on a big.LITTLE host, under three kernel revisions, and what they end in.

HOM has one host PMU (type 8), HET two (types 8 and 9, pCPUs 0-3 and 4-7), GAP one for pCPUs 0-3 of eight. The threads
of two vCPUs are on pCPU 5 and 1 (on GAP on 2 and 6), the main thread where the first of them is.
"""

import dataclasses
import errno

import pytest

from pmu.bank import CounterBank
from pmu.kvm import Vm
from pmu.policies import parse
from pmu.vcpu import Entry
from scheduler.vmm import create, prepare
from scheduler.vmm_calling import Calling
from scheduler.vmm_rows import VMMS, vmm_named
from simcore.app.running import run as run_scenario
from simcore.errors import InputError
from simcore.scenario import GuestSpec, PinSpec
from tests.scenes import MS, Stage, count_and_spin, scene
from tests.uapi_platforms import account, host, results

CPUS = (5, 1)
KERNELS = ("mainline", "v8", "review")


def calls(name: str, where: str, kernel: str, policy: str = "default", cpus=CPUS, gic=True):
    """Return the calls of a VMM as text, and the VM."""
    machine = host(where)
    wanted = parse(policy, machine, kernel)
    kvm = Vm(machine, wanted.revision, CounterBank(len(cpus)), {}, gic=gic)
    for row in range(len(cpus)):
        kvm.create_vcpu(row)
    return [made.text for made in Calling(vmm_named(name), kvm, wanted, cpus).calls()], kvm


def created(name: str, where: str, kernel: str, policy: str = "default", cpus=CPUS) -> Vm:
    """Return the VM after the first KVM_RUN of every vCPU."""
    machine = host(where)
    wanted = parse(policy, machine, kernel)
    kvm = Vm(machine, wanted.revision, CounterBank(len(cpus)), {})
    create(kvm, wanted, cpus, range(len(cpus)), vmm_named(name))
    return kvm


OWN_INIT = ["vcpu 0: v0 init cpu=5: 0", "vcpu 1: v1 init cpu=1: 0"]
MAIN_INIT = ["main: v0 init cpu=5: 0", "main: v1 init cpu=5: 0"]
QEMU_PMU = [
    "main: v0 has IRQ: 0", "main: v0 set IRQ 23: 0", "main: v0 has INIT: 0", "main: v0 set INIT: 0",
    "main: v1 has IRQ: 0", "main: v1 set IRQ 23: 0", "main: v1 has INIT: 0", "main: v1 set INIT: 0",
]  # fmt: skip
QEMU = [*OWN_INIT, "main: gic: 0", *QEMU_PMU, *MAIN_INIT]
CROSVM = [
    *MAIN_INIT, "main: gic: 0",
    "main: v0 has IRQ: 0", "main: v0 set IRQ 23: 0", "main: v0 set INIT: 0",
    "main: v1 has IRQ: 0", "main: v1 set IRQ 23: 0", "main: v1 set INIT: 0",
]  # fmt: skip
PROBE = ["main: scratch VM init cpu=5: 0", "main: scratch VM has SET_PMU: 0", "main: scratch VM set SET_PMU 8: 0"]
PROBE_BOTH = [*PROBE, "main: scratch VM set SET_PMU 9: 0"]


def kvmtool(type_id: int) -> list[str]:
    each = [
        "has IRQ: 0", "set IRQ 23: 0", "has SET_PMU: 0", f"set SET_PMU {type_id}: 0", "has INIT: 0", "set INIT: 0",
    ]  # fmt: skip
    both = [f"main: v{number} {call}" for number in (0, 1) for call in each]
    return [*MAIN_INIT, "main: gic: 0", "main: v0 has SET_PMU: 0", *both]


def rfc(probe: list[str], wish: str | None) -> list[str]:
    if wish is None:
        off = ["vcpu 0: v0 init cpu=5 nopmu: 0", "vcpu 1: v1 init cpu=1 nopmu: 0"]
        return [*probe, *off, "main: gic: 0", *(f"main{line[6:].replace('cpu=1', 'cpu=5')}" for line in off)]
    inits = [line for number, init in enumerate(OWN_INIT) for line in (init, f"vcpu {number}: v{number} set {wish}: 0")]
    return [*probe, *inits, "main: gic: 0", *QEMU_PMU, *MAIN_INIT]


EXPECTED = [
    *((name, where, kernel, QEMU) for name in ("qemu", "libvirt") for where in ("HOM", "HET") for kernel in KERNELS),
    *(("crosvm", where, kernel, CROSVM) for where in ("HOM", "HET") for kernel in KERNELS),
    *(("kvmtool", "HOM", kernel, kvmtool(8)) for kernel in KERNELS),
    *(("kvmtool", "HET", kernel, kvmtool(9)) for kernel in KERNELS),
    *(("qemu-rfc", "HOM", kernel, rfc(PROBE, "SET_PMU 8")) for kernel in KERNELS),
    ("qemu-rfc", "HET", "mainline", rfc([*PROBE_BOTH, "main: scratch VM has FIXED_COUNTERS_ONLY: -ENXIO"], None)),
    *(
        ("qemu-rfc", "HET", kernel, rfc([*PROBE_BOTH, "main: scratch VM has FIXED_COUNTERS_ONLY: 0"],
         "FIXED_COUNTERS_ONLY")) for kernel in ("v8", "review")
    ),
]  # fmt: skip


@pytest.mark.parametrize("name, where, kernel, expected", EXPECTED)
def test_the_calls_before_the_first_run(name, where, kernel, expected):
    assert calls(name, where, kernel)[0] == expected


def test_every_vmm_is_in_the_table_above():
    assert {row[0] for row in EXPECTED} == set(VMMS)


@pytest.mark.parametrize("name, where, kernel", [row[:3] for row in EXPECTED])
def test_the_same_sequence_typed_into_uapi_has_the_same_results(name, where, kernel):
    """The calls on the VM itself, as steps of `hetpmu uapi`: another driver of the virtual PMU agrees."""
    made = [line for line in calls(name, where, kernel)[0] if "scratch" not in line]
    steps, answers = zip(*(line.partition(": ")[2].rsplit(": ", 1) for line in made), strict=True)
    assert [str(result) for result in results(account("; ".join(steps), where, (kernel,)), kernel)] == list(answers)


@pytest.mark.parametrize(
    "name, where, kernel, backing, cpus, fixed, counters",
    [
        ("qemu", "HET", "mainline", 9, range(8), False, 4),  # the lottery: vCPU 0's thread was on pCPU 5
        ("libvirt", "HET", "v8", 9, range(8), False, 4),
        ("crosvm", "HET", "mainline", 9, range(8), False, 4),
        ("kvmtool", "HET", "mainline", 9, range(4, 8), False, 4),  # the same PMU, and bound to its pCPUs
        ("kvmtool", "HOM", "mainline", 8, range(8), False, 6),
        ("qemu-rfc", "HOM", "mainline", 8, range(8), False, 6),
        ("qemu-rfc", "HET", "review", 9, range(8), True, 0),
        ("qemu-rfc", "HET", "v6", 9, range(8), True, 0),
        ("qemu-rfc", "HET", "mainline", None, range(8), False, 0),
    ],
)
def test_what_the_calls_end_in(name, where, kernel, backing, cpus, fixed, counters):
    kvm = created(name, where, kernel)
    assert (kvm.pmu and kvm.pmu.type_id) == backing
    assert kvm.supported_cpus == frozenset(cpus)
    assert (kvm.fixed_only, kvm.nr_counters, kvm.ran) == (fixed, counters, True)


def test_kvmtool_fails_entry_off_its_pmu():
    kvm = created("kvmtool", "HET", "mainline")
    assert kvm.run(kvm.vcpus[1], 1) is Entry.FAIL_ENTRY
    assert kvm.run(kvm.vcpus[1], 4) is Entry.GUEST


def test_qemu_rfc_without_coverage_has_no_pmu():
    made, _ = calls("qemu-rfc", "GAP", "v8", cpus=(2, 6))
    assert made[:5] == [
        "main: scratch VM init cpu=2: 0", "main: scratch VM has SET_PMU: 0", "main: scratch VM set SET_PMU 8: 0",
        "vcpu 0: v0 init cpu=2 nopmu: 0", "vcpu 1: v1 init cpu=6 nopmu: 0",
    ]  # fmt: skip


def test_where_the_main_thread_has_no_pmu_kvmtool_gives_up():
    made, _ = calls("kvmtool", "GAP", "mainline", cpus=(6, 2))
    assert made[0] == "main: v0 init cpu=6: -ENODEV"
    with pytest.raises(InputError, match="KVM_ARM_VCPU_INIT fails with -ENODEV"):
        created("kvmtool", "GAP", "mainline", cpus=(6, 2))


@pytest.mark.parametrize("name", ["qemu", "libvirt", "qemu-rfc"])
def test_what_the_user_names_is_set(name):
    kvm = created(name, "HET", "mainline", "set-pmu-unpinned:pmu_a", cpus=(1, 2))
    assert kvm.pmu is not None
    assert (kvm.pmu.type_id, kvm.explicit_pmu) == (8, True)


def test_without_a_pmu_crosvm_asks_and_is_told_enxio():
    made, kvm = calls("crosvm", "HET", "mainline", "none")
    assert made[2:] == ["main: gic: 0", "main: v0 has IRQ: -ENXIO", "main: v1 has IRQ: -ENXIO"]
    created("crosvm", "HET", "mainline", "none")
    assert not kvm.has_pmu


def test_a_user_irqchip_has_no_interrupt_number():
    made, _ = calls("qemu", "HET", "mainline", gic=False)
    assert [line for line in made if "IRQ" in line or "gic" in line] == []
    assert "main: v1 set INIT: 0" in made


def test_a_refused_call_ends_qemu():
    machine = host("HET")
    policy = parse("default", machine)
    kvm = Vm(machine, policy.revision, CounterBank(1), {})
    kvm.claim = lambda vcpu, irq, owner: errno.EEXIST  # type: ignore[method-assign]
    with pytest.raises(InputError, match="KVM_ARM_VCPU_PMU_V3_INIT fails with -EEXIST under policy default@mainline"):
        prepare(kvm, policy, [0], [0])


# In a run: where threads are when they start, and what a VMM cannot be asked for


def run(stage, name: str, policy: str = "default", **changes):
    vm = {"vcpus": 2, "vmm": name, "init_placement": "small"} | changes
    return stage.run(scene(policy, vm=vm, seconds_ns=MS), count_and_spin)


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


@pytest.mark.parametrize(
    "name, moves",
    [("qemu", [(MS // 2, 0, 0, 1)]), ("libvirt", [(0, 0, 0, 1)]), ("crosvm", [(0, 0, 0, 1)])],
)
def test_when_a_vmm_pins(stage, name, moves):
    """vCPU 0 starts on the LITTLE pCPU 0 and is pinned to the big pCPU 1: in mid-run, or before it has run at all."""
    pin = PinSpec(vcpu=((1,), (0,)))
    result = run(stage, name, pin=pin, pin_delay_ns=MS // 2)
    rows = result.tables["migrations"]
    assert [(int(r["t_ns"]), int(r["vcpu"]), int(r["from_cpu"]), int(r["to_cpu"])) for r in rows] == moves
    stalled = int(result.tables["ledger"][result.tables["ledger"]["slot"] == 31]["off_pmu"][0])
    off_pmu_ns = MS - moves[0][0]
    assert stalled == 2 * off_pmu_ns  # 2 GHz, backed by the LITTLE core's PMU


def test_the_main_thread_initialises_every_vcpu_where_it_is(stage):
    qemu, crosvm = (
        run(stage, name, vcpus=8, init_placement="uniform").tables["vcpus"]["init_cpu"].tolist()
        for name in ("qemu", "crosvm")
    )
    assert set(qemu) == {0, 1}
    assert crosvm == qemu[:1] * 8


def test_libvirt_binds_nothing_but_emulator_threads_before_it_pins(stage):
    """`vms.N.cpus` (vcpu cpuset) comes with the pinning, so VCPU_INIT may run elsewhere; QEMU under taskset cannot."""
    result = run(stage, "libvirt", cpus=(1,))
    assert result.tables["vcpus"]["init_cpu"].tolist() == [0, 0]
    assert [int(row["to_cpu"]) for row in result.tables["migrations"]] == [1, 1]
    with pytest.raises(InputError, match="no allowed pCPU"):
        run(stage, "qemu", cpus=(1,))


@pytest.mark.parametrize(
    "name, policy, changes, text",
    [
        ("crosvm", "set-pmu:pmu_big", {}, "crosvm cannot be asked for SET_PMU"),
        ("crosvm", "fixed-counters-only@v8", {}, "crosvm cannot be asked for FIXED_COUNTERS_ONLY"),
        ("kvmtool", "set-pmu-unpinned:pmu_big", {}, "of the pCPU that it is started on"),
        ("qemu-rfc", "fixed-counters-only@v8", {}, "qemu-rfc cannot be asked for FIXED_COUNTERS_ONLY"),
        ("crosvm", "default", {"shadows": ("fixed-counters-only@v8",)}, "cannot be asked for FIXED_COUNTERS_ONLY"),
        ("kvmtool", "default", {"irqchip": "user"}, "kvmtool always has the irqchip in the kernel"),
    ],
)
def test_what_a_vmm_cannot_do_is_one_message(stage, name, policy, changes, text):
    with pytest.raises(InputError, match=text) as caught:
        run(stage, name, policy, **changes)
    assert len(str(caught.value).splitlines()) <= 3


def test_kvmtool_pinned_before_it_starts_takes_that_pmu(stage):
    result = run(stage, "kvmtool", "set-pmu:pmu_big", init_placement="uniform", cpus=None)
    assert str(result.tables["guests"]["init_pmu"][0]) == "pmu_big"
    assert str(result.tables["guests"]["outcome"][0]) == "alive"


def started(name: str, policy: str, seconds_ns: int):
    """A guest that boots for 1 ms and then starts vCPU 1; the threads are on pCPU 0 and 1 when they enter KVM_RUN."""
    vm = {"vcpus": 2, "vmm": name, "init_placement": "small", "pin_delay_ns": 0, "pin": PinSpec(vcpu=((0,), (1,)))}
    base = scene(policy, vm=vm, seconds_ns=seconds_ns)
    guest = GuestSpec("none", "dhrystone", boot_ns=MS)
    return run_scenario(dataclasses.replace(base, vms=(dataclasses.replace(base.vms[0], guest=guest),))).tables


def test_a_vcpu_that_is_powered_off_sleeps_before_kvm_looks_at_its_pcpu():
    """KVM_REQ_SLEEP is handled with the requests, so entry fails on the big core only once vCPU 1 is started."""
    guests = started("kvmtool", "default", 3 * MS)["guests"]
    assert str(guests["outcome"][0]) == "KVM_EXIT_FAIL_ENTRY: the VMM gives up"
    assert int(guests["died_ns"][0]) == MS
    booting, after = (
        started("libvirt", "set-pmu-unpinned:pmu_little", ns)["vcpus"]["fail_entries"].tolist()
        for ns in (MS - 1, 3 * MS)
    )
    assert booting == [0, 0]
    assert after[0] == 0 < after[1]
