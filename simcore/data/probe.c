/*
 * Logs pairs of PMCCNTR_EL0 and CNTVCT_EL0 in a guest (or on a host), for `hetpmu replay TRACE --measured LOG`.
 *
 *     hetpmu probe > probe.c && cc -O2 -o probe probe.c
 *     echo 1 > /proc/sys/kernel/perf_user_access       # as root; lets EL0 read the counter; Linux 5.17 and later
 *     ./probe -c 0 -n 10000 -i 1000 > vcpu0.log        # 10,000 samples, one each 1000 us, on CPU 0
 *
 * One thread, pinned to a CPU, spins between samples, so that its vCPU stays in the guest; samples are kept in memory
 * and written at the end. Where the counter comes from (-s):
 *   rdpmc   a perf event of the thread with config1 = 3: 64 bits, and read at EL0 from PMCCNTR_EL0 itself
 *   read    the same event through read(), where EL0 may not read the register
 *   raw     PMCCNTR_EL0 as it is, where something else has set PMUSERENR_EL0.{EN,CR}, PMCR_EL0.E and PMCNTENSET_EL0
 *   cntvct  no cycles at all but CNTVCT_EL0 again: checks the way of the log, where there is no PMU
 *   auto    rdpmc, else read (the default)
 * The format of the log is in docs/replay.md.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef __aarch64__
#error "this program reads registers of arm64: compile it for aarch64"
#endif

#define READ_REGISTER(name) __extension__({ \
        uint64_t value_; \
        __asm__ volatile("mrs %0, " name : "=r"(value_) : : "memory"); \
        value_; })

enum { CYCLE_COUNTER = 31, LONG_AND_USER_READ = 3, MAX_SAMPLES = 10000000 };
enum source { RDPMC, READ, RAW, CNTVCT, AUTO };

static const char *const names[] = { "rdpmc", "read", "raw", "cntvct", "auto" };

struct sample {
        int cpu;
        uint64_t before, after; /* CNTVCT_EL0 */
        uint64_t cycles;        /* counted since the event was opened; raw: the register */
        uint64_t pmccntr;       /* the register, where it was read */
        int64_t switches;       /* of this thread so far */
        uint64_t mono_ns;       /* CLOCK_MONOTONIC */
};

static int event = -1;
static volatile struct perf_event_mmap_page *page;
static sigjmp_buf trapped;

static void on_sigill(int number)
{
        (void)number;
        siglongjmp(trapped, 1);
}

static uint64_t read_cntvct(void)
{
        __asm__ volatile("isb" : : : "memory");
        return READ_REGISTER("cntvct_el0");
}

static uint64_t read_pmccntr(void)
{
        __asm__ volatile("isb" : : : "memory");
        return READ_REGISTER("pmccntr_el0");
}

/* Tell whether a read of PMCCNTR_EL0 at EL0 is undefined. */
static int pmccntr_traps(void)
{
        void (*before)(int) = signal(SIGILL, on_sigill);
        volatile int traps = 1;

        if (sigsetjmp(trapped, 1) == 0) {
                read_pmccntr();
                traps = 0;
        }
        signal(SIGILL, before);
        return traps;
}

/* Open a cycles event of this thread; 0, or an errno. */
static int open_event(uint64_t config1, const char **levels)
{
        struct perf_event_attr attr;

        memset(&attr, 0, sizeof(attr));
        attr.type = PERF_TYPE_HARDWARE;
        attr.size = sizeof(attr);
        attr.config = PERF_COUNT_HW_CPU_CYCLES;
        attr.config1 = config1;
        attr.pinned = 1;
        *levels = "all";
        event = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
        if (event < 0 && (errno == EACCES || errno == EPERM)) {
                attr.exclude_kernel = 1;
                *levels = "el0";
                event = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
        }
        return event < 0 ? errno : 0;
}

/* Read the event at EL0, as its page says how; 0 where it is not on PMCCNTR_EL0 now. */
static int read_page(uint64_t *cycles, uint64_t *pmccntr)
{
        uint32_t sequence, index;

        do {
                sequence = page->lock;
                __asm__ volatile("dmb ish" : : : "memory");
                index = page->index;
                if (!page->cap_user_rdpmc || index != CYCLE_COUNTER + 1)
                        return 0;
                *pmccntr = read_pmccntr();
                int64_t value = (int64_t)(*pmccntr << (64 - page->pmc_width)) >> (64 - page->pmc_width);
                *cycles = (uint64_t)(page->offset + value);
                __asm__ volatile("dmb ish" : : : "memory");
        } while (page->lock != sequence);
        return 1;
}

/* Let EL0 read the event; 0 where that cannot be. */
static int map_event(void)
{
        uint64_t cycles, pmccntr;
        void *place = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, event, 0);

        if (place == MAP_FAILED)
                return 0;
        page = place;
        if (page->cap_user_rdpmc && page->index == CYCLE_COUNTER + 1 && pmccntr_traps())
                return 0;
        return read_page(&cycles, &pmccntr);
}

/* Choose where the counter comes from; the program ends where there is none. */
static enum source prepare(enum source wanted, const char **levels)
{
        int error = 0;

