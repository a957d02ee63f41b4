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
