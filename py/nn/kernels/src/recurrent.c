/* LSTM, GRU and the simple cell over whole sequences: all products, gates and gradients of a batch in one call each
 * way.
 *
 * A step's rows are joined: the state h, the input x. Their product with one matrix, whose rows are the recurrent
 * weights and the weights of x, and the bias, which is the row below them, give all gates; the gradient is one product
 * as well. The matrix has four parts of `units` columns, in the order of lstm.c and gru.c, and one for the simple cell,
 * h' = tanh(its product). x does not reach the GRU's last part, and h not its first.
 *
 * Each step is done for a group of rows at a time: products, then gates, which find the products in a cache.
 * Backwards, the products of some steps' gradients with the joined rows wait until they are worth it.
 */
#include "recurrent.h"
#include "gemm.h"
#include "tile.h"

#define GROUP (16 * ROWS)
#define WORTH 256 /* rows of gradients, which the level-2 cache still holds */

/* In the order of GATES in recurrent.py. */
enum kind { LSTM,
            GRU,
            SIMPLE };

struct cell {
    int gru, parts, units, features;
    int depth, width;    /* floats of a joined row, and between two */
    int part, columns;   /* of a gate in the matrix, and of the matrix */
    int from_h, until_x; /* columns that h reaches, to the end, and x, from the start */
};

static struct cell cell_of(int kind, int units, int features, int part) {
    int depth = units + features, gru = kind == GRU, parts = kind == SIMPLE ? 1 : 4;
    struct cell s = {gru, parts, units, features, depth, (depth + LANES - 1) / LANES * LANES, part, parts * part,
                     gru ? part : 0, (parts - gru) * part};
    return s;
}

/* Steps whose gradients wait for their products. */
static int steps_together(int rows) { return rows < WORTH ? WORTH / rows : 1; }

/* Rows between two panels of their gradients: two more than there are, or all panels of a row would share a few lines
 * of the level-1 cache. */
static int rows_apart(int rows) { return steps_together(rows) * rows + 2; }

/* Scratch size of either direction, in floats. */
EXPORT int recurrent_scratch(int rows, int units, int features) {
    struct cell s = cell_of(LSTM, units, features, filled_up(units));
    int panels = (s.depth + 2 * COLUMNS) * (s.columns + 3 * COLUMNS);
    return (s.depth + 1) * s.columns + panels + rows_apart(rows) * s.columns + gemm_scratch() +
           2 * smaller(rows, GROUP) * units;
}

void squash(const float *x, float *y, int count, int logistic) {
    const float *numbers = logistic ? LOGISTIC_NUMBERS : TANH_OF_GATES;
    f4 v[4];
    int i = 0;
    ROLLED for (; i + 4 * LANES <= count; i += 4 * LANES) {
        UNROLL for (int j = 0; j < 4; j++)
            v[j] = load(x + i + j * LANES);
        sigmoids(v, numbers);
        UNROLL for (int j = 0; j < 4; j++)
            store(y + i + j * LANES, v[j]);
    }
    if (i == count) return;
    for (int j = 0; j < 4; j++) v[j] = load_part(x + i + j * LANES, count - i - j * LANES);
    sigmoids(v, numbers);
    for (int j = 0; j < 4; j++) store_part(y + i + j * LANES, v[j], count - i - j * LANES);
}

void open_hard_gates(const float *x, float *y, int count, float slope) {
#define OPEN(U, N) put(y + U, clip(madd(part(x + U, N), splat(slope), splat(0.5f)), splat(0), splat(1)), N)
    for (int u = 0; u < count; u += LANES) OPEN(u, smaller(count - u, LANES));
}

enum way { INTO,
           ADDED_INTO,
           OUT_OF };

/* Parts of rows of the matrix, and the same of Keras' weights (rows, gates * units), whose order is the GRU's
 * update, reset, candidate. */
static void exchange(const struct cell *s, float *matrix, float *weights, int rows, int part, int end, enum way way) {
    int units = s->units, gates = s->parts - s->gru;
    for (int r = 0; r < rows; r++, matrix += s->columns, weights += gates * units)
        for (int p = part; p < end; p++) {
            float *inner = matrix + p * s->part, *outer = weights + (s->gru ? (p + 2) % 3 : p) * units;
            if (way == OUT_OF) copy(outer, inner, units);
            else if (way == INTO) copy(inner, outer, units);
            else add_to(inner, outer, units);
        }
}

