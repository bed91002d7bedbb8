"""The virtual PMU: events, registers, counters, host PMUs, KVM's emulation and the policies.

Importing it points numba at the cache directory of this state of the kernels, before any kernel is loaded.
"""

from simcore.kernelcache import key_cache_directory

key_cache_directory()
