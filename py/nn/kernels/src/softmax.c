/* Softmax and cross-entropy with integer labels, with the gradient of the logits in the same pass. */
#include "exponential.h"

INLINE float highest(const float *v, int count) {
    float best = v[0];
    for (int i = 1; i < count; i++) best = v[i] > best || v[i] != v[i] ? v[i] : best;
    return best;
}

/* to = exp(from - most); returns their sum. */
INLINE float exponentials(const float *from, float *to, int count, float most) {
    f4 total = splat(0);
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
        f4 e = exponential(load(from + i) - splat(most));
        store(to + i, e);
        total += e;
    }
    if (i < count) {
        f4 e = exponential(load_part(from + i, count - i) - splat(most));
        store_part(to + i, e, count - i);
        for (int lane = 0; lane < count - i; lane++) total[lane] += e[lane];
    }
    return sum(total);
}

INLINE void scale(const float *from, float *to, int count, float factor) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) store(to + i, load(from + i) * splat(factor));
    for (; i < count; i++) to[i] = from[i] * factor;
}

EXPORT void softmax(const float *x, float *y, int rows, int classes) {
    for (; rows > 0; rows--, x += classes, y += classes)
        scale(y, y, classes, 1 / exponentials(x, y, classes, highest(x, classes)));
}

/* losses (rows); gradient and probabilities (rows, classes) and weights (rows) may be null;
 * work holds one row. Returns the number of labels outside the classes; if any, nothing is written. */
EXPORT int softmax_cross_entropy(const float *logits, const int *labels, const float *weights,
                                 float *losses, float *gradient, float *probabilities, int rows,
                                 int classes, float *work) {
    int wrong = 0;
    for (int n = 0; n < rows; n++) wrong += labels[n] < 0 || labels[n] >= classes;
    if (wrong) return wrong;
    for (int n = 0; n < rows; n++, logits += classes) {
        float most = highest(logits, classes);
        float total = exponentials(logits, work, classes, most);
        losses[n] = logarithm(total) - (logits[labels[n]] - most);
        if (probabilities) scale(work, probabilities + n * classes, classes, 1 / total);
        if (gradient) {
            float weight = weights ? weights[n] : 1;
            scale(work, gradient + n * classes, classes, weight / total);
            gradient[n * classes + labels[n]] -= weight;
        }
    }
    return 0;
}
