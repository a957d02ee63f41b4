/* Sums down the columns of (rows, columns), and what batch normalisation makes of them. */
#include "vector.h"

/* Adds the terms of `rows` rows in four chains, so that rounding grows with rows / 4. */
#define SUM_COLUMNS(TERM)                                                                          \
    for (; c + LANES <= columns; c += LANES) {                                                     \
        f4 t[4] = {splat(0), splat(0), splat(0), splat(0)};                                        \
        int r = 0, at = c;                                                                         \
        for (; r + 4 <= rows; r += 4)                                                              \
            UNROLL for (int k = 0; k < 4; k++, at += columns) t[k] += TERM;                        \
        for (; r < rows; r++, at += columns) t[0] += TERM;                                         \
        store(out + c, (t[0] + t[1]) + (t[2] + t[3]));                                             \
    }

EXPORT void column_sums(const float *x, float *out, int rows, int columns) {
    int c = 0;
    SUM_COLUMNS(load(x + at))
    for (; c < columns; c++) {
        float total = 0;
        for (int r = 0; r < rows; r++) total += x[r * columns + c];
        out[c] = total;
    }
}

/* Sums of (x - mean) y; with y = x - mean, the variance times rows. */
EXPORT void column_products(const float *x, const float *mean, const float *y, float *out, int rows,
                            int columns) {
    int c = 0;
    SUM_COLUMNS((load(x + at) - load(mean + c)) * (y ? load(y + at) : load(x + at) - load(mean + c)))
    for (; c < columns; c++) {
        float total = 0;
        for (int r = 0; r < rows; r++) {
            float d = x[r * columns + c] - mean[c];
            total += d * (y ? y[r * columns + c] : d);
        }
        out[c] = total;
    }
}

/* out = x * a + b by column; with y, out = x * a + y * e + b. */
EXPORT void column_affine(const float *x, const float *a, const float *y, const float *e, const float *b,
                          float *out, int rows, int columns) {
    for (int r = 0; r < rows; r++, x += columns, out += columns) {
        int c = 0;
        for (; c + LANES <= columns; c += LANES) {
            f4 v = madd(load(x + c), load(a + c), load(b + c));
            store(out + c, y ? madd(load(y + c), load(e + c), v) : v);
        }
        for (; c < columns; c++) out[c] = x[c] * a[c] + (y ? y[c] * e[c] : 0) + b[c];
        if (y) y += columns;
    }
}
