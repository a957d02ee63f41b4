/* C = activation(A B + bias), any strides for A and B, by packed panels and the register tile.
 *
 * Blocking after Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008):
 * a panel of B stays in the level-2 cache, a block of A in level 1.
 */
#include "gemm.h"
#include "tile.h"

#define DEPTH 256
#define BLOCK (16 * ROWS)
#define WIDTH 1024

struct matrix {
    const float *at;
    int row, column; /* strides, in floats */
};

/* Six rows of A, step by step, without the steps at which all six are zero (half of them if A holds
 * images with dark borders, or their transpose). `right` is the offset of each remaining step's row
 * of B in a panel. If B is not finite, no step is skipped, because 0 x NaN is NaN. */
struct left_panel {
    int count;
    int right[DEPTH];
    float values[DEPTH * ROWS];
};

#define LEFT_FLOATS (BLOCK / ROWS * (int)(sizeof(struct left_panel) / sizeof(float)))

INLINE int is_not_zero(float v) {
    union {
        float f;
        uint32_t u;
    } bits = {v};
    return bits.u << 1 != 0;
}

static void pack_panel(struct left_panel *to, const float *from, struct matrix a, int there, int depth,
                       int finite) {
    float *values = to->values;
    int count = 0;
    for (int k = 0; k < depth; k++, from += a.column) {
        int any = !finite;
        UNROLL for (int r = 0; r < ROWS; r++) {
            float v = r < there ? from[r * a.row] : 0;
            values[count * ROWS + r] = v;
            any |= is_not_zero(v);
        }
        to->right[count] = k * COLUMNS;
        count += any;
    }
    to->count = count;
}

static void pack_left(struct left_panel *to, struct matrix a, int rows, int depth, int finite) {
    for (int i = 0; i < rows; i += ROWS, to++) {
        const float *from = a.at + i * a.row;
        if (rows - i >= ROWS) pack_panel(to, from, a, ROWS, depth, finite);
        else pack_panel(to, from, a, rows - i, depth, finite);
    }
}

/* Returns whether all packed values are finite: then the sum of their products with 0 is 0. */
static int pack_right(float *to, struct matrix b, int depth, int columns) {
    f4 low = splat(0), high = low;
    for (int j = 0; j < columns; j += COLUMNS) {
        const float *from = b.at + j * b.column;
        int there = smaller(columns - j, COLUMNS);
        for (int k = 0; k < depth; k++, from += b.row, to += COLUMNS) {
            if (there == COLUMNS && b.column == 1) {
                store(to, load(from));
                store(to + LANES, load(from + LANES));
            } else {
                for (int c = 0; c < COLUMNS; c++) to[c] = c < there ? from[c * b.column] : 0;
            }
            low = madd(load(to), splat(0), low);
            high = madd(load(to + LANES), splat(0), high);
        }
    }
    return sum(low + high) == 0;
}

INLINE void multiply_panels(tile t, const struct left_panel *panel, const float *right, int depth) {
    const float *left = panel->values, *rows[ROWS];
    if (panel->count == depth) {
        ROLLED for (int k = 0; k < depth; k++, left += ROWS, right += COLUMNS) {
            tile_rows(rows, left, 1);
            tile_step(t, rows, right);
        }
        return;
    }
    ROLLED for (int k = 0; k < panel->count; k++, left += ROWS) {
        tile_rows(rows, left, 1);
        tile_step(t, rows, right + panel->right[k]);
    }
}

struct epilogue {
    const float *bias;
    int activation, accumulate;
};

INLINE void finish(tile t, float *to, int stride, int rows, int columns, struct epilogue e) {
    float edge[ROWS][COLUMNS];
    if (e.bias) {
        f4 low = load_part(e.bias, columns), high = load_part(e.bias + LANES, columns - LANES);
        UNROLL for (int r = 0; r < ROWS; r++)
            t[r][0] += low, t[r][1] += high;
    }
    if (rows == ROWS && columns == COLUMNS) {
        if (e.accumulate) tile_add(t, to, stride);
        tile_activate(t, e.activation);
        tile_store(t, to, stride);
        return;
    }
    for (int r = 0; e.accumulate && r < rows; r++)
        for (int c = 0; c < columns; c++) edge[r][c] = to[r * stride + c];
    if (e.accumulate) tile_add(t, edge[0], COLUMNS);
    tile_activate(t, e.activation);
    tile_store_part(t, to, stride, rows, columns);
}

