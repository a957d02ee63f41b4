/* The register tile that GEMM and the convolutions share: six rows of eight columns.
 *
 * Twelve accumulators, two vectors of the right operand and one broadcast fill 15 of the 16
 * vector registers that x64 and V8 leave free. Two things would halve the rate in V8 by spilling:
 * unrolled loops around the tile (LLVM 19 moves all loads to the front), and a right operand with a
 * variable stride between rows (it keeps six broadcasts alive). So loops stay rolled and the right
 * operand is packed.
 */
#ifndef NN_TILE_H
#define NN_TILE_H

#include "vector.h"

#if defined(__wasm_simd128__) && !defined(__wasm_relaxed_simd__)
#define ROWS 5 /* without FMA the product needs a register too */
#else
#define ROWS 6
#endif
#define COLUMNS 8

enum activation { LINEAR = 0,
                  RELU = 1 };

typedef f4 tile[ROWS][2];

INLINE void tile_fill(tile t, const float *bias) {
    f4 low = bias ? load(bias) : splat(0), high = bias ? load(bias + LANES) : splat(0);
    UNROLL for (int r = 0; r < ROWS; r++)
        t[r][0] = low, t[r][1] = high;
}

/* t[r] += left[r] * right, for one step of the inner dimension. */
INLINE void tile_step(tile t, const float *const left[ROWS], const float *right) {
    f4 low = load(right), high = load(right + LANES);
    UNROLL for (int r = 0; r < ROWS; r++) {
        f4 s = splat(*left[r]);
        t[r][0] = madd(s, low, t[r][0]);
        t[r][1] = madd(s, high, t[r][1]);
    }
}

/* Row pointers at a distance of `row` floats. */
INLINE void tile_rows(const float *rows[ROWS], const float *first, int row) {
    UNROLL for (int r = 0; r < ROWS; r++)
        rows[r] = first + r * row;
}

INLINE void tile_add(tile t, const float *from, int stride) {
    UNROLL for (int r = 0; r < ROWS; r++) {
        t[r][0] += load(from + r * stride);
        t[r][1] += load(from + r * stride + LANES);
    }
}

INLINE void tile_activate(tile t, int activation) {
    if (activation != RELU) return;
    UNROLL for (int r = 0; r < ROWS; r++) {
        t[r][0] = larger(t[r][0], splat(0));
        t[r][1] = larger(t[r][1], splat(0));
    }
}

INLINE void tile_store(const tile t, float *to, int stride) {
    UNROLL for (int r = 0; r < ROWS; r++) {
        store(to + r * stride, t[r][0]);
        store(to + r * stride + LANES, t[r][1]);
    }
}

INLINE void tile_load(tile t, const float *from) {
    UNROLL for (int r = 0; r < ROWS; r++) {
        t[r][0] = load(from + r * COLUMNS);
        t[r][1] = load(from + r * COLUMNS + LANES);
    }
}

/* At the edge of the output only the first `rows` and `columns` exist. */
INLINE void tile_store_part(const tile t, float *to, int stride, int rows, int columns) {
    float flat[ROWS][COLUMNS];
    tile_store(t, flat[0], COLUMNS);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) to[r * stride + c] = flat[r][c];
}

/* Adds the existing part of a tile to the output. */
INLINE void tile_accumulate(tile t, float *to, int stride, int rows, int columns) {
    float flat[ROWS][COLUMNS];
    if (rows >= ROWS && columns >= COLUMNS) {
        tile_add(t, to, stride);
        tile_store(t, to, stride);
        return;
    }
    tile_store(t, flat[0], COLUMNS);
    for (int r = 0; r < rows && r < ROWS; r++)
        for (int c = 0; c < columns && c < COLUMNS; c++) to[r * stride + c] += flat[r][c];
}

#endif
