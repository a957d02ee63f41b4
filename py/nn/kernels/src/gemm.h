#ifndef NN_GEMM_H
#define NN_GEMM_H

struct matrix {
    const float *at;
    int row, column; /* strides, in floats */
};

#define DEPTH 256

/* Maximum scratch size of gemm, in floats. */
int gemm_scratch(void);

/* c (m, n) = activation(a (m, k) b (k, n) + bias (n) [+ c]); strides in floats, rows of c adjacent. */
void gemm(int m, int n, int k, const float *a, int a_row, int a_column, const float *b, int b_row,
          int b_column, float *c, int c_row, const float *bias, int activation, int accumulate,
          float *scratch);

/* b (depth, columns) -> (columns / 8, depth, 8), the last columns filled up with zeros. Returns whether the sum of
 * each column is finite: then all values are, and their products with 0 are 0. */
int pack_right(float *to, struct matrix b, int depth, int columns);

/* a (m, depth), of at most DEPTH steps -> its panels, without the steps at which a tile of rows is zero if what it
 * is multiplied with is finite. Returns 0 where the first tile has no such step, as then the others seldom have:
 * it packs no more. */
struct left_panel;
int pack_sparse(struct left_panel *to, int m, struct matrix a, int depth, int finite);

/* The left operand of a product: `depth` steps, read where they lie. Of the last `sparse` of them, `kept` has those
 * that are not zero; null for none. It may be given only if the rows are even, as tile.h says. */
struct left {
    struct matrix a;
    int depth, sparse;
    const struct left_panel *kept;
};

/* c (m, n) = left right + bias (n), where right is packed, or a part of it: panels are `distance` steps apart. bias null
 * for none. */
void multiply_packed(int m, int n, const struct left *left, const float *right, int distance, float *c, int c_row,
                     const float *bias);

/* c (m, n) = left right [+ c], where the left operand is packed as a right one is: its panels are `distance` rows apart, and hold eight
 * steps each. */
void multiply_octets(int m, int n, int depth, const float *left, int distance, const float *right, float *c, int c_row,
                     int accumulate);

/* A packed right operand of so many columns, its panels `distance` steps apart, and what its product is added to. */
struct right {
    const float *packed;
    int distance, columns;
    float *c;
};

/* c (m, columns) += a (m, depth) b for each b of `rights`, at most DEPTH steps, without those at which a is zero if
 * all b are finite. Scratch as gemm's. */
void multiply_sparse(int m, int depth, struct matrix a, const struct right *rights, int count, int finite, int c_row,
                     float *scratch);

#endif
