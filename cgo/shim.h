// The boundary between Go and llama.cpp: a few plain C functions over plain C
// structs. No upstream struct crosses it, no exception leaves it, and a call
// that can fail returns nonzero after writing one line into its ax_error.
#ifndef AXON_SHIM_H
#define AXON_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ax_model   ax_model;
typedef struct ax_context ax_context;
typedef struct ax_pool    ax_pool;
typedef struct ax_sampler ax_sampler;
typedef struct ax_lora    ax_lora;
typedef struct ax_ranking ax_ranking;

typedef struct { char text[1024]; } ax_error;

// -- process ---------------------------------------------------------------

void         ax_init(int log_level);      // once; log_level: 0 none .. 4 debug, lines go to stderr
void         ax_set_log_level(int level);
const char * ax_llama_version(void);
const char * ax_ggml_version(void);
const char * ax_build_key(void);          // of the Makefile's build; empty without it
const char * ax_system_info(void);
bool         ax_supports(int what);       // 0 mmap, 1 mlock, 2 GPU offload, 3 RPC

typedef struct { int64_t models, contexts, pools, samplers, loras; } ax_counts;
void ax_live(ax_counts * out);            // objects created and not yet freed

typedef struct {
    const char * name;
    const char * description;
    const char * backend;
    int          type;                    // 0 CPU, 1 GPU, 2 integrated GPU, 3 accelerator
    uint64_t     free_bytes, total_bytes;
} ax_device;
int  ax_device_count(void);
void ax_device_get(int i, ax_device * out);

// -- model -----------------------------------------------------------------

typedef struct {
    const char *  path;                   // NULL: read from fd at offset
    int           fd;
    int64_t       offset;
    const int *   devices;                // indices for ax_device_get; n_devices < 0: all of them
    int           n_devices;
    int           n_gpu_layers, split_mode, main_gpu, load_mode;
    const float * tensor_split;
    int           n_tensor_split;
    bool          vocab_only, check_tensors;
    uintptr_t     progress;               // a cgo.Handle, or 0
} ax_model_params;

typedef struct {
    int      vocab_type, rope_type, file_type;
    int      n_vocab, n_ctx_train, n_embd, n_embd_out, n_layer, n_head, n_head_kv, n_swa;
    uint64_t n_params, size_bytes;
    bool     has_encoder, has_decoder, recurrent, hybrid, diffusion;
    int      bos, eos, eot, nl, pad, sep;
    bool     add_bos, add_eos;
    char     description[128];
    char     file_type_name[64];
} ax_model_info;

int  ax_model_load(const ax_model_params * p, ax_model ** out, ax_error * err);
void ax_model_free(ax_model * m);
void ax_model_describe(const ax_model * m, ax_model_info * out);
int  ax_model_meta(const ax_model * m, const char * key, char * buf, size_t size); // length, or -1
const char * ax_model_chat_template(const ax_model * m);                           // or NULL

int  ax_lora_load(ax_model * m, const char * path, ax_lora ** out, ax_error * err);
void ax_lora_free(ax_lora * l);

int  ax_quantize_model(const char * in, const char * out, const char * type, int n_threads,
                       bool allow_requantize, bool pure, ax_error * err);
int  ax_file_type(const char * name);     // "q4_0" -> llama_ftype, or -1
int  ax_tensor_type(const char * name);   // "q4_0" -> ggml_type, or -1
const char * ax_tensor_type_name(int type);
int64_t ax_row_size(int type, int64_t n); // bytes of a row of n elements; -1: no such type, or n not whole blocks
int  ax_quantize_rows(int type, const float * src, int64_t n_rows, int64_t n_per_row, void * dst, ax_error * err);

// -- vocabulary ------------------------------------------------------------

int  ax_tokenize(const ax_model * m, const char * text, int32_t len, int32_t * out, int32_t cap,
                 bool add_special, bool parse_special, ax_error * err); // count, -count if cap is too small, INT32_MIN on error
int  ax_detokenize(const ax_model * m, const int32_t * tokens, int32_t n, char * out, int32_t cap,
                   bool remove_special, bool unparse_special);          // bytes, or -bytes if cap is too small
int  ax_piece(const ax_model * m, int32_t token, char * out, int32_t cap, bool special);
int  ax_token_attr(const ax_model * m, int32_t token);
bool ax_token_is_eog(const ax_model * m, int32_t token);
int  ax_suppressed(const ax_model * m, const int32_t ** out); // tokens that the model never wants sampled
// roles and contents: n strings each, one after the other, each ended by NUL.
int  ax_chat_apply(const char * tmpl, const char * roles, const char * contents, size_t n,
                   bool add_assistant, char * out, int32_t cap, ax_error * err); // bytes needed, or -1

