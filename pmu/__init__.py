"""The virtual PMU: events, registers, counters, host PMUs, KVM's emulation and the policies.

Its public face is `pmu.kvm.Vm` and `pmu.vcpu.Vcpu`, with the tables that they are made of; `pmu.perf`, `pmu.register`
and `pmu.register_hooks` are inside (an import rule). The engine, `conformance`, `uapi` and `migrate` drive one and the
same.

Importing it points numba at the cache directory of this state of the kernels, before any kernel is loaded.
"""

from simcore.kernelcache import key_cache_directory

key_cache_directory()
