/* The register tile that GEMM and the convolutions share: six rows of eight columns.
 *
 * Twelve accumulators, two vectors of the right operand and one broadcast fill 15 of the 16
 * vector registers that x64 and V8 leave free. Two things would halve the rate in V8 by spilling:
 * unrolled loops around the tile (LLVM 19 moves all loads to the front), and a right operand with a
 * variable stride between rows (it keeps six broadcasts alive). So loops stay rolled and the right
 * operand is packed. A third would take more than half of the rate in Firefox: a call while a tile is
 * alive, even in a branch that is seldom taken. Its compiler then keeps all accumulators in memory, in
 * the loop too. So a tile is stored before anything is called.
 */
#ifndef NN_TILE_H
#define NN_TILE_H

#include "activation.h"

#if defined(__wasm_simd128__) && !defined(__wasm_relaxed_simd__)
#define ROWS 5 /* without FMA the product needs a register too */
#else
#define ROWS 6
#endif
#define COLUMNS 8

typedef f4 tile[ROWS][2];

/* `rows` is a constant of at most ROWS wherever these are inlined: CASE(6), CASE(5), ... pick one. */
#if ROWS == 6
#define PICK_ROWS(rows, CASE) \
    switch (rows) {           \
    case 6:                   \
        CASE(6);              \
        break;                \
    case 5:                   \
        CASE(5);              \
        break;                \
    case 4:                   \
        CASE(4);              \
        break;                \
    case 3:                   \
        CASE(3);              \
        break;                \
    case 2:                   \
        CASE(2);              \
        break;                \
    default:                  \
        CASE(1);              \
    }
#define EACH_ROWS(DEFINE) DEFINE(1) DEFINE(2) DEFINE(3) DEFINE(4) DEFINE(5) DEFINE(6)
#else
#define PICK_ROWS(rows, CASE) \
    switch (rows) {           \
    case 5:                   \
        CASE(5);              \
        break;                \
    case 4:                   \
        CASE(4);              \
        break;                \
    case 3:                   \
        CASE(3);              \
        break;                \
    case 2:                   \
        CASE(2);              \
        break;                \
    default:                  \
        CASE(1);              \
    }
#define EACH_ROWS(DEFINE) DEFINE(1) DEFINE(2) DEFINE(3) DEFINE(4) DEFINE(5)
#endif

/* Some rows split into tiles of even height: 49 are four of 6 and five of 5, not eight and a rest of 1. */
struct split {
    int tiles, low, more; /* the first `more` of the tiles have low + 1 rows, the others low */
};

INLINE struct split split_rows(int rows) {
    int tiles = (rows + ROWS - 1) / ROWS;
    struct split s = {tiles, rows / tiles, rows % tiles};
    return s;
}

/* Whether that many rows are split into tiles of ROWS and one less, as every number from 20 on. */
INLINE int is_even(int rows) { return split_rows(rows).low >= ROWS - 1; }

INLINE void tile_fill(tile t, const float *bias, const int rows) {
    f4 low = bias ? load(bias) : splat(0), high = bias ? load(bias + LANES) : splat(0);
    UNROLL for (int r = 0; r < rows; r++)
        t[r][0] = low, t[r][1] = high;
}

/* t[r] += left[r] * right, for one step of the inner dimension. */
INLINE void tile_step(tile t, const float *const left[ROWS], const float *right, const int rows) {
    f4 low = load(right), high = load(right + LANES);
    UNROLL for (int r = 0; r < rows; r++) {
        f4 s = splat(*left[r]);
        t[r][0] = madd(s, low, t[r][0]);
        t[r][1] = madd(s, high, t[r][1]);
    }
}

/* Row pointers at a distance of `row` floats. */
INLINE void tile_rows(const float *at[ROWS], const float *first, int row, const int rows) {
    UNROLL for (int r = 0; r < rows; r++)
        at[r] = first + r * row;
}

INLINE void tile_add(tile t, const float *from, int stride, const int rows) {
    UNROLL for (int r = 0; r < rows; r++) {
        t[r][0] += load(from + r * stride);
        t[r][1] += load(from + r * stride + LANES);
    }
}

/* What an epilogue does to a tile: clips it in registers and, for the activations that are no clip,
 * leaves `after` to be done to the stored result. */
struct cutting {
    float low, high;
    int clips, after;
};

INLINE struct cutting cutting_of(int activation) {
    int clips = activation == RELU || activation == RELU6;
    struct cutting c = {0, activation == RELU6 ? 6 : __builtin_inff(), clips, clips ? LINEAR : activation};
    return c;
}

INLINE void tile_clip(tile t, const struct cutting *c, const int rows) {
    if (!c->clips) return;
    f4 low = splat(c->low), high = splat(c->high);
    UNROLL for (int r = 0; r < rows; r++) {
        t[r][0] = clip(t[r][0], low, high);
        t[r][1] = clip(t[r][1], low, high);
    }
}

INLINE void tile_store(const tile t, float *to, int stride, const int rows) {
    UNROLL for (int r = 0; r < rows; r++) {
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

static NOINLINE void cut_rows(float *y, int stride, int columns, int rows, int activation) {
    for (int r = 0; r < rows; r++, y += stride)
        for (int c = 0; c < columns; c += LANES) {
            int count = smaller(LANES, columns - c);
            store_part(y + c, cut(activation, load_part(y + c, count)), count);
        }
}

/* What is done at the right edge of the output to a tile that was stored: only its first `columns` exist there. */
static NOINLINE void finish_edge(float *flat, const float *addend, const struct cutting *c, float *to, int stride,
                                 int columns, int rows) {
    f4 low = splat(c->clips ? c->low : -__builtin_inff()), high = splat(c->high);
    for (int r = 0; r < rows; r++, flat += COLUMNS, to += stride) {
        if (addend) add_to(flat, addend + r * stride, columns);
        store(flat, clip(load(flat), low, high));
        store(flat + LANES, clip(load(flat + LANES), low, high));
        copy(to, flat, columns);
    }
}

/* to = activation(t + addend), where the addend is null or has rows as far apart. */
INLINE void tile_finish(tile t, const float *addend, const struct cutting *c, float *to, int stride, int columns,
                        const int rows) {
    if (columns == COLUMNS) {
        if (addend) tile_add(t, addend, stride, rows);
        tile_clip(t, c, rows);
        tile_store(t, to, stride, rows);
    } else {
        float flat[ROWS * COLUMNS];
        tile_store(t, flat, COLUMNS, rows);
        finish_edge(flat, addend, c, to, stride, columns, rows);
    }
    if (c->after) cut_rows(to, stride, columns, rows, c->after);
}

#endif