static void multiply_block(const struct left_panel *left, const float *right, float *c, int stride, int rows,
                           int columns, int depth, struct epilogue e) {
    for (int j = 0; j < columns; j += COLUMNS) {
        struct epilogue here = e;
        if (e.bias) here.bias += j;
        for (int i = 0; i < rows; i += ROWS) {
            tile t;
            tile_fill(t, 0);
            multiply_panels(t, left + i / ROWS, right + j * depth, depth);
            finish(t, c + i * stride + j, stride, smaller(rows - i, ROWS),
                   smaller(columns - j, COLUMNS), here);
        }
    }
}

EXPORT int gemm_scratch(void) { return LEFT_FLOATS + DEPTH * WIDTH; }

EXPORT void gemm(int m, int n, int k, const float *a, int a_row, int a_column, const float *b,
                 int b_row, int b_column, float *c, int c_row, const float *bias, int activation,
                 int accumulate, float *scratch) {
    struct left_panel *left = (struct left_panel *)scratch;
    float *right = scratch + LEFT_FLOATS;
    for (int j = 0; j < n; j += WIDTH)
        for (int p = 0; p < k; p += DEPTH) {
            int columns = smaller(n - j, WIDTH), depth = smaller(k - p, DEPTH), last = p + depth == k;
            struct epilogue e = {last && bias ? bias + j : 0, last ? activation : LINEAR,
                                 accumulate || p > 0};
            struct matrix right_part = {b + p * b_row + j * b_column, b_row, b_column};
            int finite = pack_right(right, right_part, depth, columns);
            for (int i = 0; i < m; i += BLOCK) {
                struct matrix left_part = {a + i * a_row + p * a_column, a_row, a_column};
                int rows = smaller(m - i, BLOCK);
                pack_left(left, left_part, rows, depth, finite);
                multiply_block(left, right, c + i * c_row + j, c_row, rows, columns, depth, e);
            }
        }
}

/* Products of outer * inner pairs of matrices: `a_outer` is the distance, in floats, from one pair's a
   to that of the next outer index, and so on. */
EXPORT void gemm_batch(int outer, int inner, int m, int n, int k, const float *a, int a_outer,
                       int a_inner, int a_row, int a_column, const float *b, int b_outer,
                       int b_inner, int b_row, int b_column, float *c, int c_outer, int c_inner,
                       int c_row, float *scratch) {
    for (int i = 0; i < outer; i++)
        for (int j = 0; j < inner; j++)
            gemm(m, n, k, a + i * a_outer + j * a_inner, a_row, a_column,
                 b + i * b_outer + j * b_inner, b_row, b_column, c + i * c_outer + j * c_inner,
                 c_row, 0, LINEAR, 0, scratch);
}

/* The rate of the tile's twelve multiply-add chains alone, the peak that GEMM is compared with. */
EXPORT void fma_peak(float *out, int times) {
    f4 t[12], x = splat(out[0]), y = splat(out[1]);
    UNROLL for (int r = 0; r < 12; r++)
        t[r] = splat((float)r);
    ROLLED for (int k = 0; k < times; k++) {
        UNROLL for (int r = 0; r < 12; r++)
            t[r] = madd(t[r], x, y);
    }
    f4 total = splat(0);
    UNROLL for (int r = 0; r < 12; r++)
        total += t[r];
    out[2] = sum(total);
}

/* Pages of 64 KiB in WebAssembly's memory, which grows and never shrinks; 0 elsewhere. */
EXPORT int memory_pages(void) {
#ifdef __wasm__
    return (int)__builtin_wasm_memory_size(0);
#else
    return 0;
#endif
}

/* Which build this is: 0 native, 1 SIMD, 2 relaxed SIMD. */
EXPORT int variant(void) {
#if defined(__wasm_relaxed_simd__)
    return 2;
#elif defined(__wasm_simd128__)
    return 1;
#else
    return 0;
#endif
}
