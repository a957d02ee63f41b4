/* The step of the gated recurrent unit, its reset gate applied after the product; h' = u h + (1 - u) c.
 *
 * A row of z holds, in parts of `units`: of the candidate c what comes from x, the update u and the reset gate r,
 * of the candidate what comes from h.
 */
#include "recurrent.h"

/* n of one row's units, at most four. */
INLINE void candidate(const float *sums, float *z, int units, int n) {
    f4 held = part(sums + 3 * units, n);
    put(z, madd(part(z + 2 * units, n), held, part(sums, n)), n);
    put(z + 3 * units, held, n);
}

INLINE void step(const float *z, const float *h, float *next_h, int units, int n) {
    f4 c = part(z, n);
    put(next_h, madd(part(z + units, n), part(h, n) - c, c), n);
}

void gru_rows(const float *sums, float *z, const float *h, float *next_h, int width, int units, int rows, float slope) {
    for (int r = 0; r < rows; r++, sums += 4 * units, z += 4 * units, h += width, next_h += width) {
        open_gates(sums + units, z + units, 2 * units, slope);
#define CANDIDATE(U, N) candidate(sums + U, z + U, units, N)
        EACH_UNIT(CANDIDATE);
        squash(z, z, units, 0);
#define STEP(U, N) step(z + U, h + U, next_h + U, units, N)
        EACH_UNIT(STEP);
    }
}

INLINE void step_back(const float *z, const float *h, float *dh, float *dz, int gate, float slope, int units, int n) {
    f4 one = splat(1), c = part(z, n), u = part(z + units, n), r = part(z + 2 * units, n);
    f4 d = part(dh, n), dc = d * (one - u) * (one - c * c);
    store(dz, dc);
    store(dz + gate, d * (part(h, n) - c) * gate_slope(u, slope));
    store(dz + 2 * gate, dc * part(z + 3 * units, n) * gate_slope(r, slope));
    store(dz + 3 * gate, dc * r);
    put(dh, d * u, n);
}

INLINE void rows_back(const float *z, const float *h, int width, float *dh, float *dz, int distance, int units, int rows,
                      float slope) {
    int gate = filled_up(units) * distance;
    for (int r = 0; r < rows; r++, z += 4 * units, dz += COLUMNS, h += width, dh += units) {
#define STEP_BACK(U, TO, N) step_back(z + U, h + U, dh + U, TO, gate, slope, units, N)
        EACH_UNIT_FILLED_UP(STEP_BACK);
    }
}

void gru_rows_back(const float *z, const float *h, int width, float *dh, float *dz, int distance, int units, int rows) {
    rows_back(z, h, width, dh, dz, distance, units, rows, 0);
}

void gru_hard_rows_back(const float *z, const float *h, int width, float *dh, float *dz, int distance, int units,
                        int rows, float slope) {
    rows_back(z, h, width, dh, dz, distance, units, rows, slope);
}
