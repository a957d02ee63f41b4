/* C = activation(A B + bias), any strides for A and B, by packed panels and the register tile.
 *
 * Blocking after Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008):
 * a panel of B stays in the level-2 cache, a block of A in level 1.
 */
#include "gemm.h"
#include "tile.h"

#define BLOCK (16 * ROWS)
#define WIDTH 1024
#define NARROW 64 /* up to here each number of A is used too seldom for packing it to pay */

/* Some rows of A (at most six), step by step, without the steps at which all are zero (half of them if
 * A holds images with dark borders, or their transpose). `right` is the offset of each remaining step's
 * row of B in a panel. If B is not finite, no step is skipped, because 0 x NaN is NaN. */
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

/* Adds a step whose rows are `low` and, of more than four, `high`: the last four of them. The count of steps is
 * handed from one to the next in a register: in memory each step would wait for the one before. */
INLINE int pack_step(struct left_panel *to, int count, int k, f4 low, f4 high, int finite, const int rows) {
    float *values = to->values + count * rows;
    store(values, low);
    if (rows > LANES) store(values + rows - LANES, high);
    to->right[count] = k * COLUMNS;
    return count + (!finite || any_bit(((i4)low | (i4)high) << 1)); /* the sign of a zero counts as nothing */
}

INLINE void pack_panel(struct left_panel *to, const float *from, struct matrix a, int depth, int finite,
                       const int rows) {
    int k = 0, count = 0;
    if (rows >= LANES && a.column == 1) { /* rows that lie one after the other: four steps at a time */
        const float *at = from, *last = from + (rows - LANES) * a.row;
        ROLLED for (; k + LANES <= depth; k += LANES, at += LANES, last += LANES) {
            f4 low[4], high[4];
            UNROLL for (int r = 0; r < LANES; r++)
                low[r] = load(at + r * a.row), high[r] = load(last + r * a.row);
            transpose(low);
            transpose(high);
            UNROLL for (int r = 0; r < LANES; r++)
                count = pack_step(to, count, k + r, low[r], high[r], finite, rows);
        }
    } else if (rows >= LANES && a.row == 1) { /* steps that do, as in a transposed matrix */
        const float *at = from;
        ROLLED for (; k < depth; k++, at += a.column)
            count = pack_step(to, count, k, load(at), load(at + rows - LANES), finite, rows);
    }
    for (; k < depth; k++) {
        float *values = to->values + count * rows;
        int any = !finite;
        UNROLL for (int r = 0; r < rows; r++) {
            values[r] = from[r * a.row + k * a.column];
            any |= is_not_zero(values[r]);
        }
        to->right[count] = k * COLUMNS;
        count += any;
    }
    to->count = count;
}

static void pack_left(struct left_panel *to, int m, struct matrix a, int depth, int finite) {
    const float *from = a.at;
    struct split s = split_rows(m);
    for (int i = 0; i < s.tiles; i++, to++) {
        int rows = s.low + (i < s.more);
#define PACK(ROWS_HERE) pack_panel(to, from, a, depth, finite, ROWS_HERE)
        PICK_ROWS(rows, PACK)
        from += rows * a.row;
    }
}

int pack_sparse(struct left_panel *to, int m, struct matrix a, int depth, int finite) {
    struct split s = split_rows(m);
    pack_left(to, s.low + (s.more > 0), a, depth, finite);
    if (to->count == depth) return 0;
    pack_left(to, m, a, depth, finite);
    return 1;
}

/* Four rows of eight columns that lie one after the other, as in a transposed matrix. */
INLINE void pack_four(float *to, const float *from, int column) {
    f4 low[4], high[4];
    UNROLL for (int c = 0; c < LANES; c++)
        low[c] = load(from + c * column), high[c] = load(from + (c + LANES) * column);
    transpose(low);
    transpose(high);
    UNROLL for (int k = 0; k < LANES; k++)
        store(to + k * COLUMNS, low[k]), store(to + k * COLUMNS + LANES, high[k]);
}

