/* Gradients of a convolution with respect to weights, bias and input. */
#include "convolution.h"
#include "gemm.h"

#define CACHED 4096 /* floats of x that stay in the level-1 cache beside dy and the panels */

/* dw[k][f] = sum over a row's pixels of x[pixel + k] dy[pixel][f]: six inputs by eight filters. */
INLINE void multiply_row(tile t, const float *x, const int *inputs, int step, const float *dy,
                         int pixels) {
    const float *rows[ROWS];
    UNROLL for (int r = 0; r < ROWS; r++)
        rows[r] = x + inputs[r];
    ROLLED for (int j = 0; j < pixels; j++, dy += COLUMNS) {
        tile_step(t, rows, dy, ROWS);
        UNROLL for (int r = 0; r < ROWS; r++)
            rows[r] += step;
    }
}

/* Some rows of one image into one panel (depth, 8). */
static void gather_panel(const struct geometry *g, const float *x, const float *dy, float *panel,
                         const int *inputs, int rows) {
    int row = g->stride_y * g->padded_width * g->channels, step = g->stride_x * g->channels;
    int depth = depth_of(g);
    for (int k = 0; k < depth; k += ROWS, panel += ROWS * COLUMNS) {
        tile t;
        tile_load(t, panel);
        for (int i = 0; i < rows; i++)
            multiply_row(t, x + i * row, inputs + k, step, dy + i * g->out_width * COLUMNS, g->out_width);
        tile_store(t, panel, COLUMNS, ROWS);
    }
}

/* Packs eight filters (or the remaining `here`, padded with zeros) of some pixels and sums them. */
static void pack_slopes(const float *dy, float *packed, float *sums, int filters, int here, int pixels) {
    f4 low = load(sums), high = load(sums + LANES);
    for (int p = 0; p < pixels; p++, dy += filters, packed += COLUMNS) {
        f4 a = here == COLUMNS ? load(dy) : load_part(dy, here);
        f4 b = here == COLUMNS ? load(dy + LANES) : load_part(dy + LANES, here - LANES);
        low += a, high += b;
        store(packed, a), store(packed + LANES, b);
    }
    store(sums, low), store(sums + LANES, high);
}

struct gradient {
    float *panels, *sums, *padded, *packed;
    int *inputs;
};

INLINE int panel_size(const struct geometry *g) { return round_up(depth_of(g), ROWS) * COLUMNS; }

/* A group's filters in blocks of eight, each with its panel and its sums. */
static void gather_group(const struct geometry *g, const struct gradient *s, const float *x,
                         const float *dy, int group, int rows) {
    int each = g->filters / g->groups, eights = round_up(each, COLUMNS) / COLUMNS;
    float *panel = s->panels + group * eights * panel_size(g);
    float *sums = s->sums + group * eights * COLUMNS;
    x += group * (g->channels / g->groups), dy += group * each;
    for (int f = 0; f < each; f += COLUMNS, panel += panel_size(g), sums += COLUMNS) {
        pack_slopes(dy + f, s->packed, sums, g->filters, smaller(COLUMNS, each - f), rows * g->out_width);
        gather_panel(g, x, s->packed, panel, s->inputs, rows);
    }
}

static void gather_image(const struct geometry *g, const float *x, const float *dy,
                         const struct gradient *s) {
    int row = g->stride_y * g->padded_width * g->channels, wide = g->out_width * g->filters;
    int block = row < CACHED ? CACHED / row : 1;
    for (int i = 0; i < g->out_height; i += block)
        for (int group = 0; group < g->groups; group++)
            gather_group(g, s, x + i * row, dy + i * wide, group, smaller(block, g->out_height - i));
}

static void unpack_panels(const struct geometry *g, const struct gradient *s, float *dw, float *bias) {
    int each = g->filters / g->groups, depth = depth_of(g);
    const float *panel = s->panels, *sums = s->sums;
    for (int f = 0; f < g->filters; f += each)
        for (int i = 0; i < each; i += COLUMNS, panel += panel_size(g), sums += COLUMNS)
            for (int c = 0; c < COLUMNS && i + c < each; c++) {
                for (int k = 0; k < depth; k++) dw[k * g->filters + f + i + c] = panel[k * COLUMNS + c];
                if (bias) bias[f + i + c] = sums[c];
            }
}

/* dw (K, K, channels) += x dy of a row's pixels, for R rows of taps of four channels, or of the `count` that are left:
 * K R sums at a time, as one after the other would wait for each other. */
