/* Sums over the columns of (rows, columns), and batch normalization computed from them. */
#include "activation.h"

#define ROWS_AT_ONCE 64 /* they stay in the level-1 cache while their columns are summed */

/* The sums of columns so far, and what rounding added to each: without it the sums of 168,000 rows of three columns
 * were wrong by 1e-5 of their size, and with it they have the digits of those of 64 rows (Kahan 1965). */
struct totals {
    float *sums, *excess;
};

INLINE void add_to_totals(struct totals to, int c, f4 v, int n) {
    f4 before = part(to.sums + c, n), more = v - part(to.excess + c, n), after = before + more;
    f4 excess = (after - before) - more;
    i4 finite = excess - excess == splat(0);
    put(to.excess + c, (f4)((i4)excess & finite), n);
    put(to.sums + c, after, n);
}

/* Adds TERM(column, place, n) of VECTORS times n columns over some rows, each column in CHAINS chains. */
#define SUM_SOME(TERM, VECTORS, CHAINS, N)                                                                  \
    do {                                                                                                    \
        f4 t[CHAINS][VECTORS];                                                                              \
        int r = first, at = first * columns + c;                                                            \
        UNROLL for (int k = 0; k < CHAINS * VECTORS; k++)                                                   \
            t[k / VECTORS][k % VECTORS] = splat(0);                                                         \
        ROLLED for (; r + CHAINS <= last; r += CHAINS)                                                      \
            UNROLL for (int k = 0; k < CHAINS; k++, at += columns)                                          \
                UNROLL for (int v = 0; v < VECTORS; v++) t[k][v] += TERM(c + v * LANES, at + v * LANES, N); \
        ROLLED for (; CHAINS > 1 && r < last; r++, at += columns) t[0][0] += TERM(c, at, N);                \
        UNROLL for (int v = 0; v < VECTORS; v++) {                                                          \
            UNROLL for (int k = 1; k < CHAINS; k++)                                                         \
                t[0][v] += t[k][v];                                                                         \
            add_to_totals(to, c + v * LANES, t[0][v], N);                                                   \
        }                                                                                                   \
    } while (0)

/* Sixteen columns are a line of the cache. Four at a time took two to three times as long: of 1,024 columns, the same
 * four of many rows lie in a few lines of the level-1 cache only. */
#define SUM_COLUMNS(TERM)                                                             \
    do {                                                                              \
        int c = 0;                                                                    \
        for (; c + 4 * LANES <= columns; c += 4 * LANES) SUM_SOME(TERM, 4, 1, LANES); \
        for (; c + LANES <= columns; c += LANES) SUM_SOME(TERM, 1, 4, LANES);         \
        if (c < columns) SUM_SOME(TERM, 1, 1, columns - c);                           \
    } while (0)

static void sum_rows(const float *x, struct totals to, int first, int last, int columns) {
#define ROW(C, AT, N) part(x + (AT), N)
    SUM_COLUMNS(ROW);
}

/* scratch: columns. */
EXPORT void column_sums(const float *x, float *out, float *scratch, int rows, int columns) {
    struct totals to = {out, scratch};
    clear(out, columns);
    clear(scratch, columns);
    for (int r = 0; r < rows; r += ROWS_AT_ONCE)
        sum_rows(x, to, r, smaller(r + ROWS_AT_ONCE, rows), columns);
}

/* x (images, places, channels) -> y (images, channels), the means over all places; scratch: channels. */
EXPORT void mean_places(const float *x, float *y, float *scratch, int images, int places, int channels) {
    float share = 1.f / (float)places;
    for (int n = 0; n < images; n++, x += places * channels, y += channels) {
        column_sums(x, y, scratch, places, channels);
        for (int c = 0; c < channels; c++) y[c] *= share;
    }
}

/* n of y, zero where the output of the following relu or relu6 is at an end of its range. `top` is that of relu6, and NaN
 * for relu, which has none. */
INLINE f4 let_through(const float *y, const float *shown, int at, float top, int n) {
    f4 v = part(y + at, n);
    if (!shown) return v;
    f4 s = part(shown + at, n);
    return (f4)((i4)v & (s > splat(0)) & ~(s >= splat(top)));
}

INLINE float top_of(int kind) { return kind == RELU6 ? 6 : __builtin_nanf(""); }

INLINE void sum_products(const float *x, const float *mean, const float *y, const float *shown, float top,
                         struct totals to, int first, int last, int columns) {
#define PRODUCT(C, AT, N) (part(x + (AT), N) - part(mean + (C), N)) * let_through(y, shown, AT, top, N)
    SUM_COLUMNS(PRODUCT);
}

INLINE void sum_let_through(const float *y, const float *shown, float top, struct totals to, int first, int last,
                            int columns) {
#define SHOWN(C, AT, N) let_through(y, shown, AT, top, N)
    SUM_COLUMNS(SHOWN);
}

static void sum_squares(const float *x, const float *mean, struct totals to, int first, int last, int columns) {
#define SQUARE(C, AT, N) (part(x + (AT), N) - part(mean + (C), N)) * (part(x + (AT), N) - part(mean + (C), N))
    SUM_COLUMNS(SQUARE);
}

