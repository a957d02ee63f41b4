/* The gated recurrent unit over whole sequences, time first, its reset gate applied after the
 * product. Gates in Keras' order: update u, reset r, candidate c; h' = u h + (1 - u) c.
 *
 * z (steps, rows, 3 units) holds x W + b on entry and the activated gates on return, inner, of the
 * same shape, h U + its bias; h (steps + 1, rows, units) holds the states, the initial one at index 0.
 */
#include "recurrent.h"

/* Scratch size of either direction, in floats. */
EXPORT int gru_scratch(int units) { return 3 * units * (units + COLUMNS); }

/* n of one row's units, at most four. */
INLINE void step(float *z, const float *inner, const float *h, float *next_h, int units, int n) {
    f4 u = gate(part(z, n) + part(inner, n));
    f4 r = gate(part(z + units, n) + part(inner + units, n));
    f4 c = hyperbolic_tangent(madd(r, part(inner + 2 * units, n), part(z + 2 * units, n)));
    put(z, u, n), put(z + units, r, n), put(z + 2 * units, c, n);
    put(next_h, madd(u, part(h, n) - c, c), n);
}

static void step_row(float *z, const float *inner, const float *h, float *next_h, int units) {
    int u = 0;
    for (; u + LANES <= units; u += LANES) step(z + u, inner + u, h + u, next_h + u, units, LANES);
    if (u < units) step(z + u, inner + u, h + u, next_h + u, units, units - u);
}

EXPORT void gru(float *z, float *inner, const float *recurrent, const float *bias, float *h, int steps,
                int rows, int units, float *scratch) {
    int gates = 3 * units, state = rows * units;
    pack_recurrent(scratch, recurrent, gates, 1, units, gates);
    for (int t = 0; t < steps; t++, z += rows * gates, inner += rows * gates, h += state)
        for (int i = 0; i < rows; i += GROUP) {
            int end = smaller(i + GROUP, rows);
            for (int r = i; r < end; r++) {
                if (bias) copy(inner + r * gates, bias, gates);
                else clear(inner + r * gates, gates);
            }
            add_product(h + i * units, scratch, inner + i * gates, end - i, units, gates);
            for (int r = i; r < end; r++)
                step_row(z + r * gates, inner + r * gates, h + r * units, h + state + r * units, units);
        }
}

/* Replaces the gates in z by d(x W + b), inner by d(h U + bias), and adds to d/dh before the step. */
INLINE void step_back(float *z, float *inner, const float *h, const float *later, float *dh, int units,
                      int n) {
    f4 one = splat(1), u = part(z, n), r = part(z + units, n), c = part(z + 2 * units, n);
    f4 d = part(later, n), dc = d * (one - u) * (one - c * c);
    f4 du = d * (part(h, n) - c) * u * (one - u);
    f4 dr = dc * part(inner + 2 * units, n) * r * (one - r);
    put(z, du, n), put(z + units, dr, n), put(z + 2 * units, dc, n);
    put(inner, du, n), put(inner + units, dr, n), put(inner + 2 * units, dc * r, n);
    put(dh, madd(d, u, part(dh, n)), n);
}

static void step_row_back(float *z, float *inner, const float *h, const float *later, float *dh, int units) {
    int u = 0;
    for (; u + LANES <= units; u += LANES)
        step_back(z + u, inner + u, h + u, later + u, dh + u, units, LANES);
    if (u < units) step_back(z + u, inner + u, h + u, later + u, dh + u, units, units - u);
}

/* dh (steps + 1, rows, units): d/dh of every step's output, at the index of h; on return index 0 holds
 * the initial state's. */
EXPORT void gru_gradient(float *z, float *inner, const float *recurrent, const float *h, float *dh,
                         int steps, int rows, int units, float *scratch) {
    int gates = 3 * units, state = rows * units;
    pack_recurrent(scratch, recurrent, 1, gates, gates, units);
    for (int t = steps - 1; t >= 0; t--) {
        float *now = z + t * rows * gates, *from = inner + t * rows * gates;
        const float *old = h + t * state;
        float *later = dh + (t + 1) * state, *earlier = dh + t * state;
        for (int i = 0; i < rows; i += GROUP) {
            int end = smaller(i + GROUP, rows);
            for (int r = i; r < end; r++)
                step_row_back(now + r * gates, from + r * gates, old + r * units, later + r * units,
                              earlier + r * units, units);
            add_product(from + i * gates, scratch, earlier + i * units, end - i, gates, units);
        }
    }
}
