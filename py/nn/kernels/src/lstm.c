/* Long short-term memory over whole sequences, time first. Gates in Keras' order: i, f, g, o.
 *
 * z (steps, rows, 4 units) holds x W + b on entry and the activated gates on return; h and c
 * (steps + 1, rows, units) hold the states, the initial ones at index 0.
 */
#include "recurrent.h"

/* Scratch size of either direction, in floats. */
EXPORT int lstm_scratch(int units) { return 4 * units * (units + COLUMNS); }

/* n of one row's units, at most four. */
INLINE void step(float *z, const float *c, float *next_c, float *next_h, int units, int n) {
    f4 i = gate(part(z, n)), f = gate(part(z + units, n));
    f4 g = hyperbolic_tangent(part(z + 2 * units, n)), o = gate(part(z + 3 * units, n));
    f4 state = madd(f, part(c, n), i * g);
    put(z, i, n), put(z + units, f, n), put(z + 2 * units, g, n), put(z + 3 * units, o, n);
    put(next_c, state, n);
    put(next_h, o * hyperbolic_tangent(state), n);
}

static void step_row(float *z, const float *c, float *next_c, float *next_h, int units) {
    int u = 0;
    for (; u + LANES <= units; u += LANES) step(z + u, c + u, next_c + u, next_h + u, units, LANES);
    if (u < units) step(z + u, c + u, next_c + u, next_h + u, units, units - u);
}

EXPORT void lstm(float *z, const float *recurrent, float *h, float *c, int steps, int rows, int units,
                 float *scratch) {
    int gates = 4 * units, state = rows * units;
    pack_recurrent(scratch, recurrent, gates, 1, units, gates);
    for (int t = 0; t < steps; t++, z += rows * gates, h += state, c += state)
        for (int i = 0; i < rows; i += GROUP) {
            int end = smaller(i + GROUP, rows);
            add_product(h + i * units, scratch, z + i * gates, end - i, units, gates);
            for (int r = i; r < end; r++)
                step_row(z + r * gates, c + r * units, c + state + r * units, h + state + r * units,
                         units);
        }
}

/* Replaces the gates in z by dz; dc is d/dc after the step on entry, before it on return. */
INLINE void step_back(float *z, const float *c, const float *next_c, const float *dh, float *dc, int units,
                      int n) {
    f4 one = splat(1), i = part(z, n), f = part(z + units, n);
    f4 g = part(z + 2 * units, n), o = part(z + 3 * units, n);
    f4 t = hyperbolic_tangent(part(next_c, n)), d = part(dh, n);
    f4 s = madd(d * o, one - t * t, part(dc, n));
    put(z, s * g * i * (one - i), n);
    put(z + units, s * part(c, n) * f * (one - f), n);
    put(z + 2 * units, s * i * (one - g * g), n);
    put(z + 3 * units, d * t * o * (one - o), n);
    put(dc, s * f, n);
}

static void step_row_back(float *z, const float *c, const float *next_c, const float *dh, float *dc, int units) {
    int u = 0;
    for (; u + LANES <= units; u += LANES)
        step_back(z + u, c + u, next_c + u, dh + u, dc + u, units, LANES);
    if (u < units) step_back(z + u, c + u, next_c + u, dh + u, dc + u, units, units - u);
}

/* dh (steps + 1, rows, units): d/dh of every step's output, at the index of h; on return
 * index 0 holds the initial state's. dc (rows, units): the last state's on entry, the first's on return. */
EXPORT void lstm_gradient(float *z, const float *recurrent, const float *c, float *dh, float *dc,
                          int steps, int rows, int units, float *scratch) {
    int gates = 4 * units, state = rows * units;
    pack_recurrent(scratch, recurrent, 1, gates, gates, units);
    for (int t = steps - 1; t >= 0; t--) {
        float *now = z + t * rows * gates, *later = dh + (t + 1) * state, *earlier = dh + t * state;
        const float *before = c + t * state;
        for (int i = 0; i < rows; i += GROUP) {
            int end = smaller(i + GROUP, rows);
            for (int r = i; r < end; r++)
                step_row_back(now + r * gates, before + r * units, before + state + r * units,
                              later + r * units, dc + r * units, units);
            add_product(now + i * gates, scratch, earlier + i * units, end - i, gates, units);
        }
    }
}
