"""The frequency of a perf domain in the run of the host: what a change does to what runs, and who asks for one.

Which frequency schedutil chooses is in ``kernel_freq``.
"""

from pmu.kernel_jit import compiled
from scheduler.kernel_freq import update_frequency
from scheduler.kernel_history import note_frequency
from scheduler.kernel_run import plan, rebase, settle
from scheduler.kernel_state import DOMAIN, GOVERNED, KHZ, N_MEMBERS, N_OPPS, NO, OPP_AT, OPP_KHZ, UTIL_CHANGED


@compiled
def change_frequency(s, d, khz):
    """Let perf domain ``d`` go on at ``khz``, one of its OPPs; each of its pCPUs is settled and predicted anew."""
    for k in range(s.dom[d, N_MEMBERS]):
        settle(s, s.member[d, k])
    changes = khz != s.dom[d, KHZ]
    rebase(s, d, khz)
    if changes:
        note_frequency(s, d)
    for i in range(s.dom[d, N_OPPS]):
        if s.opp[d, i, OPP_KHZ] == khz:
            s.dom[d, OPP_AT] = i
    for k in range(s.dom[d, N_MEMBERS]):
        plan(s, s.member[d, k])


@compiled
def follow(s, c):
    """Let the frequency follow the utilisation of pCPU ``c``, if that has changed.

    No thread sleeps in iowait: a vCPU that waits for a device does so in KVM_RUN.
    """
    if s.cpu[c, UTIL_CHANGED] == 0:
        return
    s.cpu[c, UTIL_CHANGED] = 0
    d = s.cpu[c, DOMAIN]
    if s.dom[d, GOVERNED]:
        khz = update_frequency(s, c, NO)
        if khz > 0 and khz != s.dom[d, KHZ]:
            change_frequency(s, d, khz)
