/* Softmax and its gradient; cross-entropy with integer labels, with the gradient of the logits in the same pass. */
#include "exponential.h"

INLINE float highest(const float *v, int count) {
    f4 most = splat(v[0]);
    int i = 0;
    for (; i + LANES <= count; i += LANES) most = larger(most, load(v + i));
    float best = most[0];
    for (int lane = 1; lane < LANES; lane++) best = most[lane] > best ? most[lane] : best;
    for (; i < count; i++) best = v[i] > best ? v[i] : best;
    return best;
}

/* to = exp(factor (from - most)); returns their sum. A NaN in `from` is in the sum, wherever `most` passed it. */
INLINE float exponentials(const float *from, float *to, int count, float most, float factor) {
    f4 total = splat(0);
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
        f4 e = exponential((load(from + i) - splat(most)) * splat(factor));
        store(to + i, e);
        total += e;
    }
    if (i < count) {
        f4 e = exponential((load_part(from + i, count - i) - splat(most)) * splat(factor));
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

/* y = softmax(factor x) of each row, factor > 0; y may be x. */
EXPORT void softmax(const float *x, float *y, int rows, int classes, float factor) {
    for (; rows > 0; rows--, x += classes, y += classes)
        scale(y, y, classes, 1 / exponentials(x, y, classes, highest(x, classes), factor));
}

/* dx = factor y (dy - sum(dy y)) of each row, from the result y; dx may be dy. */
EXPORT void softmax_gradient(const float *dy, const float *y, float *dx, int rows, int classes, float factor) {
    for (; rows > 0; rows--, dy += classes, y += classes, dx += classes) {
        f4 along = splat(0);
        int i = 0;
        for (; i + LANES <= classes; i += LANES) along = madd(load(dy + i), load(y + i), along);
        float inner = sum(along);
        for (; i < classes; i++) inner += dy[i] * y[i];
        for (i = 0; i + LANES <= classes; i += LANES)
            store(dx + i, (load(dy + i) - splat(inner)) * (load(y + i) * splat(factor)));
        for (; i < classes; i++) dx[i] = (dy[i] - inner) * (y[i] * factor);
    }
}

/* What the losses are summed with, and their sum. */
struct reduction {
    float factor, sum;
};

/* losses (rows); to->sum: all of them, each times its weight and to->factor; gradient (rows, classes): that of the sum.
 * It, probabilities (rows, classes) and weights (rows) may be null; work holds one row. A label takes `width` ints: 1,
 * or 2 for 64 bits, the low ones first.
 * Returns the number of labels outside the classes; if any, nothing is written. */
EXPORT int softmax_cross_entropy(const float *logits, const float *weights, float *losses,
                                 float *gradient, float *probabilities, int rows, int classes,
                                 float *work, struct reduction *to, const int *labels, int width) {
    int wrong = 0;
    double sum = 0;
    for (int n = 0; n < rows; n++) {
        int label = labels[n * width];
        wrong += label < 0 || label >= classes || (width > 1 && labels[n * width + 1]);
    }
    if (wrong) return wrong;
    for (int n = 0; n < rows; n++, logits += classes) {
        int label = labels[n * width];
        float most = highest(logits, classes);
        float total = exponentials(logits, work, classes, most, 1);
        float weight = weights ? weights[n] * to->factor : to->factor;
        losses[n] = logarithm(total) - (logits[label] - most) + (total - total); /* NaN, of which there is no logarithm */
        sum += losses[n] * (double)weight;
        if (probabilities) scale(work, probabilities + n * classes, classes, 1 / total);
        if (gradient) {
            scale(work, gradient + n * classes, classes, weight / total);
            gradient[n * classes + label] -= weight;
        }
    }
    to->sum = (float)sum;
    return 0;
}
