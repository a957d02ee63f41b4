/* The steps of the recurrent cells on some rows of a batch: what follows the products, and its gradient.
 *
 * `next_h` and `h` are rows of `width` floats of which the first `units` are the state.
 */
#ifndef NN_RECURRENT_H
#define NN_RECURRENT_H

#include "exponential.h"
#include "tile.h"

/* sums (rows, 4 units): the gates before their activations, which are written to z. `slope` is that of hard gates,
 * slope x + 1/2 between 0 and 1; 0 for the logistic function. */
void lstm_rows(const float *sums, float *z, const float *c, float *next_c, float *next_h, int width, int units,
               int rows, float slope);
void gru_rows(const float *sums, float *z, const float *h, float *next_h, int width, int units, int rows, float slope);

/* dz: the gradient of the gates before their activations, packed as the right operand of a product: panels of eight
 * columns, `distance` rows apart. The last panel of a gate is filled up with zeros. dh is d/dh after the step. dc,
 * d/dc after the step, becomes that before it; the GRU's dh becomes what does not come through the gates. */
void lstm_rows_back(const float *z, const float *c, const float *next_h, int width, const float *dh, float *dc,
                    float *dz, int distance, int units, int rows);
void lstm_hard_rows_back(const float *z, const float *c, const float *next_h, int width, const float *dh, float *dc,
                         float *dz, int distance, int units, int rows, float slope);
void gru_rows_back(const float *z, const float *h, int width, float *dh, float *dz, int distance, int units, int rows);
void gru_hard_rows_back(const float *z, const float *h, int width, float *dh, float *dz, int distance, int units,
                        int rows, float slope);

/* The slope of a gate whose value is y. */
INLINE f4 gate_slope(f4 y, float slope) {
    if (!slope) return y * (splat(1) - y);
    return (f4)((i4)splat(slope) & (y > splat(0)) & (y < splat(1)));
}

/* The columns of a gate with those that fill up its last panel. */
INLINE int filled_up(int units) { return (units + COLUMNS - 1) / COLUMNS * COLUMNS; }

/* STEP(u, count) for all units: four at a time, then the rest. */
#define EACH_UNIT(STEP)                          \
    do {                                         \
        int u = 0;                               \
        for (; u + LANES <= units; u += LANES) { \
            STEP(u, LANES);                      \
        }                                        \
        if (u < units) STEP(u, units - u);       \
    } while (0)

/* STEP(u, to, count) for all units, where `to` is their place in the first gate's panels of dz, and then for the columns
 * that fill up the last panel: there `count` is 0 or less. */
#define EACH_UNIT_FILLED_UP(STEP)                                              \
    do {                                                                       \
        float *to = dz;                                                        \
        int u = 0;                                                             \
        for (; u + COLUMNS <= units; u += COLUMNS, to += COLUMNS * distance) { \
            STEP(u, to, LANES);                                                \
            STEP(u + LANES, to + LANES, LANES);                                \
        }                                                                      \
        if (u == units) break;                                                 \
        STEP(u, to, smaller(units - u, LANES));                                \
        STEP(u + LANES, to + LANES, units - u - LANES);                        \
    } while (0)

/* y = tanh(x), or the logistic function of x, wrong by at most 2e-7 of 1 (not of its value). In a pass of its own:
 * among other work V8 has too few registers for it. */
void squash(const float *x, float *y, int count, int logistic);

void open_hard_gates(const float *x, float *y, int count, float slope);

/* y = the gates of x, logistic or hard. */
INLINE void open_gates(const float *x, float *y, int count, float slope) {
    if (slope) open_hard_gates(x, y, count, slope);
    else squash(x, y, count, 1);
}

#endif
