/* Images sampled at other places: an affine map for each image, and a rule for what lies outside. */
#include "vector.h"

#define FARTHEST 1e9 /* of a place: what is NaN lies there too */

enum fill { REFLECT,
            WRAP,
            CONSTANT,
            NEAREST };

struct sampling {
    int images, height, width, channels;
    int nearest; /* not bilinear */
    int fill;
};

/* The pixels before and after a place of an axis, -1 outside, and the share of the second. */
struct beside {
    int pixel[2];
    double share;
};

static int pixel_of(int index, int size, int fill) {
    if (index >= 0 && index < size) return index;
    if (fill == CONSTANT) return -1;
    if (fill == NEAREST) return index < 0 ? 0 : size - 1;
    int turns = fill == WRAP ? size : 2 * size, at = index % turns;
    if (at < 0) at += turns;
    return at < size ? at : 2 * size - 1 - at;
}

static struct beside beside_of(double place, int size, const struct sampling *s) {
    if (!(place > -FARTHEST)) place = -FARTHEST;
    if (place > FARTHEST) place = FARTHEST;
    if (s->nearest) place += place < 0 ? -0.5 : 0.5;
    int low = (int)place;
    if (!s->nearest && low > place) low--;
    struct beside b = {{pixel_of(low, size, s->fill), pixel_of(low + 1, size, s->fill)}, place - low};
    return b;
}

/* y += share of a pixel, or of what fills the plane around the image. */
INLINE void add_pixel(const float *image, int row, int column, const struct sampling *s, float share, float fill,
                      float *y) {
    const float *pixel = image + (row * s->width + column) * s->channels;
    int inside = row >= 0 && column >= 0;
    for (int c = 0; c < s->channels; c++) y[c] += (inside ? pixel[c] : fill) * share;
}

/* maps (images, 6), the rows a0 a1 a2 b0 b1 b2: the pixel at j, i is that at a0 j + a1 i + a2, b0 j + b1 i + b2. */
EXPORT void sample_images(const struct sampling *s, const float *x, const double *maps, float fill, float *y) {
    int size = s->height * s->width * s->channels;
    clear(y, s->images * size);
    for (int n = 0; n < s->images; n++, x += size, maps += 6)
        for (int i = 0; i < s->height; i++)
            for (int j = 0; j < s->width; j++, y += s->channels) {
                struct beside h = beside_of(maps[0] * j + maps[1] * i + maps[2], s->width, s);
                struct beside v = beside_of(maps[3] * j + maps[4] * i + maps[5], s->height, s);
                if (s->nearest) {
                    add_pixel(x, v.pixel[0], h.pixel[0], s, 1, fill, y);
                    continue;
                }
                for (int k = 0; k < 4; k++) {
                    double share = (k & 2 ? v.share : 1 - v.share) * (k & 1 ? h.share : 1 - h.share);
                    add_pixel(x, v.pixel[k >> 1], h.pixel[k & 1], s, (float)share, fill, y);
                }
            }
}
