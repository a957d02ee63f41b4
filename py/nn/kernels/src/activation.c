/* Activations and their gradients, computed from the activation's output or, for those that are no function of it
 * (hard silu, silu, gelu, softplus, mish), from its input. `a` and `b` are an activation's own numbers: leaky relu is a x
 * below zero, elu a (exp(x) - 1) below and b x above, softplus a log(1 + exp(b x)).
 */
#include "activation.h"
#include "exponential.h"

/* tanh(log(1 + exp(x))), of mish, which is n / (n + 2) with n = (1 + exp(x))^2 - 1; and its slope. */
INLINE f4 gate_of_mish(f4 x, f4 *slope) {
    f4 one = splat(1), e = exponential_within(smallest(x, splat(20))), n = e * (e + splat(2)), q = one / (n + splat(2));
    *slope = splat(4) * (e * q) * ((e + one) * q);
    return n * q;
}

/* 0.5 (1 + tanh(z)) of gelu by tanh, which is the logistic function of 2 z, z = sqrt(2 / pi) (x + 0.044715 x^3); and its
 * slope. */
INLINE f4 gate_of_gelu(f4 x, f4 *slope) {
    f4 s = x * x, first = splat(1.5957691f), third = splat(0.071354816f), twice = x * madd(s, third, first);
    f4 one = splat(1), e = exponential_within(-larger(twice, -twice)), q = one / (one + e), below = e * q;
    *slope = below * q * madd(s, third * splat(3), first);
    return select(x < splat(0), below, q);
}

INLINE f4 apply(int kind, f4 x, f4 a, f4 b) {
    f4 bell, rest;
    if (kind == SIGMOID) return logistic(x);
    if (kind == TANH) return hyperbolic_tangent(x);
    if (kind == ELU) return select(x > splat(0), b * x, a * exponential_less_one(x));
    if (kind == LEAKY_RELU) return select(x > splat(0), x, a * x);
    if (kind == SILU) return x * logistic(x);
    if (kind == SOFTPLUS) return a * softplus(b * x);
    if (kind == MISH) return x * gate_of_mish(x, &rest);
    if (kind == GELU_TANH) return x * gate_of_gelu(x, &rest);
    return kind == GELU ? x * normal(x, &bell) : cut(kind, x);
}

/* v is the output, or the input: see above. */
INLINE f4 slope(int kind, f4 dy, f4 v, f4 a, f4 b) {
    if (kind == RELU) return (f4)((i4)dy & (v > splat(0)));
    if (kind == RELU6) return let_between(dy, v, 6);
    if (kind == HARD_SIGMOID) return let_between(dy, v, 1) * splat(1.f / 6);
    if (kind == SIGMOID) return dy * (v * (splat(1) - v));
    if (kind == TANH) return dy * (splat(1) - v * v);
    if (kind == ELU) return dy * select(v > splat(0), b, v + a);
    if (kind == LEAKY_RELU) return dy * select(v > splat(0), splat(1), a);
    if (kind == SILU) {
        f4 s = logistic(v);
        return dy * (s * madd(v, splat(1) - s, splat(1)));
    }
    if (kind == GELU) {
        f4 bell, below = normal(v, &bell);
        return dy * madd(v * bell, splat(0.39894228f), below);
    }
    if (kind == SOFTPLUS) return dy * (a * b * logistic(b * v));
    if (kind == MISH) {
        f4 slope, gate = gate_of_mish(v, &slope);
        return dy * madd(v, slope, gate);
    }
    if (kind == GELU_TANH) {
        f4 slope, gate = gate_of_gelu(v, &slope);
        return dy * madd(v, slope, gate);
    }
    i4 inside = (v > splat(-3)) & (v < splat(3));
    f4 above = (f4)((i4)splat(1) & (v >= splat(3)));
    return dy * select(inside, madd(v, splat(1.f / 3), splat(0.5f)), above);
}

INLINE void apply_all(int kind, const float *x, float *y, int count, f4 a, f4 b) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) store(y + i, apply(kind, load(x + i), a, b));
    if (i < count) store_part(y + i, apply(kind, load_part(x + i, count - i), a, b), count - i);
}

INLINE void slope_all(int kind, const float *dy, const float *v, float *dx, int count, f4 a, f4 b) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) store(dx + i, slope(kind, load(dy + i), load(v + i), a, b));
    if (i < count) {
        f4 d = load_part(dy + i, count - i);
        store_part(dx + i, slope(kind, d, load_part(v + i, count - i), a, b), count - i);
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
    case ELU:               \
        CALL(ELU);          \
        break;              \
    case LEAKY_RELU:        \
        CALL(LEAKY_RELU);   \
        break;              \
    case SILU:              \
        CALL(SILU);         \
        break;              \
    case GELU:              \
        CALL(GELU);         \
        break;              \
    case SOFTPLUS:          \
        CALL(SOFTPLUS);     \
        break;              \
    case MISH:              \
        CALL(MISH);         \
        break;              \
    case GELU_TANH:         \
        CALL(GELU_TANH);    \
        break;              \
    default:                \
        CALL(HARD_SILU);    \
    }

EXPORT void activate(int kind, const float *x, float *y, int count, float a, float b){
#define APPLY(KIND) apply_all(KIND, x, y, count, splat(a), splat(b))
    EACH_KIND(APPLY)}

EXPORT void activation_gradient(int kind, const float *dy, const float *v, float *dx, int count, float a, float b){
#define SLOPE(KIND) slope_all(KIND, dy, v, dx, count, splat(a), splat(b))
    EACH_KIND(SLOPE)}

/* y = a + b; y may be either. */
EXPORT void add(const float *a, const float *b, float *y, int count) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) store(y + i, load(a + i) + load(b + i));
    for (; i < count; i++) y[i] = a[i] + b[i];
}
