/* Shapes of a convolution, in the layout that geometry.py packs. */
#ifndef NN_CONVOLUTION_H
#define NN_CONVOLUTION_H

#include "tile.h"

struct geometry {
    int images, height, width, channels; /* x: images, height, width, channels */
    int out_height, out_width, filters;  /* y: images, out_height, out_width, filters */
    int kernel_height, kernel_width;     /* w: kernel_height, kernel_width, channels / groups, filters */
    int stride_y, stride_x, dilation_y, dilation_x;
    int top, left;                   /* rows and columns of zeros before the image */
    int padded_height, padded_width; /* of the image with its zeros */
    int groups;
};

INLINE int depth_of(const struct geometry *g) {
    return g->kernel_height * g->kernel_width * (g->channels / g->groups);
}

INLINE int round_up(int n, int to) { return (n + to - 1) / to * to; }

/* Pads one image with zeros; returns the image itself if there is no padding. */
INLINE const float *pad_image(const struct geometry *g, const float *x, float *padded) {
    int row = g->width * g->channels, wide = g->padded_width * g->channels;
    int before = g->left * g->channels;
    if (g->padded_height == g->height && g->padded_width == g->width) return x;
    for (int i = 0; i < g->height; i++) {
        float *to = padded + (g->top + i) * wide + before;
        copy(to, x + i * row, row);
    }
    return padded;
}

/* The sums of a few images, or of other parts of a batch, and the totals that they are added to; the same memory if
 * there are no others. 168,000 terms added one after another were wrong by 1e-5 of their sum. */
struct parts {
    float *sums, *totals;
    int size, each, last;
};

#define TERMS_TOGETHER 4096

/* The sums of `each` of `count` parts of so many terms; twice `size` floats. */
static NOINLINE struct parts parts_in(float *scratch, int size, int terms, int count) {
    int each = 1 + TERMS_TOGETHER / terms;
    struct parts p = {scratch, count > each ? scratch + size : scratch, size, each, count - 1};
    clear(p.sums, size);
    clear(p.totals, size);
    return p;
}

static NOINLINE void end_part(const struct parts *p, int i) {
    if (p->totals == p->sums || (i < p->last && (i + 1) % p->each)) return;
    add_to(p->totals, p->sums, p->size);
    clear(p->sums, p->size);
}

/* Offsets in floats from a patch's corner to each of its depth_of(g) inputs, in the order of w. */
INLINE void patch_offsets(const struct geometry *g, int *offsets) {
    int inputs = g->channels / g->groups, k = 0;
    for (int i = 0; i < g->kernel_height; i++)
        for (int j = 0; j < g->kernel_width; j++)
            for (int c = 0; c < inputs; c++)
                offsets[k++] = (i * g->dilation_y * g->padded_width + j * g->dilation_x) * g->channels + c;
}

/* Offsets in floats from the image's corner to the patches of `count` output pixels, from the `first`. */
INLINE void pixel_offsets(const struct geometry *g, int first, int count, int *offsets) {
    int i = first / g->out_width, j = first % g->out_width;
    for (; count > 0; i++, j = 0)
        for (; j < g->out_width && count > 0; j++, count--)
            *offsets++ = (i * g->stride_y * g->padded_width + j * g->stride_x) * g->channels;
}

/* Up to eight columns of w (depth, filters), times low and high -> panel (depth, 8), filled with zeros. */
INLINE void pack_panel(const float *w, int filters, int depth, int here, f4 low, f4 high, float *panel) {
    for (int k = 0; k < depth; k++, w += filters, panel += COLUMNS) {
        f4 a = here == COLUMNS ? load(w) : load_part(w, here);
        f4 b = here == COLUMNS ? load(w + LANES) : load_part(w + LANES, here - LANES);
        store(panel, a * low), store(panel + LANES, b * high);
    }
}

#endif