INLINE void add_taps(const int K, const int R, const struct geometry *g, const float *x, const float *dy, float *dw,
                     const int count) {
    int c = g->channels, step = g->stride_x * c, right = g->dilation_x * c, down = g->dilation_y * g->padded_width * c;
    f4 t[9];
    UNROLL for (int k = 0; k < K * R; k++)
        t[k] = part(dw + k * c, count);
    ROLLED for (int j = 0; j < g->out_width; j++, x += step, dy += c) {
        f4 d = part(dy, count);
        UNROLL for (int r = 0; r < R; r++)
            UNROLL
            for (int k = 0; k < K; k++)
                t[r * K + k] = madd(part(x + r * down + k * right, count), d, t[r * K + k]);
    }
    UNROLL for (int k = 0; k < K * R; k++)
        put(dw + k * c, t[k], count);
}

#define DEFINE_TAPS(K, R)                                                                             \
    static void taps_##K(const struct geometry *g, const float *x, const float *dy, float *dw) {      \
        int c = 0;                                                                                    \
        for (; c + LANES <= g->channels; c += LANES) add_taps(K, R, g, x + c, dy + c, dw + c, LANES); \
        if (c < g->channels) add_taps(K, R, g, x + c, dy + c, dw + c, g->channels - c);               \
    }
DEFINE_TAPS(3, 3)
DEFINE_TAPS(5, 1)
DEFINE_TAPS(2, 1)
DEFINE_TAPS(1, 1)

/* Each channel by itself: the panels of six by eight would be empty but for a column. */
static int is_depthwise(const struct geometry *g) { return g->groups == g->channels && g->filters == g->channels; }

/* Of one row of taps: five at a time, then two, then one. */
static void add_tap_row(const struct geometry *g, const float *x, const float *dy, float *dw) {
    int j = 0, c = g->channels, right = g->dilation_x * c;
    for (; j + 5 <= g->kernel_width; j += 5) taps_5(g, x + j * right, dy, dw + j * c);
    for (; j + 2 <= g->kernel_width; j += 2) taps_2(g, x + j * right, dy, dw + j * c);
    if (j < g->kernel_width) taps_1(g, x + j * right, dy, dw + j * c);
}

static void depthwise_gradient(const struct geometry *g, const float *x, const float *dy, float *dw, float *bias,
                               float *scratch) {
    int c = g->channels, h = g->kernel_height, w = g->kernel_width, wide = g->padded_width * c;
    int pixels = g->out_height * g->out_width;
    int taps = h * w * c, size = taps + c;
    struct parts p = parts_in(scratch, size, pixels, g->images);
    float *sums = p.sums + taps, *padded = scratch + 2 * size;
    clear(padded, g->padded_height * wide);
    for (int n = 0; n < g->images; n++, x += g->height * g->width * c) {
        const float *image = pad_image(g, x, padded);
        for (int i = 0; i < g->out_height; i++, dy += g->out_width * c) {
            const float *from = image + i * g->stride_y * wide;
            if (h == 3 && w == 3) taps_3(g, from, dy, p.sums);
            else
                for (int r = 0; r < h; r++) add_tap_row(g, from + r * g->dilation_y * wide, dy, p.sums + r * w * c);
            for (int j = 0; bias && j < g->out_width; j++) add_to(sums, dy + j * c, c);
        }
        end_part(&p, n);
    }
    copy(dw, p.totals, taps);
    if (bias) copy(bias, p.totals + taps, c);
}

EXPORT int weight_gradient_scratch(const struct geometry *g) {
    int panels = round_up(g->filters / g->groups, COLUMNS) / COLUMNS * g->groups;
    return 2 * panels * (panel_size(g) + COLUMNS) + g->padded_height * g->padded_width * g->channels +
           g->out_height * g->out_width * COLUMNS + round_up(depth_of(g), ROWS);
}

/* bias (filters) may be null. */
EXPORT void weight_gradient(const struct geometry *g, const float *x, const float *dy, float *dw,
                            float *bias, float *scratch) {
    int depth = depth_of(g), image = g->height * g->width * g->channels;
    int panels = round_up(g->filters / g->groups, COLUMNS) / COLUMNS * g->groups;
    int padded = g->padded_height * g->padded_width * g->channels, pixels = g->out_height * g->out_width;
    int size = panels * (panel_size(g) + COLUMNS);
    struct gradient s;
    if (is_depthwise(g)) {
        depthwise_gradient(g, x, dy, dw, bias, scratch);
        return;
    }
    struct parts p = parts_in(scratch, size, pixels, g->images);
    s.panels = p.sums, s.sums = s.panels + panels * panel_size(g);
    s.padded = scratch + 2 * size, s.packed = s.padded + padded;
    s.inputs = (int *)(s.packed + pixels * COLUMNS);
    patch_offsets(g, s.inputs);
    for (int k = depth; k % ROWS; k++) s.inputs[k] = s.inputs[depth - 1];
    clear(s.padded, padded);
    for (int n = 0; n < g->images; n++) {
        gather_image(g, pad_image(g, x + n * image, s.padded), dy + n * pixels * g->filters, &s);
        end_part(&p, n);
    }
    s.panels = p.totals, s.sums = p.totals + panels * panel_size(g);
    unpack_panels(g, &s, dw, bias);
}

