/* The loop of ticks.c restructured by hand: sums of ticks in place of ticks, vectors and non-temporal stores. */
#include "ticks.h"

#include <stdlib.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

enum { BLOCK = 512, LANES = 8 };
static const uint64_t LOW = 0xffffffffu;

static inline uint64_t whole(uint64_t rate, uint64_t residual, uint64_t span)
{
    uint64_t low = span & LOW;
    return rate * (span >> 32) + (rate >> 32) * low + ((residual + (rate & LOW) * low) >> 32);
}

/* Return the first tick after which a stream has yielded `need` events. */
static int64_t tick_of(uint64_t need, uint64_t rate, uint64_t residual, const uint64_t *upto, int64_t ticks)
{
    int64_t low = 0, high = ticks;
    while (high - low > 1) {
        int64_t middle = (low + high) >> 1;
        int under = whole(rate, residual, upto[middle]) < need;
        low = under ? middle : low;
        high = under ? high : middle;
    }
    return high - 1;
}

/* Take one row through all ticks; report its overflows from number `found` on. */
static int64_t advance_row(struct ticks *t, int64_t row, uint64_t *const upto[2], int64_t found)
{
    int64_t due[SLOTS], slot_of[SLOTS], n = 0;
    uint64_t total[MOST_EVENTS], begun[SLOTS];
    const uint64_t *rate = t->rate + row * t->events, *period = t->period + row * SLOTS;
    uint64_t *residual = t->residual + row * t->events, *left = t->left + row * SLOTS;
    const int64_t *stream = t->stream + row * SLOTS, *category = t->category + row * SLOTS;
    for (int64_t e = 0; e < t->events; e++)
        total[e] = whole(rate[e], residual[e], upto[t->time_tied[e]][t->ticks]);
    for (int slot = 0; slot < SLOTS; slot++) {
        int64_t source = stream[slot];
        if (source < 0)
            continue;
        t->ledger[(row * SLOTS + slot) * CATEGORIES + category[slot]] += total[source];
        if (category[slot] != COUNTED)
            continue;
        t->count[row * SLOTS + slot] += total[source];
        if (left[slot] == 0)
            continue;
        if (total[source] < left[slot]) {
            left[slot] -= total[source];
            continue;
        }
        begun[n] = 0;
        slot_of[n] = slot;
        due[n++] = tick_of(left[slot], rate[source], residual[source], upto[t->time_tied[source]], t->ticks);
    }
    for (;;) {
        int64_t tick = t->ticks;
        uint64_t slots = 0;
        for (int64_t k = 0; k < n; k++)
            tick = due[k] < tick ? due[k] : tick;
        if (tick == t->ticks)
            break;
        for (int64_t k = 0; k < n; k++) {
            if (due[k] != tick)
                continue;
            int64_t slot = slot_of[k], source = stream[slot];
            const uint64_t *sums = upto[t->time_tied[source]];
            uint64_t done = whole(rate[source], residual[source], sums[tick + 1]);
            uint64_t excess = done - begun[k] - left[slot], rest = total[source] - done;
            slots |= (uint64_t)1 << slot;
            begun[k] = done;
            due[k] = t->ticks;
            left[slot] = period[slot] == 0 ? 0 : period[slot] - (excess < period[slot] ? excess : excess % period[slot]);
            if (left[slot] > rest)
                left[slot] -= rest;
            else if (left[slot] != 0)
                due[k] = tick_of(done + left[slot], rate[source], residual[source], sums, t->ticks);
        }
        if (found < t->room) {
            t->hits[found * 3] = tick;
            t->hits[found * 3 + 1] = row;
            t->hits[found * 3 + 2] = (int64_t)slots;
        }
        found++;
    }
    for (int64_t e = 0; e < t->events; e++)
        residual[e] = (residual[e] + (rate[e] & LOW) * (upto[t->time_tied[e]][t->ticks] & LOW)) & LOW;
    return found;
}

