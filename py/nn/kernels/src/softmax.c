/* Softmax and its gradient; losses of logits, with their gradient in the same pass: cross-entropy with integer labels, and
 * those whose targets are a number for each logit. */
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

/* What the losses are summed with, and their sum; targets t are smoothed to t kept + spread. */
struct reduction {
    float factor, sum, kept, spread;
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
        losses[n] = logarithm(total) - (logits[label] - most);
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

/* Loss of a row whose targets are a distribution: -sum(t log softmax(logits)). Writes its gradient times `weight`. */
static float categorical_row(const float *logits, const float *targets, float *gradient, float *outputs, int classes,
                             float *work, const struct reduction *by, float weight) {
    float most = highest(logits, classes), held = 0, inner = 0;
    float total = exponentials(logits, work, classes, most, 1), loss;
    for (int c = 0; c < classes; c++) {
        float t = targets[c] * by->kept + by->spread;
        held += t;
        inner += t * (logits[c] - most);
    }
    loss = held * logarithm(total) - inner;
    if (outputs) scale(work, outputs, classes, 1 / total);
    if (!gradient) return loss;
    scale(work, gradient, classes, weight * held / total);
    for (int c = 0; c < classes; c++) gradient[c] -= weight * (targets[c] * by->kept + by->spread);
    return loss;
}

/* The mean of a row's -t log p - (1 - t) log(1 - p), p = sigmoid(z), or if `linear` of its (z - t)^2; the rest as above.
 * With e = exp(-|z|): p is 1 / (1 + e), or e / (1 + e) of a negative z. */
INLINE float independent_row(const int linear, const float *logits, const float *targets, float *gradient,
                             float *outputs, int classes, const struct reduction *by, float weight) {
    f4 one = splat(1), zero = splat(0);
    float loss = 0, share = 1 / (float)classes;
    for (int c = 0; c < classes; c += LANES) {
        int count = smaller(LANES, classes - c);
        f4 z = load_part(logits + c, count), y = z;
        f4 t = madd(load_part(targets + c, count), splat(by->kept), splat(by->spread)), slope;
        if (linear) {
            f4 apart = z - t;
            slope = apart + apart;
            for (int lane = 0; lane < count; lane++) loss += apart[lane] * apart[lane];
        } else {
            f4 e = exponential(smallest(z, -z)), first = larger(z, zero) - z * t;
            y = select(z < zero, e, one) / (one + e);
            slope = y - t;
            for (int lane = 0; lane < count; lane++) loss += first[lane] + logarithm(1 + e[lane]);
        }
        if (outputs) store_part(outputs + c, y, count);
        if (gradient) store_part(gradient + c, slope * splat(weight * share), count);
    }
    return loss * share;
}

enum end { ENDS_LINEAR,
           ENDS_SOFTMAX,
           ENDS_SIGMOID };

/* logits, targets (rows, classes). to->sum: the losses of all rows, each times its weight and to->factor; gradient (rows,
 * classes): that of the sum; outputs (rows, classes): what the activation makes of the logits. These and weights (rows)
 * may be null; work holds one row. */
EXPORT void fused_loss(int end, const float *logits, const float *weights, float *gradient, float *outputs, int rows,
                       int classes, float *work, struct reduction *to, const float *targets) {
    double sum = 0;
    for (int n = 0; n < rows; n++, logits += classes, targets += classes) {
        float weight = weights ? weights[n] * to->factor : to->factor, loss;
        float *d = gradient ? gradient + n * classes : 0, *y = outputs ? outputs + n * classes : 0;
        if (end == ENDS_SOFTMAX) loss = categorical_row(logits, targets, d, y, classes, work, to, weight);
        else if (end == ENDS_LINEAR) loss = independent_row(1, logits, targets, d, y, classes, to, weight);
        else loss = independent_row(0, logits, targets, d, y, classes, to, weight);
        sum += loss * (double)weight;
    }
    to->sum = (float)sum;
}
