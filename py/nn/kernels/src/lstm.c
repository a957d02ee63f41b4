/* The step of long short-term memory. Gates in Keras' order: i, f, g, o; c' = f c + i g, h' = o tanh(c'). */
#include "recurrent.h"

/* n of one row's units, at most four. */
INLINE void step(const float *z, const float *c, float *next_c, int units, int n) {
    f4 state = madd(part(z + units, n), part(c, n), part(z, n) * part(z + 2 * units, n));
    put(next_c, state, n);
}

INLINE void reveal(const float *z, float *next_h, int units, int n) {
    put(next_h, part(next_h, n) * part(z + 3 * units, n), n);
}

void lstm_rows(const float *sums, float *z, const float *c, float *next_c, float *next_h, int width, int units,
               int rows, float slope) {
    for (int r = 0; r < rows; r++, sums += 4 * units, z += 4 * units, c += units, next_c += units, next_h += width) {
        open_gates(sums, z, 2 * units, slope);
        squash(sums + 2 * units, z + 2 * units, units, 0);
        open_gates(sums + 3 * units, z + 3 * units, units, slope);
#define STEP(U, N) step(z + U, c + U, next_c + U, units, N)
        EACH_UNIT(STEP);
        squash(next_c, next_h, units, 0);
#define REVEAL(U, N) reveal(z + U, next_h + U, units, N)
        EACH_UNIT(REVEAL);
    }
}

/* tanh of the cell's state is next_h / o; where o is 0, so is next_h, and nothing goes back. */
INLINE void step_back(const float *z, const float *c, const float *next_h, const float *dh, float *dc, float *dz,
                      int gate, float slope, int units, int n) {
    f4 one = splat(1), i = part(z, n), f = part(z + units, n);
    f4 g = part(z + 2 * units, n), o = part(z + 3 * units, n);
    f4 h = part(next_h, n), d = part(dh, n), shown = h / larger(o, splat(1e-30f));
    f4 s = madd(d, o - h * shown, part(dc, n));
    store(dz, s * g * gate_slope(i, slope));
    store(dz + gate, s * part(c, n) * gate_slope(f, slope));
    store(dz + 2 * gate, s * i * (one - g * g));
    store(dz + 3 * gate, d * (slope ? shown * gate_slope(o, slope) : h * (one - o)));
    put(dc, s * f, n);
}

INLINE void rows_back(const float *z, const float *c, const float *next_h, int width, const float *dh, float *dc,
                      float *dz, int distance, int units, int rows, float slope) {
    int gate = filled_up(units) * distance;
    for (int r = 0; r < rows; r++, z += 4 * units, dz += COLUMNS, next_h += width) {
#define STEP_BACK(U, TO, N) step_back(z + U, c + U, next_h + U, dh + U, dc + U, TO, gate, slope, units, N)
        EACH_UNIT_FILLED_UP(STEP_BACK);
        c += units, dh += units, dc += units;
    }
}

void lstm_rows_back(const float *z, const float *c, const float *next_h, int width, const float *dh, float *dc,
                    float *dz, int distance, int units, int rows) {
    rows_back(z, c, next_h, width, dh, dc, dz, distance, units, rows, 0);
}

void lstm_hard_rows_back(const float *z, const float *c, const float *next_h, int width, const float *dh, float *dc,
                         float *dz, int distance, int units, int rows, float slope) {
    rows_back(z, c, next_h, width, dh, dc, dz, distance, units, rows, slope);
}