static void sum_ticks(const struct ticks *t, uint64_t *upto[2])
{
    uint64_t cycles = 0, ns = 0;
    upto[0] = malloc((size_t)(t->ticks + 1) * sizeof **upto);
    upto[1] = malloc((size_t)(t->ticks + 1) * sizeof **upto);
    for (int64_t tick = 0; tick < t->ticks; tick++) {
        upto[0][tick] = cycles;
        upto[1][tick] = ns;
        cycles += t->cycles[tick];
        ns += t->ns[tick];
    }
    upto[0][t->ticks] = cycles;
    upto[1][t->ticks] = ns;
}

static int64_t advance_rows(struct ticks *t, uint64_t *upto[2])
{
    int64_t found = 0;
    for (int64_t row = 0; row < t->rows; row++)
        found = advance_row(t, row, upto, found);
    free(upto[0]);
    free(upto[1]);
    return found;
}

int64_t advance_ticks(struct ticks *t)
{
    uint64_t *upto[2];
    sum_ticks(t, upto);
    return advance_rows(t, upto);
}

/* Set n values to base plus events; past the caches where told so. */
static void add_base(uint64_t base, const uint64_t *restrict events, uint64_t *restrict values, int64_t n, int past)
{
    int64_t k = 0;
#ifdef __AVX512F__
    for (; k < n && ((uintptr_t)(values + k) & 63) != 0; k++)
        values[k] = base + events[k];
    for (; k + LANES <= n; k += LANES) {
        __m512i sum = _mm512_add_epi64(_mm512_set1_epi64((int64_t)base), _mm512_loadu_si512(events + k));
        if (past)
            _mm512_stream_si512((__m512i *)(values + k), sum);
        else
            _mm512_store_si512(values + k, sum);
    }
#else
    (void)past;
#endif
    for (; k < n; k++)
        values[k] = base + events[k];
}

/* record[row][slot][sample]; the spans of a block must fit 32 bits, as the benchmark's do. */
int64_t record_ticks(struct ticks *t, int64_t every, uint64_t *record)
{
    static const int64_t cached = 8 << 20;
    int64_t samples = t->ticks / every;
    int past = t->rows * SLOTS * samples * (int64_t)sizeof *record > cached;
    uint64_t *upto[2];
    uint32_t since[2][BLOCK];
    uint64_t events[MOST_EVENTS + 1][BLOCK];
    sum_ticks(t, upto);
    for (int64_t k = 0; k < BLOCK; k++)
        events[t->events][k] = 0;
    for (int64_t first = 0; first < samples; first += BLOCK) {
        int64_t n = samples - first < BLOCK ? samples - first : BLOCK, start = first * every;
        for (int tied = 0; tied < 2; tied++)
            for (int64_t k = 0; k < n; k++)
                since[tied][k] = (uint32_t)(upto[tied][start + (k + 1) * every] - upto[tied][start]);
        for (int64_t row = 0; row < t->rows; row++) {
            for (int64_t e = 0; e < t->events; e++) {
                uint64_t rate = t->rate[row * t->events + e], residual = t->residual[row * t->events + e];
                const uint32_t *spans = since[t->time_tied[e]];
                uint64_t before = upto[t->time_tied[e]][start], base = whole(rate, residual, before);
                uint64_t rest = (residual + (rate & LOW) * (before & LOW)) & LOW;
                uint32_t low = (uint32_t)rate, high = (uint32_t)(rate >> 32);
                for (int64_t k = 0; k < n; k++)
                    events[e][k] = base + (uint64_t)high * spans[k] + ((rest + (uint64_t)low * spans[k]) >> 32);
            }
            for (int slot = 0; slot < SLOTS; slot++) {
                int64_t at = row * SLOTS + slot, source = t->stream[at];
                if (source < 0 || t->category[at] != COUNTED)
                    source = t->events;
                add_base(t->saved[at] + t->count[at], events[source], record + at * samples + first, n, past);
            }
        }
    }
    return advance_rows(t, upto);
}
