/* Elementary functions without branches, so that a loop over them becomes vector instructions.
 *
 * All polynomials here are minimax in the relative error of the result (Remez' exchange in 60 digits); the error given
 * at a function is the largest one measured, in units in the last place, against the same function in wider floats.
 * NaN stays NaN everywhere, and no argument overflows on the way. */
#undef UBITS
#undef MANTISSA
#undef BIAS
#undef FABS
#undef COPYSIGN
#ifdef SINGLE
#define UBITS uint32_t
#define MANTISSA 23 /* bits below the exponent */
#define BIAS 127
#define FABS fabsf
#define COPYSIGN copysignf
#else
#define UBITS uint64_t
#define MANTISSA 52
#define BIAS 1023
#define FABS fabs
#define COPYSIGN copysign
#endif

INLINE UBITS NAME(bits)(REAL x) {
    UBITS b;
    memcpy(&b, &x, sizeof b);
    return b;
}

INLINE REAL NAME(from_bits)(UBITS b) {
    REAL x;
    memcpy(&x, &b, sizeof x);
    return x;
}

INLINE REAL NAME(copy_sign)(REAL magnitude, REAL sign) {
    return COPYSIGN(magnitude, sign);
}

INLINE REAL NAME(magnitude)(REAL x) {
    return FABS(x);
}

INLINE REAL NAME(root)(REAL x) {
    return sizeof(REAL) == sizeof(float) ? (REAL)sqrtf((float)x) : (REAL)sqrt((double)x);
}

/* exp(x) - 1 for x = n log 2 + r with the nearest integer n, |r| <= log(2)/2: *p = exp(r) - 1, and the bits of the
 * value returned end in n + bias. n is x / log 2 + 1.5 * 2^MANTISSA rounded to its last bit, which every processor can; log 2
 * comes in two parts so that n times the first is exact without fused multiply-add too (Cody and Waite 1980). */
INLINE UBITS NAME(reduced_exponential)(REAL x, int bias, REAL *p) {
    const REAL shift = R(1.5) * (REAL)((BITS)1 << MANTISSA) + (REAL)bias;
    const REAL shifted = x * R(1.44269504088896340736) + shift, n = shifted - shift;
#ifdef SINGLE
    const REAL r = (x - n * R(0.693359375)) - n * R(-2.12194440054690583e-4);
    REAL q = R(0.0013882509665563703);
    q = q * r + R(0.008366580121219158);
    q = q * r + R(0.04166720062494278);
    q = q * r + R(0.1666654348373413);
    q = q * r + R(0.4999999701976776);
#else
    const REAL r = (x - n * R(6.93147180369123816490e-01)) - n * R(1.90821492927058770002e-10);
    REAL q = R(2.5053777407983947583e-8);
    q = q * r + R(2.762616142794639706e-7);
    q = q * r + R(2.7557407862017661959e-6);
    q = q * r + R(2.4801504978873331362e-5);
    q = q * r + R(1.984126971834536249e-4);
    q = q * r + R(0.0013888888931794999569);
    q = q * r + R(0.0083333333333899572274);
    q = q * r + R(0.041666666666576108658);
    q = q * r + R(0.16666666666666588583);
    q = q * r + R(0.50000000000000052258);
#endif
    *p = r * r * q + r;
    return NAME(bits)(shifted);
}

/* exp x for any x, 1.1 ulp. Underflow is gradual, as in libm: 2^n comes in two factors of half the exponent. */
INLINE REAL NAME(exponential)(REAL x) {
    const REAL low = sizeof(REAL) == 4 ? R(-104.0) : R(-746.0), high = sizeof(REAL) == 4 ? R(89.0) : R(710.0);
    x = x < low ? low : x;
    x = x > high ? high : x;
    REAL p;
    const UBITS n = NAME(reduced_exponential)(x, 2 * BIAS, &p), half = n >> 1;
    const REAL first = NAME(from_bits)(half << MANTISSA), second = NAME(from_bits)((n - half) << MANTISSA);
    return (p + 1) * first * second;
}

