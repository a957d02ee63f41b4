/* Dropout. What is kept follows from a seed and an element's place: the gradient needs no mask, and a part of a batch
 * keeps what the whole batch would.
 */
#include "vector.h"

typedef uint32_t u4 __attribute__((vector_size(16)));

/* The finalizer of murmur3, both ways a bijection. */
INLINE u4 mixed(u4 h) {
    h = (h ^ (h >> 16)) * 0x85ebca6bu;
    h = (h ^ (h >> 13)) * 0xc2b2ae35u;
    return h ^ (h >> 16);
}

/* scale where the 24 bits of a place are at least `least`, else 0. */
INLINE f4 factors(u4 places, uint32_t seed, int32_t least, float scale) {
    i4 bits = (i4)(mixed(mixed(places) ^ seed) >> 8);
    return (f4)((bits >= least) & (i4)splat(scale));
}

/* y = x scale or 0; y may be x. */
EXPORT void drop(const float *x, float *y, int count, int first, int seed, int least, float scale) {
    u4 places = (u4){0, 1, 2, 3} + (uint32_t)first;
    int i = 0;
    for (; i + LANES <= count; i += LANES, places += LANES)
        store(y + i, load(x + i) * factors(places, (uint32_t)seed, least, scale));
    if (i < count)
        store_part(y + i, load_part(x + i, count - i) * factors(places, (uint32_t)seed, least, scale), count - i);
}
