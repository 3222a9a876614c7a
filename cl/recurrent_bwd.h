/* Backward, behind the product: the gradients of the gates of unit j (and its neighbours, where T
 * is a vector) of sample b from their sum s in the product. To be included in a kernel that has
 * STAGE, T, LOAD, STORE and these buffers, of which the first four are those of
 * recurrent_fwd.h:
 *
 *   gates, states, extra, lengths
 *   dout     (batch, time, hidden) HAS_DOUT: the gradient of the outputs
 *   dgates   (batch, time, gates*hidden) what is sought: the gradient of x; may be gates
 *   dinner   (batch, time, gates*hidden) GRU: the gradient of h U + bias_n where dgates has that
 *            of x, else as dgates
 *   carry    (batch, hidden) what reaches the state before the step other than by the product
 *   dcell    (batch, hidden) LSTM: the gradient of the cell's state
 *
 * The product is that of the later step's gradients with the transposed weights, so that s below is
 * the gradient of the state behind step t. In stage RESET it is that of r * state. */
#ifdef __OPENCL_VERSION__
#define BACKWARD_BUFFERS                                                                           \
    , const recurrent_params p, __global const float *gates, __global const float *states,         \
        __global const float *extra, __global const float *dout, __global float *dgates,           \
        __global float *dinner, __global float *carry, __global float *dcell,                      \
        __global const int *lengths
#else
#define BACKWARD_BUFFERS
#endif

CELL_FUNCTION cell_backward(uint b, uint j, T s BACKWARD_BUFFERS) {
    const uint row = b * p.time + p.t, at = row * p.hidden + j, final = b * p.hidden + j;
    const uint gate = row * p.width + j;
    const bool masked = (p.flags & RECURRENT_IS_MASKED) != 0;
    const bool live = !masked || p.t < lengths[b];
    const T zero = NUM(0.0f), one = NUM(1.0f);
    if (STAGE == RECURRENT_RESET) {
        T dr = zero;
        if (live) {
            const T r = LOAD(gates, gate);
            dr = s * LOAD(states, at) * r * (one - r);
            STORE(LOAD(carry, final) + s * r, carry, final);
        }
        STORE(dr, dgates, gate);
    } else {
        if ((p.flags & RECURRENT_HAS_CARRY) != 0)
            s += LOAD(carry, final);
        if ((p.flags & RECURRENT_IS_START) != 0 || !live) {
            STORE(s, carry, final);
        } else if ((p.flags & RECURRENT_HAS_DOUT) != 0) {
            s += LOAD(dout, at);
        }
        if ((p.flags & RECURRENT_IS_START) != 0) {
            /* there are no gates */
        } else if (STAGE == RECURRENT_LSTM) {
            T di = zero, df = zero, dg = zero, d_o = zero;
            T dc = zero;
            if ((p.flags & RECURRENT_HAS_CELL) != 0)
                dc = LOAD(dcell, final);
            if (live) {
                const T i = LOAD(gates, gate), f = LOAD(gates, gate + p.hidden);
                const T g = LOAD(gates, gate + 2 * p.hidden), o = LOAD(gates, gate + 3 * p.hidden);
                const T c0 = LOAD(extra, at), tc = TANH(f * c0 + i * g);
                d_o = s * tc * o * (one - o);
                dc += s * o * (one - tc * tc);
                di = dc * g * i * (one - i);
                df = dc * c0 * f * (one - f);
                dg = dc * i * (one - g * g);
                dc *= f;
                if (masked)
                    STORE(zero, carry, final);
            }
            STORE(dc, dcell, final);
            STORE(di, dgates, gate);
            STORE(df, dgates, gate + p.hidden);
            STORE(dg, dgates, gate + 2 * p.hidden);
            STORE(d_o, dgates, gate + 3 * p.hidden);
        } else if (STAGE == RECURRENT_GRU) {
            T dr = zero, dz = zero, dn = zero, du = zero;
            if (live) {
                const T r = LOAD(gates, gate), z = LOAD(gates, gate + p.hidden);
                const T n = LOAD(gates, gate + 2 * p.hidden);
                dz = s * (LOAD(states, at) - n) * z * (one - z);
                dn = s * (one - z) * (one - n * n);
                dr = dn * LOAD(extra, at) * r * (one - r);
                du = dn * r;
                STORE(s * z, carry, final);
            }
            STORE(dr, dgates, gate);
            STORE(dz, dgates, gate + p.hidden);
            STORE(dn, dgates, gate + 2 * p.hidden);
            STORE(dr, dinner, gate);
            STORE(dz, dinner, gate + p.hidden);
            STORE(du, dinner, gate + 2 * p.hidden);
        } else if (STAGE == RECURRENT_CANDIDATE) {
            T dz = zero, dn = zero;
            if (live) {
                const T z = LOAD(gates, gate + p.hidden), n = LOAD(gates, gate + 2 * p.hidden);
                dz = s * (LOAD(states, at) - n) * z * (one - z);
                dn = s * (one - z) * (one - n * n);
                STORE(s * z, carry, final);
            }
            STORE(dz, dgates, gate + p.hidden);
            STORE(dn, dgates, gate + 2 * p.hidden);
        } else {
            T dx = zero;
            if (live) {
                const T h = LOAD(gates, gate);
                dx = STAGE == RECURRENT_TANH ? s * (one - h * h) : SELECT(h <= zero, zero, s);
                if (masked)
                    STORE(zero, carry, final);
            }
            STORE(dx, dgates, gate);
        }
    }
}
