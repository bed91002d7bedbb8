/* What the C peers of the counter kernels share: pmu/kernel_ticks.py and pmu/kernel_record.py have the same arrays. */
#include <stdint.h>

enum { SLOTS = 32, CATEGORIES = 8, COUNTED = 0, MOST_EVENTS = 64 };

/* The arrays, and their sizes; `hits` has room for `room` rows of three. */
struct ticks {
    int64_t rows, events, ticks, room;
    const uint64_t *rate;
    uint64_t *residual;
    const uint8_t *time_tied;
    const uint64_t *cycles, *ns;
    const int64_t *stream, *category;
    const uint64_t *saved;
    uint64_t *count, *left;
    const uint64_t *period;
    uint64_t *ledger;
    int64_t *hits;
};

/* Return the number of overflows, as the kernels do. */
int64_t advance_ticks(struct ticks *t);

/* The same with a record of every `every`-th tick. */
int64_t record_ticks(struct ticks *t, int64_t every, uint64_t *record);
