/* Activations: their codes, and what those that an epilogue may apply do to four floats. */
#ifndef NN_ACTIVATION_H
#define NN_ACTIVATION_H

#include "vector.h"

enum activation { LINEAR = 0,
                  RELU = 1,
                  SIGMOID = 2,
                  TANH = 3,
                  RELU6 = 4,
                  HARD_SIGMOID = 5,
                  HARD_SILU = 6,
                  ELU = 7,
                  LEAKY_RELU = 8,
                  SILU = 9,
                  GELU = 10,
                  SOFTPLUS = 11,
                  MISH = 12,
                  GELU_TANH = 13 };

/* x / 6 + 1 / 2 between 0 and 1. */
INLINE f4 ramp(f4 x) { return clip(madd(x, splat(1.f / 6), splat(0.5f)), splat(0), splat(1)); }

/* The activations without exponentials. */
INLINE f4 cut(int activation, f4 x) {
    if (activation == RELU) return larger(x, splat(0));
    if (activation == RELU6) return clip(x, splat(0), splat(6));
    if (activation == HARD_SIGMOID) return ramp(x);
    return activation == HARD_SILU ? x * ramp(x) : x;
}

/* dy where an activation's output y is neither at its lower nor at its upper end, else 0. */
INLINE f4 let_between(f4 dy, f4 y, float top) { return (f4)((i4)dy & (y > splat(0)) & (y < splat(top))); }

/* y = activation(x), with up to two numbers of its own; y may be x. */
void activate(int kind, const float *x, float *y, int count, float a, float b);

#endif
