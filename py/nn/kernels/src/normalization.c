/* Sums down the columns of (rows, columns), and what batch normalisation makes of them. */
#include "vector.h"

#define ROWS_AT_ONCE 64 /* of all columns: they stay in the level-1 cache while each four are summed */

/* Adds TERM of four columns over some rows to out, in four chains: rounding grows with rows / 256. */
#define SUM_FOUR(TERM)                                                                             \
    do {                                                                                           \
        f4 t[4] = {splat(0), splat(0), splat(0), splat(0)};                                        \
        int r = first, at = first * columns + c;                                                   \
        for (; r + 4 <= last; r += 4)                                                              \
            UNROLL for (int k = 0; k < 4; k++, at += columns) t[k] += TERM;                        \
        for (; r < last; r++, at += columns) t[0] += TERM;                                         \
        store(out + c, load(out + c) + ((t[0] + t[1]) + (t[2] + t[3])));                           \
    } while (0)

static void sum_rows(const float *x, float *out, int first, int last, int columns) {
    int c = 0;
    for (; c + LANES <= columns; c += LANES) SUM_FOUR(load(x + at));
    for (; c < columns; c++)
        for (int r = first; r < last; r++) out[c] += x[r * columns + c];
}

EXPORT void column_sums(const float *x, float *out, int rows, int columns) {
    clear(out, columns);
    for (int r = 0; r < rows; r += ROWS_AT_ONCE)
        sum_rows(x, out, r, smaller(r + ROWS_AT_ONCE, rows), columns);
}

static void sum_products(const float *x, const float *mean, const float *y, float *out, int first, int last,
                         int columns) {
    int c = 0;
    for (; c + LANES <= columns; c += LANES) {
        f4 m = load(mean + c);
        SUM_FOUR((load(x + at) - m) * load(y + at));
    }
    for (; c < columns; c++)
        for (int r = first; r < last; r++) out[c] += (x[r * columns + c] - mean[c]) * y[r * columns + c];
}

static void sum_squares(const float *x, const float *mean, float *out, int first, int last, int columns) {
    int c = 0;
    for (; c + LANES <= columns; c += LANES) {
        f4 m = load(mean + c);
        SUM_FOUR((load(x + at) - m) * (load(x + at) - m));
    }
    for (; c < columns; c++)
        for (int r = first; r < last; r++) {
            float d = x[r * columns + c] - mean[c];
            out[c] += d * d;
        }
}

/* Sums of (x - mean) y, and of y, in one pass over both. */
EXPORT void column_products(const float *x, const float *mean, const float *y, float *out, float *sums,
                            int rows, int columns) {
    clear(out, columns);
    clear(sums, columns);
    for (int r = 0; r < rows; r += ROWS_AT_ONCE) {
        int last = smaller(r + ROWS_AT_ONCE, rows);
        sum_products(x, mean, y, out, r, last, columns);
        sum_rows(y, sums, r, last, columns);
    }
}

/* Puts a block's mean and squares to those of `before` rows. */
static void add_moments(float *mean, float *squares, const float *block, const float *apart, int before,
                        int count, int columns) {
    float share = (float)count / (float)(before + count);
    for (int c = 0; c < columns; c++) {
        float d = block[c] - mean[c];
        mean[c] += d * share;
        squares[c] += apart[c] + d * d * share * (float)before;
    }
}

/* Means and variances (over rows, not rows - 1) in one pass over x: those of blocks that stay in the
 * cache, put together (Chan, Golub and LeVeque 1979). scratch: 2 * columns. */
EXPORT void column_moments(const float *x, float *mean, float *variance, float *scratch, int rows,
                           int columns) {
    float *block = scratch, *apart = scratch + columns;
    clear(mean, columns);
    clear(variance, columns);
    for (int r = 0; r < rows; r += ROWS_AT_ONCE) {
        int last = smaller(r + ROWS_AT_ONCE, rows);
        clear(scratch, 2 * columns);
        sum_rows(x, block, r, last, columns);
        for (int c = 0; c < columns; c++) block[c] /= (float)(last - r);
        sum_squares(x, block, apart, r, last, columns);
        add_moments(mean, variance, block, apart, r, last - r, columns);
    }
    for (int c = 0; c < columns; c++) variance[c] /= (float)rows;
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
