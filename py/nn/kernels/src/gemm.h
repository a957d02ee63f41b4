#ifndef NN_GEMM_H
#define NN_GEMM_H

/* Maximum scratch size of gemm, in floats. */
int gemm_scratch(void);

/* c (m, n) = activation(a (m, k) b (k, n) + bias (n) [+ c]); strides in floats, rows of c adjacent. */
void gemm(int m, int n, int k, const float *a, int a_row, int a_column, const float *b, int b_row,
          int b_column, float *c, int c_row, const float *bias, int activation, int accumulate,
          float *scratch);

#endif
