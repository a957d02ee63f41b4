/* Forward convolution, NHWC, without im2col: some output pixels (six, or five) by eight filters in
 * registers.
 *
 * Inputs are read in place, with one pointer per pixel. So the pixels of a tile may be in different
 * rows, and strides, dilation and groups cost nothing. Weights are packed before: at each call, or once
 * by a caller that keeps them.
 */
#include "convolution.h"

#define CACHED_INPUTS (64 * 1024) /* floats: what of x stays in the level-2 cache beside a panel */
#define SMALL_WEIGHTS (6 * 1024)  /* floats: weights that stay in the level-1 cache ... */
#define SMALL_INPUTS (4 * 1024)   /* ... beside so much of x */
#define FEWEST (4 * ROWS)         /* pixels to a block */
#define MOST 1536

/* A patch as runs of adjacent inputs: whole kernel rows if they are contiguous. */
struct runs {
    int count, length;
    int *offsets;
};

static struct runs runs_of(const struct geometry *g, int *offsets) {
    int adjacent = g->groups == 1 && g->dilation_x == 1, inputs = g->channels / g->groups;
    int columns = adjacent ? 1 : g->kernel_width;
    struct runs r = {0, adjacent ? g->kernel_width * inputs : inputs, offsets};
    for (int i = 0; i < g->kernel_height; i++)
        for (int j = 0; j < columns; j++)
            offsets[r.count++] = (i * g->dilation_y * g->padded_width + j * g->dilation_x) * g->channels;
    return r;
}

INLINE void multiply_patches(tile t, const float *x, const int *pixel, const struct runs *r,
                             const float *w, const int rows) {
    for (int i = 0; i < r->count; i++) {
        const float *from = x + r->offsets[i];
        const float *at[ROWS];
        UNROLL for (int p = 0; p < rows; p++)
            at[p] = from + pixel[p];
        ROLLED for (int k = 0; k < r->length; k++, w += COLUMNS) {
            tile_step(t, at, w, rows);
            UNROLL for (int p = 0; p < rows; p++)
                at[p]++;
        }
    }
}

/* What one panel of eight filters adds to a tile: `columns` of the filters exist. */
struct panel {
    const float *weights, *bias;
    int filters, columns;
    struct cutting cutting;
};

INLINE void convolve_tile(const float *x, const int *pixel, const struct runs *r, const struct panel *p,
                          const float *residual, float *y, const int rows) {
    tile t;
    tile_fill(t, p->bias, rows);
    multiply_patches(t, x, pixel, r, p->weights, rows);
    tile_finish(t, residual, &p->cutting, y, p->filters, p->columns, rows);
}

/* Functions of their own: inlined into one, they cost Chromium up to 4 % of a photograph's prediction. */
#define DEFINE_TILE(ROWS_HERE)                                                                          \
    static NOINLINE void convolve_##ROWS_HERE(const float *x, const int *pixel, const struct runs *r,   \
                                              const struct panel *p, const float *residual, float *y) { \
        convolve_tile(x, pixel, r, p, residual, y, ROWS_HERE);                                          \
    }
EACH_ROWS(DEFINE_TILE)

/* One block of pixels, one panel of eight filters. */
static void convolve_panel(const float *x, const int *pixel, const struct runs *r, const struct panel *p,
                           const float *residual, float *y, struct split s) {
    for (int i = 0; i < s.tiles; i++) {
        int rows = s.low + (i < s.more);
#define CONVOLVE(ROWS_HERE) convolve_##ROWS_HERE(x, pixel, r, p, residual, y)
        PICK_ROWS(rows, CONVOLVE)
        pixel += rows, y += rows * p->filters;
        if (residual) residual += rows * p->filters;
    }
}

/* Pixels to a block: so many that their patches stay in a cache while all panels pass over them. */
static int block_of(const struct geometry *g) {
    int depth = depth_of(g), all = depth * g->groups * round_up(g->filters / g->groups, COLUMNS);
    int fit = (all <= SMALL_WEIGHTS ? SMALL_INPUTS : CACHED_INPUTS) / (depth * g->groups);
    int block = fit / ROWS * ROWS;
    return block < FEWEST ? FEWEST : smaller(block, MOST);
}

