"""The virtual PMU: events, registers, counters, host PMUs, KVM's emulation and the policies."""
