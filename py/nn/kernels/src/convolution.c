/* Forward convolution, NHWC, without im2col: six output pixels by eight filters in registers.
 *
 * Inputs are read in place, with one pointer per pixel. So the pixels of a tile may be in different
 * rows, and strides, dilation and groups cost nothing. Weights are packed once per call.
 */
#include "convolution.h"

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
                             const float *w) {
    for (int i = 0; i < r->count; i++) {
        const float *from = x + r->offsets[i];
        const float *rows[ROWS];
        UNROLL for (int p = 0; p < ROWS; p++)
            rows[p] = from + pixel[p];
        ROLLED for (int k = 0; k < r->length; k++, w += COLUMNS) {
            tile_step(t, rows, w);
            UNROLL for (int p = 0; p < ROWS; p++)
                rows[p]++;
        }
    }
}

struct layer {
    const float *panel, *bias;
    int filters, here, activation;
};

/* One image, one panel of eight filters. */
static void convolve_panel(const float *x, float *y, const int *pixels, int count,
                           const struct runs *r, struct layer l) {
    for (int p = 0; p < count; p += ROWS) {
        tile t;
        tile_fill(t, l.bias);
        multiply_patches(t, x, pixels + p, r, l.panel);
        tile_activate(t, l.activation);
        if (count - p >= ROWS && l.here == COLUMNS) tile_store(t, y + p * l.filters, l.filters);
        else tile_store_part(t, y + p * l.filters, l.filters, smaller(count - p, ROWS), l.here);
    }
}

static void convolve_image(const struct geometry *g, const float *x, float *y, const float *panels,
                           const float *biases, const int *pixels, const struct runs *r, int activation) {
    int each = g->filters / g->groups, depth = depth_of(g);
    int count = g->out_height * g->out_width;
    for (int group = 0; group < g->groups; group++)
        for (int f = 0; f < each; f += COLUMNS, panels += depth * COLUMNS, biases += COLUMNS) {
            struct layer l = {panels, biases, g->filters, smaller(each - f, COLUMNS), activation};
            convolve_panel(x + group * (g->channels / g->groups), y + group * each + f, pixels,
                           count, r, l);
        }
}

static void pack_biases(const struct geometry *g, const float *bias, float *to) {
    int each = g->filters / g->groups, wide = round_up(each, COLUMNS);
    for (int group = 0; group < g->groups; group++)
        for (int f = 0; f < wide; f++) *to++ = bias && f < each ? bias[group * each + f] : 0;
}

EXPORT int convolution_scratch(const struct geometry *g) {
    int wide = round_up(g->filters / g->groups, COLUMNS) * g->groups;
    return (depth_of(g) + 1) * wide + g->padded_height * g->padded_width * g->channels +
           g->kernel_height * g->kernel_width + round_up(g->out_height * g->out_width, ROWS);
}

EXPORT void convolution(const struct geometry *g, const float *x, const float *w, const float *bias,
                        float *y, int activation, float *scratch) {
    int each = g->filters / g->groups, wide = round_up(each, COLUMNS), depth = depth_of(g);
    int count = g->out_height * g->out_width;
    float *panels = scratch, *biases = panels + depth * wide * g->groups;
    float *padded = biases + wide * g->groups;
    int *segments = (int *)(padded + g->padded_height * g->padded_width * g->channels);
    int *pixels = segments + g->kernel_height * g->kernel_width;
    struct runs r = runs_of(g, segments);
    pixel_offsets(g, pixels);
    for (int p = count; p % ROWS; p++) pixels[p] = pixels[count - 1];
    for (int group = 0; group < g->groups; group++)
        pack_panels(w + group * each, panels + group * depth * wide, depth, g->filters, each);
    pack_biases(g, bias, biases);
    clear(padded, g->padded_height * g->padded_width * g->channels);
    for (int n = 0; n < g->images; n++)
        convolve_image(g, pad_image(g, x + n * g->height * g->width * g->channels, padded),
                       y + n * count * g->filters, panels, biases, pixels, &r, activation);
}
