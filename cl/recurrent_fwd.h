/* Forward, behind the product: the gates and the new state of unit j (and its neighbours, where T
 * is a vector) of sample b from the sums a[] of its columns. The includer defines
 * STAGE (recurrent.h), T (a float or a vector), LOAD(buffer, at), STORE(value,
 * buffer, at) and CELL_FUNCTION, what a function's definition begins with. Buffers, arguments in
 * OpenCL C and globals in GLSL:
 *
 *   x           (batch, time, gates*hidden) x W + bias
 *   gates       the same shape: the gates' values; may be x
 *   states      (batch, time, hidden) the state before each step
 *   h_final     (batch, hidden) the state behind the last
 *   outputs     (batch, time, hidden)
 *   extra       (batch, time, hidden) LSTM: the cell's state before each step; GRU: the candidate's
 *               product with its bias; RESET: the product of r and the state
 *   c_final     (batch, hidden) LSTM: the cell's state behind the last step
 *   bias_n      (hidden) GRU: the bias inside r * (h U + bias_n)
 *   lengths     (batch) IS_MASKED: steps from here on carry the state and give 0
 *
 *   TANH, RELU  h' = act(x + h U)                               Elman, 1990
 *   LSTM        c' = f c + i g, h' = o tanh(c')                 Hochreiter and Schmidhuber, 1997;
 *                                                               Gers et al., 2000
 *   GRU         n = tanh(x + r (h U + bias_n)), h' = (1 - z) n + z h
 *   RESET, CANDIDATE  n = tanh(x + (r h) U), h' likewise        Cho et al., 2014 */
#ifdef __OPENCL_VERSION__
#define FORWARD_BUFFERS                                                                            \
    , const recurrent_params p, __global const float *x, __global float *gates,                    \
        __global float *states, __global float *h_final, __global float *outputs,                  \
        __global float *extra, __global float *c_final, __global const float *bias_n,              \
        __global const int *lengths
#else
#define FORWARD_BUFFERS
#endif

CELL_FUNCTION cell_forward(uint b, uint j, const T a[4] FORWARD_BUFFERS) {
    const uint row = b * p.time + p.t, at = row * p.hidden + j;
    const uint gate = row * p.width + p.column + j;
    const bool live = (p.flags & RECURRENT_IS_MASKED) == 0 || p.t < lengths[b];
    const bool ends = p.next == p.time;
    const uint final = b * p.hidden + j, next = (b * p.time + p.next) * p.hidden + j;
    const T zero = NUM(0.0f);
    const T h0 = LOAD(states, at);
    T h = h0;
    if (STAGE == RECURRENT_LSTM) {
        const T c0 = LOAD(extra, at);
        T c = c0, i = zero, f = zero, g = zero, o = zero;
        if (live) {
            i = SIGMOID(LOAD(x, gate) + a[0]);
            f = SIGMOID(LOAD(x, gate + p.hidden) + a[1]);
            g = TANH(LOAD(x, gate + 2 * p.hidden) + a[2]);
            o = SIGMOID(LOAD(x, gate + 3 * p.hidden) + a[3]);
            c = f * c0 + i * g;
            h = o * TANH(c);
        }
        STORE(i, gates, gate);
        STORE(f, gates, gate + p.hidden);
        STORE(g, gates, gate + 2 * p.hidden);
        STORE(o, gates, gate + 3 * p.hidden);
        if (ends)
            STORE(c, c_final, final);
        else
            STORE(c, extra, next);
    } else if (STAGE == RECURRENT_GRU) {
        T r = zero, z = zero, n = zero, u = zero;
        if (live) {
            r = SIGMOID(LOAD(x, gate) + a[0]);
            z = SIGMOID(LOAD(x, gate + p.hidden) + a[1]);
            u = a[2] + LOAD(bias_n, j);
            n = TANH(LOAD(x, gate + 2 * p.hidden) + r * u);
            h = n + z * (h0 - n);
        }
        STORE(r, gates, gate);
        STORE(z, gates, gate + p.hidden);
        STORE(n, gates, gate + 2 * p.hidden);
        STORE(u, extra, at);
    } else if (STAGE == RECURRENT_RESET) {
        T r = zero, z = zero;
        if (live) {
            r = SIGMOID(LOAD(x, gate) + a[0]);
            z = SIGMOID(LOAD(x, gate + p.hidden) + a[1]);
        }
        STORE(r, gates, gate);
        STORE(z, gates, gate + p.hidden);
        STORE(r * h0, extra, at);
    } else {
        T n = zero;
        if (live && STAGE == RECURRENT_CANDIDATE) {
            const T z = LOAD(gates, gate - p.hidden);
            n = TANH(LOAD(x, gate) + a[0]);
            h = n + z * (h0 - n);
        } else if (live) {
            const T s = LOAD(x, gate) + a[0];
            h = n = STAGE == RECURRENT_TANH ? TANH(s) : AT_LEAST(s, zero);
        }
        STORE(n, gates, gate);
    }
    if (STAGE != RECURRENT_RESET) {
        if (ends)
            STORE(h, h_final, final);
        else
            STORE(h, states, next);
        STORE(live ? h : zero, outputs, at);
    }
}
