/* Activations and their gradients, computed from the activation's output or, for hard silu, its input. */
#include "activation.h"
#include "exponential.h"

INLINE f4 apply(int kind, f4 x) {
    if (kind == SIGMOID) return logistic(x);
    return kind == TANH ? hyperbolic_tangent(x) : cut(kind, x);
}

/* v is the output; hard silu's input. */
INLINE f4 slope(int kind, f4 dy, f4 v) {
    if (kind == RELU) return (f4)((i4)dy & (v > splat(0)));
    if (kind == RELU6) return let_between(dy, v, 6);
    if (kind == HARD_SIGMOID) return let_between(dy, v, 1) * splat(1.f / 6);
    if (kind == SIGMOID) return dy * (v * (splat(1) - v));
    if (kind == TANH) return dy * (splat(1) - v * v);
    i4 inside = (v > splat(-3)) & (v < splat(3));
    f4 above = (f4)((i4)splat(1) & (v >= splat(3)));
    return dy * select(inside, madd(v, splat(1.f / 3), splat(0.5f)), above);
}

INLINE void apply_all(int kind, const float *x, float *y, int count) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) store(y + i, apply(kind, load(x + i)));
    if (i < count) store_part(y + i, apply(kind, load_part(x + i, count - i)), count - i);
}

INLINE void slope_all(int kind, const float *dy, const float *v, float *dx, int count) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) store(dx + i, slope(kind, load(dy + i), load(v + i)));
    if (i < count) {
        f4 d = load_part(dy + i, count - i);
        store_part(dx + i, slope(kind, d, load_part(v + i, count - i)), count - i);
    }
}

#define EACH_KIND(CALL)     \
    switch (kind) {         \
    case RELU:              \
        CALL(RELU);         \
        break;              \
    case SIGMOID:           \
        CALL(SIGMOID);      \
        break;              \
    case TANH:              \
        CALL(TANH);         \
        break;              \
    case RELU6:             \
        CALL(RELU6);        \
        break;              \
    case HARD_SIGMOID:      \
        CALL(HARD_SIGMOID); \
        break;              \
    default:                \
        CALL(HARD_SILU);    \
    }

EXPORT void activate(int kind, const float *x, float *y, int count){
#define APPLY(KIND) apply_all(KIND, x, y, count)
    EACH_KIND(APPLY)}

EXPORT void activation_gradient(int kind, const float *dy, const float *v, float *dx, int count){
#define SLOPE(KIND) slope_all(KIND, dy, v, dx, count)
    EACH_KIND(SLOPE)}

/* y = a + b; y may be either. */
EXPORT void add(const float *a, const float *b, float *y, int count) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) store(y + i, load(a + i) + load(b + i));
    for (; i < count; i++) y[i] = a[i] + b[i];
}
