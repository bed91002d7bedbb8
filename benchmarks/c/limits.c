/* What the machine allows: memory filled and copied, and one multiplication and one addition a number. */
#include <stdint.h>
#include <string.h>

void fill(uint64_t *values, int64_t n)
{
    memset(values, 1, (size_t)n * sizeof *values);
}

/* Products of 32 bits times 32, summed up; both arrays fit the first cache. */
uint64_t multiply_add(const uint32_t *a, const uint32_t *b, int64_t n, int64_t rounds)
{
    uint64_t sum = 0;
    for (int64_t round = 0; round < rounds; round++) {
        for (int64_t k = 0; k < n; k++)
            sum += (uint64_t)a[k] * b[k];
        __asm__ volatile("" : "+r"(sum) : : "memory");
    }
    return sum;
}