/* exp x for x <= 0, 1.1 ulp, a little faster; underflow is gradual too. */
INLINE REAL NAME(exponential_negative)(REAL x) {
    const REAL low = sizeof(REAL) == 4 ? R(-104.0) : R(-746.0);
    const int lift = MANTISSA + 2; /* 2^(n + lift) is a normal number down to the least denormal result */
    x = x < low ? low : x;
    REAL p;
    const UBITS n = NAME(reduced_exponential)(x, BIAS + lift, &p);
    return (p + 1) * NAME(from_bits)(n << MANTISSA) * NAME(from_bits)((UBITS)(BIAS - lift) << MANTISSA);
}

/* exp(x) - 1 for any x, 2.2 ulp. */
INLINE REAL NAME(expm1)(REAL x) {
    const REAL low = sizeof(REAL) == 4 ? R(-18.0) : R(-40.0), high = sizeof(REAL) == 4 ? R(89.0) : R(710.0);
    REAL limited = x < low ? low : x;
    limited = limited > high ? high : limited;
    REAL p;
    const UBITS n = NAME(reduced_exponential)(limited, BIAS - 1, &p);
    const REAL half = NAME(from_bits)(n << MANTISSA); /* 2^n / 2, since 2^n itself may be one beyond the largest */
    return NAME(copy_sign)(2 * (half * p + (half - R(0.5))), x);
}

/* tanh x = -t / (2 + t), t = exp(-2x) - 1, for x >= 0; odd. 2.5 ulp. */
INLINE REAL NAME(hyperbolic_tangent)(REAL x) {
    const REAL t = NAME(expm1)(-2 * NAME(magnitude)(x));
    return NAME(copy_sign)(t / (2 + t), x);
}

/* 1 / (1 + exp(-x)), 2.3 ulp. */
INLINE REAL NAME(logistic)(REAL x) {
    const REAL e = NAME(exponential_negative)(-NAME(magnitude)(x));
    return (x < 0 ? e : 1) / (1 + e);
}

/* log(1 + u) for u from 0 to 1, 1.8 ulp. */
INLINE REAL NAME(log1p_unit)(REAL u) {
#ifdef SINGLE
    REAL q = R(0.0020302427001297474);
    q = q * u + R(-0.013407536782324314);
    q = q * u + R(0.041478242725133896);
    q = q * u + R(-0.0824417769908905);
    q = q * u + R(0.12418437749147415);
    q = q * u + R(-0.16105692088603973);
    q = q * u + R(0.19890747964382172);
    q = q * u + R(-0.24987271428108215);
    q = q * u + R(0.33332559466362);
    q = q * u + R(-0.4999998211860657);
#else
    REAL q = R(-1.6418504574766587328e-5);
    q = q * u + R(1.9750849368492433485e-4);
    q = q * u + R(-0.0011299543673047674972);
    q = q * u + R(0.0041099233788162765633);
    q = q * u + R(-0.010744091602170860076);
    q = q * u + R(0.021708301847921237526);
    q = q * u + R(-0.03575836557239652485);
    q = q * u + R(0.050280958559881398472);
    q = q * u + R(-0.063029919197441104128);
    q = q * u + R(0.073368606859201908213);
    q = q * u + R(-0.082105729391912011872);
    q = q * u + R(0.090567317666544076636);
    q = q * u + R(-0.099924377779996365548);
    q = q * u + R(0.11109804394443747292);
    q = q * u + R(-0.12499827589489667469);
    q = q * u + R(0.14285697425258454509);
    q = q * u + R(-0.16666665493287091886);
    q = q * u + R(0.19999999945157314398);
    q = q * u + R(-0.24999999998422934293);
    q = q * u + R(0.33333333333309219376);
    q = q * u + R(-0.49999999999999853058);
#endif
    return u * u * q + u;
}

/* The standard normal distribution at x >= 0: *bell = exp(-x²/2), and the probability that a number is beyond x. That
 * is the bell times half Mills' ratio, here P/Q with a relative error of 2^-27 (float, x <= 14.5), 2^-54 (double, x <=
 * 39); all its coefficients are positive, so nothing cancels. In the tail both are as good as exp at a rounded x²/2:
 * x²/4 ulp. */
