# %% [markdown]
# # The question: what does a guest's cycle counter do when its vCPUs cross to another PMU, and what does the cure cost?
#
# On a heterogeneous arm64 host each cluster has a PMU of its own. KVM backs a guest's PMU with *one* of them, by
# default with that of whichever core ran the first KVM_ARM_VCPU_INIT. On the other cores the guest's PMCCNTR_EL0
# stands still, and Windows divides by the difference of two reads. The series discussed on the KVM/arm64 list in 2026
# proposes `KVM_ARM_VCPU_PMU_V3_FIXED_COUNTERS_ONLY`: the guest has the cycle counter only, and KVM makes a new host
# event whenever the vCPU comes to a core of another PMU. Reviewers asked what exactly stalls today, what the reloads
# cost, who pays for them, and what is lost. On an RK3588:
#
# 1. What stalls under the default?
# 2. What does pinning cost, the only way out today?
# 3. What does fixed-counters-only cost: the guest, the host, other VMs?
#
# Costs of the host and the guest's boot are assumptions ([model.md](../model.md), "Parameters"): `hetpmu compare
# --sensitivity` varies them.

# %% parameters
SEEDS = 20
SECONDS = 2.0
RATES = (10, 100, 1_000, 10_000)
RATE_SECONDS = 1.0

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import simcore
from simcore import GuestSpec, Scenario, VmSpec

STYLES = ("-", "--", "-", ":")
BIG, LITTLE = "armv8_cortex_a76", "armv8_cortex_a55"
POLICIES = ("default", f"default-pinned:{BIG}", f"set-pmu:{LITTLE}", f"set-pmu:{BIG}", "fixed-counters-only")
guest = GuestSpec(name="windows", workload="429.mcf")
vm = VmSpec(guest=guest, vcpus=4, shadows=("fixed-counters-only@v8",))
one = Scenario(platform="rk3588", vms=(vm,), seconds_ns=int(SECONDS * 1e9), sample_ns=1_000_000, seed=4)

# %% [markdown]
# ## 1. What stalls under the default?
#
# One execution, counted twice: by the virtual PMU that the guest has (`default`), and by a shadow that would have
# been `fixed-counters-only`. Below: for each vCPU, what was executed but not counted since the counter was enabled.

# %%
result = simcore.run(one)
samples, names = result.tables["samples"], result.summary["policies"][0]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True, layout="constrained")
for vcpu in range(4):
    pair = [samples[(samples["vcpu"] == vcpu) & (samples["policy"] == policy)] for policy in (0, 1)]
    counts = np.flatnonzero(np.diff(pair[1]["pmccntr"].astype(np.int64)) > 0)[1:]  # the shadow's counter is enabled
    for policy, part in enumerate(axes):
        mine = pair[policy][counts[0] :] if len(counts) else pair[policy][:0]
        executed, counted = (mine[name] - mine[name][:1] for name in ("guest_cycles", "pmccntr"))
        part.plot(mine["t_ns"] / 1e6, (executed - counted) / 1e6, STYLES[vcpu], label=f"vCPU {vcpu}")
        part.set(title=names[policy], xlabel="ms")
axes[0].set_ylabel("million cycles not counted")
_ = axes[0].legend()

# %% [markdown]
# A stall lasts as long as the vCPU stays off the PMU; the counter goes on from where it stood, so the loss is never
# made good. All stalls of all seeds, and who dies of them:

# %%
plain = replace(one, sample_ns=0, vms=(replace(vm, shadows=()),))
found = simcore.compare(plain, policies=POLICIES, seeds=range(1, SEEDS + 1))
rows = {f"{row['policy']}@{row['kernel']}": row for row in found.rows}
for name in ("default@mainline", "fixed-counters-only@v8"):
    row = rows[name]
    stalled, longest = row["stalled_fraction"] or 0, (row["longest_stall_ns"] or 0) / 1e6
    print(f"{name}: {stalled:.2%} of guest time stalled, the longest for {longest:.1f} ms;")
    print(f"    {row['zero_deltas']} pairs of equal reads with work in between;")
    print(f"    {row['crashes']} of {row['runs']} guests died, by the PMU drawn:")
    for pmu, seen in row["by_init_pmu"].items():
        print(f"        {pmu}: {seen['crashes']} of {seen['runs']}")

# %% [markdown]
# Who dies is decided by a draw: the guest lives where VCPU_INIT happened to run on a core of the cluster on which the
# guest then calibrates. The VMM has no say in it, unless it pins.

# %% [markdown]
# ## 2. What does pinning cost?
#
# `set-pmu:<pmu>` names the PMU and pins the vCPUs to its cores before they are initialised; `default-pinned` pins
# afterwards, as libvirt does, whatever was drawn. Throughput is that of the guest over that of an unpinned VM without
# a PMU.

