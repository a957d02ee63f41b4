/* Activations and their gradients, computed from the activation's output. */
#include "exponential.h"

enum { RELU = 1,
       SIGMOID = 2,
       TANH = 3 };

INLINE f4 apply(int kind, f4 x) {
    if (kind == RELU) return larger(x, splat(0));
    return kind == SIGMOID ? logistic(x) : hyperbolic_tangent(x);
}

INLINE f4 slope(int kind, f4 dy, f4 y) {
    if (kind == RELU) return (f4)((i4)dy & (y > splat(0)));
    return dy * (kind == SIGMOID ? y * (splat(1) - y) : splat(1) - y * y);
}

INLINE void apply_all(int kind, const float *x, float *y, int count) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) store(y + i, apply(kind, load(x + i)));
    if (i < count) store_part(y + i, apply(kind, load_part(x + i, count - i)), count - i);
}

INLINE void slope_all(int kind, const float *dy, const float *y, float *dx, int count) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) store(dx + i, slope(kind, load(dy + i), load(y + i)));
    if (i < count) {
        f4 d = load_part(dy + i, count - i);
        store_part(dx + i, slope(kind, d, load_part(y + i, count - i)), count - i);
    }
}

EXPORT void activate(int kind, const float *x, float *y, int count) {
    if (kind == RELU) apply_all(RELU, x, y, count);
    else if (kind == SIGMOID) apply_all(SIGMOID, x, y, count);
    else apply_all(TANH, x, y, count);
}

EXPORT void activation_gradient(int kind, const float *dy, const float *y, float *dx, int count) {
    if (kind == RELU) slope_all(RELU, dy, y, dx, count);
    else if (kind == SIGMOID) slope_all(SIGMOID, dy, y, dx, count);
    else slope_all(TANH, dy, y, dx, count);
}
