/* Four floats at a time: WebAssembly's v128 in the browser, the compiler's vectors elsewhere. */
#ifndef NN_VECTOR_H
#define NN_VECTOR_H

#include <stdint.h>

#define LANES 4

typedef float f4 __attribute__((vector_size(16)));
typedef int32_t i4 __attribute__((vector_size(16)));
typedef float f4_unaligned __attribute__((vector_size(16), aligned(4), may_alias));

#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline, unused))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#define ROLLED _Pragma("clang loop unroll(disable)")
#else
#define UNROLL _Pragma("GCC unroll 20")
#define ROLLED
#endif

INLINE f4 load(const float *p) { return *(const f4_unaligned *)p; }
INLINE void store(float *p, f4 v) { *(f4_unaligned *)p = v; }
INLINE f4 splat(float v) { return (f4){v, v, v, v}; }

/* a * b + c. Relaxed SIMD uses FMA (one rounding) if the machine has it, at twice the rate. */
INLINE f4 madd(f4 a, f4 b, f4 c) {
#ifdef __wasm_relaxed_simd__
    return __builtin_wasm_relaxed_madd_f32x4(a, b, c);
#else
    return a * b + c;
#endif
}

INLINE f4 select(i4 mask, f4 yes, f4 no) { return (f4)((mask & (i4)yes) | (~mask & (i4)no)); }

/* The larger of each pair; `a` if either is NaN, so that a NaN in `a` is kept. */
INLINE f4 larger(f4 a, f4 b) {
#ifdef __wasm_simd128__
    return __builtin_wasm_pmax_f32x4(a, b);
#else
    return select(a < b, b, a);
#endif
}

/* The smaller of each pair; `a` if either is NaN. */
INLINE f4 smallest(f4 a, f4 b) {
#ifdef __wasm_simd128__
    return __builtin_wasm_pmin_f32x4(a, b);
#else
    return select(b < a, b, a);
#endif
}

/* NaN in x is kept. */
INLINE f4 clip(f4 x, f4 low, f4 high) { return smallest(larger(x, low), high); }

INLINE f4 root(f4 v) {
#ifdef __wasm_simd128__
    return __builtin_wasm_sqrt_f32x4(v);
#else
    return (f4){__builtin_sqrtf(v[0]), __builtin_sqrtf(v[1]), __builtin_sqrtf(v[2]),
                __builtin_sqrtf(v[3])};
#endif
}

/* Whether any bit is set. */
INLINE int any_bit(i4 v) {
#ifdef __wasm_simd128__
    return __builtin_wasm_any_true_v128((__attribute__((vector_size(16))) signed char)v);
#else
    return (v[0] | v[1] | v[2] | v[3]) != 0;
#endif
}

/* Four rows become four columns. */
INLINE void transpose(f4 t[4]) {
    f4 a = {t[0][0], t[1][0], t[0][1], t[1][1]}, b = {t[2][0], t[3][0], t[2][1], t[3][1]};
    f4 c = {t[0][2], t[1][2], t[0][3], t[1][3]}, d = {t[2][2], t[3][2], t[2][3], t[3][3]};
    t[0] = (f4){a[0], a[1], b[0], b[1]};
    t[1] = (f4){a[2], a[3], b[2], b[3]};
    t[2] = (f4){c[0], c[1], d[0], d[1]};
    t[3] = (f4){c[2], c[3], d[2], d[3]};
}

INLINE float sum(f4 v) { return (v[0] + v[2]) + (v[1] + v[3]); }

/* The first `count` lanes, zero in the others; reads nothing past them. */
INLINE f4 load_part(const float *p, int count) {
    f4 v = splat(0);
    for (int i = 0; i < count && i < LANES; i++) v[i] = p[i];
    return v;
}

INLINE void store_part(float *p, f4 v, int count) {
    for (int i = 0; i < count && i < LANES; i++) p[i] = v[i];
}

/* Four lanes, or those that are left. */
INLINE f4 part(const float *p, int count) { return count == LANES ? load(p) : load_part(p, count); }

INLINE void put(float *p, f4 v, int count) {
    if (count == LANES) store(p, v);
    else store_part(p, v, count);
}

/* Reads one number of each line of 64 bytes, so that these are on their way when they are needed: WebAssembly knows no
 * other prefetch. */
static NOINLINE void prefetch(const float *p, int count) {
    const volatile float *read = p;
    ROLLED for (int i = 0; i < count; i += 16)(void) read[i];
}

INLINE int smaller(int a, int b) { return a < b ? a : b; }

INLINE void clear(float *p, int count) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) store(p + i, splat(0));
    for (; i < count; i++) p[i] = 0;
}

INLINE void copy(float *to, const float *from, int count) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) store(to + i, load(from + i));
    for (; i < count; i++) to[i] = from[i];
}

INLINE void add_to(float *to, const float *from, int count) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) store(to + i, load(to + i) + load(from + i));
    for (; i < count; i++) to[i] += from[i];
}

#endif
