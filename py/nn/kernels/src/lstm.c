/* Long short-term memory over whole sequences, time first. Gates in Keras' order: i, f, g, o.
 *
 * z (steps, rows, 4 units) comes in holding x W + b and goes out holding the activated gates; h and
 * c (steps + 1, rows, units) hold the states, the initial ones at index 0.
 */
#include "exponential.h"
#include "gemm.h"

INLINE f4 part(const float *p, int count) { return count >= LANES ? load(p) : load_part(p, count); }

INLINE void put(float *p, f4 v, int count) {
    if (count >= LANES) store(p, v);
    else store_part(p, v, count);
}

static void step_row(float *z, const float *c, float *next_c, float *next_h, int units) {
    for (int u = 0; u < units; u += LANES) {
        int n = units - u;
        f4 i = logistic(part(z + u, n)), f = logistic(part(z + units + u, n));
        f4 g = hyperbolic_tangent(part(z + 2 * units + u, n));
        f4 o = logistic(part(z + 3 * units + u, n));
        f4 state = f * part(c + u, n) + i * g;
        put(z + u, i, n), put(z + units + u, f, n);
        put(z + 2 * units + u, g, n), put(z + 3 * units + u, o, n);
        put(next_c + u, state, n);
        put(next_h + u, o * hyperbolic_tangent(state), n);
    }
}

EXPORT void lstm(float *z, const float *recurrent, float *h, float *c, int steps, int rows, int units,
                 float *scratch) {
    int gates = 4 * units, state = rows * units;
    for (int t = 0; t < steps; t++, z += rows * gates, h += state, c += state) {
        gemm(rows, gates, units, h, units, 1, recurrent, gates, 1, z, gates, 0, 0, 1, scratch);
        for (int r = 0; r < rows; r++)
            step_row(z + r * gates, c + r * units, c + state + r * units, h + state + r * units, units);
    }
}

/* z's gates become dz; dc comes in as d/dc after the step and goes out as before it. */
static void step_row_back(float *z, const float *c, const float *next_c, const float *dh, float *dc, int units) {
    for (int u = 0; u < units; u += LANES) {
        int n = units - u;
        f4 one = splat(1), i = part(z + u, n), f = part(z + units + u, n);
        f4 g = part(z + 2 * units + u, n), o = part(z + 3 * units + u, n);
        f4 t = hyperbolic_tangent(part(next_c + u, n)), d = part(dh + u, n);
        f4 s = part(dc + u, n) + d * o * (one - t * t);
        put(z + u, s * g * i * (one - i), n);
        put(z + units + u, s * part(c + u, n) * f * (one - f), n);
        put(z + 2 * units + u, s * i * (one - g * g), n);
        put(z + 3 * units + u, d * t * o * (one - o), n);
        put(dc + u, s * f, n);
    }
}

/* dh (steps + 1, rows, units): d/dh of every step's output, at the index of h; index 0 goes out
 * holding the initial state's. dc (rows, units) comes in as the last state's, goes out as the first's. */
EXPORT void lstm_gradient(float *z, const float *recurrent, const float *c, float *dh, float *dc,
                          int steps, int rows, int units, float *scratch) {
    int gates = 4 * units, state = rows * units;
    for (int t = steps - 1; t >= 0; t--) {
        float *now = z + t * rows * gates;
        const float *before = c + t * state;
        for (int r = 0; r < rows; r++)
            step_row_back(now + r * gates, before + r * units, before + state + r * units,
                          dh + (t + 1) * state + r * units, dc + r * units, units);
        gemm(rows, units, gates, now, gates, 1, recurrent, 1, gates, dh + t * state, units, 0, 0, 1, scratch);
    }
}
