/* Depthwise convolution, one filter for each channel, of at least four channels.
 *
 * Four channels by some output pixels of a row (seven, four or one) are in registers. With 3x3 or 5x5 taps at stride 1
 * or 2 each input is loaded once for all of them, and rows of inputs are read through pointers: the image's own if
 * there are no zeros beside it, else copies with their zeros, of which one is made for each and K are kept. With other
 * taps each tap loads its inputs, from a copy of the image with its zeros.
 */
#include "convolution.h"

#define BARRIER __asm__ volatile("" ::: "memory") /* else LLVM moves all loads to the front, and V8 spills */
#define LARGEST 5
#define CROWDED 512 /* channels: pixels a multiple of 2 kB apart share a few sets of the level-1 cache */

struct rows {
    const float *at[LARGEST];
    int pitch; /* floats between pixels */
};

/* TILE pixels of one output row, all channels; w: (channels / 4, K, K, 4). Where channels are no multiple
 * of four, the last four are those at the end, some for a second time. */
INLINE void convolve_pixels(const int K, const int S, const int TILE, const struct rows *rows, int from,
                            const float *w, const float *bias, int channels, float *y, f4 low, f4 high) {
    for (int c = 0;; c = smaller(c + LANES, channels - LANES), w += K * K * LANES) {
        f4 t[7], b = load(bias + c);
        UNROLL for (int o = 0; o < TILE; o++)
            t[o] = b;
        ROLLED for (int i = 0; i < K; i++) {
            const float *x = rows->at[i] + from + c, *taps = w + i * K * LANES;
            f4 u[LARGEST];
            UNROLL for (int j = 0; j < K; j++)
                u[j] = load(taps + j * LANES);
            UNROLL for (int j = 0; j < (TILE - 1) * S + K; j++) {
                f4 v = load(x);
                x += rows->pitch;
                UNROLL for (int o = 0; o < TILE; o++)
                    if (j >= o * S && j < o * S + K) t[o] = madd(v, u[j - o * S], t[o]);
                BARRIER;
            }
        }
        UNROLL for (int o = 0; o < TILE; o++)
            store(y + o * channels + c, clip(t[o], low, high));
        if (c + LANES >= channels) return;
    }
}

#define EACH_TILE(DO) EACH_KERNEL(DO, 7) EACH_KERNEL(DO, 4) EACH_KERNEL(DO, 1)
#define EACH_KERNEL(DO, TILE) DO(3, 1, TILE) DO(3, 2, TILE) DO(5, 1, TILE) DO(5, 2, TILE)

#define DEFINE_PIXELS(K, S, TILE)                                                                         \
    static void pixels_##K##S##TILE(const struct rows *rows, int from, const float *w, const float *bias, \
                                    int channels, float *y, f4 low, f4 high) {                            \
        convolve_pixels(K, S, TILE, rows, from, w, bias, channels, y, low, high);                         \
    }
EACH_TILE(DEFINE_PIXELS)

/* Runs the function for these sizes. */
static void convolve_tile(const struct geometry *g, int tile, const struct rows *rows, int from, const float *w,
                          const float *bias, float *y, f4 low, f4 high) {
    switch (g->kernel_width * 100 + g->stride_x * 10 + tile) {
#define RUN(K, S, TILE)                                                      \
    case K * 100 + S * 10 + TILE:                                            \
        pixels_##K##S##TILE(rows, from, w, bias, g->channels, y, low, high); \
        break;
        EACH_TILE(RUN)
    }
}

/* Pixels to a tile: seven, or four where fewer steps then do for the row. */
static int tile_of(int width) {
    if (width < 4) return 1;
    return width < 7 || (width + 3) / 4 * 5 < (width + 6) / 7 * 8 ? 4 : 7;
}

/* The rows of one image with their zeros, as a ring of kernel_height rows and one of zeros. */
struct ring {
    float *memory;
    int row, pitch, filled, copies;
};

INLINE int pitch_of(const struct geometry *g) {
    return g->channels % CROWDED ? g->channels : g->channels + 4 * LANES;
}

static void copy_row(const struct geometry *g, const float *from, float *to, int pitch) {
    if (pitch == g->channels) {
        copy(to, from, g->width * g->channels);
        return;
    }
    for (int j = 0; j < g->width; j++) copy(to + j * pitch, from + j * g->channels, g->channels);
}

/* The input rows under output row i. */
static struct rows rows_at(const struct geometry *g, const float *x, struct ring *ring, int i) {
    struct rows rows = {{0}, ring->pitch};
    int first = i * g->stride_y - g->top, k = g->kernel_height, wide = g->width * g->channels;
    if (ring->filled < first) ring->filled = first;
    for (; ring->copies && ring->filled < g->height && ring->filled < first + k; ring->filled++)
        copy_row(g, x + ring->filled * wide, ring->memory + ring->filled % k * ring->row + g->left * ring->pitch,
                 ring->pitch);
    for (int j = 0; j < k; j++) {
        int at = first + j;
        if (at < 0 || at >= g->height) rows.at[j] = ring->memory + k * ring->row;
        else rows.at[j] = ring->copies ? ring->memory + at % k * ring->row : x + at * wide;
    }
    return rows;
}

static void convolve_image(const struct geometry *g, const float *x, const float *packed, float *y,
                           const struct cutting *cut, struct ring *ring) {
    int tile = tile_of(g->out_width), last = g->out_width - tile, c = g->channels;
    const float *bias = packed + round_up(c, LANES) * g->kernel_height * g->kernel_width;
    f4 low = splat(cut->clips ? cut->low : -__builtin_inff()), high = splat(cut->high);
    ring->filled = 0;
    for (int i = 0; i < g->out_height; i++, y += g->out_width * c) {
        struct rows rows = rows_at(g, x, ring, i);
        for (int j = 0; j < g->out_width; j += tile) {
            int from = smaller(j, last);
            convolve_tile(g, tile, &rows, from * g->stride_x * ring->pitch, packed, bias, y + from * c, low, high);
        }
        if (cut->after) activate(cut->after, y, y, g->out_width * c, 0, 0);
    }
}

