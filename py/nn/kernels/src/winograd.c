/* 3x3 convolution at stride 1 with a quarter of the multiplications: tiles of 4x4 outputs.
 *
 * Winograd's F(4x4, 3x3) and, for the weight gradient, F(3x3, 4x4), on the points 0, 1, -1, 2, -2
 * and infinity (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015). Both
 * use the same transform of the input. At each of the 36 points of a tile, a matrix product of tiles
 * by channels by filters remains. Rounding errors are about ten times those of the direct sum.
 */
#include "convolution.h"

#define SIDE 6 /* of a tile of inputs */
#define STEP 4 /* of a tile of outputs */
#define POINTS (SIDE * SIDE)
#define BLOCK (4 * ROWS) /* tiles at a time: their transforms stay in the level-2 cache */
#define APART 16         /* floats between planes: 36 lines at a power of two share two cache sets */

typedef f4 line[SIDE];

/* B' d */
INLINE void input_line(line to, const f4 *d, int s) {
    f4 four = splat(4), two = splat(2), minus = splat(-5);
    f4 a = d[4 * s] - four * d[2 * s], b = d[3 * s] - four * d[s];
    f4 c = d[4 * s] - d[2 * s], e = two * (d[3 * s] - d[s]);
    to[0] = madd(d[0], four, madd(d[2 * s], minus, d[4 * s]));
    to[1] = a + b, to[2] = a - b;
    to[3] = c + e, to[4] = c - e;
    to[5] = madd(d[s], four, madd(d[3 * s], minus, d[5 * s]));
}

/* A' m: four outputs of six points. */
INLINE void output_line(f4 *to, const f4 *m, int s) {
    f4 plus1 = m[s] + m[2 * s], minus1 = m[s] - m[2 * s];
    f4 plus2 = m[3 * s] + m[4 * s], minus2 = m[3 * s] - m[4 * s];
    to[0] = m[0] + plus1 + plus2;
    to[1] = madd(minus2, splat(2), minus1);
    to[2] = madd(plus2, splat(4), plus1);
    to[3] = madd(minus2, splat(8), minus1) + m[5 * s];
}

/* The same for three outputs: the weight gradient's. */
INLINE void weight_line(f4 *to, const f4 *m, int s) {
    f4 plus1 = m[s] + m[2 * s], plus2 = m[3 * s] + m[4 * s];
    to[0] = m[0] + plus1 + plus2;
    to[1] = madd(m[3 * s] - m[4 * s], splat(2), m[s] - m[2 * s]);
    to[2] = madd(plus2, splat(4), plus1) + m[5 * s];
}

/* G w: six points of three weights (taps = 3) or of four slopes (taps = 4). */
INLINE void kernel_line(line to, const f4 *w, int s, int taps) {
    f4 last = taps == 4 ? w[3 * s] : splat(0), end = taps == 4 ? last : w[2 * s];
    f4 even = (w[0] + w[2 * s]) * splat(-1.f / 6), odd = (w[s] + last) * splat(-1.f / 6);
    f4 even2 = madd(w[2 * s], splat(4.f / 24), w[0] * splat(1.f / 24));
    f4 odd2 = madd(last, splat(8.f / 24), w[s] * splat(2.f / 24));
    to[0] = w[0] * splat(0.25f);
    to[1] = even + odd, to[2] = even - odd;
    to[3] = even2 + odd2, to[4] = even2 - odd2;
    to[5] = end;
}

/* Distance between the planes of two points, in floats. */
INLINE int plane_w(const struct geometry *g) { return g->channels * g->filters + APART; }
INLINE int plane_x(const struct geometry *g) { return BLOCK * g->channels + APART; }
INLINE int plane_y(const struct geometry *g) { return BLOCK * g->filters + APART; }
INLINE int plane_sums(const struct geometry *g) { return round_up(g->channels, ROWS) * g->filters + APART; }

struct tiles {
    int down, across, each, all; /* of outputs: per column, row and image, and of all images */
};

static struct tiles tiles_of(const struct geometry *g) {
    struct tiles t = {(g->out_height + STEP - 1) / STEP, (g->out_width + STEP - 1) / STEP, 0, 0};
    t.each = t.down * t.across;
    t.all = t.each * g->images;
    return t;
}

