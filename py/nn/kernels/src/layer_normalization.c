/* Layer normalization: y = gamma z + beta with z = (x - mean) / sqrt(variance + epsilon), each row by itself.
 * gamma and beta may be null, for 1 and 0. */
#include "vector.h"

#define ROWS_AT_ONCE 64 /* their gradients of gamma and beta are summed before they are added to the total */

/* Of four numbers, or of the last `count`. */
#define EACH_FOUR(DO)                                                    \
    do {                                                                 \
        int i = 0;                                                       \
        for (; i + LANES <= columns; i += LANES) DO(load, store, LANES); \
        if (i < columns) DO(load_rest, store_rest, columns - i);         \
    } while (0)
#define load_rest(p) load_part(p, columns - i)
#define store_rest(p, v) store_part(p, v, columns - i)

/* (rows, 2): mean and 1 / sqrt(variance + epsilon) of each row. */
EXPORT void layer_norm(const float *x, const float *gamma, const float *beta, float *y, float *moments, int rows,
                       int columns, float epsilon) {
    for (; rows > 0; rows--, x += columns, y += columns, moments += 2) {
        f4 total = splat(0), squares = splat(0), wide = splat((float)columns);
#define ADD(LOAD, STORE, COUNT) total += LOAD(x + i)
        EACH_FOUR(ADD);
        f4 mean = splat(sum(total)) / wide;
        int i = 0;
        for (; i + LANES <= columns; i += LANES) {
            f4 d = load(x + i) - mean;
            squares = madd(d, d, squares);
        }
        float rest = 0;
        for (; i < columns; i++) rest += (x[i] - mean[0]) * (x[i] - mean[0]);
        f4 inverse = splat(1) / root(splat(sum(squares) + rest) / wide + splat(epsilon));
        moments[0] = mean[0], moments[1] = inverse[0];
#define NORMALIZE(LOAD, STORE, COUNT)                \
    do {                                             \
        f4 z = (LOAD(x + i) - mean) * inverse;       \
        if (gamma) z *= LOAD(gamma + i);             \
        STORE(y + i, beta ? z + LOAD(beta + i) : z); \
    } while (0)
        EACH_FOUR(NORMALIZE);
    }
}

/* One row: dx = inverse (d - mean(d) - z mean(d z)), d = gamma dy; adds dy z to `products` and dy to `sums`. */
INLINE void normalize_back(const float *x, const float *dy, const float *gamma, const float *moments, float *dx,
                           float *products, float *sums, int columns) {
    f4 mean = splat(moments[0]), inverse = splat(moments[1]);
    f4 total = splat(0), along = splat(0), wide = splat((float)columns);
#define SUM(LOAD, STORE, COUNT)                                   \
    do {                                                          \
        f4 g = LOAD(dy + i), d = gamma ? g * LOAD(gamma + i) : g; \
        f4 z = (LOAD(x + i) - mean) * inverse;                    \
        STORE(products + i, madd(g, z, LOAD(products + i)));      \
        STORE(sums + i, LOAD(sums + i) + g);                      \
        total += d;                                               \
        along = madd(d, z, along);                                \
    } while (0)
    EACH_FOUR(SUM);
    f4 middle = splat(sum(total)) / wide, slope = splat(sum(along)) / wide;
#define STORE_GRADIENT(LOAD, STORE, COUNT)                        \
    do {                                                          \
        f4 g = LOAD(dy + i), d = gamma ? g * LOAD(gamma + i) : g; \
        f4 z = (LOAD(x + i) - mean) * inverse;                    \
        STORE(dx + i, (d - middle - z * slope) * inverse);        \
    } while (0)
    EACH_FOUR(STORE_GRADIENT);
}

/* dgamma and dbeta (columns); scratch: 2 columns. */
EXPORT void layer_norm_gradient(const float *x, const float *dy, const float *gamma, const float *moments, float *dx,
                                float *dgamma, float *dbeta, int rows, int columns, float *scratch) {
    float *products = scratch, *sums = scratch + columns;
    clear(dgamma, columns);
    clear(dbeta, columns);
    for (int first = 0; first < rows; first += ROWS_AT_ONCE) {
        clear(scratch, 2 * columns);
        for (int r = first; r < smaller(first + ROWS_AT_ONCE, rows); r++)
            normalize_back(x + r * columns, dy + r * columns, gamma, moments + 2 * r, dx + r * columns, products,
                           sums, columns);
        add_to(dgamma, products, columns);
        add_to(dbeta, sums, columns);
    }
}