        *levels = "all";
        if (wanted == CNTVCT)
                return wanted;
        if (wanted == RAW) {
                if (pmccntr_traps()) {
                        fprintf(stderr, "probe: PMCCNTR_EL0 traps at EL0: PMUSERENR_EL0.EN and CR are 0\n");
                        exit(2);
                }
                uint64_t first = read_pmccntr(), start = read_cntvct();

                while (read_cntvct() < start + 100)
                        ;
                if (read_pmccntr() == first)
                        fprintf(stderr, "probe: PMCCNTR_EL0 stands still now; are PMCR_EL0.E and PMCNTENSET_EL0[31] 1?\n");
                return wanted;
        }
        if (wanted != READ) {
                error = open_event(LONG_AND_USER_READ, levels);
                if (!error && map_event())
                        return RDPMC;
                if (wanted == RDPMC) {
                        fprintf(stderr, "probe: EL0 cannot read PMCCNTR_EL0 through perf: %s\n"
                                "probe: needs perf_user_access 1, and the cycle counter free (nmi_watchdog 0)\n",
                                error ? strerror(error) : "the event is not on PMCCNTR_EL0");
                        exit(2);
                }
                if (!error)
                        close(event);
        }
        error = open_event(1, levels);
        if (error) {
                fprintf(stderr, "probe: no cycles event: perf_event_open: %s\n", strerror(error));
                exit(2);
        }
        return READ;
}

static void take(struct sample *sample, enum source source)
{
        struct rusage usage;
        struct timespec now;

        sample->pmccntr = 0;
        sample->before = read_cntvct();
        if (source == RAW) {
                sample->cycles = sample->pmccntr = read_pmccntr();
        } else if (source == CNTVCT) {
                sample->cycles = read_cntvct();
        } else if (source == READ || !read_page(&sample->cycles, &sample->pmccntr)) {
                if (read(event, &sample->cycles, sizeof(sample->cycles)) != sizeof(sample->cycles)) {
                        fprintf(stderr, "probe: the event was taken from its counter: another one is pinned there\n");
                        exit(2);
                }
        }
        sample->after = read_cntvct();
        sample->cpu = sched_getcpu();
        clock_gettime(CLOCK_MONOTONIC, &now);
        sample->mono_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
        sample->switches = getrusage(RUSAGE_SELF, &usage) ? -1 : usage.ru_nvcsw + usage.ru_nivcsw;
}

static void write_log(const struct sample *samples, long count, enum source source, const char *levels,
                      long interval_us)
{
        printf("# hetpmu-probe 1\n# cntfrq_hz %" PRIu64 "\n# source %s\n# levels %s\n# interval_us %ld\n",
               READ_REGISTER("cntfrq_el0"), names[source], levels, interval_us);
        printf("# columns seq cpu cntvct after cycles pmccntr switches mono_ns\n");
        for (long number = 0; number < count; number++) {
                const struct sample *row = &samples[number];

                printf("%ld %d %" PRIu64 " %" PRIu64 " %" PRIu64 " ", number, row->cpu, row->before, row->after,
                       row->cycles);
                if (row->pmccntr)
                        printf("%" PRIu64, row->pmccntr);
                else
                        printf("-");
                printf(" %" PRId64 " %" PRIu64 "\n", row->switches, row->mono_ns);
        }
}

static long whole(const char *text, long low, long high)
{
        char *end;
        long value = strtol(text, &end, 10);

        if (*text == '\0' || *end != '\0' || value < low || value > high) {
                fprintf(stderr, "probe: %s: a whole number from %ld to %ld is wanted\n", text, low, high);
                exit(2);
        }
        return value;
}

static enum source source_named(const char *name)
{
        for (int source = RDPMC; source <= AUTO; source++)
                if (strcmp(name, names[source]) == 0)
                        return (enum source)source;
        fprintf(stderr, "probe: -s %s: rdpmc, read, raw, cntvct or auto is wanted\n", name);
        exit(2);
}

int main(int argc, char **argv)
{
        long cpu = 0, count = 10000, interval_us = 1000;
        enum source source = AUTO;
        const char *levels;
        cpu_set_t set;
        int option;

        while ((option = getopt(argc, argv, "c:n:i:s:")) != -1) {
                if (option == 'c') {
                        cpu = whole(optarg, 0, CPU_SETSIZE - 1);
                } else if (option == 'n') {
                        count = whole(optarg, 2, MAX_SAMPLES);
                } else if (option == 'i') {
                        interval_us = whole(optarg, 1, 10000000);
                } else if (option == 's') {
                        source = source_named(optarg);
                } else {
                        fprintf(stderr, "usage: probe [-c CPU] [-n SAMPLES] [-i MICROSECONDS] [-s SOURCE]\n");
                        return 2;
                }
        }
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        if (sched_setaffinity(0, sizeof(set), &set)) {
                fprintf(stderr, "probe: CPU %ld: %s\n", cpu, strerror(errno));
                return 2;
        }
        source = prepare(source, &levels);

        struct sample *samples = calloc((size_t)count, sizeof(*samples));
        if (samples == NULL) {
                fprintf(stderr, "probe: no memory for %ld samples\n", count);
                return 2;
        }
        memset(samples, 1, (size_t)count * sizeof(*samples));

        uint64_t step = READ_REGISTER("cntfrq_el0") * (uint64_t)interval_us / 1000000u;
        uint64_t next = read_cntvct();
        for (long number = 0; number < count; number++) {
                while (read_cntvct() < next)
                        ;
                take(&samples[number], source);
                next += step;
                if (next < samples[number].after) /* held up for longer: no burst to make up for it */
                        next = samples[number].after + step;
        }
        write_log(samples, count, source, levels, interval_us);
        return fflush(stdout) || ferror(stdout) ? 2 : 0;
}
