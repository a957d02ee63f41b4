/* exp, log, tanh, the logistic function and the normal distribution to a few units in the last place, four at a time.
 *
 * Range reduction and polynomials of exp and log after Cephes (S. Moshier, single precision): relative
 * error of exp below 1e-7 on its range, of log below 2e-7, of tanh below 4e-7.
 */
#ifndef NN_EXPONENTIAL_H
#define NN_EXPONENTIAL_H

#include "vector.h"

#define EXP_HIGHEST 88.72283f
#define EXP_LOWEST -87.33654f
#define ROUNDER 12582912.0f /* 1.5 * 2^23: adding it leaves the nearest integer in the low bits */

/* The constants lie in memory: V8 makes a vector constant in three instructions at each use, a load is one.
 * They are read through `opaque`, or the compiler would put the constants into the code again. */
static const float EXP_NUMBERS[] = {
    1.44269504f,
    ROUNDER,
    2.12194440e-4f,
    -0.693359375f,
    1.9875691500e-4f,
    1.3981999507e-3f,
    8.3334519073e-3f,
    4.1665795894e-2f,
    1.6666665459e-1f,
    5.0000001201e-1f,
    1,
    87,
    -87};
/* tanh as x P(x^2) / Q(x^2): five numbers of P, five of Q, then the limits of x and of the result. */
static const float TANH_NUMBERS[] = {
    1.3353413978e-8f,
    2.0608185161e-5f,
    3.4955345439e-3f,
    1.3380981150e-1f,
    9.9999997962e-1f,
    7.7760474488e-7f,
    3.2855463477e-4f,
    2.5876780095e-2f,
    4.6714296808e-1f,
    1,
    -9,
    9,
    -1,
    1};
/* The share of the normal distribution above x >= 0, over exp(-x^2 / 2), as a polynomial in 1 / (1 + x times the first
 * number) without a constant. Fitted to the least relative error for x below 13: 1e-7, and 4e-7 with rounding. */
static const float NORMAL_NUMBERS[] = {
    0.305f,
    3.6696941e-2f,
    -1.5297863e-1f,
    1.8569945e-1f,
    -3.7959728e-2f,
    1.2101188e-1f,
    1.0342415e-1f,
    1.2246622e-1f,
    1.2163977e-1f};
/* share / (1 + 2^(scale x)) - rest: the limits of x, the scale, what leaves the nearest integer and the exponent's 127
 * in the low bits, 2^x within +-1/2 as a polynomial, the share and the rest. */
#define POWER 1.3264591e-3f, 9.6716192e-3f, 5.5507351e-2f, 2.4022241e-1f, 6.9314700e-1f, 1
static const float LOGISTIC_NUMBERS[] = {-80, 80, -1.44269504f, ROUNDER + 127, POWER, 1, 0};
static const float TANH_OF_GATES[] = {-20, 20, -2.88539008f, ROUNDER + 127, POWER, 2, 1};

INLINE const float *opaque(const float *p) {
    __asm__("" : "+r"(p));
    return p;
}

/* exp(x) = 2^n (1 + r + r q); returns q, and stores r, and n in the low bits of `shifted`. */
INLINE f4 series(f4 x, f4 *shifted, f4 *rest) {
    const float *k = opaque(EXP_NUMBERS);
    *shifted = madd(x, splat(k[0]), splat(k[1]));
    f4 n = *shifted - splat(k[1]);
    f4 r = *rest = madd(n, splat(k[2]), madd(n, splat(k[3]), x));
    f4 p = splat(k[4]);
    p = madd(p, r, splat(k[5]));
    p = madd(p, r, splat(k[6]));
    p = madd(p, r, splat(k[7]));
    p = madd(p, r, splat(k[8]));
    p = madd(p, r, splat(k[9]));
    return p * r;
}

/* exp(x) = p 2^n; returns p and stores n in the low bits of `shifted`. */
INLINE f4 reduced(f4 x, f4 *shifted) {
    f4 r, q = series(x, shifted, &r);
    return madd(q, r, r + splat(opaque(EXP_NUMBERS)[10]));
}

INLINE f4 exponential(f4 x) {
    i4 over = x > splat(EXP_HIGHEST), under = x < splat(EXP_LOWEST);
    f4 shifted, p = reduced(select(over | under, splat(0), x), &shifted);
    /* 2^n in two factors, because n reaches 128, which one exponent cannot hold. */
    i4 n = (i4)shifted - (i4)splat(ROUNDER), half = n >> 1;
    f4 y = p * (f4)((half + 127) << 23) * (f4)((n - half + 127) << 23);
    return select(under, splat(0), select(over, splat(__builtin_inff()), y));
}

/* exp of x clipped to +-87, where the logistic function and tanh reach their limits. */
INLINE f4 exponential_within(f4 x) {
    const float *k = opaque(EXP_NUMBERS);
    f4 shifted, p = reduced(clip(x, splat(k[12]), splat(k[11])), &shifted);
    i4 n = (i4)shifted - (i4)splat(k[1]);
    return p * (f4)((n + 127) << 23);
}

