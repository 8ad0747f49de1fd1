/* SPDX-License-Identifier: MIT
 *
 * What one core can do at a kernel's vector width, multiply-adds and sines: a template like
 * kernel_vector.h. The includer defines PEAK_LANES, PEAK_MULTIPLY_ADD(a, b, c) = a * b + c and
 * PEAK_SINCOS(u, s, c).
 */
enum { PEAK_CHAINS = 12 }; /* independent sums: more than latency times throughput asks for */

typedef float peak_vec __attribute__((vector_size(PEAK_LANES * 4)));

static double peak(size_t rounds) {
    volatile float factor = 0.5f; /* not known to the compiler */
    peak_vec x = {0}, sum[PEAK_CHAINS];
    x = x + factor;
    for (int i = 0; i < PEAK_CHAINS; i++)
        sum[i] = x + (float)i;
    for (size_t r = 0; r < rounds; r++)
        for (int i = 0; i < PEAK_CHAINS; i++)
            sum[i] = PEAK_MULTIPLY_ADD(sum[i], x, x);
    volatile float sink = 0;
    for (int i = 0; i < PEAK_CHAINS; i++)
        sink = sink + sum[i][0];
    (void)sink;
    return 2.0 * PEAK_LANES * PEAK_CHAINS * (double)rounds;
}

static double sines(size_t rounds) {
    volatile float factor = 0.1f;
    peak_vec u[PEAK_CHAINS];
    for (int i = 0; i < PEAK_CHAINS; i++)
        u[i] = (peak_vec){0} + factor + (float)i;
    for (size_t r = 0; r < rounds; r++)
        for (int i = 0; i < PEAK_CHAINS; i++) {
            peak_vec s, c;
            PEAK_SINCOS(u[i], (void *)&s, (void *)&c);
            u[i] = s + c;
        }
    volatile float sink = 0;
    for (int i = 0; i < PEAK_CHAINS; i++)
        sink = sink + u[i][0];
    (void)sink;
    return (double)PEAK_LANES * PEAK_CHAINS * (double)rounds;
}
