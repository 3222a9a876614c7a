/* vec: WIDTH floats, the vector that kernels for CPUs work in (1: a plain float). */
#ifndef MICA_VECTOR_H
#define MICA_VECTOR_H

#if WIDTH == 16
typedef float16 vec;
#define vec_load  vload16
#define vec_store vstore16
#define vec_sum(a)                                                                                 \
    (((a).s0 + (a).s1 + (a).s2 + (a).s3) + ((a).s4 + (a).s5 + (a).s6 + (a).s7) +                   \
        (((a).s8 + (a).s9 + (a).sa + (a).sb) + ((a).sc + (a).sd + (a).se + (a).sf)))
#elif WIDTH == 8
typedef float8 vec;
#define vec_load   vload8
#define vec_store  vstore8
#define vec_sum(a) (((a).s0 + (a).s1 + (a).s2 + (a).s3) + ((a).s4 + (a).s5 + (a).s6 + (a).s7))
#elif WIDTH == 4
typedef float4 vec;
#define vec_load   vload4
#define vec_store  vstore4
#define vec_sum(a) (((a).s0 + (a).s1) + ((a).s2 + (a).s3))
#else
typedef float vec;
#define vec_load(i, p)     ((p)[i])
#define vec_store(v, i, p) ((p)[i] = (v))
#define vec_sum(a)         (a)
#endif

#define KERNEL __kernel __attribute__((reqd_work_group_size(LOCAL_X, LOCAL_Y, LOCAL_Z))) void

#endif