static void exchange_all(const struct cell *s, float *matrix, float *kernel, float *recurrent, float *bias,
                         int out) {
    enum way way = out ? OUT_OF : INTO;
    float *of_x = matrix + s->units * s->columns, *last = matrix + s->depth * s->columns;
    exchange(s, matrix, recurrent, s->units, s->gru, s->parts, way);
    exchange(s, of_x, kernel, s->features, 0, s->parts - s->gru, way);
    if (!bias) return;
    exchange(s, last, bias, 1, 0, s->parts - s->gru, way);
    if (!s->gru) return;
    exchange(s, last, bias + 3 * s->units, 1, 1, 3, out ? OUT_OF : ADDED_INTO);
    exchange(s, last, bias + 3 * s->units, 1, 3, 4, way);
}

static void assemble(const struct cell *s, float *matrix, const float *kernel, const float *recurrent,
                     const float *bias) {
    clear(matrix, (s->depth + 1) * s->columns);
    exchange_all(s, matrix, (float *)kernel, (float *)recurrent, (float *)bias, 0);
}

/* The three ranges of columns with the rows that reach them: those of x alone, of both, of h alone. */
struct range {
    int row, rows, column, columns;
};

INLINE struct range range_of(const struct cell *s, int which) {
    int start[] = {0, s->from_h, s->until_x, s->columns};
    int row = which == 0 ? s->units : 0, end = which == 2 ? s->units : s->depth;
    struct range r = {row, end - row, start[which], start[which + 1] - start[which]};
    return r;
}

static float *packed_end(float *panels, int depth, int columns) {
    return panels + (columns + COLUMNS - 1) / COLUMNS * COLUMNS * depth;
}

/* The rows of a group; all groups are about as large. */
struct group {
    int first, count;
};

INLINE struct group group_of(int index, int groups, int rows) {
    int low = rows / groups, more = rows % groups;
    struct group g = {index * low + smaller(index, more), low + (index < more)};
    return g;
}

/* The states to begin with. */
static void start(float *to, int width, const float *from, int rows, int units) {
    for (int r = 0; r < rows; r++, to += width) {
        if (from) copy(to, from + r * units, units);
        else clear(to, units);
    }
}

/* Writes one step of x beside the states of some rows. */
static void join(const struct cell *s, float *to, const float *x, int steps, int rows) {
    for (int r = 0; r < rows; r++, to += s->width, x += steps * s->features)
        copy(to + s->units, x, s->features);
}

/* The sums of the gates of some joined rows. A function of its own: where V8 inlined `multiply_packed` into the loop
 * over all steps, an LSTM's forward pass was much slower. */
static NOINLINE void multiply_joined(const struct cell *s, const float *now, int rows, float *const packed[3],
                                     int finite, int first, const float *bias, float *sums,
                                     struct left_panel *inputs) {
    struct matrix of_x = {now + s->units, s->width, 1};
    int packs = is_even(rows) && s->features <= DEPTH;
    int apart = packs && pack_sparse(inputs, rows, of_x, s->features, finite) ? s->features : 0;
    for (int p = 0; p < 3; p++) {
        struct range at = range_of(s, p);
        int zeros = first && p && finite ? s->units : 0, sparse = p < 2 ? apart : 0;
        struct left left = {{now + at.row + zeros, s->width, 1}, at.rows - zeros, sparse, sparse ? inputs : 0};
        multiply_packed(rows, at.columns, &left, packed[p] + zeros * COLUMNS, at.rows, sums + at.column, s->columns,
                        bias + at.column);
    }
}

/* Lets the rows of a group that a step leaves out keep their states. `kept` has a byte for each row, `steps` apart. */
static NOINLINE void hold(const unsigned char *kept, int steps, int rows, const float *state, float *next, int width,
                          int units) {
    for (int r = 0; r < rows; r++, kept += steps, state += width, next += width)
        if (!*kept) copy(next, state, units);
}

/* Before a step goes back: moves the gradients d of the rows that it left out to `aside`, so that nothing comes of them;
 * afterwards: adds them again. */
static NOINLINE void set_aside(const unsigned char *kept, int steps, int rows, float *d, float *aside, int units) {
    for (int r = 0; r < rows; r++, kept += steps, d += units, aside += units) {
        if (*kept) continue;
        copy(aside, d, units);
        clear(d, units);
    }
}

static NOINLINE void add_again(const unsigned char *kept, int steps, int rows, float *d, const float *aside,
                               int units) {
    for (int r = 0; r < rows; r++, kept += steps, d += units, aside += units)
        if (!*kept) add_to(d, aside, units);
}

static void simple_rows(const float *sums, float *next_h, int width, int units, int rows) {
    for (int r = 0; r < rows; r++, sums += units, next_h += width) squash(sums, next_h, units, 0);
}

INLINE void simple_step_back(const float *next_h, const float *dh, float *dz, int n) {
    f4 h = part(next_h, n);
    store(dz, part(dh, n) * (splat(1) - h * h));
}

