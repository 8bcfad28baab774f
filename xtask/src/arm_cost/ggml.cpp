// The guest for ggml's side of `cargo xtask arm-cost`: one matrix product by ggml's own functions,
// marked for the plugin that counts. `ggml FORM TYPE ROWS K VECTORS`; status 3: ggml, built for these
// CPU features, has no such function.
//
// What these functions execute does not depend on the numbers, and a repacked matrix is as many bytes
// as the plain one, so every buffer holds the same byte everywhere.

#include "ggml-cpu-impl.h"
#include "llamafile/sgemm.h"
#include "quants.h"
#include "repack.h"
#include "vec.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using VecDot = decltype(&ggml_vec_dot_q4_0_q8_0);
using Mat = decltype(&ggml_gemv_q4_0_4x4_q8_0);

// Bytes of `len` numbers of weights, and of the activations that meet them.
struct Size {
    size_t len, w, x;
};

struct Type {
    const char * name;
    ggml_type w, x;
    Size size;
    VecDot vec_dot;
    // Rows and columns of a call to `vec_dot` in a product of several vectors.
    int at_once;
    // What ggml_repack_get_optimal_repack_type chooses for these features without SVE, if anything.
    Mat gemv, gemm;
};

static constexpr Size FLOAT = {1, 4, 4}, HALF = {1, 2, 2};
template <typename W, typename X> static constexpr Size blocks(size_t len) {
    return {len, sizeof(W), sizeof(X)};
}

#if defined(__ARM_FEATURE_MATMUL_INT8)
#define REPACKED(type, dotprod, i8mm, x) ggml_gemv_##type##_##i8mm##_##x, ggml_gemm_##type##_##i8mm##_##x
static constexpr int TWO = 2;
#elif defined(__ARM_FEATURE_DOTPROD)
#define REPACKED(type, dotprod, i8mm, x) ggml_gemv_##type##_##dotprod##_##x, ggml_gemm_##type##_##dotprod##_##x
static constexpr int TWO = 1;
#else
#define REPACKED(type, dotprod, i8mm, x) nullptr, nullptr
static constexpr int TWO = 1;
#endif
#define PLAIN nullptr, nullptr

static const Type TYPES[] = {
    {"F32", GGML_TYPE_F32, GGML_TYPE_F32, FLOAT, (VecDot) ggml_vec_dot_f32, 1, PLAIN},
    {"F16", GGML_TYPE_F16, GGML_TYPE_F16, HALF, (VecDot) ggml_vec_dot_f16, 1, PLAIN},
    {"BF16", GGML_TYPE_BF16, GGML_TYPE_BF16, HALF, (VecDot) ggml_vec_dot_bf16, 1, PLAIN},
    {"Q4_0", GGML_TYPE_Q4_0, GGML_TYPE_Q8_0, blocks<block_q4_0, block_q8_0>(32), ggml_vec_dot_q4_0_q8_0, TWO,
     REPACKED(q4_0, 4x4, 4x8, q8_0)},
    {"Q4_1", GGML_TYPE_Q4_1, GGML_TYPE_Q8_1, blocks<block_q4_1, block_q8_1>(32), ggml_vec_dot_q4_1_q8_1, TWO, PLAIN},
    {"Q5_0", GGML_TYPE_Q5_0, GGML_TYPE_Q8_0, blocks<block_q5_0, block_q8_0>(32), ggml_vec_dot_q5_0_q8_0, 1, PLAIN},
    {"Q5_1", GGML_TYPE_Q5_1, GGML_TYPE_Q8_1, blocks<block_q5_1, block_q8_1>(32), ggml_vec_dot_q5_1_q8_1, 1, PLAIN},
    {"Q8_0", GGML_TYPE_Q8_0, GGML_TYPE_Q8_0, blocks<block_q8_0, block_q8_0>(32), ggml_vec_dot_q8_0_q8_0, TWO,
     REPACKED(q8_0, 4x4, 4x8, q8_0)},
    {"Q2_K", GGML_TYPE_Q2_K, GGML_TYPE_Q8_K, blocks<block_q2_K, block_q8_K>(256), ggml_vec_dot_q2_K_q8_K, 1, PLAIN},
    {"Q3_K", GGML_TYPE_Q3_K, GGML_TYPE_Q8_K, blocks<block_q3_K, block_q8_K>(256), ggml_vec_dot_q3_K_q8_K, 1, PLAIN},
    {"Q4_K", GGML_TYPE_Q4_K, GGML_TYPE_Q8_K, blocks<block_q4_K, block_q8_K>(256), ggml_vec_dot_q4_K_q8_K, TWO,
     REPACKED(q4_K, 8x4, 8x8, q8_K)},
    {"Q5_K", GGML_TYPE_Q5_K, GGML_TYPE_Q8_K, blocks<block_q5_K, block_q8_K>(256), ggml_vec_dot_q5_K_q8_K, 1,
     REPACKED(q5_K, 8x4, 8x8, q8_K)},
    {"Q6_K", GGML_TYPE_Q6_K, GGML_TYPE_Q8_K, blocks<block_q6_K, block_q8_K>(256), ggml_vec_dot_q6_K_q8_K, TWO,
     REPACKED(q6_K, 8x4, 8x8, q8_K)},
    {"IQ4_NL", GGML_TYPE_IQ4_NL, GGML_TYPE_Q8_0, blocks<block_iq4_nl, block_q8_0>(32), ggml_vec_dot_iq4_nl_q8_0, 1,
     REPACKED(iq4_nl, 4x4, 4x4, q8_0)},
    {"IQ4_XS", GGML_TYPE_IQ4_XS, GGML_TYPE_Q8_K, blocks<block_iq4_xs, block_q8_K>(256), ggml_vec_dot_iq4_xs_q8_K, 1,
     PLAIN},
};

