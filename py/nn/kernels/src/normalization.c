/* Sums over the columns of (rows, columns), and batch normalization computed from them. */
#include "activation.h"

#define ROWS_AT_ONCE 64 /* they stay in the level-1 cache while four columns at a time are summed */

/* Adds TERM of four columns over some rows to out, in four chains, so that rounding errors grow with rows / 256. */
#define SUM_FOUR(TERM)                                                   \
    do {                                                                 \
        f4 t[4] = {splat(0), splat(0), splat(0), splat(0)};              \
        int r = first, at = first * columns + c;                         \
        for (; r + 4 <= last; r += 4)                                    \
            UNROLL                                                       \
            for (int k = 0; k < 4; k++, at += columns) t[k] += TERM;     \
        for (; r < last; r++, at += columns) t[0] += TERM;               \
        store(out + c, load(out + c) + ((t[0] + t[1]) + (t[2] + t[3]))); \
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

/* Four of y, zero where the output of the following relu or relu6 is at an end of its range. */
INLINE f4 let_through(const float *y, const float *shown, int at, int kind) {
    f4 v = load(y + at);
    if (!shown) return v;
    return kind == RELU6 ? let_between(v, load(shown + at), 6) : (f4)((i4)v & (load(shown + at) > splat(0)));
}

INLINE float let_one_through(const float *y, const float *shown, int at, int kind) {
    return shown && !(shown[at] > 0 && (kind != RELU6 || shown[at] < 6)) ? 0 : y[at];
}

INLINE void sum_products(const float *x, const float *mean, const float *y, const float *shown, int kind,
                         float *out, int first, int last, int columns) {
    int c = 0;
    for (; c + LANES <= columns; c += LANES) {
        f4 m = load(mean + c);
        SUM_FOUR((load(x + at) - m) * let_through(y, shown, at, kind));
    }
    for (; c < columns; c++)
        for (int r = first; r < last; r++)
            out[c] += (x[r * columns + c] - mean[c]) * let_one_through(y, shown, r * columns + c, kind);
}

INLINE void sum_let_through(const float *y, const float *shown, int kind, float *out, int first, int last,
                            int columns) {
    int c = 0;
    for (; c + LANES <= columns; c += LANES) SUM_FOUR(let_through(y, shown, at, kind));
    for (; c < columns; c++)
        for (int r = first; r < last; r++) out[c] += let_one_through(y, shown, r * columns + c, kind);
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

INLINE void sum_both(const float *x, const float *mean, const float *y, const float *shown, int kind, float *out,
                     float *sums, int rows, int columns) {
    for (int r = 0; r < rows; r += ROWS_AT_ONCE) {
        int last = smaller(r + ROWS_AT_ONCE, rows);
        sum_products(x, mean, y, shown, kind, out, r, last, columns);
        sum_let_through(y, shown, kind, sums, r, last, columns);
    }
}

/* Sums of (x - mean) y, and of y, in one pass over both. With `shown`, the output of relu or relu6 (`kind`),
 * only those y count at which it is inside its range. */
EXPORT void column_products(const float *x, const float *mean, const float *y, const float *shown, int kind,
                            float *out, float *sums, int rows, int columns) {
    clear(out, columns);
    clear(sums, columns);
    if (!shown) sum_both(x, mean, y, 0, LINEAR, out, sums, rows, columns);
    else if (kind == RELU6) sum_both(x, mean, y, shown, RELU6, out, sums, rows, columns);
    else sum_both(x, mean, y, shown, RELU, out, sums, rows, columns);
}

/* Merges a block's mean and squares into those of `before` rows. */
static void add_moments(float *mean, float *squares, const float *block, const float *apart, int before,
                        int count, int columns) {
    float share = (float)count / (float)(before + count);
    for (int c = 0; c < columns; c++) {
        float d = block[c] - mean[c];
        mean[c] += d * share;
        squares[c] += apart[c] + d * d * share * (float)before;
    }
}

/* Means and variances (over rows, not rows - 1) in one pass over x: those of blocks that fit in the
 * cache, merged (Chan, Golub and LeVeque 1979). scratch: 2 * columns. */
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

INLINE void affine(const float *x, const float *a, const float *y, const float *e, const float *b,
                   const float *shown, float *out, int kind, int rows, int columns) {
    for (int r = 0, first = 0; r < rows; r++, first += columns) {
        int c = 0, at = first;
        for (; c + LANES <= columns; c += LANES, at += LANES) {
            f4 v = madd(let_through(x, shown, at, kind), load(a + c), load(b + c));
            if (y) v = madd(load(y + at), load(e + c), v);
            store(out + at, shown ? v : cut(kind, v));
        }
        for (; c < columns; c++, at++) {
            float v = let_one_through(x, shown, at, kind) * a[c] + (y ? y[at] * e[c] : 0) + b[c];
            if (shown) out[at] = v;
            else store_part(out + at, cut(kind, splat(v)), 1);
        }
    }
}

/* out = activation(x * a + b) per column; with y, out = x * a + y * e + b, x only where `shown`, if given,
 * the output of the activation, is inside its range. */
EXPORT void column_affine(const float *x, const float *a, const float *y, const float *e, const float *b,
                          const float *shown, float *out, int kind, int rows, int columns) {
    if (shown && kind == RELU6) affine(x, a, y, e, b, shown, out, RELU6, rows, columns);
    else if (shown) affine(x, a, y, e, b, shown, out, RELU, rows, columns);
    else if (y) affine(x, a, y, e, b, 0, out, LINEAR, rows, columns);
    else if (kind == RELU) affine(x, a, 0, 0, b, 0, out, RELU, rows, columns);
    else if (kind == RELU6) affine(x, a, 0, 0, b, 0, out, RELU6, rows, columns);
    else if (kind == HARD_SIGMOID) affine(x, a, 0, 0, b, 0, out, HARD_SIGMOID, rows, columns);
    else if (kind == HARD_SILU) affine(x, a, 0, 0, b, 0, out, HARD_SILU, rows, columns);
    else affine(x, a, 0, 0, b, 0, out, LINEAR, rows, columns);
}