int pack_right(float *to, struct matrix b, int depth, int columns) {
    f4 zero = splat(0), wrong = zero; /* each sum times zero, added up: NaN if one is not finite */
    i4 unequal;
    for (int j = 0; j < columns; j += COLUMNS) {
        const float *from = b.at + j * b.column;
        int there = smaller(columns - j, COLUMNS), k = 0;
        f4 sum[2] = {zero, zero};
        if (there == COLUMNS && b.column == 1) {
            ROLLED for (; k < depth; k++, from += b.row) {
                f4 low = load(from), high = load(from + LANES);
                store(to + k * COLUMNS, low);
                store(to + k * COLUMNS + LANES, high);
                sum[0] += low, sum[1] += high;
            }
        } else {
            if (there == COLUMNS && b.row == 1)
                ROLLED for (; k + LANES <= depth; k += LANES) pack_four(to + k * COLUMNS, from + k, b.column);
            for (; k < depth; k++)
                for (int c = 0; c < COLUMNS; c++)
                    to[k * COLUMNS + c] = c < there ? from[k * b.row + c * b.column] : 0;
            ROLLED for (int i = 0; i < depth * COLUMNS; i += COLUMNS)
                sum[0] += load(to + i),
                sum[1] += load(to + i + LANES);
        }
        wrong = madd(sum[0] + sum[1], zero, wrong);
        to += depth * COLUMNS;
    }
    unequal = wrong != wrong;
    return !any_bit(unequal);
}

/* The steps that a panel kept. */
INLINE void multiply_kept(tile t, const struct left_panel *panel, const float *right, const int rows) {
    const float *left = panel->values, *at[ROWS];
    ROLLED for (int k = 0; k < panel->count; k++, left += rows) {
        tile_rows(at, left, 1, rows);
        tile_step(t, at, right + panel->right[k], rows);
    }
}

INLINE void multiply_panels(tile t, const struct left_panel *panel, const float *right, int depth,
                            const int rows) {
    const float *left = panel->values, *at[ROWS];
    if (panel->count < depth) {
        multiply_kept(t, panel, right, rows);
        return;
    }
    ROLLED for (int k = 0; k < depth; k++, left += rows, right += COLUMNS) {
        tile_rows(at, left, 1, rows);
        tile_step(t, at, right, rows);
    }
}

/* What a panel of columns begins with, and what is done to it at the end. */
struct epilogue {
    const float *start; /* eight numbers: its part of the bias, or zeros */
    int accumulate;
    struct cutting cutting;
};

/* Writes such a start; bias null for none. */
INLINE void start_with(float *start, const float *bias, int columns) {
    clear(start, COLUMNS);
    if (bias) copy(start, bias, columns);
}

INLINE void finish(tile t, float *to, int stride, int columns, const struct epilogue *e, const int rows) {
    tile_finish(t, e->accumulate ? to : 0, &e->cutting, to, stride, columns, rows);
}

/* Tiles of as many rows each, below one another. The loop over them stands in here: with a call for each tile an LSTM's
 * backward pass took V8 3 % longer. */
#define DEFINE_PRODUCT(ROWS_HERE)                                                                  \
    static void multiply_##ROWS_HERE(const struct left_panel *left, const float *right, int depth, \
                                     float *to, int stride, int columns, int tiles,                \
                                     const struct epilogue *e) {                                   \
        ROLLED for (; tiles > 0; tiles--, left++, to += ROWS_HERE * stride) {                      \
            tile t;                                                                                \
            tile_fill(t, e->start, ROWS_HERE);                                                     \
            multiply_panels(t, left, right, depth, ROWS_HERE);                                     \
            finish(t, to, stride, columns, e, ROWS_HERE);                                          \
        }                                                                                          \
    }
EACH_ROWS(DEFINE_PRODUCT)

/* m rows of A, packed, times a packed right operand whose panels are `distance` steps apart. */
static void multiply_block(int m, int columns, const struct left_panel *left, const float *right, int distance,
                           int depth, float *c, int stride, const float *bias, struct epilogue e) {
    struct split s = split_rows(m);
    for (int j = 0; j < columns; j += COLUMNS, right += COLUMNS * distance) {
        int here = smaller(columns - j, COLUMNS);
        float *to = c + j, start[COLUMNS];
        e.start = start;
        start_with(start, bias ? bias + j : 0, here);
#define MULTIPLY_MORE(ROWS_HERE) multiply_##ROWS_HERE(left, right, depth, to, stride, here, s.more, &e)
        if (s.more) PICK_ROWS(s.low + 1, MULTIPLY_MORE)
        to += s.more * (s.low + 1) * stride;
#define MULTIPLY(ROWS_HERE) multiply_##ROWS_HERE(left + s.more, right, depth, to, stride, here, s.tiles - s.more, &e)
        PICK_ROWS(s.low, MULTIPLY)
    }
}

