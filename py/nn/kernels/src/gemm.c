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

/* Some rows of A (at most six), step by step, without the steps at which all are zero (half of them if
 * A holds images with dark borders, or their transpose). `right` is the offset of each remaining step's
 * row of B in a panel. If B is not finite, no step is skipped, because 0 x NaN is NaN. */
struct left_panel {
    int rows, count;
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

INLINE void pack_panel(struct left_panel *to, const float *from, struct matrix a, int depth, int finite,
                       const int rows) {
    float *values = to->values;
    int count = 0;
    for (int k = 0; k < depth; k++, from += a.column) {
        int any = !finite;
        UNROLL for (int r = 0; r < rows; r++) {
            float v = from[r * a.row];
            values[count * rows + r] = v;
            any |= is_not_zero(v);
        }
        to->right[count] = k * COLUMNS;
        count += any;
    }
    to->rows = rows, to->count = count;
}

static void pack_left(struct left_panel *to, struct matrix a, struct split s, int depth, int finite) {
    const float *from = a.at;
    for (int i = 0; i < s.tiles; i++, to++) {
        int rows = s.low + (i < s.more);
#define PACK(ROWS_HERE) pack_panel(to, from, a, depth, finite, ROWS_HERE)
        PICK_ROWS(rows, PACK)
        from += rows * a.row;
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

INLINE void multiply_panels(tile t, const struct left_panel *panel, const float *right, int depth,
                            const int rows) {
    const float *left = panel->values, *at[ROWS];
    if (panel->count == depth) {
        ROLLED for (int k = 0; k < depth; k++, left += rows, right += COLUMNS) {
            tile_rows(at, left, 1, rows);
            tile_step(t, at, right, rows);
        }
        return;
    }
    ROLLED for (int k = 0; k < panel->count; k++, left += rows) {
        tile_rows(at, left, 1, rows);
        tile_step(t, at, right + panel->right[k], rows);
    }
}

struct epilogue {
    const float *bias;
    int accumulate;
    struct cutting cutting;
};

INLINE void finish(tile t, float *to, int stride, int columns, const struct epilogue *e, const int rows) {
    if (e->bias) {
        f4 low = load_part(e->bias, columns), high = load_part(e->bias + LANES, columns - LANES);
        UNROLL for (int r = 0; r < rows; r++)
            t[r][0] += low, t[r][1] += high;
    }
    tile_finish(t, e->accumulate ? to : 0, &e->cutting, to, stride, columns, rows);
}

#define DEFINE_PRODUCT(ROWS_HERE)                                                                    \
    static void multiply_##ROWS_HERE(const struct left_panel *left, const float *right, int depth,   \
                                     float *to, int stride, int columns, const struct epilogue *e) { \
        tile t;                                                                                      \
        tile_fill(t, 0, ROWS_HERE);                                                                  \
        multiply_panels(t, left, right, depth, ROWS_HERE);                                           \
        finish(t, to, stride, columns, e, ROWS_HERE);                                                \
    }
EACH_ROWS(DEFINE_PRODUCT)

static void multiply_block(const struct left_panel *left, const float *right, float *c, int stride, int tiles,
                           int columns, int depth, struct epilogue e) {
    const float *bias = e.bias;
    for (int j = 0; j < columns; j += COLUMNS, right += COLUMNS * depth) {
        int here = smaller(columns - j, COLUMNS);
        float *to = c + j;
        if (bias) e.bias = bias + j;
        for (int i = 0; i < tiles; i++) {
            int rows = left[i].rows;
#define MULTIPLY(ROWS_HERE) multiply_##ROWS_HERE(left + i, right, depth, to, stride, here, &e)
            PICK_ROWS(rows, MULTIPLY)
            to += rows * stride;
        }
    }
}

/* c (n) = a (k) b (k, n): four rows of b at a time, where they lie, while c stays in the level-1 cache. */
static void multiply_row(int n, int k, const float *a, int a_column, const float *b, int b_row, float *c,
                         const float *bias, int activation, int accumulate) {
    int p = 0;
    if (!accumulate) clear(c, n);
    for (; p + 4 <= k; p += 4, a += 4 * a_column, b += 4 * b_row) {
        const float *b1 = b + b_row, *b2 = b1 + b_row, *b3 = b2 + b_row;
        float s0 = a[0], s1 = a[a_column], s2 = a[2 * a_column], s3 = a[3 * a_column];
        f4 v0 = splat(s0), v1 = splat(s1), v2 = splat(s2), v3 = splat(s3);
        int j = 0;
        ROLLED for (; j + LANES <= n; j += LANES) {
            f4 t = madd(v1, load(b1 + j), madd(v0, load(b + j), load(c + j)));
            store(c + j, madd(v3, load(b3 + j), madd(v2, load(b2 + j), t)));
        }
        for (; j < n; j++) c[j] = c[j] + s0 * b[j] + s1 * b1[j] + s2 * b2[j] + s3 * b3[j];
    }
    for (; p < k; p++, a += a_column, b += b_row)
        for (int j = 0; j < n; j++) c[j] += *a * b[j];
    for (int j = 0; j < n; j += LANES) {
        int count = smaller(LANES, n - j);
        f4 v = load_part(c + j, count);
        if (bias) v += load_part(bias + j, count);
        store_part(c + j, cut(activation, v), count);
    }
}

EXPORT int gemm_scratch(void) { return LEFT_FLOATS + DEPTH * WIDTH; }

EXPORT void gemm(int m, int n, int k, const float *a, int a_row, int a_column, const float *b,
                 int b_row, int b_column, float *c, int c_row, const float *bias, int activation,
                 int accumulate, float *scratch) {
    struct left_panel *left = (struct left_panel *)scratch;
    float *right = scratch + LEFT_FLOATS;
    if (m == 1 && b_column == 1) {
        multiply_row(n, k, a, a_column, b, b_row, c, bias, activation, accumulate);
        return;
    }
    for (int j = 0; j < n; j += WIDTH)
        for (int p = 0; p < k; p += DEPTH) {
            int columns = smaller(n - j, WIDTH), depth = smaller(k - p, DEPTH), last = p + depth == k;
            struct epilogue e = {last && bias ? bias + j : 0, accumulate || p > 0,
                                 cutting_of(last ? activation : LINEAR)};
            struct matrix right_part = {b + p * b_row + j * b_column, b_row, b_column};
            int finite = pack_right(right, right_part, depth, columns);
            for (int i = 0; i < m; i += BLOCK) {
                struct matrix left_part = {a + i * a_row + p * a_column, a_row, a_column};
                struct split s = split_rows(smaller(m - i, BLOCK));
                pack_left(left, left_part, s, depth, finite);
                multiply_block(left, right, c + i * c_row + j, c_row, s.tiles, columns, depth, e);
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