/* One image padded with zeros, `row` floats per row. */
static void frame(const float *image, float *to, int height, int wide, int top, int before, int row, int size) {
    clear(to, size);
    for (int i = 0; i < height; i++) copy(to + (top + i) * row + before, image + i * wide, wide);
}

INLINE int framed_row(const struct geometry *g, struct tiles t) { return (t.across * STEP + 2) * g->channels; }
INLINE int framed_size(const struct geometry *g, struct tiles t) { return framed_row(g, t) * (t.down * STEP + 2); }

/* d (6, 6, channels) -> points: (36) of `channels`, `apart` floats apart. */
static void transform_input(const float *d, int row, int channels, float *to, int apart) {
    for (int c = 0; c < channels; c += LANES) {
        f4 in[POINTS], half[POINTS];
        for (int i = 0; i < SIDE; i++)
            UNROLL
            for (int j = 0; j < SIDE; j++) in[i * SIDE + j] = load(d + i * row + j * channels + c);
        for (int j = 0; j < SIDE; j++) input_line(half + j * SIDE, in + j, SIDE);
        for (int i = 0; i < SIDE; i++) {
            line points;
            input_line(points, half + i, SIDE);
            UNROLL for (int j = 0; j < SIDE; j++)
                store(to + (i * SIDE + j) * apart + c, points[j]);
        }
    }
}

/* Where the weights of a tap and a channel for a filter are: as layers keep them, (3, 3, channels, filters),
 * or packed, (filters / 8, 3, 3, channels, 8). */
INLINE int weight_at(const struct geometry *g, int packed, int tap, int c, int f) {
    int k = tap * g->channels + c;
    return packed ? (f / COLUMNS * 9 * g->channels + k) * COLUMNS + f % COLUMNS : k * g->filters + f;
}

/* w -> (36, filters / 8, channels, 8) */
static void transform_weights(const struct geometry *g, const float *w, int packed, float *to) {
    for (int c = 0; c < g->channels; c++)
        for (int f = 0; f < g->filters; f += LANES) {
            f4 in[9], half[3 * SIDE];
            float *at = to + (f / COLUMNS * g->channels + c) * COLUMNS + f % COLUMNS;
            for (int k = 0; k < 9; k++) in[k] = load(w + weight_at(g, packed, k, c, f));
            for (int j = 0; j < 3; j++) kernel_line(half + j * SIDE, in + j, 3, 3);
            for (int i = 0; i < SIDE; i++) {
                line points;
                kernel_line(points, half + i, SIDE, 3);
                for (int j = 0; j < SIDE; j++) store(at + (i * SIDE + j) * plane_w(g), points[j]);
            }
        }
}

struct end {
    const float *bias, *residual; /* or null */
    int activation;
};

/* Points of one tile -> y from float `at` on, the existing part of its 4x4 outputs. */
static void transform_output(const struct geometry *g, const float *points, int apart, const struct end *e, float *y,
                             int at, int rows, int columns) {
    for (int f = 0; f < g->filters; f += LANES) {
        f4 in[POINTS], half[STEP * SIDE], out[STEP];
        f4 b = e->bias ? load(e->bias + f) : splat(0);
        for (int p = 0; p < POINTS; p++) in[p] = load(points + p * apart + f);
        for (int j = 0; j < SIDE; j++) output_line(half + j * STEP, in + j, SIDE);
        for (int i = 0; i < rows; i++) {
            output_line(out, half + i, STEP);
            for (int j = 0; j < columns; j++) {
                int to = at + (i * g->out_width + j) * g->filters + f;
                f4 v = out[j] + b;
                if (e->residual) v += load(e->residual + to);
                store(y + to, cut(e->activation, v));
            }
        }
    }
}

/* Some tiles of v (tiles, channels) by one panel of w. */
INLINE void multiply_tiles(const struct geometry *g, const float *v, const float *w, float *m, const int rows) {
    const float *at[ROWS];
    tile t;
    tile_fill(t, 0, rows);
    tile_rows(at, v, g->channels, rows);
    ROLLED for (int k = 0; k < g->channels; k++, w += COLUMNS) {
        tile_step(t, at, w, rows);
        UNROLL for (int r = 0; r < rows; r++)
            at[r]++;
    }
    tile_store(t, m, g->filters, rows);
}