static const int NO_SUCH_FUNCTION = 3;

// ggml's helpers of its thread pool, for one thread: llamafile's product asks for them.
extern "C" {
void ggml_barrier(ggml_threadpool *) {}
void ggml_threadpool_chunk_set(ggml_threadpool *, int) {}
int ggml_threadpool_chunk_add(ggml_threadpool *, int) {
    static int chunk = 0;
    return ++chunk;
}
void ggml_abort(const char * file, int line, const char *, ...) {
    fprintf(stderr, "ggml aborts at %s:%d\n", file, line);
    abort();
}
void ggml_log_internal(ggml_log_level, const char *, ...) {}
}

// As ggml_compute_forward_mul_mat_one_chunk: tiles of 16 by 16.
static void by_vec_dot(const Type & type, int rows, int k, int vectors, const char * w, const char * x, float * y) {
    const size_t w_row = k / type.size.len * type.size.w, x_row = k / type.size.len * type.size.x;
    const int n = vectors > 1 ? type.at_once : 1;
    float tile[32];
    for (int t0 = 0; t0 < vectors; t0 += 16) {
        for (int r0 = 0; r0 < rows; r0 += 16) {
            for (int t = t0; t < t0 + 16 && t < vectors; t += n) {
                for (int r = r0; r < r0 + 16 && r < rows; r += n) {
                    type.vec_dot(k, &tile[r - r0], n > 1 ? 16 : 0, w + r * w_row, n > 1 ? w_row : 0, x + t * x_row,
                                 n > 1 ? x_row : 0, n);
                }
                for (int i = 0; i < n; i++) {
                    memcpy(y + (t + i) * rows + r0, tile + i * 16, 16 * sizeof(float));
                }
            }
        }
    }
}

// llamafile's product takes activations of F32 with F16, as ggml offers them before it converts.
static bool by_sgemm(const Type & type, int rows, int k, int vectors, const char * w, const char * x, float * y) {
    const ggml_compute_params params = {0, 1, 0, nullptr, nullptr, false};
    const ggml_type x_type = type.w == GGML_TYPE_F16 ? GGML_TYPE_F32 : type.x;
    const int64_t len = k / type.size.len;
    return llamafile_sgemm(&params, rows, vectors, len, w, len, x, len, y, rows, type.w, x_type, GGML_TYPE_F32);
}

static void * buffer(size_t bytes) {
    void * data = aligned_alloc(64, (bytes + 63) / 64 * 64);
    memset(data, 1, bytes);
    return data;
}

int main(int argc, char ** argv) {
    if (argc != 6) {
        fprintf(stderr, "wants FORM TYPE ROWS K VECTORS\n");
        return 2;
    }
    const char * form = argv[1];
    const Type * type = nullptr;
    for (const Type & t : TYPES) {
        if (strcmp(t.name, argv[2]) == 0) {
            type = &t;
        }
    }
    if (!type) {
        return NO_SUCH_FUNCTION;
    }
    const int rows = atoi(argv[3]), k = atoi(argv[4]), vectors = atoi(argv[5]);
    const char * w = (char *) buffer((size_t) rows * k / type->size.len * type->size.w);
    // Room for F32, the largest form.
    const char * x = (char *) buffer((size_t) vectors * k * 4);
    float * y = (float *) buffer((size_t) vectors * rows * sizeof(float));

    bool done = true;
    __asm__ volatile("hint #96" ::: "memory");
    if (strcmp(form, "vec_dot") == 0) {
        by_vec_dot(*type, rows, k, vectors, w, x, y);
    } else if (strcmp(form, "sgemm") == 0) {
        done = by_sgemm(*type, rows, k, vectors, w, x, y);
    } else if (strcmp(form, "repacked") == 0 && type->gemv) {
        if (vectors == 1) {
            type->gemv(k, y, rows, w, x, 1, rows);
        } else {
            type->gemm(k, y, rows, w, x, vectors, rows);
        }
    } else {
        done = false;
    }
    __asm__ volatile("hint #97" ::: "memory");
    return done ? 0 : NO_SUCH_FUNCTION;
}
