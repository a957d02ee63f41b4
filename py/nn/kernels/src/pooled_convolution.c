/* Convolution, relu and 2x2 max pooling as one layer.
 *
 * The full activation is never stored: four pixels of a window are compared in registers. In the
 * backward pass only the winners, at most a quarter of the pixels, have a gradient, so each winner's
 * patch is gathered (weights) or scattered (input) separately.
 */
#include "convolution.h"

#define WINDOW 4
#define VECTORS 6 /* of a patch, held in registers */

/* Patches of each window's four pixels, window after window. */
static int window_offsets(const struct geometry *g, int *offsets) {
    int down = g->stride_y * g->padded_width * g->channels, right = g->stride_x * g->channels;
    int *end = offsets;
    for (int i = 0; i + 1 < g->out_height; i += 2)
        for (int j = 0; j + 1 < g->out_width; j += 2) {
            int corner = i * down + j * right;
            *end++ = corner, *end++ = corner + right;
            *end++ = corner + down, *end++ = corner + down + right;
        }
    return (int)(end - offsets) / WINDOW;
}

/* A patch as vectors of four floats: each kernel row rounded up. */
static int vector_offsets(const struct geometry *g, int *offsets) {
    int length = g->kernel_width * g->channels, count = 0;
    for (int i = 0; i < g->kernel_height; i++)
        for (int t = 0; t < length; t += LANES)
            offsets[count++] = i * g->dilation_y * g->padded_width * g->channels + t;
    return count;
}

INLINE int vectors_used(const struct geometry *g) {
    return g->kernel_height * (round_up(g->kernel_width * g->channels, LANES) / LANES);
}

INLINE int vectors_of(const struct geometry *g) { return round_up(vectors_used(g), VECTORS); }

INLINE int windows_of(const struct geometry *g) { return (g->out_height / 2) * (g->out_width / 2); }

typedef f4 quad[WINDOW][2];

INLINE void quad_step(quad q, const float *const rows[WINDOW], const float *w) {
    f4 low = load(w), high = load(w + LANES);
    UNROLL for (int p = 0; p < WINDOW; p++) {
        f4 s = splat(*rows[p]);
        q[p][0] = madd(s, low, q[p][0]);
        q[p][1] = madd(s, high, q[p][1]);
    }
}

INLINE void quad_patches(quad q, const float *x, const int *pixel, const struct geometry *g, const float *w) {
    int row = g->dilation_y * g->padded_width * g->channels, length = g->kernel_width * g->channels;
    for (int i = 0; i < g->kernel_height; i++, x += row) {
        const float *rows[WINDOW];
        UNROLL for (int p = 0; p < WINDOW; p++)
            rows[p] = x + pixel[p];
        ROLLED for (int k = 0; k < length; k++, w += COLUMNS) {
            quad_step(q, rows, w);
            UNROLL for (int p = 0; p < WINDOW; p++)
                rows[p]++;
        }
    }
}

INLINE f4 winner(quad q, int half, uint8_t *argmax, int count) {
    i4 right_wins = q[1][half] > q[0][half], low_right = q[3][half] > q[2][half];
    f4 top = select(right_wins, q[1][half], q[0][half]);
    f4 low = select(low_right, q[3][half], q[2][half]);
    i4 low_wins = low > top;
    i4 at = (low_wins & ((low_right & 1) | 2)) | (~low_wins & (right_wins & 1));
    for (int i = 0; i < count && i < LANES; i++) argmax[i] = (uint8_t)at[i];
    return select(low_wins, low, top);
}

struct pooled {
    float *y;
    uint8_t *argmax;
    const float *bias;
    int filters, here, relu;
};

INLINE void pool_quad(quad q, struct pooled o, int window) {
    float *y = o.y + window * o.filters;
    uint8_t *argmax = o.argmax + window * o.filters;
    int whole = o.here == COLUMNS;
    f4 low = winner(q, 0, argmax, whole ? LANES : o.here);
    f4 high = winner(q, 1, argmax + LANES, whole ? LANES : o.here - LANES);
    low += load(o.bias), high += load(o.bias + LANES);
    if (o.relu) low = larger(low, splat(0)), high = larger(high, splat(0));
    if (whole) store(y, low), store(y + LANES, high);
    else store_part(y, low, o.here), store_part(y + LANES, high, o.here - LANES);
}

static void pool_panel(const struct geometry *g, const float *x, const int *pixels, const float *panel,
                       struct pooled o) {
    int windows = windows_of(g);
    for (int p = 0; p < windows; p++) {
        quad q;
        UNROLL for (int i = 0; i < WINDOW; i++)
            q[i][0] = q[i][1] = splat(0);
        quad_patches(q, x, pixels + WINDOW * p, g, panel);
        pool_quad(q, o, p);
    }
}