INLINE void sum_both(const float *x, const float *mean, const float *y, const float *shown, float top,
                     struct totals products, struct totals sums, int rows, int columns) {
    for (int r = 0; r < rows; r += ROWS_AT_ONCE) {
        int last = smaller(r + ROWS_AT_ONCE, rows);
        sum_products(x, mean, y, shown, top, products, r, last, columns);
        sum_let_through(y, shown, top, sums, r, last, columns);
    }
}

/* Sums of (x - mean) y, and of y, in one pass over both. With `shown`, the output of relu or relu6 (`kind`),
 * only those y count at which it is inside its range. scratch: 2 * columns. */
EXPORT void column_products(const float *x, const float *mean, const float *y, const float *shown, int kind,
                            float *out, float *sums, float *scratch, int rows, int columns) {
    struct totals of_products = {out, scratch}, of_y = {sums, scratch + columns};
    clear(out, columns);
    clear(sums, columns);
    clear(scratch, 2 * columns);
    if (shown) sum_both(x, mean, y, shown, top_of(kind), of_products, of_y, rows, columns);
    else sum_both(x, mean, y, 0, 0, of_products, of_y, rows, columns);
}

/* Merges a block's mean and squares into those of `before` rows. */
static void add_moments(struct totals mean, struct totals squares, const float *block, const float *apart, int before,
                        int count, int columns) {
    f4 share = splat((float)count / (float)(before + count)), weight = share * splat((float)before);
#define MERGE(C, N)                                                            \
    do {                                                                       \
        f4 d = part(block + C, N) - part(mean.sums + C, N);                    \
        add_to_totals(mean, C, d * share, N);                                  \
        add_to_totals(squares, C, madd(d * d, weight, part(apart + C, N)), N); \
    } while (0)
    int c = 0;
    for (; c + LANES <= columns; c += LANES) MERGE(c, LANES);
    if (c < columns) MERGE(c, columns - c);
}

/* Means and variances (over rows, not rows - 1) in one pass over x: those of blocks that fit in the
 * cache, merged (Chan, Golub and LeVeque 1979). scratch: 5 * columns. */
EXPORT void column_moments(const float *x, float *mean, float *variance, float *scratch, int rows,
                           int columns) {
    float *spare = scratch + 2 * columns; /* a block's sums begin with 0: rounding adds nothing */
    struct totals means = {mean, scratch + 3 * columns}, squares = {variance, scratch + 4 * columns};
    struct totals block = {scratch, spare}, apart = {scratch + columns, spare};
    clear(mean, columns);
    clear(variance, columns);
    clear(scratch, 5 * columns);
    for (int r = 0; r < rows; r += ROWS_AT_ONCE) {
        int last = smaller(r + ROWS_AT_ONCE, rows);
        clear(scratch, 2 * columns);
        sum_rows(x, block, r, last, columns);
        for (int c = 0; c < columns; c++) block.sums[c] /= (float)(last - r);
        sum_squares(x, block.sums, apart, r, last, columns);
        add_moments(means, squares, block.sums, apart.sums, r, last - r, columns);
    }
    for (int c = 0; c < columns; c++) variance[c] /= (float)rows;
}

INLINE void affine(const float *x, const float *a, const float *y, const float *e, const float *b,
                   const float *shown, float *out, int kind, int rows, int columns) {
    for (int r = 0, first = 0; r < rows; r++, first += columns) {
        int c = 0, at = first;
        for (; c + LANES <= columns; c += LANES, at += LANES) {
            f4 v = madd(let_through(x, shown, at, top_of(kind), LANES), load(a + c), load(b + c));
            if (y) v = madd(load(y + at), load(e + c), v);
            store(out + at, shown ? v : cut(kind, v));
        }
        for (; c < columns; c++, at++) {
            float v = let_through(x, shown, at, top_of(kind), 1)[0] * a[c] + (y ? y[at] * e[c] : 0) + b[c];
            if (shown) out[at] = v;
            else store_part(out + at, cut(kind, splat(v)), 1);
        }
    }
}

/* out = activation(x * a + b) per column; with y, out = x * a + y * e + b, x only where `shown`, if given,
 * the output of the activation, is inside its range. */
EXPORT void column_affine(const float *x, const float *a, const float *y, const float *e, const float *b,
                          const float *shown, float *out, int kind, int rows, int columns) {
    if (shown) affine(x, a, y, e, b, shown, out, kind, rows, columns);
    else if (y) affine(x, a, y, e, b, 0, out, LINEAR, rows, columns);
    else if (kind == RELU) affine(x, a, 0, 0, b, 0, out, RELU, rows, columns);
    else if (kind == RELU6) affine(x, a, 0, 0, b, 0, out, RELU6, rows, columns);
    else if (kind == HARD_SIGMOID) affine(x, a, 0, 0, b, 0, out, HARD_SIGMOID, rows, columns);
    else if (kind == HARD_SILU) affine(x, a, 0, 0, b, 0, out, HARD_SILU, rows, columns);
    else affine(x, a, 0, 0, b, 0, out, LINEAR, rows, columns);
}
