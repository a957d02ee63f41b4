/* Pooling: maxima, with the index of the winner in its window; means of windows, and of all places. */
#include "convolution.h"

/* Geometry's kernel is the window; channels equal filters, groups and dilation are one. */

INLINE void put_indices(uint8_t *to, i4 v, int count) {
    for (int i = 0; i < count; i++) to[i] = (uint8_t)v[i];
}

INLINE void put_four_indices(uint8_t *to, i4 v) {
    uint32_t packed = (uint32_t)v[0] | (uint32_t)v[1] << 8 | (uint32_t)v[2] << 16 | (uint32_t)v[3] << 24;
    __builtin_memcpy(to, &packed, 4);
}

INLINE i4 get_indices(const uint8_t *from) { return (i4){from[0], from[1], from[2], from[3]}; }

/* The part of a window inside the image; padding never wins. */
struct window {
    int top, bottom, left, right;
};

INLINE int at_least(int a, int b) { return a > b ? a : b; }

static struct window window_at(const struct geometry *g, int i, int j) {
    int y = i * g->stride_y - g->top, x = j * g->stride_x - g->left;
    struct window w = {at_least(0, -y), smaller(g->kernel_height, g->height - y), at_least(0, -x),
                       smaller(g->kernel_width, g->width - x)};
    return w;
}

INLINE void compare(f4 *best, i4 *where, f4 v, int index) {
    i4 wins = (v > *best) | ((v != v) & (*best == *best));
    *best = select(wins, v, *best);
    *where = (wins & index) | (~wins & *where);
}

static void pool_window(const struct geometry *g, const float *x, struct window w, float *y, uint8_t *argmax) {
    int row = g->width * g->channels, first = w.top * g->kernel_width + w.left;
    for (int c = 0; c < g->channels; c += LANES) {
        int count = smaller(LANES, g->channels - c), whole = count == LANES;
        const float *start = x + w.top * row + w.left * g->channels + c;
        f4 best = whole ? load(start) : load_part(start, count);
        i4 where = {first, first, first, first};
        for (int i = w.top; i < w.bottom; i++)
            for (int j = w.left; j < w.right; j++) {
                const float *from = x + i * row + j * g->channels + c;
                compare(&best, &where, whole ? load(from) : load_part(from, count), i * g->kernel_width + j);
            }
        if (whole) store(y + c, best), put_four_indices(argmax + c, where);
        else store_part(y + c, best, count), put_indices(argmax + c, where, count);
    }
}

/* Adjacent 2x2 windows, with a multiple of four channels. */
static int in_pairs(const struct geometry *g) {
    return g->kernel_height == 2 && g->kernel_width == 2 && g->stride_y == 2 && g->stride_x == 2 &&
           !g->top && !g->left && g->channels % LANES == 0 && 2 * g->out_height <= g->height &&
           2 * g->out_width <= g->width;
}

static void pool_pair(const float *x, int row, int channels, float *y, uint8_t *argmax) {
    for (int c = 0; c < channels; c += LANES) {
        f4 best = load(x + c);
        i4 where = {0, 0, 0, 0};
        compare(&best, &where, load(x + channels + c), 1);
        compare(&best, &where, load(x + row + c), 2);
        compare(&best, &where, load(x + row + channels + c), 3);
        store(y + c, best);
        put_four_indices(argmax + c, where);
    }
}

EXPORT void max_pool(const struct geometry *g, const float *x, float *y, uint8_t *argmax) {
    int pairs = in_pairs(g), row = g->width * g->channels;
    for (int n = 0; n < g->images; n++, x += g->height * g->width * g->channels)
        for (int i = 0; i < g->out_height; i++)
            for (int j = 0; j < g->out_width; j++, y += g->channels, argmax += g->channels) {
                int corner = (i * g->stride_y - g->top) * g->width + j * g->stride_x - g->left;
                if (pairs) pool_pair(x + corner * g->channels, row, g->channels, y, argmax);
                else pool_window(g, x + corner * g->channels, window_at(g, i, j), y, argmax);
            }
}

/* Writes every input once, so nothing has to be cleared. */
static void spread_pair(const struct geometry *g, const float *dy, const uint8_t *argmax,
                        const float *relu, float *dx) {
    int row = g->width * g->channels, c = g->channels;
    for (int t = 0; t < c; t += LANES) {
        f4 d = load(dy + t);
        i4 at = get_indices(argmax + t);
        if (relu) d = (f4)((i4)d & (load(relu + t) > splat(0)));
        store(dx + t, (f4)((i4)d & (at == 0)));
        store(dx + c + t, (f4)((i4)d & (at == 1)));
        store(dx + row + t, (f4)((i4)d & (at == 2)));
        store(dx + row + c + t, (f4)((i4)d & (at == 3)));
    }
}

static void clear_rest(const struct geometry *g, float *dx) {
    int row = g->width * g->channels, used = g->out_width * 2 * g->channels;
    for (int i = 0; i < g->out_height * 2; i++) clear(dx + i * row + used, row - used);
    clear(dx + g->out_height * 2 * row, (g->height - g->out_height * 2) * row);
}