EXPORT int pooled_convolution_scratch(const struct geometry *g) {
    int wide = round_up(g->filters, COLUMNS);
    return (depth_of(g) + 1) * wide + g->padded_height * g->padded_width * g->channels + LANES +
           WINDOW * windows_of(g);
}

/* y, argmax: images, out_height / 2, out_width / 2, filters. Groups and column dilation are one. */
EXPORT void pooled_convolution(const struct geometry *g, const float *x, const float *w,
                               const float *bias, float *y, uint8_t *argmax, int activation,
                               float *scratch) {
    int depth = depth_of(g), wide = round_up(g->filters, COLUMNS), windows = windows_of(g);
    int size = g->padded_height * g->padded_width * g->channels;
    float *panels = scratch, *biases = panels + depth * wide, *padded = biases + wide;
    int *pixels = (int *)(padded + size + LANES);
    for (int f = 0; f < g->filters; f += COLUMNS)
        pack_panel(w + f, g->filters, depth, smaller(g->filters - f, COLUMNS), splat(1), splat(1), panels + f * depth);
    for (int f = 0; f < wide; f++) biases[f] = bias && f < g->filters ? bias[f] : 0;
    clear(padded, size);
    window_offsets(g, pixels);
    for (int n = 0; n < g->images; n++, y += windows * g->filters, argmax += windows * g->filters) {
        const float *image = pad_image(g, x + n * g->height * g->width * g->channels, padded);
        for (int f = 0; f < g->filters; f += COLUMNS) {
            struct pooled o = {y + f, argmax + f, biases + f, g->filters,
                               smaller(COLUMNS, g->filters - f), activation == RELU};
            pool_panel(g, image, pixels, panels + depth * f, o);
        }
    }
}

/* The winners of one filter on one image: offsets of their patches, and their gradients. */
struct winners {
    int *patch;
    float *slope;
    int count;
};

static void find_winners(struct winners *s, const int *pixels, int windows, const float *dy,
                         const float *y, const uint8_t *argmax, int filters, int relu) {
    int count = 0;
    for (int p = 0; p < windows; p++, dy += filters, y += filters, argmax += filters) {
        float slope = relu && !(*y > 0) ? 0 : *dy;
        s->patch[count] = pixels[WINDOW * p + *argmax];
        s->slope[count] = slope;
        count += slope != 0;
    }
    s->count = count;
}

INLINE void gather_patches(float *dw, const float *x, const int *vectors, const struct winners *s) {
    f4 t[VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++)
        t[v] = load(dw + v * LANES);
    ROLLED for (int i = 0; i < s->count; i++) {
        const float *patch = x + s->patch[i];
        f4 slope = splat(s->slope[i]);
        UNROLL for (int v = 0; v < VECTORS; v++)
            t[v] = madd(slope, load(patch + vectors[v]), t[v]);
    }
    UNROLL for (int v = 0; v < VECTORS; v++)
        store(dw + v * LANES, t[v]);
}

/* The same for patches of at most six vectors, in one pass over the winners without a list; zeros
 * are added like other values. Returns the gradient of the bias. */
INLINE float gather_windows(float *dw, const float *x, const int *vectors, const int *pixels, int windows,
                            const float *dy, const float *y, const uint8_t *argmax, int filters, int relu,
                            const int length) {
    f4 t[VECTORS];
    float total = 0;
    UNROLL for (int v = 0; v < length; v++)
        t[v] = load(dw + v * LANES);
    ROLLED for (int p = 0; p < windows; p++, dy += filters, y += filters, argmax += filters) {
        const float *patch = x + pixels[WINDOW * p + *argmax];
        float slope = relu && !(*y > 0) ? 0 : *dy;
        total += slope;
        UNROLL for (int v = 0; v < length; v++)
            t[v] = madd(splat(slope), load(patch + vectors[v]), t[v]);
    }
    UNROLL for (int v = 0; v < length; v++)
        store(dw + v * LANES, t[v]);
    return total;
}

INLINE void scatter_patches(float *dx, const float *w, const int *vectors, const struct winners *s) {
    f4 t[VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++)
        t[v] = load(w + v * LANES);
    ROLLED for (int i = 0; i < s->count; i++) {
        float *patch = dx + s->patch[i];
        f4 slope = splat(s->slope[i]);
        UNROLL for (int v = 0; v < VECTORS; v++) {
            float *to = patch + vectors[v];
            store(to, madd(slope, t[v], load(to)));
        }
    }
}

/* w (depth, filters) <-> (filters, vectors, 4): a filter's patch in vectors, padded with zeros. */
static void move_patches(const struct geometry *g, float *w, float *patches, int into) {
    int length = g->kernel_width * g->channels, wide = round_up(length, LANES);
    int size = vectors_of(g) * LANES;
    for (int f = 0; f < g->filters; f++, patches += size)
        for (int i = 0; i < g->kernel_height; i++)
            for (int t = 0; t < length; t++) {
                float *there = w + (i * length + t) * g->filters + f, *here = patches + i * wide + t;
                if (into) *here = *there;
                else *there = *here;
            }
}

