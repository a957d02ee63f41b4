/* Rows that indices name: of a uint8 data set as floats, and of a table that others are added to. */
#include "vector.h"

static int outside(const int *indices, int rows, int count) {
    int wrong = 0;
    for (int n = 0; n < rows; n++) wrong += indices[n] < 0 || indices[n] >= count;
    return wrong;
}

INLINE f4 widen(const uint8_t *from) {
    typedef uint8_t u8x4 __attribute__((vector_size(4)));
    u8x4 bytes;
    __builtin_memcpy(&bytes, from, 4);
    return __builtin_convertvector(bytes, f4);
}

/* to[i] = images[indices[i]] * scale + offset. Returns the number of indices outside [0, count); if there are any,
 * nothing is written. */
EXPORT int gather_scale(const uint8_t *images, int count, const int *indices, float *to, int rows,
                        int size, float scale, float offset) {
    int wrong = outside(indices, rows, count);
    if (wrong) return wrong;
    for (int n = 0; n < rows; n++, to += size) {
        const uint8_t *from = images + (long)indices[n] * size;
        int i = 0;
        for (; i + LANES <= size; i += LANES) store(to + i, madd(widen(from + i), splat(scale), splat(offset)));
        for (; i < size; i++) to[i] = from[i] * scale + offset;
    }
    return 0;
}

/* table[indices[i]] += from[i], one after the other. Returns what `gather_scale` does. */
EXPORT int add_rows(float *table, int count, const int *indices, const float *from, int rows, int size) {
    int wrong = outside(indices, rows, count);
    if (wrong) return wrong;
    for (int n = 0; n < rows; n++, from += size) add_to(table + (long)indices[n] * size, from, size);
    return 0;
}