#define DEFINE_TILES(ROWS_HERE)                                                                            \
    static void multiply_##ROWS_HERE(const struct geometry *g, const float *v, const float *w, float *m) { \
        multiply_tiles(g, v, w, m, ROWS_HERE);                                                             \
    }
EACH_ROWS(DEFINE_TILES)

/* (tiles, channels) by (channels, filters) at one point. */
static void multiply_point(const struct geometry *g, const float *v, const float *u, float *m, struct split s) {
    for (int f = 0; f < g->filters; f += COLUMNS, u += g->channels * COLUMNS) {
        const float *from = v;
        float *to = m + f;
        for (int i = 0; i < s.tiles; i++) {
            int rows = s.low + (i < s.more);
#define MULTIPLY(ROWS_HERE) multiply_##ROWS_HERE(g, from, u, to)
            PICK_ROWS(rows, MULTIPLY)
            from += rows * g->channels, to += rows * g->filters;
        }
    }
}

EXPORT int winograd_scratch(const struct geometry *g) {
    return POINTS * (plane_w(g) + plane_x(g) + plane_y(g)) + framed_size(g, tiles_of(g));
}

static void convolve(const struct geometry *g, const float *x, const float *w, int packed, const struct end *e,
                     float *y, float *scratch) {
    struct tiles t = tiles_of(g);
    int row = framed_row(g, t), wide = g->width * g->channels;
    float *u = scratch, *v = u + POINTS * plane_w(g), *m = v + POINTS * plane_x(g);
    float *image = m + POINTS * plane_y(g);
    transform_weights(g, w, packed, u);
    for (int start = 0; start < t.all; start += BLOCK) {
        int count = smaller(BLOCK, t.all - start);
        for (int i = 0; i < count; i++) {
            int n = (start + i) / t.each, at = (start + i) % t.each;
            if (at == 0)
                frame(x + n * g->height * wide, image, g->height, wide, g->top, g->left * g->channels,
                      row, framed_size(g, t));
            transform_input(image + at / t.across * STEP * row + at % t.across * STEP * g->channels, row,
                            g->channels, v + i * g->channels, plane_x(g));
        }
        for (int p = 0; p < POINTS; p++)
            multiply_point(g, v + p * plane_x(g), u + p * plane_w(g), m + p * plane_y(g), split_rows(count));
        for (int i = 0; i < count; i++) {
            int n = (start + i) / t.each, at = (start + i) % t.each;
            int top = at / t.across * STEP, left = at % t.across * STEP;
            transform_output(g, m + i * g->filters, plane_y(g), e, y,
                             ((n * g->out_height + top) * g->out_width + left) * g->filters,
                             smaller(STEP, g->out_height - top), smaller(STEP, g->out_width - left));
        }
    }
}

EXPORT void winograd(const struct geometry *g, const float *x, const float *w, const float *bias, float *y,
                     int activation, float *scratch) {
    struct end e = {bias, 0, activation};
    convolve(g, x, w, 0, &e, y, scratch);
}

EXPORT int winograd_packed_scratch(const struct geometry *g) { return winograd_scratch(g); }

/* With what convolution_pack wrote; residual, like y, or null. */
EXPORT void winograd_packed(const struct geometry *g, const float *x, const float *packed, const float *residual,
                            float *y, int activation, float *scratch) {
    struct end e = {packed + depth_of(g) * g->filters, residual, activation};
    convolve(g, x, packed, 1, &e, y, scratch);
}

/* dy (4, 4, filters) -> points: (36, filters / 8, BLOCK, 8), this tile's eight. */
static void transform_slopes(const float *dy, int row, int filters, float *to, int apart) {
    for (int f = 0; f < filters; f += LANES) {
        f4 in[STEP * STEP], half[STEP * SIDE];
        float *at = to + f / COLUMNS * BLOCK * COLUMNS + f % COLUMNS;
        for (int i = 0; i < STEP; i++)
            UNROLL
            for (int j = 0; j < STEP; j++) in[i * STEP + j] = load(dy + i * row + j * filters + f);
        for (int j = 0; j < STEP; j++) kernel_line(half + j * SIDE, in + j, STEP, 4);
        for (int i = 0; i < SIDE; i++) {
            line points;
            kernel_line(points, half + i, SIDE, 4);
            for (int j = 0; j < SIDE; j++) store(at + (i * SIDE + j) * apart, points[j]);
        }
    }
}

