"""cpufreq governors by name: who chooses the OPP of a perf domain, and at which OPP a run starts."""

import numpy as np

from scheduler import kernel_state as ks
from simcore.errors import InputError, unknown_name
from simcore.platform import Platform
from simcore.units import parse_whole

SCHEDUTIL, PERFORMANCE, POWERSAVE, USERSPACE = "schedutil", "performance", "powersave", "userspace"
GOVERNORS = (SCHEDUTIL, PERFORMANCE, POWERSAVE, "userspace:KHZ[,KHZ...]")


def chosen_khz(platform: Platform, governor: str) -> list[int]:
    """Return the frequency of each perf domain at the start of a run; raise InputError for what is no governor."""
    domains = platform.perf_domains
    if governor in (SCHEDUTIL, POWERSAVE):
        return [domain.opps[0].khz for domain in domains]
    if governor == PERFORMANCE:
        return [domain.opps[-1].khz for domain in domains]
    name, _, speeds = governor.partition(":")
    if name != USERSPACE or not speeds.replace(",", "").replace(" ", "").isdecimal():
        raise unknown_name("governor", governor, GOVERNORS, "governor")
    return _set_speeds(platform, speeds.split(","))


def _set_speeds(platform: Platform, speeds: list[str]) -> list[int]:
    """Return what ``userspace`` sets: one frequency for all perf domains, or one for each."""
    domains = platform.perf_domains
    if len(speeds) not in (1, len(domains)):
        names = ", ".join(domain.name for domain in domains)
        raise InputError(
            f"{len(speeds)} frequencies for {len(domains)} perf domains", "governor", valid=f"one, or one each: {names}"
        )
    speeds = speeds * len(domains) if len(speeds) == 1 else speeds
    found = []
    for domain, speed in zip(domains, speeds, strict=True):
        opps = [opp.khz for opp in domain.opps]
        khz = parse_whole(speed.strip())
        if khz not in opps:
            valid = ", ".join(map(str, opps)) + f", or one for each of {len(domains)} perf domains"
            raise InputError(f"{speed.strip()!r} kHz is no OPP of {domain.name}", "governor", valid=valid)
        found.append(khz)
    return found


def govern(dom: np.ndarray, opp: np.ndarray, platform: Platform, governor: str) -> None:
    """Let every perf domain start as a governor wants it; only ``schedutil`` changes it from then on."""
    dom[:, ks.GOVERNED] = governor == SCHEDUTIL
    dom[:, ks.KHZ] = chosen_khz(platform, governor)
    for row, rows in zip(dom, opp, strict=True):
        row[ks.OPP_AT] = np.searchsorted(rows[: row[ks.N_OPPS], ks.OPP_KHZ], row[ks.KHZ])
