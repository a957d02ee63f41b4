/* Optimizer steps over flat buffers. */
#include "vector.h"

struct adam {
    float step_size, beta_1, beta_2, epsilon, keep; /* keep = 1 - learning rate * weight decay */
};

INLINE f4 adam_four(struct adam o, f4 p, f4 *m, f4 *v, f4 g) {
    *m = *m + splat(1 - o.beta_1) * (g - *m);
    *v = *v + splat(1 - o.beta_2) * (g * g - *v);
    return p * splat(o.keep) - splat(o.step_size) * *m / (root(*v) + splat(o.epsilon));
}

/* The numbers are read from memory: ctypes checks each argument of a function that takes floats. */
EXPORT void adam_update(float *p, float *m, float *v, const float *g, int count, const struct adam *numbers) {
    struct adam o = *numbers;
    int i = 0, rest;
    for (; i + LANES <= count; i += LANES) {
        f4 first = load(m + i), second = load(v + i);
        store(p + i, adam_four(o, load(p + i), &first, &second, load(g + i)));
        store(m + i, first);
        store(v + i, second);
    }
    if ((rest = count - i) > 0) {
        f4 first = load_part(m + i, rest), second = load_part(v + i, rest);
        f4 result = adam_four(o, load_part(p + i, rest), &first, &second, load_part(g + i, rest));
        store_part(p + i, result, rest);
        store_part(m + i, first, rest);
        store_part(v + i, second, rest);
    }
}

/* velocity may be null: then p -= learning_rate * g. */
EXPORT void sgd_update(float *p, float *velocity, const float *g, int count, int nesterov,
                       float learning_rate, float momentum) {
    for (int i = 0; i < count; i++) {
        float step = -learning_rate * g[i];
        if (velocity) {
            velocity[i] = momentum * velocity[i] + step;
            step = nesterov ? momentum * velocity[i] + step : velocity[i];
        }
        p[i] += step;
    }
}

struct rmsprop {
    float learning_rate, rho, momentum, epsilon;
};

/* v: the running mean of squares; mean: that of the gradient, whose square is subtracted, and moved: what momentum
 * keeps of the steps; null for none. */
EXPORT void rmsprop_update(float *p, float *v, float *mean, float *moved, const float *g, int count,
                           const struct rmsprop *numbers) {
    struct rmsprop o = *numbers;
    for (int i = 0; i < count; i += LANES) {
        int n = smaller(count - i, LANES);
        f4 slope = part(g + i, n), fresh = splat(1 - o.rho), past = splat(o.rho);
        f4 squares = madd(part(v + i, n), past, fresh * slope * slope), below = squares + splat(o.epsilon);
        put(v + i, squares, n);
        if (mean) {
            f4 average = madd(part(mean + i, n), past, fresh * slope);
            put(mean + i, average, n);
            below -= average * average;
        }
        f4 step = splat(o.learning_rate) * slope / root(below);
        if (moved) {
            step = madd(part(moved + i, n), splat(o.momentum), step);
            put(moved + i, step, n);
        }
        put(p + i, part(p + i, n) - step, n);
    }
}