/* exp(x) - 1 of x <= 0, exact to a few units in the last place near 0 too. */
INLINE f4 exponential_less_one(f4 x) {
    const float *k = opaque(EXP_NUMBERS);
    f4 one = splat(k[10]), shifted, r, q = series(larger(smallest(x, splat(0)), splat(k[12])), &shifted, &r);
    f4 power = (f4)(((i4)shifted - (i4)splat(k[1]) + 127) << 23);
    return madd(madd(q, r, r), power, power - one);
}

INLINE f4 logistic(f4 x) {
    f4 one = splat(opaque(EXP_NUMBERS)[10]);
    return one / (one + exponential_within(-x));
}

/* log(1 + exp(x)). log(1 + e) is 2 atanh(e / (2 + e)), whose series has fractions of at most 1/9 for e within 1. */
INLINE f4 softplus(f4 x) {
    f4 e = exponential_within(-larger(x, -x)), t = e / (splat(2) + e), s = t * t, p = splat(2.f / 13);
    UNROLL for (int odd = 11; odd > 0; odd -= 2)
        p = madd(p, s, splat(2.f / odd));
    return madd(p, t, larger(x, splat(0)));
}

/* The share of the normal distribution below x, and exp(-x^2 / 2). */
INLINE f4 normal(f4 x, f4 *bell) {
    const float *k = opaque(NORMAL_NUMBERS);
    f4 one = splat(1), t = one / madd(larger(x, -x), splat(k[0]), one), p = splat(k[1]);
    UNROLL for (int j = 2; j < 9; j++)
        p = madd(p, t, splat(k[j]));
    *bell = exponential_within(x * x * splat(-0.5f));
    f4 above = p * t * *bell;
    return select(x < splat(0), above, one - above);
}

/* Fitted to the least relative error where tanh is not 1 yet: 3e-7 with rounding. */
INLINE f4 hyperbolic_tangent(f4 x) {
    const float *k = opaque(TANH_NUMBERS);
    f4 p = splat(k[0]), q = splat(k[5]), s;
    x = clip(x, splat(k[10]), splat(k[11])), s = x * x;
    UNROLL for (int j = 1; j < 5; j++)
        p = madd(p, s, splat(k[j])), q = madd(q, s, splat(k[j + 5]));
    return clip(x * p / q, splat(k[12]), splat(k[13]));
}

/* The logistic function or tanh of four vectors, which share the numbers, wrong by at most 2e-7 of 1 (not of the
 * value). Of the operations that use the multiplier this takes a quarter less than a quotient of polynomials. The
 * polynomial is a loop because the compiler would put one vector's operations after another's otherwise, and each of
 * them would wait for the one before it. */
INLINE void sigmoids(f4 x[4], const float *numbers) {
    const float *k = opaque(numbers);
    f4 low = splat(k[0]), high = splat(k[1]), scale = splat(k[2]), rounder = splat(k[3]), shifted[4], p[4];
    UNROLL for (int i = 0; i < 4; i++) {
        x[i] = clip(x[i], low, high);
        shifted[i] = madd(x[i], scale, rounder);
        x[i] = madd(x[i], scale, rounder - shifted[i]);
        p[i] = splat(k[4]);
    }
    ROLLED for (int j = 5; j < 10; j++) {
        f4 next = splat(k[j]);
        UNROLL for (int i = 0; i < 4; i++)
            p[i] = madd(p[i], x[i], next);
    }
    f4 one = splat(k[9]), share = splat(k[10]), rest = splat(k[11]);
    UNROLL for (int i = 0; i < 4; i++)
        x[i] = share / madd(p[i], (f4)((i4)shifted[i] << 23), one) - rest;
}

/* Natural logarithm of one positive normal number; NaN of what is not finite. */
INLINE float logarithm(float x) {
    union {
        float f;
        int32_t i;
    } u = {x};
    int exponent = (u.i >> 23) - 126;
    u.i = (u.i & 0x7fffff) | 0x3f000000;
    float m = u.f, z, y;
    if (m < 0.707106781f) exponent--, m = m + m - 1;
    else m -= 1;
    z = m * m;
    y = 7.0376836292e-2f;
    y = y * m - 1.1514610310e-1f;
    y = y * m + 1.1676998740e-1f;
    y = y * m - 1.2420140846e-1f;
    y = y * m + 1.4249322787e-1f;
    y = y * m - 1.6668057665e-1f;
    y = y * m + 2.0000714765e-1f;
    y = y * m - 2.4999993993e-1f;
    y = y * m + 3.3333331174e-1f;
    y = y * m * z - 0.5f * z + (float)exponent * -2.12194440e-4f;
    return m + y + (float)exponent * 0.693359375f + (x - x);
}

#endif
