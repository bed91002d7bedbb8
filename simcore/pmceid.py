"""Which event numbers have a bit in PMCEID0_EL0 and PMCEID1_EL0, and the registers as sets of events and back."""

from collections.abc import Iterable


def is_common(event: int) -> bool:
    """Return whether an event number has a bit in PMCEID0_EL0 or PMCEID1_EL0."""
    return event < 0x40 or 0x4000 <= event < 0x4040


def pmceid_events(pmceid0: int, pmceid1: int) -> frozenset[int]:
    """Return the event numbers whose bits are set in a pair of PMCEID registers."""
    low = {bit for bit in range(32) if pmceid0 >> bit & 1} | {32 + bit for bit in range(32) if pmceid1 >> bit & 1}
    high = {bit for bit in range(32) if pmceid0 >> 32 + bit & 1}
    high |= {32 + bit for bit in range(32) if pmceid1 >> 32 + bit & 1}
    return frozenset(low | {0x4000 + bit for bit in high})


def pmceid_words(events: Iterable[int]) -> tuple[int, int]:
    """Return PMCEID0 and PMCEID1 of a set of event numbers; others than common events are ignored."""
    words = [0, 0]
    for event in filter(is_common, events):
        words[event >> 5 & 1] |= 1 << (event & 31) + (32 if event >= 0x4000 else 0)
    return words[0], words[1]
