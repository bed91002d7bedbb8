# %% [markdown]
# # First steps
#
# A guest on an RK3588 (four Cortex-A55, four Cortex-A76: two host PMUs), one run, its tables, a picture, a
# comparison. Everything here is described in [api.md](../api.md) and [tables.md](../tables.md).

# %% parameters
SECONDS = 1.0
SEEDS = 5

# %%
import tempfile
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt

import simcore
from simcore import GuestSpec, Scenario, VmSpec

# %% [markdown]
# ## A scenario
#
# Frozen names and numbers; whatever is left out has the default of [model.md](../model.md). The guest is Windows: it
# calibrates a clock by PMCCNTR_EL0 while it boots, and runs 429.mcf. KVM gives it the `default` PMU, that of the core
# on which the first KVM_ARM_VCPU_INIT ran. A *shadow* is a second virtual PMU that watches the very same execution,
# here under the proposed `fixed-counters-only`.

# %%
guest = GuestSpec(name="windows", workload="429.mcf")
vm = VmSpec(guest=guest, vcpus=4, policy="default", shadows=("fixed-counters-only@v8",))
scenario = Scenario(platform="rk3588", vms=(vm,), seconds_ns=int(SECONDS * 1e9), sample_ns=1_000_000, seed=4)
result = simcore.run(scenario)
result.summary

# %% [markdown]
# ## Tables
#
# A result is a set of structured arrays of numpy. Times are nanoseconds, cycles and counters integers.

# %%
for name, table in result.tables.items():
    print(f"{name:16}{len(table):8} rows   {', '.join(table.dtype.names)[:80]}")

# %% [markdown]
# Where did the cycles of each vCPU go? The *ledger* books every cycle to exactly one column, when it happens.

# %%
ledger = result.tables["ledger"]
print("vcpu policy                           cycles        counted       disabled        off_pmu")
for row in ledger[ledger["slot"] == 31]:
    policy = result.summary["policies"][0][row["policy"]]
    shown = "".join(f"{row[key]:15,}" for key in ("events", "counted", "disabled", "off_pmu"))
    print(f"{row['vcpu']:4} {policy:24}{shown}")

# %% [markdown]
# ## A picture
#
# What the guest reads beside what it executed. Where the line of the default policy is flat, the vCPU ran on a core
# that its PMU does not cover.

# %%
samples = result.tables["samples"]
vpmus = result.tables["vpmus"]
stalled = vpmus[vpmus["policy"] == 0]
vcpu = int(stalled["vcpu"][stalled["stalled_ns"].argmax()])
figure, axes = plt.subplots(figsize=(9, 3.5), layout="constrained")
for policy, style in ((0, "-"), (1, "--")):
    mine = samples[(samples["vcpu"] == vcpu) & (samples["policy"] == policy) & (samples["t_ns"] > 120_000_000)]
    counted = mine["pmccntr"] - mine["pmccntr"][0]
    axes.plot(mine["t_ns"] / 1e6, counted / 1e6, style, label=result.summary["policies"][0][policy])
axes.set(xlabel="ms", ylabel="million cycles", title=f"PMCCNTR_EL0 of vCPU {vcpu} since 120 ms")
_ = axes.legend()

# %% [markdown]
# ## Keeping it
#
# A result directory has `meta.json` and a Parquet file for each table, which pandas, polars and duckdb read as they
# are. It is checked when it is read. `hetpmu show DIR` and `hetpmu plot DIR` take it too.

# %%
with tempfile.TemporaryDirectory() as folder:
    simcore.save(result, Path(folder) / "result")
    print(sorted(path.name for path in Path(folder, "result").iterdir()))
    again = simcore.load(Path(folder) / "result")
again.digest() == result.digest(), again.scenario == scenario

# %% [markdown]
# The same scenario gives the same tables wherever and however it runs: the digest does not depend on the step of the
# counters, on the number of workers, on the version of Python.

# %%
simcore.run(replace(scenario, tick_ns=100_000)).digest() == result.digest()

# %% [markdown]
# ## A comparison
#
# `compare` runs the scenario for real under each policy, with the same seeds, and once more without a PMU as the
# measure of throughput.

# %%
policies = ("default", "set-pmu:armv8_cortex_a76", "fixed-counters-only")
found = simcore.compare(replace(scenario, sample_ns=0), policies=policies, seeds=range(1, SEEDS + 1))
print("policy                               died stalled  throughput")
for row in found.rows:
    print(
        f"{row['policy'] + '@' + row['kernel']:35}{row['crashes']:3}/{row['runs']:<3}"
        f"{row['stalled_fraction'] or 0:8.1%}{row['throughput']:12.3f}"
    )

# %% [markdown]
# From here: [the question](the_question.ipynb) that all this was made for.