struct patches {
    float *dw, *bias, *w, *padded, *gradient;
    int *pixels, *vectors, count, windows;
    struct winners winners;
};

static struct patches patches_in(const struct geometry *g, float *scratch) {
    int all = g->filters * vectors_of(g) * LANES;
    int size = g->padded_height * g->padded_width * g->channels + LANES * VECTORS;
    struct patches s;
    s.windows = windows_of(g);
    int both = all + g->filters; /* dw and bias lie together, then their totals, as `parts_in` has them */
    s.dw = scratch, s.bias = s.dw + all, s.w = s.dw + 2 * both;
    s.padded = s.w + all, s.gradient = s.padded + size;
    s.winners.slope = s.gradient + size;
    s.winners.patch = (int *)(s.winners.slope + s.windows + 1);
    s.pixels = s.winners.patch + s.windows + 1;
    s.vectors = s.pixels + WINDOW * s.windows;
    s.count = vector_offsets(g, s.vectors);
    for (; s.count % VECTORS; s.count++) s.vectors[s.count] = s.vectors[s.count - 1];
    window_offsets(g, s.pixels);
    return s;
}

EXPORT int pooled_gradient_scratch(const struct geometry *g) {
    int size = g->padded_height * g->padded_width * g->channels + LANES * VECTORS;
    return g->filters * (3 * vectors_of(g) * LANES + 2) + 2 * size + (2 + WINDOW) * windows_of(g) + 2 +
           vectors_of(g);
}

static float sum_of(const float *v, int count) {
    float total = 0;
    for (int i = 0; i < count; i++) total += v[i];
    return total;
}

static void crop_image(const struct geometry *g, const float *padded, float *dx) {
    int row = g->width * g->channels, wide = g->padded_width * g->channels;
    for (int i = 0; i < g->height; i++)
        copy(dx + i * row, padded + (g->top + i) * wide + g->left * g->channels, row);
}

/* One image, filter by filter. */
static void differentiate(const struct geometry *g, struct patches *s, const float *x, const float *dy,
                          const float *y, const uint8_t *argmax, int relu, int into_x) {
    int size = vectors_of(g) * LANES, few = !into_x && s->count == VECTORS;
    for (int f = 0; f < g->filters; f++) {
        if (few) {
            float *dw = s->dw + f * size;
            s->bias[f] += vectors_used(g) <= 3
                              ? gather_windows(dw, x, s->vectors, s->pixels, s->windows, dy + f, y + f, argmax + f,
                                               g->filters, relu, 3)
                              : gather_windows(dw, x, s->vectors, s->pixels, s->windows, dy + f, y + f, argmax + f,
                                               g->filters, relu, VECTORS);
            continue;
        }
        find_winners(&s->winners, s->pixels, s->windows, dy + f, y + f, argmax + f, g->filters, relu);
        s->bias[f] += sum_of(s->winners.slope, s->winners.count);
        for (int v = 0; v < s->count; v += VECTORS) {
            gather_patches(s->dw + f * size + v * LANES, x, s->vectors + v, &s->winners);
            if (into_x) scatter_patches(s->gradient, s->w + f * size + v * LANES, s->vectors + v, &s->winners);
        }
    }
}

/* dx may be null, as for the first layer. Vectors extend past a patch's rows, so the last image is
 * read from a copy with padding at its end. */
EXPORT void pooled_gradient(const struct geometry *g, const float *x, const float *w, const float *dy,
                            const float *y, const uint8_t *argmax, float *dw, float *bias, float *dx,
                            int activation, float *scratch) {
    int image = g->height * g->width * g->channels, size = windows_of(g) * g->filters;
    int padded = g->padded_height * g->padded_width * g->channels + LANES * VECTORS;
    struct patches s = patches_in(g, scratch);
    struct parts p = parts_in(s.dw, (int)(s.bias - s.dw) + g->filters, windows_of(g), g->images);
    clear(s.w, (int)(s.padded - s.w) + padded);
    move_patches(g, (float *)w, s.w, 1);
    for (int n = 0; n < g->images; n++, x += image, dy += size, y += size, argmax += size) {
        const float *here = pad_image(g, x, s.padded);
        if (here == x && n == g->images - 1) copy(s.padded, x, image), here = s.padded;
        if (dx) clear(s.gradient, padded);
        differentiate(g, &s, here, dy, y, argmax, activation == RELU, dx != 0);
        end_part(&p, n);
        if (dx) crop_image(g, s.gradient, dx + n * image);
    }
    move_patches(g, dw, p.totals, 0);
    copy(bias, p.totals + (s.bias - s.dw), g->filters);
}
