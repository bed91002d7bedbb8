"""Sampling as Linux' perf core does it (kernel/events/core.c): a period or a frequency, and throttling.

The functions are called after those of Linux. Integers are those of the kernel: divisions truncate towards zero,
and no intermediate value exceeds 64 bits.
"""

from dataclasses import dataclass, field

from simcore.units import NS_PER_S
from workloads.linux_pmu import CpuPmu, HwEvent
from workloads.steps import Part

NS_PER_S_BITS = 30
SAMPLE_RATE = 100_000
"""sysctl_perf_event_sample_rate: samples a second beyond which an event is throttled."""


def calculate_period(frequency: int, nsec: int, count: int) -> int:
    """Return the period that would have given `frequency` samples a second of `count` events in `nsec` ns.

    perf_calculate_period: count * 10^9 / (nsec * frequency), in 64 bits. Factors that do not fit lose low bits, the
    longer of two first.
    """
    count, sec, nsec, frequency, lost = _reduced(count, nsec, frequency)
    divisor = nsec * frequency
    dividend = count * sec
    if lost >= 0:
        divisor >>= lost
    else:
        dividend >>= -lost
    return dividend // divisor if divisor else dividend


def _reduced(count: int, nsec: int, frequency: int) -> tuple[int, int, int, int, int]:
    """Shorten the factors until both products fit; the last value is what is still to shift out of the divisor.

    A negative one is to be shifted out of the dividend.
    """
    above, below = [count, NS_PER_S], [nsec, frequency]
    bits_above, bits_below = [count.bit_length(), NS_PER_S_BITS], [nsec.bit_length(), frequency.bit_length()]
    lost = 0
    while sum(bits_above) > 64 and sum(bits_below) > 64:
        _reduce(below, bits_below, 0)
        _reduce(above, bits_above, 1)
    while sum(bits_above) > 64:
        _reduce(above, bits_above, 0)
        lost += 1
    while sum(bits_below) > 64:
        _reduce(below, bits_below, 0)
        lost -= 1
    return above[0], above[1], below[0], below[1], lost


def _reduce(factors: list[int], bits: list[int], first: int) -> None:
    """Drop the lowest bit of the longer of two factors; of equals that which is not `first` (REDUCE_FLS)."""
    chosen = first if bits[first] > bits[1 - first] else 1 - first
    factors[chosen] >>= 1
    bits[chosen] -= 1


def next_period(current: int, wanted: int) -> int:
    """Return the period that follows `current` when `wanted` was calculated: an eighth of the way, rounded away from 0.

    perf_adjust_period's low-pass filter; never 0.
    """
    delta = wanted - current
    step = (delta + 7) // 8 if delta >= 0 else -((7 - delta) // 8)
    return current + step or 1


@dataclass(slots=True)
class Sampler:
    """A sampling event of one CPU: what perf keeps of its frequency, and of how often it has interrupted.

    `frequency` in Hz, 0: the event's period is fixed. `tick_ns` is TICK_NSEC. `throttled` counts how often.
    """

    pmu: CpuPmu
    event: HwEvent
    frequency: int
    tick_ns: int
    throttled: int = field(default=0, init=False)
    stopped: bool = field(default=False, init=False)
    _time_stamp: int = field(default=0, init=False)
    _count_stamp: int = field(default=0, init=False)
    _interrupts: int = field(default=0, init=False)

    @property
    def most_a_tick(self) -> int:
        """Return max_samples_per_tick."""
        return -(-SAMPLE_RATE * self.tick_ns // NS_PER_S)

    def begin(self) -> Part[bool]:
        """Let the event count; tell whether there was a counter for it."""
        found = yield from self.pmu.add(self.event)
        yield from self.pmu.enable()
        return found

    def account(self, now_ns: int) -> Part[None]:
        """Account an overflow: throttle, and adjust to the frequency (__perf_event_account_interrupt)."""
        self._interrupts += 1
        if self._interrupts >= self.most_a_tick:
            self.throttled += 1
            self.stopped = True
            yield from self.event.stop()
        if self.frequency:
            delta, self._time_stamp = now_ns - self._time_stamp, now_ns
            if 0 < delta < 2 * self.tick_ns:
                yield from self._adjust(delta, self.event.last_period, running=not self.stopped)

    def tick(self) -> Part[None]:
        """Do what is due at an HZ tick: start it again if it was throttled, adjust it (perf_adjust_freq_unthr_context).

        With a fixed period and no throttling, the PMU is left alone.
        """
        self._interrupts = 0
        if self.frequency or self.stopped:
            yield from self.pmu.disable()
            if self.stopped:
                self.stopped = False
                yield from self.event.start()
            if self.frequency:
                yield from self._follow()
            yield from self.pmu.enable()

    def _follow(self) -> Part[None]:
        """Adjust the period to what was counted since the last tick (perf_adjust_freq_unthr_events)."""
        yield from self.event.stop()
        count, self._count_stamp = self.event.total - self._count_stamp, self.event.total
        if count > 0:
            yield from self._adjust(self.tick_ns, count, running=False)
        yield from self.event.start()

    def _adjust(self, nsec: int, count: int, running: bool) -> Part[None]:
        """Move the period towards the frequency; what is left of one that became much too long is dropped."""
        event = self.event
        event.period = next_period(event.period, calculate_period(self.frequency, nsec, count))
        if (event.left or 0) > 8 * event.period:
            if running:
                yield from event.stop()
            event.left = 0
            if running:
                yield from event.start()