/* Tiles of rows of A, read where they lie. */
#define DEFINE_IN_PLACE(NAME, ROWS_HERE)                                                                          \
    static void NAME(const struct left *left, const float *at, const struct left_panel *kept, const float *right, \
                     float *to, int stride, int columns, int tiles, const struct epilogue *e) {                   \
        ROLLED for (; tiles > 0; tiles--, at += ROWS_HERE * left->a.row, to += ROWS_HERE * stride) {              \
            int sparse = ROWS_HERE > 1 && kept && kept->count < left->sparse;                                     \
            int depth = left->depth - (sparse ? left->sparse : 0);                                                \
            const float *row[ROWS], *b = right;                                                                   \
            tile t;                                                                                               \
            tile_fill(t, e->start, ROWS_HERE);                                                                    \
            tile_rows(row, at, left->a.row, ROWS_HERE);                                                           \
            ROLLED for (int k = 0; k < depth; k++, b += COLUMNS) {                                                \
                tile_step(t, row, b, ROWS_HERE);                                                                  \
                UNROLL for (int r = 0; r < ROWS_HERE; r++)                                                        \
                    row[r] += left->a.column;                                                                     \
            }                                                                                                     \
            if (sparse) multiply_kept(t, kept, b, ROWS_HERE);                                                     \
            finish(t, to, stride, columns, e, ROWS_HERE);                                                         \
            if (kept) kept++;                                                                                     \
        }                                                                                                         \
    }
DEFINE_IN_PLACE(multiply_high, ROWS)
DEFINE_IN_PLACE(multiply_lower, (ROWS - 1))
DEFINE_IN_PLACE(multiply_single, 1)

/* Tiles of ROWS, and then, where the rows split evenly (`is_even`), tiles of one less, else single rows. */
struct heights {
    int high, even, low; /* tiles of ROWS, whether the others have one less, and how many these are */
};

INLINE struct heights heights_of(int m) {
    int even = is_even(m), tiles = split_rows(m).tiles, high = even ? m - tiles * (ROWS - 1) : m / ROWS;
    struct heights h = {high, even, even ? tiles - high : m - high * ROWS};
    return h;
}

/* For products too small for packing A to pay. Panels of the right operand are `distance` steps apart. */
static void multiply_in_place(int m, int n, const struct left *left, const float *right, int distance, float *c,
                              int stride, const float *bias, struct epilogue e) {
    struct heights h = heights_of(m);
    const struct left_panel *kept = left->kept, *kept_low = kept ? kept + h.high : 0;
    const float *at = left->a.at, *at_low = at + h.high * ROWS * left->a.row;
    for (int j = 0; j < n; j += COLUMNS, right += COLUMNS * distance) {
        int columns = smaller(n - j, COLUMNS);
        float *to = c + j, *to_low = to + h.high * ROWS * stride, start[COLUMNS];
        e.start = start;
        start_with(start, bias ? bias + j : 0, columns);
        multiply_high(left, at, kept, right, to, stride, columns, h.high, &e);
        if (h.even) multiply_lower(left, at_low, kept_low, right, to_low, stride, columns, h.low, &e);
        else multiply_single(left, at_low, kept_low, right, to_low, stride, columns, h.low, &e);
    }
}