static void simple_rows_back(const float *next_h, int width, const float *dh, float *dz, int distance, int units,
                             int rows) {
    for (int r = 0; r < rows; r++, dz += COLUMNS, next_h += width, dh += units) {
#define SIMPLE_STEP_BACK(U, TO, N) simple_step_back(next_h + U, dh + U, TO, N)
        EACH_UNIT_FILLED_UP(SIMPLE_STEP_BACK);
    }
}

/* x (rows, steps, features), which is read from the last step on if `turned`; kept (rows, steps): 0 where a row leaves
 * a step out, null for none; slope: that of hard gates, or 0; bias null for none; h0, c0 (rows, units), null for
 * zeros. Writes for the gradient joined (steps + 1, rows, width), for an LSTM or a GRU z (steps, rows, 4 units), and for
 * an LSTM c (steps + 1, rows, units); and y: h of each step (rows, steps, units) or of the last. */
EXPORT void recurrent_steps(int kind, float slope, const float *x, const unsigned char *kept, const float *kernel,
                            const float *weights, const float *bias, const float *h0, const float *c0,
                            float *joined, float *z, float *c, float *y, int all,
                            int turned, int steps, int rows, int features, int units, float *scratch) {
    const struct cell s = cell_of(kind, units, features, units);
    int groups = (rows + GROUP - 1) / GROUP, state = rows * units, finite = 1;
    float *packed[3], *last = scratch + s.depth * s.columns, *sums = last + s.columns;
    assemble(&s, scratch, kernel, weights, bias);
    for (int p = 0; p < 3; p++) {
        struct range at = range_of(&s, p);
        struct matrix part = {scratch + at.row * s.columns + at.column, s.columns, 1};
        finite &= pack_right(packed[p] = sums, part, at.rows, at.columns);
        sums = packed_end(sums, at.rows, at.columns);
    }
    struct left_panel *inputs = (struct left_panel *)(sums + smaller(rows, GROUP) * s.columns);
    start(joined, s.width, h0, rows, units);
    if (kind == LSTM) start(c, units, c0, rows, units);
    for (int t = 0; t < steps; t++)
        for (int i = 0; i < groups; i++) {
            struct group g = group_of(i, groups, rows);
            float *now = joined + (t * rows + g.first) * s.width, *next = now + rows * s.width;
            float *gates = z + (t * rows + g.first) * s.columns;
            int at = g.first * steps + (turned ? steps - 1 - t : t);
            join(&s, now, x + at * features, steps, g.count);
            multiply_joined(&s, now, g.count, packed, finite, !t && !h0, last, sums, inputs);
            if (kind == SIMPLE) simple_rows(sums, next, s.width, units, g.count);
            else if (kind == GRU) gru_rows(sums, gates, now, next, s.width, units, g.count, slope);
            else {
                float *before = c + t * state + g.first * units;
                lstm_rows(sums, gates, before, before + state, next, s.width, units, g.count, slope);
                if (kept) hold(kept + at, steps, g.count, before, before + state, units, units);
            }
            if (kept) hold(kept + at, steps, g.count, now, next, s.width, units);
            if (!all && t < steps - 1) continue;
            for (int r = g.first; r < g.first + g.count; r++, next += s.width)
                copy(y + (all ? r * steps + t : r) * units, next, units);
        }
}

/* Adds the sums of packed columns to `sums`; returns whether they are finite, as `pack_right` does. */
static int add_sums(const float *packed, int distance, int rows, int columns, float *sums) {
    f4 zero = splat(0), wrong = zero;
    i4 unequal;
    for (int j = 0; j < columns; j += COLUMNS, packed += COLUMNS * distance) {
        const float *from = packed, *end = packed + COLUMNS * rows;
        f4 low[2] = {zero, zero}, high[2] = {zero, zero};
        ROLLED for (; from + COLUMNS < end; from += 2 * COLUMNS) {
            low[0] += load(from), high[0] += load(from + LANES);
            low[1] += load(from + COLUMNS), high[1] += load(from + COLUMNS + LANES);
        }
        if (from < end) low[0] += load(from), high[0] += load(from + LANES);
        low[0] += low[1], high[0] += high[1];
        store(sums + j, load(sums + j) + low[0]);
        store(sums + j + LANES, load(sums + j + LANES) + high[0]);
        wrong = madd(low[0] + high[0], zero, wrong);
    }
    unequal = wrong != wrong;
    return !any_bit(unequal);
}

/* Adds the products of some joined rows with their gradients, which are packed. Inputs often hold zeros, as the first
 * states do. The bias's gradient is their sum. */