static void spread_pairs(const struct geometry *g, const float *dy, const uint8_t *argmax,
                         const float *relu, float *dx) {
    int c = g->channels, row = g->width * c;
    for (int n = 0; n < g->images; n++, dx += g->height * row) {
        clear_rest(g, dx);
        for (int i = 0; i < g->out_height; i++)
            for (int j = 0; j < g->out_width; j++) {
                int at = ((n * g->out_height + i) * g->out_width + j) * c;
                spread_pair(g, dy + at, argmax + at, relu ? relu + at : 0, dx + 2 * i * row + 2 * j * c);
            }
    }
}

static void scatter_window(const struct geometry *g, const float *dy, const uint8_t *argmax,
                           const float *relu, float *corner) {
    for (int c = 0; c < g->channels; c++) {
        int y = argmax[c] / g->kernel_width, x = argmax[c] % g->kernel_width;
        if (relu && !(relu[c] > 0)) continue;
        corner[(y * g->width + x) * g->channels + c] += dy[c];
    }
}

/* relu: the pooled output if the input came from a relu, whose gradient is then fused. */
EXPORT void max_pool_gradient(const struct geometry *g, const float *dy, const uint8_t *argmax,
                              const float *relu, float *dx) {
    int image = g->height * g->width * g->channels;
    if (in_pairs(g)) {
        spread_pairs(g, dy, argmax, relu, dx);
        return;
    }
    for (int n = 0; n < g->images; n++, dx += image) {
        clear(dx, image);
        for (int i = 0; i < g->out_height; i++)
            for (int j = 0; j < g->out_width; j++, dy += g->channels, argmax += g->channels) {
                int corner = (i * g->stride_y - g->top) * g->width + j * g->stride_x - g->left;
                scatter_window(g, dy, argmax, relu, dx + corner * g->channels);
                if (relu) relu += g->channels;
            }
    }
}

/* What each element of a window counts for in its mean; in its sum, where that is asked for. */
static float share_in(struct window w, int summed) {
    return summed ? 1 : 1.f / (float)((w.bottom - w.top) * (w.right - w.left));
}

/* The sum of the window's elements inside the image, each times its share. */
static void sum_of_window(const struct geometry *g, const float *x, struct window w, f4 share, float *y) {
    int row = g->width * g->channels;
    for (int c = 0; c < g->channels; c += LANES) {
        int count = smaller(LANES, g->channels - c), whole = count == LANES;
        f4 total = splat(0);
        for (int i = w.top; i < w.bottom; i++)
            for (int j = w.left; j < w.right; j++) {
                const float *from = x + i * row + j * g->channels + c;
                total += whole ? load(from) : load_part(from, count);
            }
        if (whole) store(y + c, total * share);
        else store_part(y + c, total * share, count);
    }
}

/* Means, or sums, of the elements of each window that are not padding. */
EXPORT void average_pool(const struct geometry *g, const float *x, float *y, int summed) {
    for (int n = 0; n < g->images; n++, x += g->height * g->width * g->channels)
        for (int i = 0; i < g->out_height; i++)
            for (int j = 0; j < g->out_width; j++, y += g->channels) {
                int corner = (i * g->stride_y - g->top) * g->width + j * g->stride_x - g->left;
                struct window w = window_at(g, i, j);
                sum_of_window(g, x + corner * g->channels, w, splat(share_in(w, summed)), y);
            }
}

static void share_out(const struct geometry *g, const float *dy, struct window w, float share, float *dx) {
    for (int i = w.top; i < w.bottom; i++)
        for (int j = w.left; j < w.right; j++) {
            float *to = dx + (i * g->width + j) * g->channels;
            int c = 0;
            for (; c + LANES <= g->channels; c += LANES)
                store(to + c, madd(load(dy + c), splat(share), load(to + c)));
            for (; c < g->channels; c++) to[c] += dy[c] * share;
        }
}

EXPORT void average_pool_gradient(const struct geometry *g, const float *dy, float *dx, int summed) {
    int image = g->height * g->width * g->channels;
    for (int n = 0; n < g->images; n++, dx += image) {
        clear(dx, image);
        for (int i = 0; i < g->out_height; i++)
            for (int j = 0; j < g->out_width; j++, dy += g->channels) {
                int corner = (i * g->stride_y - g->top) * g->width + j * g->stride_x - g->left;
                struct window w = window_at(g, i, j);
                share_out(g, dy, w, share_in(w, summed), dx + corner * g->channels);
            }
    }
}

/* The gradient of `mean_places`: each place gets the same share. */
EXPORT void spread_places(const float *dy, float *dx, int images, int places, int channels) {
    float share = 1.f / (float)places;
    for (int n = 0; n < images; n++, dy += channels)
        for (int p = 0; p < places; p++, dx += channels) {
            int c = 0;
            for (; c + LANES <= channels; c += LANES) store(dx + c, load(dy + c) * splat(share));
            for (; c < channels; c++) dx[c] = dy[c] * share;
        }
}
