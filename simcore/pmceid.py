"""Which event numbers have a bit in PMCEID0_EL0 and PMCEID1_EL0, and the registers as sets of events and back."""

from collections.abc import Iterable

COMMON_EVENTS = (*range(0x40), *range(0x4000, 0x4040))


def pmceid_position(event: int) -> tuple[int, int] | None:
    """Return (register 0 or 1, bit) of an event in PMCEID0/1_EL0, or None if neither describes it."""
    block, rest = divmod(event, 0x4000)
    if block > 1 or rest >= 0x40:
        return None
    return rest // 32, rest % 32 + 32 * block


def is_common(event: int) -> bool:
    """Return whether an event number has a bit in PMCEID0_EL0 or PMCEID1_EL0."""
    return pmceid_position(event) is not None


def pmceid_words(events: Iterable[int]) -> tuple[int, int]:
    """Return PMCEID0 and PMCEID1 of a set of event numbers; others than common events are ignored."""
    words = [0, 0]
    for position in map(pmceid_position, events):
        if position is not None:
            words[position[0]] |= 1 << position[1]
    return words[0], words[1]


def pmceid_events(pmceid0: int, pmceid1: int) -> frozenset[int]:
    """Return the event numbers whose bits are set in a pair of PMCEID registers."""
    pairs = ((event, pmceid_words((event,))) for event in COMMON_EVENTS)
    return frozenset(event for event, (bit0, bit1) in pairs if bit0 & pmceid0 or bit1 & pmceid1)