static void add_weights(const struct cell *s, float *matrix, const float *joined, const float *dz, int distance,
                        int rows, float *scratch) {
    struct right rights[3];
    int units = s->units;
    int finite = add_sums(dz, distance, rows, s->columns, matrix + s->depth * s->columns);
    struct matrix h = {joined, 1, s->width}, x = {joined + units, 1, s->width};
    for (int p = 0; p < 3; p++) {
        struct range at = range_of(s, p);
        struct right r = {dz + at.column * distance, distance, at.columns, matrix + at.column};
        rights[p] = r;
    }
    multiply_sparse(units, rows, h, rights + 1, 2, finite, s->columns, scratch);
    for (int p = 0; p < 2; p++) rights[p].c += units * s->columns;
    multiply_sparse(s->features, rows, x, rights, 2, finite, s->columns, scratch);
}

/* The gradient of `recurrent_steps`, with the same `kept`. dy (rows, steps, units), of the outputs, or null. dh and dc
 * (rows, units): of the last states on entry; on return of the first if `first_too`, else whatever was left there.
 * Writes dkernel, dweights, dbias and dx; null for none of the last two. */
EXPORT void recurrent_gradient(int kind, float slope, const unsigned char *kept, const float *kernel, const float *weights,
                               const float *joined, const float *z, const float *c, const float *dy, float *dh,
                               float *dc, float *dkernel, float *dweights, float *dbias, float *dx, int first_too,
                               int turned, int steps, int rows, int features, int units, float *scratch) {
    const struct cell s = cell_of(kind, units, features, filled_up(units));
    int groups = (rows + GROUP - 1) / GROUP, together = steps_together(rows), distance = rows_apart(rows);
    int gates = kind == SIMPLE ? 0 : 4 * units, back = s.columns - s.from_h;
    float *matrix = scratch, *for_h = matrix + (s.depth + 1) * s.columns, *for_x = packed_end(for_h, back, units);
    float *dz = packed_end(for_x, s.until_x, features), *rest = dz + distance * s.columns;
    float *aside = rest + gemm_scratch(), *aside_c = aside + smaller(rows, GROUP) * units;
    struct matrix of_h = {matrix + s.from_h, 1, s.columns};
    struct matrix of_x = {matrix + units * s.columns, 1, s.columns};
    assemble(&s, matrix, kernel, weights, 0);
    pack_right(for_h, of_h, back, units);
    if (dx) pack_right(for_x, of_x, s.until_x, features);
    clear(matrix, (s.depth + 1) * s.columns); /* from here on the gradient */
    for (int first, end = steps; end > 0; end = first) {
        first = end < together ? 0 : end - together;
        for (int t = end - 1; t >= first; t--)
            for (int i = 0; i < groups; i++) {
                struct group g = group_of(i, groups, rows);
                int row = t * rows + g.first, at = g.first * steps + (turned ? steps - 1 - t : t);
                float *d = dh + g.first * units, *to = dz + (row - first * rows) * COLUMNS;
                for (int r = 0; dy && r < g.count; r++)
                    add_to(d + r * units, dy + ((g.first + r) * steps + t) * units, units);
                if (kept) set_aside(kept + at, steps, g.count, d, aside, units);
                if (kept && kind == LSTM) set_aside(kept + at, steps, g.count, dc + g.first * units, aside_c, units);
                prefetch(z + row * gates, g.count * gates);
                prefetch(joined + row * s.width, g.count * s.width);
                const float *opened = z + row * gates, *h = joined + row * s.width, *next = h + rows * s.width;
                if (kind == SIMPLE) simple_rows_back(next, s.width, d, to, distance, units, g.count);
                else if (kind == GRU && slope)
                    gru_hard_rows_back(opened, h, s.width, d, to, distance, units, g.count, slope);
                else if (kind == GRU) gru_rows_back(opened, h, s.width, d, to, distance, units, g.count);
                else {
                    const float *before = c + row * units;
                    float *dcell = dc + g.first * units;
                    prefetch(before, g.count * units);
                    if (slope)
                        lstm_hard_rows_back(opened, before, next, s.width, d, dcell, to, distance, units, g.count,
                                            slope);
                    else lstm_rows_back(opened, before, next, s.width, d, dcell, to, distance, units, g.count);
                }
                if (t || first_too)
                    multiply_octets(g.count, units, back, to + s.from_h * distance, distance, for_h, d, units, s.gru);
                if (dx)
                    multiply_octets(g.count, features, s.until_x, to, distance, for_x, dx + at * features,
                                    steps * features, 0);
                if (kept) add_again(kept + at, steps, g.count, d, aside, units);
                if (kept && kind == LSTM) add_again(kept + at, steps, g.count, dc + g.first * units, aside_c, units);
            }
        for (int row = first * rows; row < end * rows; row += DEPTH)
            add_weights(&s, matrix, joined + row * s.width, dz + (row - first * rows) * COLUMNS, distance,
                        smaller(end * rows - row, DEPTH), rest);
    }
    exchange_all(&s, matrix, dkernel, dweights, dbias, 1);
}
