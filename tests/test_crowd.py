"""The list of pCPUs that have a thread to give away is never short of one, whatever happens on the host."""

from scheduler import kernel_crowd
from scheduler import kernel_state as ks
from simcore.app.running import Machine
from simcore.scenario import GuestSpec, Scenario, VmSpec
from tests.scenes import MS


def test_the_list_has_every_pcpu_with_a_thread_to_give():
    """In a run with more threads than pCPUs; what it has beyond them leaves it when it is looked at."""
    seen = set()

    def look(host):
        s, state = host.handle, host.state
        wanted = {c for c in range(8) if kernel_crowd.number_on(s, c) > 1 or kernel_crowd.has_misfit(s, c)}
        listed = state.crowd[: state.glob[ks.N_CROWDED], kernel_crowd.LISTED].tolist()
        assert wanted <= set(listed)
        assert len(listed) == len(set(listed))
        assert state.crowd[:, kernel_crowd.IS_LISTED].tolist() == [int(c in listed) for c in range(8)]
        assert kernel_crowd.prune_crowd(s) == bool(wanted)
        assert set(state.crowd[: state.glob[ks.N_CROWDED], kernel_crowd.LISTED].tolist()) == wanted
        seen.add(len(wanted))

    guest = GuestSpec(boot_ns=5 * MS, quantum_instructions=300_000, sleep_ns=2 * MS)
    vms = (VmSpec(guest=guest, vcpus=13, policy="fixed-counters-only", kernel="v8"),)
    machine = Machine(Scenario(vms=vms, scheduler="eevdf", seconds_ns=100 * MS))

    def process():
        while True:
            yield machine.engine.wait_until(machine.engine.now_ns + MS)
            look(machine.host)

    machine.engine.start(process())
    machine.run()
    assert len(seen) > 3