/* Tiles of rows of A, whose steps lie in panels of eight. One loop over all steps took V8 longer. */
#define DEFINE_OCTETS(NAME, ROWS_HERE)                                                             \
    static void NAME(const float *left, int distance, const float *right, int depth, float *to,    \
                     int stride, int columns, int tiles, const struct epilogue *e) {               \
        ROLLED for (; tiles > 0; tiles--, left += ROWS_HERE * COLUMNS, to += ROWS_HERE * stride) { \
            const float *row[ROWS], *a = left, *b = right;                                         \
            tile t;                                                                                \
            tile_fill(t, 0, ROWS_HERE);                                                            \
            ROLLED for (int k = 0; k < depth; k += COLUMNS, a += COLUMNS * (distance - 1)) {       \
                ROLLED for (int i = 0; i < COLUMNS; i++, a++, b += COLUMNS) {                      \
                    tile_rows(row, a, COLUMNS, ROWS_HERE);                                         \
                    tile_step(t, row, b, ROWS_HERE);                                               \
                }                                                                                  \
            }                                                                                      \
            finish(t, to, stride, columns, e, ROWS_HERE);                                          \
        }                                                                                          \
    }
DEFINE_OCTETS(octets_high, ROWS)
DEFINE_OCTETS(octets_lower, (ROWS - 1))
DEFINE_OCTETS(octets_single, 1)

void multiply_octets(int m, int n, int depth, const float *left, int distance, const float *right, float *c, int c_row,
                     int accumulate) {
    struct epilogue e = {0, accumulate, cutting_of(LINEAR)};
    struct heights h = heights_of(m);
    const float *left_low = left + h.high * ROWS * COLUMNS;
    for (int j = 0; j < n; j += COLUMNS, right += COLUMNS * depth) {
        int columns = smaller(n - j, COLUMNS);
        float *to = c + j, *to_low = to + h.high * ROWS * c_row;
        octets_high(left, distance, right, depth, to, c_row, columns, h.high, &e);
        if (h.even) octets_lower(left_low, distance, right, depth, to_low, c_row, columns, h.low, &e);
        else octets_single(left_low, distance, right, depth, to_low, c_row, columns, h.low, &e);
    }
}

void multiply_packed(int m, int n, const struct left *left, const float *right, int distance, float *c, int c_row,
                     const float *bias) {
    struct epilogue e = {0, 0, cutting_of(LINEAR)};
    if (m && n) multiply_in_place(m, n, left, right, distance, c, c_row, bias, e);
}

void multiply_sparse(int m, int depth, struct matrix a, const struct right *rights, int count, int finite, int c_row,
                     float *scratch) {
    struct left_panel *left = (struct left_panel *)scratch;
    struct epilogue e = {0, 1, cutting_of(LINEAR)};
    for (int i = 0; i < m; i += BLOCK, a.at += BLOCK * a.row) {
        int rows = smaller(m - i, BLOCK);
        pack_left(left, rows, a, depth, finite);
        for (int r = 0; r < count; r++)
            multiply_block(rows, rights[r].columns, left, rights[r].packed, rights[r].distance, depth,
                           rights[r].c + i * c_row, c_row, 0, e);
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
    if (m >= ROWS && n <= NARROW && k <= DEPTH && !accumulate && (a_column == 1 || k <= NARROW)) {
        struct epilogue e = {0, 0, cutting_of(activation)};
        struct left whole = {{a, a_row, a_column}, k, 0, 0};
        struct matrix right_part = {b, b_row, b_column};
        pack_right(right, right_part, k, n);
        for (int i = 0; i < m; i += BLOCK, whole.a.at += BLOCK * a_row, c += BLOCK * c_row)
            multiply_in_place(smaller(m - i, BLOCK), n, &whole, right, k, c, c_row, bias, e);
        return;
    }
    for (int j = 0; j < n; j += WIDTH)
        for (int p = 0; p < k; p += DEPTH) {
            int columns = smaller(n - j, WIDTH), depth = smaller(k - p, DEPTH), last = p + depth == k;
            struct epilogue e = {0, accumulate || p > 0, cutting_of(last ? activation : LINEAR)};
            struct matrix right_part = {b + p * b_row + j * b_column, b_row, b_column};
            int finite = pack_right(right, right_part, depth, columns);
            for (int i = 0; i < m; i += BLOCK) {
                struct matrix left_part = {a + i * a_row + p * a_column, a_row, a_column};
                int rows = smaller(m - i, BLOCK);
                pack_left(left, rows, left_part, depth, finite);
                multiply_block(rows, columns, left, right, depth, depth, c + i * c_row + j, c_row,
                               last && bias ? bias + j : 0, e);
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