/* w (kh, kw, inputs, filters) -> (kh, kw, filters / groups, channels), rotated by 180 degrees:
 * the input gradient at stride 1 is a convolution of dy with it. */
EXPORT void turn_weights(const struct geometry *g, const float *w, float *turned) {
    int inputs = g->channels / g->groups, each = g->filters / g->groups;
    int taps = g->kernel_height * g->kernel_width;
    for (int tap = 0; tap < taps; tap++)
        for (int group = 0; group < g->groups; group++)
            for (int f = 0; f < each; f++)
                for (int c = 0; c < inputs; c++)
                    turned[((taps - 1 - tap) * each + f) * g->channels + group * inputs + c] =
                        w[(tap * inputs + c) * g->filters + group * each + f];
}

static void scatter_columns(const struct geometry *g, const float *columns, float *image) {
    int inputs = g->channels / g->groups;
    for (int i = 0; i < g->out_height; i++)
        for (int j = 0; j < g->out_width; j++)
            for (int y = 0; y < g->kernel_height; y++)
                for (int x = 0; x < g->kernel_width; x++, columns += inputs)
                    add_to(image + ((i * g->stride_y + y * g->dilation_y) * g->padded_width +
                                    j * g->stride_x + x * g->dilation_x) *
                                       g->channels,
                           columns, inputs);
}

/* dx += TILE pixels of dy w, for the taps of one row of a kernel that has a filter for each channel. */
INLINE void spread(const int TILE, const struct geometry *g, const float *dy, const float *w, float *dx,
                   const int count) {
    int channels = g->channels, step = g->stride_x * channels;
    f4 d[4];
    UNROLL for (int o = 0; o < TILE; o++)
        d[o] = part(dy + o * channels, count);
    ROLLED for (int j = 0; j < g->kernel_width; j++, w += channels, dx += g->dilation_x * channels) {
        f4 tap = part(w, count);
        UNROLL for (int o = 0; o < TILE; o++)
            put(dx + o * step, madd(d[o], tap, part(dx + o * step, count)), count);
    }
}

#define DEFINE_SPREAD(TILE)                                                                           \
    static void spread_##TILE(const struct geometry *g, const float *dy, const float *w, float *dx) { \
        int c = 0;                                                                                    \
        for (; c + LANES <= g->channels; c += LANES) spread(TILE, g, dy + c, w + c, dx + c, LANES);   \
        if (c < g->channels) spread(TILE, g, dy + c, w + c, dx + c, g->channels - c);                 \
    }
DEFINE_SPREAD(4)
DEFINE_SPREAD(1)

static void spread_image(const struct geometry *g, const float *dy, const float *w, float *padded) {
    int c = g->channels, step = g->stride_x * c;
    for (int i = 0; i < g->out_height; i++, dy += g->out_width * c)
        for (int r = 0; r < g->kernel_height; r++) {
            float *to = padded + (i * g->stride_y + r * g->dilation_y) * g->padded_width * c;
            const float *taps = w + r * g->kernel_width * c;
            int j = 0;
            for (; j + 4 <= g->out_width; j += 4) spread_4(g, dy + j * c, taps, to + j * step);
            for (; j < g->out_width; j++) spread_1(g, dy + j * c, taps, to + j * step);
        }
}

EXPORT int input_gradient_scratch(const struct geometry *g) {
    int padded = g->padded_height * g->padded_width * g->channels;
    return is_depthwise(g) ? padded : padded + g->out_height * g->out_width * depth_of(g) + gemm_scratch();
}

/* The columns dy w' of one image, added to their inputs. */
static void add_columns(const struct geometry *g, const float *dy, const float *w, float *padded, float *columns,
                        float *rest) {
    int each = g->filters / g->groups, depth = depth_of(g), inputs = g->channels / g->groups;
    for (int group = 0; group < g->groups; group++) {
        gemm(g->out_height * g->out_width, depth, each, dy + group * each, g->filters, 1, w + group * each, 1,
             g->filters, columns, depth, 0, LINEAR, 0, rest);
        scatter_columns(g, columns, padded + group * inputs);
    }
}

/* Any stride, padding and dilation. */
EXPORT void input_gradient(const struct geometry *g, const float *dy, const float *w, float *dx,
                           float *scratch) {
    int pixels = g->out_height * g->out_width, wide = g->padded_width * g->channels;
    float *padded = scratch, *columns = padded + g->padded_height * wide;
    for (int n = 0; n < g->images; n++, dy += pixels * g->filters) {
        clear(padded, g->padded_height * wide);
        if (is_depthwise(g)) spread_image(g, dy, w, padded);
        else add_columns(g, dy, w, padded, columns, columns + pixels * depth_of(g));
        for (int i = 0; i < g->height; i++)
            copy(dx + (n * g->height + i) * g->width * g->channels,
                 padded + (g->top + i) * wide + g->left * g->channels, g->width * g->channels);
    }
}