// -- thread pool and context -------------------------------------------------

int  ax_pool_new(int n_threads, ax_pool ** out, ax_error * err);
void ax_pool_free(ax_pool * p);

typedef struct {
    uint32_t n_ctx, n_batch, n_ubatch, n_seq_max, n_rows_max;
    int      n_threads, n_threads_batch;
    int      flash_attn;                  // -1 auto, 0 off, 1 on
    int      type_k, type_v;              // ggml_type
    int      rope_scaling;                // -1 from the model
    float    rope_freq_base, rope_freq_scale, yarn_ext_factor, yarn_attn_factor, yarn_beta_fast, yarn_beta_slow;
    uint32_t yarn_orig_ctx;
    bool     offload_kqv, op_offload, swa_full, kv_unified;
} ax_context_params;

typedef struct { uint32_t n_ctx, n_ctx_seq, n_batch, n_ubatch, n_seq_max; bool has_memory; } ax_context_info;

typedef struct {
    int           status;                 // of llama_decode
    int           n_rows;
    const float * logits;                 // [n_rows][n_vocab], valid until the next call
    const float * embd;                   // [n_rows][n_embd_out], only when hidden states were asked for
} ax_decoded;

int  ax_context_new(ax_model * m, ax_pool * pool, const ax_context_params * p, ax_context ** out, ax_error * err);
void ax_context_free(ax_context * c);
void ax_context_describe(const ax_context * c, ax_context_info * out);
void ax_context_defaults(ax_context_params * out);
int  ax_context_set_loras(ax_context * c, ax_lora ** loras, const float * scales, size_t n, ax_error * err);

// One batch: token i at position pos[i] of sequence seq[i]; rows[i] != 0 asks
// for its row of logits. With hidden, every token is an output.
int  ax_decode(ax_context * c, int32_t n, const int32_t * tokens, const int32_t * pos, const int32_t * seq,
               const int8_t * rows, bool hidden, ax_decoded * out, ax_error * err);
void ax_abort(ax_context * c, bool on);   // from any thread: stops the running graph at its next node

void ax_seq_clear(ax_context * c);
bool ax_seq_rm(ax_context * c, int32_t seq, int32_t p0, int32_t p1);
void ax_seq_cp(ax_context * c, int32_t src, int32_t dst, int32_t p0, int32_t p1);
int32_t ax_seq_pos_min(ax_context * c, int32_t seq);
int32_t ax_seq_pos_max(ax_context * c, int32_t seq);

typedef struct { char buffer[64]; uint64_t model, context, compute; } ax_memory;
int  ax_context_memory(const ax_context * c, ax_memory * out, int cap); // entries written

// -- sampling ----------------------------------------------------------------

typedef struct {
    uint32_t     seed;
    float        temp, top_p, min_p, typical_p;
    int32_t      top_k;
    int32_t      penalty_last_n;          // 0 off, -1 the whole context
    float        penalty_repeat, penalty_freq, penalty_present;
    const char * grammar;                 // GBNF, or NULL
    const int32_t * bias_tokens;
    const float *   bias_values;
    int32_t      n_bias;
} ax_sampler_params;

int  ax_sampler_new(const ax_model * m, const ax_sampler_params * p, ax_sampler ** out, ax_error * err);
void ax_sampler_free(ax_sampler * s);
uint32_t ax_sampler_seed(const ax_sampler * s);
int  ax_sampler_accept(ax_sampler * s, int32_t token, bool generated, ax_error * err); // prompt tokens do not move the grammar
// Picks a token from a whole row; banned tokens get no probability.
int  ax_sampler_sample(ax_sampler * s, const float * logits, int32_t n_vocab,
                       const int32_t * banned, int32_t n_banned, int32_t * token, ax_error * err);

// -- ranking: llama.cpp's softmax and top-k by themselves, to measure beside ours --

typedef struct { int32_t token; float logit, p; } ax_candidate;

// A chain of n samplers: top_k(steps[i]), or for a step of 0 a softmax (with a draw).
int  ax_ranking_new(const int32_t * steps, int32_t n, ax_ranking ** out, ax_error * err);
void ax_ranking_free(ax_ranking * r);
// Applies the chain to a row without NaN. What is left of it stays until the next call.
int  ax_ranking_apply(ax_ranking * r, const float * logits, int32_t n, ax_error * err);
int32_t ax_ranking_get(const ax_ranking * r, ax_candidate * out, int32_t cap); // count

#ifdef __cplusplus
}
#endif
#endif
