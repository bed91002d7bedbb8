"""The virtual PMU: events, registers, counters, host PMUs, KVM's emulation and the policies."""

from simcore.kernelcache import key_cache_directory

key_cache_directory()  # numba reads its cache directory once, when the first kernel file imports it
