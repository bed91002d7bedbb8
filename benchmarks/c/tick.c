/* The plain tick-by-tick loop of pmu/kernel.py, advance_ticks, in C: same arithmetic, same arrays, same order. */
#include <stdint.h>

enum { SLOTS = 32, CATEGORIES = 8, COUNTED = 0 };

static void advance_streams(int64_t events, const uint64_t *rate, uint64_t *residual, const uint8_t *time_tied,
                            uint64_t cycles, uint64_t ns, uint64_t *increment)
{
    for (int64_t e = 0; e < events; e++) {
        uint64_t span = time_tied[e] ? ns : cycles;
        uint64_t low = residual[e] + (rate[e] & 0xffffffffu) * span;
        increment[e] = (rate[e] >> 32) * span + (low >> 32);
        residual[e] = low & 0xffffffffu;
    }
}

static uint64_t count_slots(const int64_t *stream, const int64_t *category, uint64_t *count, uint64_t *left,
                            uint64_t *ledger, const uint64_t *increment)
{
    uint64_t overflowed = 0;
    for (int slot = 0; slot < SLOTS; slot++) {
        int64_t source = stream[slot];
        if (source < 0 || increment[source] == 0)
            continue;
        uint64_t events = increment[source];
        ledger[slot * CATEGORIES + category[slot]] += events;
        if (category[slot] != COUNTED)
            continue;
        count[slot] += events;
        if (left[slot] == 0)
            continue;
        uint64_t over = events >= left[slot];
        left[slot] = over ? 0 : left[slot] - events;
        overflowed |= over << slot;
    }
    return overflowed;
}

/* Return the ticks done; hit[0]: the first row that overflowed in the last of them (or -1), hit[1]: its slots. */
int64_t advance_ticks(int64_t rows, int64_t events, int64_t ticks, const uint64_t *rate, uint64_t *residual,
                      const uint8_t *time_tied, const uint64_t *cycles, const uint64_t *ns, const int64_t *stream,
                      const int64_t *category, uint64_t *count, uint64_t *left, uint64_t *ledger,
                      uint64_t *increment, int64_t *hit)
{
    hit[0] = -1;
    hit[1] = 0;
    for (int64_t tick = 0; tick < ticks; tick++) {
        for (int64_t row = 0; row < rows; row++) {
            advance_streams(events, rate + row * events, residual + row * events, time_tied, cycles[tick], ns[tick],
                            increment);
            uint64_t slots = count_slots(stream + row * SLOTS, category + row * SLOTS, count + row * SLOTS,
                                         left + row * SLOTS, ledger + row * SLOTS * CATEGORIES, increment);
            if (slots != 0 && hit[0] < 0) {
                hit[0] = row;
                hit[1] = (int64_t)slots;
            }
        }
        if (hit[0] >= 0)
            return tick + 1;
    }
    return ticks;
}