/* sums (filters / 8, channels in sixes, 8) += (tiles, channels)' by (tiles, filters) at one point. */
static void gather_point(const struct geometry *g, const float *v, const float *d, float *sums, int tiles) {
    for (int f = 0; f < g->filters; f += COLUMNS, d += BLOCK * COLUMNS)
        for (int c = 0; c < g->channels; c += ROWS, sums += ROWS * COLUMNS) {
            const float *rows[ROWS], *slopes = d;
            tile t;
            tile_load(t, sums);
            tile_rows(rows, v + c, 1, ROWS);
            ROLLED for (int k = 0; k < tiles; k++, slopes += COLUMNS) {
                tile_step(t, rows, slopes, ROWS);
                UNROLL for (int r = 0; r < ROWS; r++)
                    rows[r] += g->channels;
            }
            tile_store(t, sums, COLUMNS, ROWS);
        }
}

static void transform_sums(const struct geometry *g, const float *sums, float *dw) {
    int deep = round_up(g->channels, ROWS), size = g->channels * g->filters;
    for (int c = 0; c < g->channels; c++)
        for (int f = 0; f < g->filters; f += LANES) {
            f4 in[POINTS], half[3 * SIDE], out[3];
            const float *at = sums + (f / COLUMNS * deep + c) * COLUMNS + f % COLUMNS;
            for (int p = 0; p < POINTS; p++) in[p] = load(at + p * plane_sums(g));
            for (int j = 0; j < SIDE; j++) weight_line(half + j * 3, in + j, SIDE);
            for (int i = 0; i < 3; i++) {
                weight_line(out, half + i, 3);
                for (int j = 0; j < 3; j++) store(dw + (i * 3 + j) * size + c * g->filters + f, out[j]);
            }
        }
}

INLINE int slopes_row(const struct geometry *g, struct tiles t) { return t.across * STEP * g->filters; }
INLINE int slopes_size(const struct geometry *g, struct tiles t) { return slopes_row(g, t) * t.down * STEP; }

EXPORT int winograd_gradient_scratch(const struct geometry *g) {
    struct tiles t = tiles_of(g);
    return POINTS * (2 * plane_sums(g) + plane_x(g) + plane_y(g)) + framed_size(g, t) + slopes_size(g, t);
}

EXPORT void winograd_gradient(const struct geometry *g, const float *x, const float *dy, float *dw,
                              float *scratch) {
    struct tiles t = tiles_of(g);
    int row = framed_row(g, t), wide = g->width * g->channels;
    int slopes = slopes_row(g, t), out = g->out_width * g->filters;
    int size = POINTS * plane_sums(g);
    struct parts p = parts_in(scratch, size, BLOCK, (t.all + BLOCK - 1) / BLOCK);
    float *v = scratch + 2 * size, *d = v + POINTS * plane_x(g);
    float *image = d + POINTS * plane_y(g), *slope = image + framed_size(g, t);
    for (int start = 0; start < t.all; start += BLOCK) {
        int count = smaller(BLOCK, t.all - start);
        for (int i = 0; i < count; i++) {
            int n = (start + i) / t.each, at = (start + i) % t.each;
            int down = at / t.across * STEP, right = at % t.across * STEP;
            if (at == 0) {
                frame(x + n * g->height * wide, image, g->height, wide, g->top, g->left * g->channels,
                      row, framed_size(g, t));
                frame(dy + n * g->out_height * out, slope, g->out_height, out, 0, 0, slopes, slopes_size(g, t));
            }
            transform_input(image + down * row + right * g->channels, row, g->channels,
                            v + i * g->channels, plane_x(g));
            transform_slopes(slope + down * slopes + right * g->filters, slopes, g->filters, d + i * COLUMNS,
                             plane_y(g));
        }
        for (int i = 0; i < POINTS; i++)
            gather_point(g, v + i * plane_x(g), d + i * plane_y(g), p.sums + i * plane_sums(g), count);
        end_part(&p, start / BLOCK);
    }
    transform_sums(g, p.totals, dw);
}