INLINE REAL NAME(normal_tail)(REAL x, REAL *bell) {
    const REAL far = sizeof(REAL) == 4 ? R(14.5) : R(39.0); /* beyond, the bell is zero */
    x = x > far ? far : x;
#ifdef SINGLE
    REAL p = R(0.00411630142480135);
    p = p * x + R(0.040633175522089005);
    p = p * x + R(0.18323497474193573);
    p = p * x + R(0.43829473853111267);
    p = p * x + R(0.5);
    REAL q = R(0.010317917913198471);
    q = q * x + R(0.1018587127327919);
    q = q * x + R(0.46947020292282104);
    q = q * x + R(1.2025024890899658);
    q = q * x + R(1.6744744777679443);
#else
    REAL p = R(1.3858613660084333661e-6);
    p = p * x + R(3.7257638523628780685e-5);
    p = p * x + R(4.9045463252775884999e-4);
    p = p * x + R(0.0040895646266023181533);
    p = p * x + R(0.023623577528203648683);
    p = p * x + R(0.097703025064048741762);
    p = p * x + R(0.28934060931582716298);
    p = p * x + R(0.59405713325301958373);
    p = p * x + R(0.77488120231689327587);
    p = p * x + R(0.49999999999999997434);
    REAL q = R(3.4738392847657868929e-6);
    q = q * x + R(9.3391050167175097704e-5);
    q = q * x + R(0.0012328612888018208762);
    q = q * x + R(0.01034440936295726403);
    q = q * x + R(0.060437967576207162883);
    q = q * x + R(0.25496938965192846233);
    q = q * x + R(0.78206108721234254335);
    q = q * x + R(1.7144134822262593491);
    q = q * x + R(2.5612655344439568866);
    q = q * x + R(2.3476469654366417857);
#endif
    q = q * x + 1;
    *bell = NAME(exponential_negative)(R(-0.5) * x * x);
    return *bell * (p / q);
}

/* sin(x + half π) for half = 0 or 1/2, the second of which is cos x. With the nearest integer m to x/π + half and
 * r = x - (m - half) π, |r| <= π/2, that is sin r for even m and -sin r for odd; π comes in three parts. 1.6 ulp of x
 * and of the result together: beyond some hundreds the rounding of x itself counts. Where x has no digits left behind
 * the point, 10^7 for float, the result is some number from -1 to 1. */
INLINE REAL NAME(sine)(REAL x, REAL half) {
    const REAL shift = R(1.5) * (REAL)((BITS)1 << MANTISSA);
    const REAL shifted = (x * R(0.318309886183790671538) + half) + shift, n = (shifted - shift) - half;
#ifdef SINGLE
    REAL r = ((x - n * R(3.140625)) - n * R(9.67502593994140625e-4)) - n * R(1.50995799098e-7);
#else
    REAL r = ((x - n * R(3.141592653468251228333)) - n * R(1.215420101260793195319e-10)) - n * R(4.0445324975919014648e-21);
#endif
    r = r < R(-1.6) ? R(-1.6) : r;
    r = r > R(1.6) ? R(1.6) : r;
    const REAL t = r * r;
#ifdef SINGLE
    REAL q = R(2.60577956e-6);
    q = q * t + R(-0.000198096024);
    q = q * t + R(0.00833306624);
    q = q * t + R(-0.166666596);
#else
    REAL q = R(2.7211744984400112133e-15);
    q = q * t + R(-7.6429914401664112267e-13);
    q = q * t + R(1.6058939703780336597e-10);
    q = q * t + R(-2.5052106872755068176e-8);
    q = q * t + R(2.7557319211136703867e-6);
    q = q * t + R(-0.00019841269841209215636);
    q = q * t + R(0.0083333333333331942971);
    q = q * t + R(-0.1666666666666666557);
#endif
    const REAL y = r * t * q + r;
    return NAME(from_bits)(NAME(bits)(y) ^ (NAME(bits)(shifted) << (sizeof(REAL) * 8 - 1))); /* m's last bit */
}
