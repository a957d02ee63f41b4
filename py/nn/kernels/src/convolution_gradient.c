/* Gradients of a convolution by its weights, its bias and its input. */
#include "convolution.h"
#include "gemm.h"

#define CACHED 4096 /* floats of x that stay in the level-1 cache beside dy and the panels */

/* dw[k][f] = sum over pixels of x[pixel + k] dy[pixel][f]: six inputs by eight filters. */
INLINE void multiply_row(tile t, const float *x, const int *inputs, int step, const float *dy,
                         int filters, int pixels) {
    const float *rows[ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) rows[r] = x + inputs[r];
    ROLLED for (int j = 0; j < pixels; j++, dy += filters) {
        tile_step(t, rows, dy);
        UNROLL for (int r = 0; r < ROWS; r++) rows[r] += step;
    }
}

/* Some rows of one image into one panel (depth, 8). */
static void gather_panel(const struct geometry *g, const float *x, const float *dy, float *panel,
                         const int *inputs, int depth, int rows) {
    int row = g->stride_y * g->padded_width * g->channels, step = g->stride_x * g->channels;
    for (int k = 0; k < depth; k += ROWS) {
        tile t;
        tile_load(t, panel + k * COLUMNS);
        for (int i = 0; i < rows; i++)
            multiply_row(t, x + i * row, inputs + k, step, dy + i * g->out_width * g->filters,
                         g->filters, g->out_width);
        tile_store(t, panel + k * COLUMNS, COLUMNS);
    }
}

struct gradient {
    float *panels, *padded, *tail;
    int *inputs;
};

INLINE int panel_size(const struct geometry *g) { return round_up(depth_of(g), ROWS) * COLUMNS; }

static void gather_image(const struct geometry *g, const float *x, const float *dy,
                         const struct gradient *s) {
    int each = g->filters / g->groups, depth = depth_of(g);
    int row = g->stride_y * g->padded_width * g->channels, wide = g->out_width * g->filters;
    int block = row < CACHED ? CACHED / row : 1;
    for (int i = 0; i < g->out_height; i += block) {
        float *panel = s->panels;
        for (int group = 0; group < g->groups; group++)
            for (int f = 0; f < each; f += COLUMNS, panel += panel_size(g))
                gather_panel(g, x + i * row + group * (g->channels / g->groups),
                             dy + i * wide + group * each + f, panel, s->inputs, depth,
                             smaller(block, g->out_height - i));
    }
}

static void unpack_panels(const struct geometry *g, const float *panels, float *dw) {
    int each = g->filters / g->groups, depth = depth_of(g);
    for (int group = 0; group < g->groups; group++)
        for (int f = 0; f < each; f += COLUMNS, panels += panel_size(g))
            for (int k = 0; k < depth; k++)
                for (int c = 0; c < COLUMNS && f + c < each; c++)
                    dw[k * g->filters + group * each + f + c] = panels[k * COLUMNS + c];
}

EXPORT int weight_gradient_scratch(const struct geometry *g) {
    int panels = round_up(g->filters / g->groups, COLUMNS) / COLUMNS * g->groups;
    return panels * panel_size(g) + g->padded_height * g->padded_width * g->channels +
           g->out_height * g->out_width * g->filters + COLUMNS + round_up(depth_of(g), ROWS);
}

/* Panels are eight filters wide: where filters end earlier, the last image's dy is read from a
 * copy with room after it, and what those columns gather is dropped. */
EXPORT void weight_gradient(const struct geometry *g, const float *x, const float *dy, float *dw,
                            float *scratch) {
    int each = g->filters / g->groups, depth = depth_of(g);
    int image = g->height * g->width * g->channels, size = g->out_height * g->out_width * g->filters;
    int panels = round_up(each, COLUMNS) / COLUMNS * g->groups * panel_size(g);
    int padded = g->padded_height * g->padded_width * g->channels;
    struct gradient s = {scratch, scratch + panels, scratch + panels + padded, 0};
    s.inputs = (int *)(s.tail + size + COLUMNS);
    patch_offsets(g, s.inputs);
    for (int k = depth; k % ROWS; k++) s.inputs[k] = s.inputs[depth - 1];
    clear(s.panels, panels + padded);
    for (int n = 0; n < g->images; n++) {
        const float *here = dy + n * size;
        if (each % COLUMNS && n == g->images - 1) {
            copy(s.tail, here, size);
            here = s.tail;
        }
        gather_image(g, pad_image(g, x + n * image, s.padded), here, &s);
    }
    unpack_panels(g, s.panels, dw);
}

/* w (kh, kw, inputs, filters) -> (kh, kw, filters / groups, channels), turned by 180 degrees:
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

INLINE void add(float *to, const float *from, int count) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) store(to + i, load(to + i) + load(from + i));
    for (; i < count; i++) to[i] += from[i];
}

static void scatter_columns(const struct geometry *g, const float *columns, float *image) {
    int inputs = g->channels / g->groups;
    for (int i = 0; i < g->out_height; i++)
        for (int j = 0; j < g->out_width; j++)
            for (int y = 0; y < g->kernel_height; y++)
                for (int x = 0; x < g->kernel_width; x++, columns += inputs)
                    add(image + ((i * g->stride_y + y * g->dilation_y) * g->padded_width +
                                 j * g->stride_x + x * g->dilation_x) * g->channels,
                        columns, inputs);
}

EXPORT int input_gradient_scratch(const struct geometry *g) {
    return g->padded_height * g->padded_width * g->channels +
           g->out_height * g->out_width * depth_of(g) + gemm_scratch();
}

/* Any stride, padding and dilation: columns = dy w', added where they came from. */
EXPORT void input_gradient(const struct geometry *g, const float *dy, const float *w, float *dx,
                           float *scratch) {
    int each = g->filters / g->groups, depth = depth_of(g), inputs = g->channels / g->groups;
    int pixels = g->out_height * g->out_width, wide = g->padded_width * g->channels;
    float *padded = scratch, *columns = padded + g->padded_height * wide;
    float *rest = columns + pixels * depth;
    for (int n = 0; n < g->images; n++) {
        clear(padded, g->padded_height * wide);
        for (int group = 0; group < g->groups; group++) {
            gemm(pixels, depth, each, dy + n * pixels * g->filters + group * each, g->filters, 1,
                 w + group * each, 1, g->filters, columns, depth, 0, LINEAR, 0, rest);
            scatter_columns(g, columns, padded + group * inputs);
        }
        for (int i = 0; i < g->height; i++)
            copy(dx + (n * g->height + i) * g->width * g->channels,
                 padded + (g->top + i) * wide + g->left * g->channels, g->width * g->channels);
    }
}
