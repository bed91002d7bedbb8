/* The plain tick-by-tick loop in C: what pmu/kernel_ticks.py and pmu/kernel_record.py do, same arithmetic, same arrays. */
#include "ticks.h"

static void advance_streams(int64_t events, const uint64_t *restrict rate, uint64_t *restrict residual,
                            const uint8_t *restrict time_tied, uint64_t cycles, uint64_t ns,
                            uint64_t *restrict increment)
{
    for (int64_t e = 0; e < events; e++) {
        uint64_t span = time_tied[e] ? ns : cycles;
        uint64_t low = residual[e] + (rate[e] & 0xffffffffu) * span;
        increment[e] = (rate[e] >> 32) * span + (low >> 32);
        residual[e] = low & 0xffffffffu;
    }
}

static uint64_t count_slots(const int64_t *restrict stream, const int64_t *restrict category,
                            uint64_t *restrict count, uint64_t *restrict left, const uint64_t *restrict period,
                            uint64_t *restrict ledger, const uint64_t *restrict increment)
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
        if (events < left[slot]) {
            left[slot] -= events;
            continue;
        }
        overflowed |= (uint64_t)1 << slot;
        left[slot] = period[slot] == 0 ? 0 : period[slot] - (events - left[slot]) % period[slot];
    }
    return overflowed;
}

/* With every > 0, record the values of all counters after each such tick: record[row][sample][slot]. */
static inline int64_t run(struct ticks *t, int64_t every, uint64_t *record)
{
    uint64_t increment[MOST_EVENTS];
    int64_t found = 0;
    for (int64_t row = 0; row < t->rows; row++) {
        const uint64_t *saved = t->saved + row * SLOTS;
        uint64_t *count = t->count + row * SLOTS;
        for (int64_t tick = 0; tick < t->ticks; tick++) {
            advance_streams(t->events, t->rate + row * t->events, t->residual + row * t->events, t->time_tied,
                            t->cycles[tick], t->ns[tick], increment);
            uint64_t slots = count_slots(t->stream + row * SLOTS, t->category + row * SLOTS, count,
                                         t->left + row * SLOTS, t->period + row * SLOTS,
                                         t->ledger + row * SLOTS * CATEGORIES, increment);
            if (slots != 0) {
                if (found < t->room) {
                    t->hits[found * 3] = tick;
                    t->hits[found * 3 + 1] = row;
                    t->hits[found * 3 + 2] = (int64_t)slots;
                }
                found++;
            }
            if (every > 0 && (tick + 1) % every == 0) {
                for (int slot = 0; slot < SLOTS; slot++)
                    record[slot] = saved[slot] + count[slot];
                record += SLOTS;
            }
        }
    }
    return found;
}

int64_t advance_ticks(struct ticks *t)
{
    return run(t, 0, 0);
}

int64_t record_ticks(struct ticks *t, int64_t every, uint64_t *record)
{
    return every == 1 ? run(t, 1, record) : run(t, every, record);
}