/* Whether `convolve_image` has functions for these sizes. */
static int is_usual(const struct geometry *g) {
    int k = g->kernel_height, s = g->stride_y;
    return (k == 3 || k == 5) && g->kernel_width == k && (s == 1 || s == 2) && g->stride_x == s &&
           g->dilation_y == 1 && g->dilation_x == 1;
}

/* TILE pixels of one output row, whose inputs begin at x, by any taps. */
INLINE void convolve_taps(const int TILE, const struct geometry *g, const float *x, const float *w, const float *bias,
                          float *y, f4 low, f4 high) {
    int channels = g->channels, step = g->stride_x * channels, right = g->dilation_x * channels;
    for (int c = 0;; c = smaller(c + LANES, channels - LANES)) {
        const float *row = x + c;
        f4 t[7], b = load(bias + c);
        UNROLL for (int o = 0; o < TILE; o++)
            t[o] = b;
        for (int i = 0; i < g->kernel_height; i++, row += g->dilation_y * g->padded_width * channels) {
            const float *at = row;
            ROLLED for (int j = 0; j < g->kernel_width; j++, at += right, w += LANES) {
                f4 tap = load(w);
                UNROLL for (int o = 0; o < TILE; o++)
                    t[o] = madd(load(at + o * step), tap, t[o]);
            }
        }
        UNROLL for (int o = 0; o < TILE; o++)
            store(y + o * channels + c, clip(t[o], low, high));
        if (c + LANES >= channels) return;
    }
}

#define DEFINE_ANY(TILE)                                                                                          \
    static void any_##TILE(const struct geometry *g, const float *x, const float *w, const float *bias, float *y, \
                           f4 low, f4 high) {                                                                     \
        convolve_taps(TILE, g, x, w, bias, y, low, high);                                                         \
    }
DEFINE_ANY(7)
DEFINE_ANY(4)
DEFINE_ANY(1)

static void convolve_any_image(const struct geometry *g, const float *x, const float *packed, float *y,
                               const struct cutting *cut) {
    int tile = tile_of(g->out_width), last = g->out_width - tile, c = g->channels;
    const float *bias = packed + round_up(c, LANES) * g->kernel_height * g->kernel_width;
    f4 low = splat(cut->clips ? cut->low : -__builtin_inff()), high = splat(cut->high);
    for (int i = 0; i < g->out_height; i++, x += g->stride_y * g->padded_width * c, y += g->out_width * c) {
        for (int j = 0; j < g->out_width; j += tile) {
            int from = smaller(j, last);
            const float *at = x + from * g->stride_x * c;
            float *to = y + from * c;
            if (tile == 7) any_7(g, at, packed, bias, to, low, high);
            else if (tile == 4) any_4(g, at, packed, bias, to, low, high);
            else any_1(g, at, packed, bias, to, low, high);
        }
        if (cut->after) activate(cut->after, y, y, g->out_width * c, 0, 0);
    }
}

EXPORT int depthwise_packed_size(const struct geometry *g) {
    return round_up(g->channels, LANES) * g->kernel_height * g->kernel_width + g->channels;
}

/* w (k, k, channels), times `scale` (channels) unless null, and bias (null is zero). */
EXPORT void depthwise_pack(const struct geometry *g, const float *w, const float *scale, const float *bias,
                           float *packed) {
    int taps = g->kernel_height * g->kernel_width, channels = g->channels;
    for (int at = 0; at < channels; at += LANES) {
        int c = smaller(at, channels - LANES);
        f4 a = scale ? load(scale + c) : splat(1);
        for (int i = 0; i < taps; i++, packed += LANES) store(packed, load(w + i * channels + c) * a);
    }
    for (int c = 0; c < channels; c++) *packed++ = bias ? bias[c] : 0;
}

EXPORT int depthwise_packed_scratch(const struct geometry *g) {
    if (!is_usual(g)) return g->padded_height * g->padded_width * g->channels;
    return (g->kernel_height + 1) * g->padded_width * pitch_of(g);
}

/* The activation: clipped in registers, all others a row at a time while it is in a cache. */
EXPORT void depthwise_packed(const struct geometry *g, const float *x, const float *packed, float *y,
                             int activation, float *scratch) {
    struct cutting cut = cutting_of(activation);
    struct ring ring = {scratch, g->padded_width * pitch_of(g), pitch_of(g), 0,
                        g->padded_width != g->width || pitch_of(g) != g->channels};
    int in = g->height * g->width * g->channels, out = g->out_height * g->out_width * g->channels;
    clear(scratch, depthwise_packed_scratch(g));
    for (int n = 0; n < g->images; n++, x += in, y += out) {
        if (is_usual(g)) convolve_image(g, x, packed, y, &cut, &ring);
        else convolve_any_image(g, pad_image(g, x, scratch), packed, y, &cut);
    }
}

EXPORT int depthwise_scratch(const struct geometry *g) {
    return depthwise_packed_size(g) + depthwise_packed_scratch(g);
}

EXPORT void depthwise(const struct geometry *g, const float *x, const float *w, const float *bias, float *y,
                      int activation, float *scratch) {
    depthwise_pack(g, w, 0, bias, scratch);
    depthwise_packed(g, x, scratch, y, activation, scratch + depthwise_packed_size(g));
}