/* panels: as `pack_filters` leaves them, followed by the biases. */
static void convolve_image(const struct geometry *g, const float *x, const float *panels, const float *residual,
                           float *y, int activation, const struct runs *r, int *pixels) {
    int each = g->filters / g->groups, depth = depth_of(g), inputs = g->channels / g->groups;
    int count = g->out_height * g->out_width, block = block_of(g);
    const float *biases = panels + depth * round_up(each, COLUMNS) * g->groups;
    for (int first = 0; first < count; first += block) {
        int here = smaller(block, count - first), done = 0;
        struct split s = split_rows(here);
        pixel_offsets(g, first, here, pixels);
        for (int group = 0; group < g->groups; group++)
            for (int f = 0; f < each; f += COLUMNS, done += COLUMNS) {
                struct panel p = {panels + done * depth, biases + done, g->filters, smaller(each - f, COLUMNS),
                                  cutting_of(activation)};
                int at = first * g->filters + group * each + f;
                convolve_panel(x + group * inputs, pixels, r, &p, residual ? residual + at : 0, y + at, s);
            }
    }
}

/* A 1x1 convolution at stride 1 knows no images, only pixels: one image of one row has them all. */
static struct geometry without_images(const struct geometry *g) {
    struct geometry one = *g;
    int pointwise = g->kernel_height == 1 && g->kernel_width == 1 && g->stride_y == 1 && g->stride_x == 1;
    if (pointwise && g->padded_height == g->height && g->padded_width == g->width) {
        one.images = one.height = one.out_height = one.padded_height = 1;
        one.width = one.out_width = one.padded_width = g->images * g->height * g->width;
    }
    return one;
}

/* Floats of packed weights and biases. */
EXPORT int convolution_packed_size(const struct geometry *g) {
    return (depth_of(g) + 1) * round_up(g->filters / g->groups, COLUMNS) * g->groups;
}

/* w (depth, filters), times `scale` (filters) unless null, -> panels (groups, filters / 8, depth, 8) and
 * bias (filters; null is zero) behind them, both filled with zeros. */
EXPORT void convolution_pack(const struct geometry *g, const float *w, const float *scale, const float *bias,
                             float *packed) {
    int each = g->filters / g->groups, depth = depth_of(g);
    float *biases = packed + depth * round_up(each, COLUMNS) * g->groups;
    for (int group = 0; group < g->groups; group++)
        for (int f = 0; f < each; f += COLUMNS) {
            int at = group * each + f, here = smaller(each - f, COLUMNS);
            f4 low = scale ? load_part(scale + at, here) : splat(1);
            f4 high = scale ? load_part(scale + at + LANES, here - LANES) : splat(1);
            pack_panel(w + at, g->filters, depth, here, low, high, packed);
            packed += depth * COLUMNS;
            for (int c = 0; c < COLUMNS; c++) *biases++ = bias && c < here ? bias[at + c] : 0;
        }
}

EXPORT int convolution_packed_scratch(const struct geometry *g) {
    return g->padded_height * g->padded_width * g->channels + g->kernel_height * g->kernel_width + MOST;
}

/* y = activation(x * w + bias + residual); residual, like y, or null. */
EXPORT void convolution_packed(const struct geometry *given, const float *x, const float *packed,
                               const float *residual, float *y, int activation, float *scratch) {
    struct geometry one = without_images(given), *g = &one;
    int padded = g->padded_height * g->padded_width * g->channels, bare = g->padded_height == g->height &&
                                                                          g->padded_width == g->width;
    int *segments = (int *)(bare ? scratch : scratch + padded);
    int *pixels = segments + g->kernel_height * g->kernel_width;
    struct runs r = runs_of(g, segments);
    int in = g->height * g->width * g->channels, out = g->out_height * g->out_width * g->filters;
    if (!bare) clear(scratch, padded);
    for (int n = 0; n < g->images; n++)
        convolve_image(g, pad_image(g, x + n * in, scratch), packed, residual ? residual + n * out : 0, y + n * out,
                       activation, &r, pixels);
}

EXPORT int convolution_scratch(const struct geometry *g) {
    return convolution_packed_size(g) + convolution_packed_scratch(g);
}

EXPORT void convolution(const struct geometry *g, const float *x, const float *w, const float *bias,
                        float *y, int activation, float *scratch) {
    float *packed = scratch, *rest = scratch + convolution_packed_size(g);
    convolution_pack(g, w, 0, bias, packed);
    convolution_packed(g, x, packed, 0, y, activation, rest);
}
