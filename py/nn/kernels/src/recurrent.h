/* What the recurrent kernels share: products with packed recurrent weights, vectors at a row's end.
 *
 * Each step is done for a group of rows at a time: their products, then their gates, which find the
 * products in the level-1 cache.
 */
#ifndef NN_RECURRENT_H
#define NN_RECURRENT_H

#include "exponential.h"
#include "tile.h"

#define GROUP (4 * ROWS)

/* b (depth, columns), any strides -> (columns / 8, depth, 8), once for all steps. */
INLINE void pack_recurrent(float *to, const float *b, int row, int column, int depth, int columns) {
    for (int j = 0; j < columns; j += COLUMNS)
        for (int k = 0; k < depth; k++, to += COLUMNS)
            for (int c = 0; c < COLUMNS; c++)
                to[c] = j + c < columns ? b[k * row + (j + c) * column] : 0;
}

/* to (rows, columns) += a (rows, depth) by packed panels; a is read in place. */
static inline void add_product(const float *a, const float *panels, float *to, int rows, int depth,
                               int columns) {
    for (int j = 0; j < columns; j += COLUMNS, panels += depth * COLUMNS)
        for (int i = 0; i < rows; i += ROWS) {
            const float *row[ROWS], *right = panels;
            tile t;
            tile_fill(t, 0, ROWS);
            UNROLL for (int r = 0; r < ROWS; r++)
                row[r] = a + smaller(i + r, rows - 1) * depth;
            ROLLED for (int k = 0; k < depth; k++, right += COLUMNS) {
                tile_step(t, row, right, ROWS);
                UNROLL for (int r = 0; r < ROWS; r++)
                    row[r]++;
            }
            tile_accumulate(t, to + i * columns + j, columns, rows - i, columns - j);
        }
}

/* The logistic function, wrong by at most 3e-7 of 1 (not of its value), in two thirds of the time. */
INLINE f4 gate(f4 x) {
    f4 half = splat(0.5f);
    return madd(hyperbolic_tangent(x * half), half, half);
}

INLINE f4 part(const float *p, int count) { return count == LANES ? load(p) : load_part(p, count); }

INLINE void put(float *p, f4 v, int count) {
    if (count == LANES) store(p, v);
    else store_part(p, v, count);
}

#endif