# %%
print(f"{'policy@kernel':42}{'died':>6}{'throughput':>12}{'energy, J':>11}{'clock error':>13}")
for name, row in rows.items():
    error = row["clock_error_ppm"]
    shown = f"{error['median'] / 1e4:.2f} %" if error else "-"
    print(f"{name:42}{row['crashes']:>3}/{row['runs']:<2}{row['throughput']:>12.3f}{row['energy_j']:>11.1f}{shown:>13}")

# %% [markdown]
# A guest that dies early counts until then, so its throughput and energy are those of its boot. Pinned to the big
# cores a guest of four vCPUs loses nothing on an otherwise idle host, and takes those cores from everyone else;
# pinned to the LITTLE ones it loses most of its speed. What remains of the clock error under fixed-counters-only is
# not stalled time: cycles of a core that changes its frequency and its kind are no clock.

# %% [markdown]
# ## 3. What does fixed-counters-only cost?
#
# **The guest** loses the event counters. What it reads:

# %%
for name in ("set-pmu:armv8_cortex_a76@mainline", "fixed-counters-only@v8"):
    seen = next(iter(rows[name]["by_init_pmu"].values()))
    events = bin(seen["pmceid0"] or 0).count("1") + bin(seen["pmceid1"] or 0).count("1")
    print(f"{name:36} PMCR_EL0.N = {seen['pmcr_n']}, {events} events in PMCEID, and the cycle counter")

# %% [markdown]
# **The host** makes a new host event at each crossing, before the guest runs on. What matters is how often a vCPU
# crosses: the scheduler decides. Under Linux' EAS crossings are rare; `random:R` moves every vCPU R times a second to
# an allowed core.

# %%
fixed = replace(vm, policy="fixed-counters-only", kernel="v8", shadows=())


def cost(scheduler, vm=fixed):
    """Return crossings and reloads a second and vCPU, and the PMU's share of the time that a vCPU ran."""
    length = int(RATE_SECONDS * 1e9)
    tables = simcore.run(replace(plain, vms=(vm,), scheduler=scheduler, seconds_ns=length)).tables
    vcpus, seconds = tables["vcpus"], RATE_SECONDS * len(tables["vcpus"])
    overhead = int(vcpus["pmu_overhead_ns"].sum())
    crossings = int(tables["migrations"]["crossing"].sum())
    reloads = int(tables["vpmus"]["reloads"].sum())
    return crossings / seconds, reloads / seconds, overhead / (overhead + int(vcpus["guest_ns"].sum()))


schedulers = ("eas", *(f"random:{rate}" for rate in RATES))
points = [cost(scheduler) for scheduler in schedulers]
print("scheduler       crossings, reloads a second and vCPU    time in PMU work")
for scheduler, (crossings, reloads, share) in zip(schedulers, points, strict=True):
    print(f"{scheduler:14}{crossings:11.1f}{reloads:9.1f}{share:38.4%}")

# %%
crossings, _, shares = zip(*points, strict=True)
figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
axes.loglog(crossings[1:], np.array(shares[1:]) * 100, "o-", label="random moves")
axes.loglog(max(crossings[0], 0.1), shares[0] * 100, "s", label="EAS")
axes.axhline(1, color="grey", linewidth=0.8)
axes.set(xlabel="crossings a second and vCPU", ylabel="% of the time in PMU work", title="fixed-counters-only@v8")
_ = axes.legend()

# %% [markdown]
# **Other VMs.** The condition for a reload in vcpu_load changed between revisions. Up to v7 a VM with the default
# PMU, which gains nothing by it, makes its events anew at each load while it is off the PMU; v8 asks for the
# attribute first. The same moves under each:

# %%
print("policy@kernel   crossings, reloads a second and vCPU    time in PMU work")
for kernel in ("mainline", "v4", "v6", "v8"):
    crossings, reloads, share = cost("random:1000", replace(vm, policy="default", kernel=kernel, shadows=()))
    print(f"default@{kernel:8}{crossings:9.1f}{reloads:9.1f}{share:38.4%}")

# %% [markdown]
# ## The answer
#
# Under the default the cycle counter of a guest that crosses stands still for as long as it is away, and whether a
# Windows guest survives its boot is a draw. Pinning cures it by giving away the rest of the machine.
# Fixed-counters-only cures it on all cores; the guest pays with its event counters, the host with a reload a
# crossing, which is far below one per cent of the time for the crossings that Linux' scheduler makes, and reaches one
# per cent only at some 800 crossings a second and vCPU. With v8's condition nobody else pays. Assumed are the costs
# of making and releasing a host event; four times as much moves the point at which one per cent is reached to a
# quarter.
