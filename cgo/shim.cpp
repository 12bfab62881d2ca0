#include "shim.h"

#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"
#include "llama.h"
#include "llama-ext.h" // for the memory breakdown, the one thing taken from upstream's staging header

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

extern "C" bool axonProgress(uintptr_t handle, float progress); // exported by progress.go

// -- errors and logging --------------------------------------------------------

namespace {

std::atomic<int>     log_level{0};
std::atomic<int64_t> live_models{0}, live_contexts{0}, live_pools{0}, live_samplers{0}, live_loras{0};

// What upstream logged as errors during the call that runs on this thread: it
// is the only place where the cause of a failed call is told.
thread_local std::string captured;

int rank_of(ggml_log_level level) {
    switch (level) {
        case GGML_LOG_LEVEL_ERROR: return 1;
        case GGML_LOG_LEVEL_WARN:  return 2;
        case GGML_LOG_LEVEL_INFO:  return 3;
        case GGML_LOG_LEVEL_DEBUG: return 4;
        default:                   return 3;
    }
}

void on_log(ggml_log_level level, const char * text, void *) {
    thread_local int last = 3;
    const int rank = level == GGML_LOG_LEVEL_CONT ? last : rank_of(level);
    last = rank;
    if (rank == 1 && captured.size() < 4096) {
        captured += text;
    }
    if (rank <= log_level.load(std::memory_order_relaxed)) {
        fputs(text, stderr);
    }
}

void on_abort(const char * message) {
    fprintf(stderr, "axon: llama.cpp stopped the process: %s\n", message);
}

// "load_tensors: missing tensor 'x'\n..." -> one line, function names removed.
std::string one_line(const std::string & text) {
    std::string out;
    size_t start = 0;
    while (start < text.size()) {
        size_t end = text.find('\n', start);
        if (end == std::string::npos) {
            end = text.size();
        }
        std::string line = text.substr(start, end - start);
        const size_t colon = line.find(": ");
        if (colon != std::string::npos && line.substr(0, colon).find(' ') == std::string::npos) {
            line = line.substr(colon + 2);
        }
        if (!line.empty()) {
            out += (out.empty() ? "" : "; ") + line;
        }
        start = end + 1;
    }
    return out;
}

int fail(ax_error * err, const std::string & what) {
    std::string text = what;
    const std::string log = one_line(captured);
    if (!log.empty()) {
        text += (text.empty() ? "" : ": ") + log;
    }
    snprintf(err->text, sizeof(err->text), "%s", text.c_str());
    captured.clear();
    return 1;
}

// Runs body, which returns 0 or the result of fail; no exception leaves.
template <typename F> int guard(ax_error * err, F && body) {
    captured.clear();
    try {
        return body();
    } catch (const std::exception & e) {
        return fail(err, e.what());
    } catch (...) {
        return fail(err, "unknown C++ exception");
    }
}

} // namespace

struct ax_model   { llama_model * m; const llama_vocab * vocab; bool vocab_only; };
struct ax_lora    { llama_adapter_lora * l; };
struct ax_pool    { ggml_threadpool * p; int n_threads; };
struct ax_context {
    llama_context * c;
    std::atomic<bool> abort{false};
    std::vector<int32_t>   seq, n_seq_id; // a copy of the batch's sequences: Go's memory must not be kept
    std::vector<int32_t *> seq_id;        // seq_id[i] points at seq[i]
};
struct ax_sampler {
    llama_sampler * chain   = nullptr;
    llama_sampler * grammar = nullptr;
    uint32_t        seed    = 0;
    std::vector<llama_token_data> row; // reused: a row of candidates is 12 bytes times the vocabulary
};
struct ax_ranking {
    llama_sampler * chain = nullptr;
    std::vector<llama_token_data> row;
    llama_token_data_array left = {};
};

// -- process ---------------------------------------------------------------------

void ax_init(int level) {
    static std::once_flag once;
    log_level = level;
    std::call_once(once, [] {
        setenv("GGML_NO_BACKTRACE", "1", 0); // else a failed assert forks a debugger
        ggml_set_abort_callback(on_abort);
        llama_log_set(on_log, nullptr);
        llama_backend_init();
    });
}

void         ax_set_log_level(int level) { log_level = level; }
const char * ax_llama_version(void) { return llama_version(); }
const char * ax_ggml_version(void)  { return ggml_version(); }

#ifndef AXON_LLAMA_KEY
#define AXON_LLAMA_KEY ""
#endif
const char * ax_build_key(void) { return AXON_LLAMA_KEY; }

const char * ax_system_info(void)   { return llama_print_system_info(); }

bool ax_supports(int what) {
    switch (what) {
        case 0:  return llama_supports_mmap();
        case 1:  return llama_supports_mlock();
        case 2:  return llama_supports_gpu_offload();
        case 3:  return llama_supports_rpc();
        default: return false;
    }
}

void ax_live(ax_counts * out) {
    *out = { live_models, live_contexts, live_pools, live_samplers, live_loras };
}

int ax_device_count(void) { return (int) ggml_backend_dev_count(); }

void ax_device_get(int i, ax_device * out) {
    ggml_backend_dev_t dev = ggml_backend_dev_get(i);
    size_t free_bytes = 0, total_bytes = 0;
    ggml_backend_dev_memory(dev, &free_bytes, &total_bytes);
    int type = 3;
    switch (ggml_backend_dev_type(dev)) {
        case GGML_BACKEND_DEVICE_TYPE_CPU:  type = 0; break;
        case GGML_BACKEND_DEVICE_TYPE_GPU:  type = 1; break;
        case GGML_BACKEND_DEVICE_TYPE_IGPU: type = 2; break;
        default: break;
    }
    ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(dev);
    *out = { ggml_backend_dev_name(dev), ggml_backend_dev_description(dev),
             reg ? ggml_backend_reg_name(reg) : "", type, free_bytes, total_bytes };
}

// -- model -------------------------------------------------------------------------

static bool on_progress(float progress, void * handle) {
    return axonProgress((uintptr_t) handle, progress);
}

static llama_model * load_from_fd(int fd, int64_t offset, const llama_model_params & mp) {
    const int own = dup(fd);
    FILE * file = own < 0 ? nullptr : fdopen(own, "rb");
    if (file == nullptr) {
        if (own >= 0) {
            close(own);
        }
        return nullptr;
    }
    llama_model * m = nullptr;
    if (fseeko(file, offset, SEEK_SET) == 0) {
        m = llama_model_load_from_file_ptr(file, mp);
    }
    fclose(file);
    return m;
}

int ax_model_load(const ax_model_params * p, ax_model ** out, ax_error * err) {
    return guard(err, [&] {
        llama_model_params mp = llama_model_default_params();
        std::vector<ggml_backend_dev_t> devices;
        if (p->n_devices >= 0) {
            for (int i = 0; i < p->n_devices; ++i) {
                devices.push_back(ggml_backend_dev_get(p->devices[i]));
            }
            devices.push_back(nullptr);
            mp.devices = devices.data();
        }
        std::vector<float> split(llama_max_devices(), 0.0f);
        if (p->n_tensor_split > 0) {
            memcpy(split.data(), p->tensor_split, sizeof(float) * std::min<size_t>(p->n_tensor_split, split.size()));
            mp.tensor_split = split.data();
        }
        mp.n_gpu_layers  = p->n_gpu_layers;
        mp.split_mode    = (llama_split_mode) p->split_mode;
        mp.main_gpu      = p->main_gpu;
        mp.load_mode     = (llama_load_mode) p->load_mode;
        mp.vocab_only    = p->vocab_only;
        mp.check_tensors = p->check_tensors;
        if (p->progress != 0) {
            mp.progress_callback           = on_progress;
            mp.progress_callback_user_data = (void *) p->progress;
        }
        llama_model * m = p->path != nullptr ? llama_model_load_from_file(p->path, mp) : load_from_fd(p->fd, p->offset, mp);
        if (m == nullptr) {
            return fail(err, "");
        }
        ++live_models;
        *out = new ax_model{ m, llama_model_get_vocab(m), p->vocab_only };
        return 0;
    });
}

void ax_model_free(ax_model * m) {
    llama_model_free(m->m);
    delete m;
    --live_models;
}

void ax_model_describe(const ax_model * m, ax_model_info * out) {
    const llama_vocab * v = m->vocab;
    *out = {};
    out->vocab_type = llama_vocab_type(v);
    out->n_vocab    = llama_vocab_n_tokens(v);
    out->bos = llama_vocab_bos(v);
    out->eos = llama_vocab_eos(v);
    out->eot = llama_vocab_eot(v);
    out->nl  = llama_vocab_nl(v);
    out->pad = llama_vocab_pad(v);
    out->sep = llama_vocab_sep(v);
    out->add_bos = llama_vocab_get_add_bos(v);
    out->add_eos = llama_vocab_get_add_eos(v);
    if (m->vocab_only) {
        return; // no hyper-parameters were read, and asking for some aborts
    }
    out->rope_type   = llama_model_rope_type(m->m);
    out->file_type   = llama_model_ftype(m->m);
    out->n_ctx_train = llama_model_n_ctx_train(m->m);
    out->n_embd      = llama_model_n_embd(m->m);
    out->n_embd_out  = llama_model_n_embd_out(m->m);
    out->n_layer     = llama_model_n_layer(m->m);
    out->n_head      = llama_model_n_head(m->m);
    out->n_head_kv   = llama_model_n_head_kv(m->m);
    out->n_swa       = llama_model_n_swa(m->m);
    out->n_params    = llama_model_n_params(m->m);
    out->size_bytes  = llama_model_size(m->m);
    out->has_encoder = llama_model_has_encoder(m->m);
    out->has_decoder = llama_model_has_decoder(m->m);
    out->recurrent   = llama_model_is_recurrent(m->m);
    out->hybrid      = llama_model_is_hybrid(m->m);
    out->diffusion   = llama_model_is_diffusion(m->m);
    llama_model_desc(m->m, out->description, sizeof(out->description));
    snprintf(out->file_type_name, sizeof(out->file_type_name), "%s", llama_ftype_name(llama_model_ftype(m->m)));
}

int ax_model_meta(const ax_model * m, const char * key, char * buf, size_t size) {
    return llama_model_meta_val_str(m->m, key, buf, size);
}

const char * ax_model_chat_template(const ax_model * m) { return llama_model_chat_template(m->m, nullptr); }

int ax_lora_load(ax_model * m, const char * path, ax_lora ** out, ax_error * err) {
    return guard(err, [&] {
        llama_adapter_lora * l = llama_adapter_lora_init(m->m, path);
        if (l == nullptr) {
            return fail(err, "");
        }
        ++live_loras;
        *out = new ax_lora{ l };
        return 0;
    });
}

void ax_lora_free(ax_lora * l) {
    llama_adapter_lora_free(l->l);
    delete l;
    --live_loras;
}

// -- quantisation ------------------------------------------------------------------

struct file_type_name { const char * name; llama_ftype type; };

static const file_type_name file_types[] = {
    { "f32", LLAMA_FTYPE_ALL_F32 },           { "f16", LLAMA_FTYPE_MOSTLY_F16 },       { "bf16", LLAMA_FTYPE_MOSTLY_BF16 },
    { "q4_0", LLAMA_FTYPE_MOSTLY_Q4_0 },      { "q4_1", LLAMA_FTYPE_MOSTLY_Q4_1 },     { "q5_0", LLAMA_FTYPE_MOSTLY_Q5_0 },
    { "q5_1", LLAMA_FTYPE_MOSTLY_Q5_1 },      { "q8_0", LLAMA_FTYPE_MOSTLY_Q8_0 },     { "q2_k", LLAMA_FTYPE_MOSTLY_Q2_K },
    { "q2_k_s", LLAMA_FTYPE_MOSTLY_Q2_K_S },  { "q3_k_s", LLAMA_FTYPE_MOSTLY_Q3_K_S }, { "q3_k_m", LLAMA_FTYPE_MOSTLY_Q3_K_M },
    { "q3_k_l", LLAMA_FTYPE_MOSTLY_Q3_K_L },  { "q4_k_s", LLAMA_FTYPE_MOSTLY_Q4_K_S }, { "q4_k_m", LLAMA_FTYPE_MOSTLY_Q4_K_M },
    { "q5_k_s", LLAMA_FTYPE_MOSTLY_Q5_K_S },  { "q5_k_m", LLAMA_FTYPE_MOSTLY_Q5_K_M }, { "q6_k", LLAMA_FTYPE_MOSTLY_Q6_K },
    { "iq4_nl", LLAMA_FTYPE_MOSTLY_IQ4_NL },  { "iq4_xs", LLAMA_FTYPE_MOSTLY_IQ4_XS }, { "iq3_s", LLAMA_FTYPE_MOSTLY_IQ3_S },
    { "iq3_m", LLAMA_FTYPE_MOSTLY_IQ3_M },    { "tq1_0", LLAMA_FTYPE_MOSTLY_TQ1_0 },   { "tq2_0", LLAMA_FTYPE_MOSTLY_TQ2_0 },
};

int ax_file_type(const char * name) {
    for (const auto & f : file_types) {
        if (strcmp(f.name, name) == 0) {
            return f.type;
        }
    }
    return -1;
}

int ax_quantize_model(const char * in, const char * out, const char * type, int n_threads,
                      bool allow_requantize, bool pure, ax_error * err) {
    return guard(err, [&] {
        llama_model_quantize_params p = llama_model_quantize_default_params();
        const int ftype = ax_file_type(type);
        if (ftype < 0) {
            return fail(err, std::string("unknown quantisation ") + type);
        }
        p.nthread          = n_threads;
        p.ftype            = (llama_ftype) ftype;
        p.allow_requantize = allow_requantize;
        p.pure             = pure;
        return llama_model_quantize(in, out, &p) == 0 ? 0 : fail(err, "");
    });
}

int ax_tensor_type(const char * name) {
    for (int t = 0; t < GGML_TYPE_COUNT; ++t) {
        const char * n = ggml_type_name((ggml_type) t);
        if (n != nullptr && strcasecmp(n, name) == 0) {
            return t;
        }
    }
    return -1;
}

static bool known_type(int t) { return t >= 0 && t < GGML_TYPE_COUNT && ggml_blck_size((ggml_type) t) > 0; }

const char * ax_tensor_type_name(int t) { return known_type(t) ? ggml_type_name((ggml_type) t) : ""; }

int64_t ax_row_size(int t, int64_t n) {
    if (!known_type(t) || n < 0 || n % ggml_blck_size((ggml_type) t) != 0) {
        return -1;
    }
    return (int64_t) ggml_row_size((ggml_type) t, n);
}

int ax_quantize_rows(int t, const float * src, int64_t n_rows, int64_t n_per_row, void * dst, ax_error * err) {
    return guard(err, [&] {
        if (ax_row_size(t, n_per_row) < 0) {
            return fail(err, "row length is not a multiple of the block size of the type");
        }
        if (t != GGML_TYPE_F32 && t != GGML_TYPE_F16 && t != GGML_TYPE_BF16 &&
            (!ggml_is_quantized((ggml_type) t) || ggml_quantize_requires_imatrix((ggml_type) t))) {
            return fail(err, std::string("type ") + ggml_type_name((ggml_type) t) + " cannot be made from random weights");
        }
        ggml_quantize_chunk((ggml_type) t, src, dst, 0, n_rows, n_per_row, nullptr);
        return 0;
    });
}

// -- vocabulary --------------------------------------------------------------------

int ax_tokenize(const ax_model * m, const char * text, int32_t len, int32_t * out, int32_t cap,
                bool add_special, bool parse_special, ax_error * err) {
    int n = INT32_MIN;
    guard(err, [&] {
        n = llama_tokenize(m->vocab, text, len, out, cap, add_special, parse_special);
        return n == INT32_MIN ? fail(err, "too many tokens") : 0;
    });
    return n;
}

int ax_detokenize(const ax_model * m, const int32_t * tokens, int32_t n, char * out, int32_t cap,
                  bool remove_special, bool unparse_special) {
    int len = 0;
    ax_error ignored;
    guard(&ignored, [&] {
        len = llama_detokenize(m->vocab, tokens, n, out, cap, remove_special, unparse_special);
        return 0;
    });
    return len;
}

int ax_piece(const ax_model * m, int32_t token, char * out, int32_t cap, bool special) {
    int len = 0;
    ax_error ignored;
    guard(&ignored, [&] {
        len = llama_token_to_piece(m->vocab, token, out, cap, 0, special);
        return 0;
    });
    return len;
}

int   ax_token_attr(const ax_model * m, int32_t token)   { return llama_vocab_get_attr(m->vocab, token); }
bool  ax_token_is_eog(const ax_model * m, int32_t token) { return llama_vocab_is_eog(m->vocab, token); }

int ax_suppressed(const ax_model * m, const int32_t ** out) {
    int32_t n = 0;
    *out = llama_vocab_get_suppress_tokens(m->vocab, &n);
    return n;
}

int ax_chat_apply(const char * tmpl, const char * roles, const char * contents, size_t n,
                  bool add_assistant, char * out, int32_t cap, ax_error * err) {
    int len = -1;
    guard(err, [&] {
        std::vector<llama_chat_message> chat;
        for (size_t i = 0; i < n; ++i) {
            chat.push_back({ roles, contents });
            roles    += strlen(roles) + 1;
            contents += strlen(contents) + 1;
        }
        len = llama_chat_apply_template(tmpl, chat.data(), chat.size(), add_assistant, out, cap);
        return len < 0 ? fail(err, "template not recognised") : 0;
    });
    return len;
}

// -- thread pool and context ---------------------------------------------------------

int ax_pool_new(int n_threads, ax_pool ** out, ax_error * err) {
    return guard(err, [&] {
        ggml_threadpool_params p = ggml_threadpool_params_default(n_threads);
        // Between two tokens the workers wait awake, for a few milliseconds at
        // most, so that they need not be woken for each. After that they sleep:
        // an idle engine burns nothing.
        p.poll = 1;
        ggml_threadpool * pool = ggml_threadpool_new(&p);
        if (pool == nullptr) {
            return fail(err, "cannot start the threads");
        }
        ++live_pools;
        *out = new ax_pool{ pool, n_threads };
        return 0;
    });
}

void ax_pool_free(ax_pool * p) {
    ggml_threadpool_free(p->p);
    delete p;
    --live_pools;
}

void ax_context_defaults(ax_context_params * out) {
    const llama_context_params d = llama_context_default_params();
    *out = {};
    out->flash_attn       = d.flash_attn_type;
    out->type_k           = d.type_k;
    out->type_v           = d.type_v;
    out->rope_scaling     = d.rope_scaling_type;
    out->rope_freq_base   = d.rope_freq_base;
    out->rope_freq_scale  = d.rope_freq_scale;
    out->yarn_ext_factor  = d.yarn_ext_factor;
    out->yarn_attn_factor = d.yarn_attn_factor;
    out->yarn_beta_fast   = d.yarn_beta_fast;
    out->yarn_beta_slow   = d.yarn_beta_slow;
    out->yarn_orig_ctx    = d.yarn_orig_ctx;
    out->offload_kqv      = d.offload_kqv;
    out->op_offload       = d.op_offload;
    out->swa_full         = d.swa_full;
    out->kv_unified       = true;
}

static bool should_abort(void * data) {
    return static_cast<std::atomic<bool> *>(data)->load(std::memory_order_relaxed);
}

int ax_context_new(ax_model * m, ax_pool * pool, const ax_context_params * p, ax_context ** out, ax_error * err) {
    return guard(err, [&] {
        llama_context_params cp = llama_context_default_params();
        cp.n_ctx             = p->n_ctx;
        cp.n_batch           = p->n_batch;
        cp.n_ubatch          = p->n_ubatch;
        cp.n_seq_max         = p->n_seq_max;
        cp.n_outputs_max     = p->n_rows_max;
        cp.n_threads         = p->n_threads;
        cp.n_threads_batch   = p->n_threads_batch;
        cp.rope_scaling_type = (llama_rope_scaling_type) p->rope_scaling;
        cp.pooling_type      = LLAMA_POOLING_TYPE_NONE;
        cp.flash_attn_type   = (llama_flash_attn_type) p->flash_attn;
        cp.rope_freq_base    = p->rope_freq_base;
        cp.rope_freq_scale   = p->rope_freq_scale;
        cp.yarn_ext_factor   = p->yarn_ext_factor;
        cp.yarn_attn_factor  = p->yarn_attn_factor;
        cp.yarn_beta_fast    = p->yarn_beta_fast;
        cp.yarn_beta_slow    = p->yarn_beta_slow;
        cp.yarn_orig_ctx     = p->yarn_orig_ctx;
        cp.type_k            = (ggml_type) p->type_k;
        cp.type_v            = (ggml_type) p->type_v;
        cp.offload_kqv       = p->offload_kqv;
        cp.op_offload        = p->op_offload;
        cp.swa_full          = p->swa_full;
        cp.kv_unified        = p->kv_unified;
        cp.no_perf           = true;

        auto * c = new ax_context{};
        cp.abort_callback      = should_abort;
        cp.abort_callback_data = &c->abort;
        c->c = llama_init_from_model(m->m, cp);
        if (c->c == nullptr) {
            delete c;
            return fail(err, "");
        }
        llama_attach_threadpool(c->c, pool->p, pool->p);
        const uint32_t n_batch = llama_n_batch(c->c);
        c->n_seq_id.assign(n_batch, 1);
        c->seq.resize(n_batch);
        for (auto & s : c->seq) {
            c->seq_id.push_back(&s);
        }
        ++live_contexts;
        *out = c;
        return 0;
    });
}

void ax_context_free(ax_context * c) {
    llama_free(c->c);
    delete c;
    --live_contexts;
}

void ax_context_describe(const ax_context * c, ax_context_info * out) {
    llama_memory_t mem = llama_get_memory(c->c);
    *out = { llama_n_ctx(c->c), llama_n_ctx_seq(c->c), llama_n_batch(c->c), llama_n_ubatch(c->c), llama_n_seq_max(c->c),
             mem != nullptr };
}

int ax_context_set_loras(ax_context * c, ax_lora ** loras, const float * scales, size_t n, ax_error * err) {
    return guard(err, [&] {
        std::vector<llama_adapter_lora *> l;
        for (size_t i = 0; i < n; ++i) {
            l.push_back(loras[i]->l);
        }
        std::vector<float> s(scales, scales + n);
        return llama_set_adapters_lora(c->c, l.data(), n, s.data()) == 0 ? 0 : fail(err, "adapters not accepted");
    });
}

int ax_decode(ax_context * c, int32_t n, const int32_t * tokens, const int32_t * pos, const int32_t * seq,
              const int8_t * rows, bool hidden, ax_decoded * out, ax_error * err) {
    *out = {};
    return guard(err, [&] {
        std::copy(seq, seq + n, c->seq.begin());
        llama_batch batch = {};
        batch.n_tokens = n;
        batch.token    = const_cast<int32_t *>(tokens);
        batch.pos      = const_cast<int32_t *>(pos);
        batch.n_seq_id = c->n_seq_id.data();
        batch.seq_id   = c->seq_id.data();
        batch.logits   = const_cast<int8_t *>(rows);
        llama_set_embeddings(c->c, hidden);
        out->status = llama_decode(c->c, batch);
        if (out->status != 0) {
            return fail(err, "");
        }
        for (int32_t i = 0; i < n; ++i) {
            out->n_rows += rows[i] != 0;
        }
        llama_synchronize(c->c);
        if (out->n_rows == 0) {
            return 0;
        }
        out->logits = llama_get_logits(c->c);
        out->embd   = hidden ? llama_get_embeddings(c->c) : nullptr;
        return 0;
    });
}

void ax_abort(ax_context * c, bool on) { c->abort.store(on, std::memory_order_relaxed); }

// A model without a memory (an encoder) has nothing to forget or copy.
static llama_memory_t memory_of(ax_context * c) { return llama_get_memory(c->c); }

void ax_seq_clear(ax_context * c) {
    if (memory_of(c) != nullptr) {
        llama_memory_clear(memory_of(c), false);
    }
}

bool ax_seq_rm(ax_context * c, int32_t seq, int32_t p0, int32_t p1) {
    return memory_of(c) == nullptr || llama_memory_seq_rm(memory_of(c), seq, p0, p1);
}

void ax_seq_cp(ax_context * c, int32_t src, int32_t dst, int32_t p0, int32_t p1) {
    if (memory_of(c) != nullptr) {
        llama_memory_seq_cp(memory_of(c), src, dst, p0, p1);
    }
}

int32_t ax_seq_pos_min(ax_context * c, int32_t seq) {
    return memory_of(c) == nullptr ? -1 : llama_memory_seq_pos_min(memory_of(c), seq);
}

int32_t ax_seq_pos_max(ax_context * c, int32_t seq) {
    return memory_of(c) == nullptr ? -1 : llama_memory_seq_pos_max(memory_of(c), seq);
}

int ax_context_memory(const ax_context * c, ax_memory * out, int cap) {
    int n = 0;
    for (const auto & [buft, b] : llama_get_memory_breakdown(c->c)) {
        if (n == cap) {
            break;
        }
        snprintf(out[n].buffer, sizeof(out[n].buffer), "%s", ggml_backend_buft_name(buft));
        out[n].model   = b.model;
        out[n].context = b.context;
        out[n].compute = b.compute;
        ++n;
    }
    return n;
}

// -- sampling --------------------------------------------------------------------------

// The order is that of llama.cpp's own tools: bias, penalties, top-k, typical,
// top-p, min-p, temperature, draw.
static void build_chain(llama_sampler * chain, const llama_vocab * vocab, const ax_sampler_params * p) {
    const int32_t n_vocab = llama_vocab_n_tokens(vocab);
    std::vector<llama_logit_bias> bias;
    for (int32_t i = 0; i < p->n_bias; ++i) {
        bias.push_back({ p->bias_tokens[i], p->bias_values[i] });
    }
    int32_t n_suppress = 0;
    const llama_token * suppress = llama_vocab_get_suppress_tokens(vocab, &n_suppress);
    for (int32_t i = 0; i < n_suppress; ++i) {
        bias.push_back({ suppress[i], -INFINITY });
    }
    if (!bias.empty()) {
        llama_sampler_chain_add(chain, llama_sampler_init_logit_bias(n_vocab, (int32_t) bias.size(), bias.data()));
    }
    if (p->penalty_last_n != 0 && (p->penalty_repeat != 1.0f || p->penalty_freq != 0.0f || p->penalty_present != 0.0f)) {
        llama_sampler_chain_add(chain, llama_sampler_init_penalties(n_vocab, p->penalty_last_n, p->penalty_repeat,
                                                                    p->penalty_freq, p->penalty_present));
    }
    if (p->temp <= 0.0f) {
        llama_sampler_chain_add(chain, llama_sampler_init_greedy());
        return;
    }
    if (p->top_k > 0) {
        llama_sampler_chain_add(chain, llama_sampler_init_top_k(p->top_k));
    }
    if (p->typical_p < 1.0f) {
        llama_sampler_chain_add(chain, llama_sampler_init_typical(p->typical_p, 1));
    }
    if (p->top_p < 1.0f) {
        llama_sampler_chain_add(chain, llama_sampler_init_top_p(p->top_p, 1));
    }
    if (p->min_p > 0.0f) {
        llama_sampler_chain_add(chain, llama_sampler_init_min_p(p->min_p, 1));
    }
    llama_sampler_chain_add(chain, llama_sampler_init_temp(p->temp));
    llama_sampler_chain_add(chain, llama_sampler_init_dist(p->seed));
}

int ax_sampler_new(const ax_model * m, const ax_sampler_params * p, ax_sampler ** out, ax_error * err) {
    return guard(err, [&] {
        llama_sampler * grammar = nullptr;
        if (p->grammar != nullptr) {
            grammar = llama_sampler_init_grammar(m->vocab, p->grammar, "root");
            if (grammar == nullptr) {
                return fail(err, "the grammar cannot be parsed");
            }
        }
        auto * s = new ax_sampler{};
        s->grammar = grammar;
        s->chain   = llama_sampler_chain_init({ /*.no_perf =*/ true });
        build_chain(s->chain, m->vocab, p);
        s->seed = llama_sampler_get_seed(s->chain);
        ++live_samplers;
        *out = s;
        return 0;
    });
}

void ax_sampler_free(ax_sampler * s) {
    if (s->grammar != nullptr) {
        llama_sampler_free(s->grammar);
    }
    llama_sampler_free(s->chain);
    delete s;
    --live_samplers;
}

uint32_t ax_sampler_seed(const ax_sampler * s) { return s->seed; }

int ax_sampler_accept(ax_sampler * s, int32_t token, bool generated, ax_error * err) {
    return guard(err, [&] {
        if (generated && s->grammar != nullptr) {
            llama_sampler_accept(s->grammar, token);
        }
        llama_sampler_accept(s->chain, token);
        return 0;
    });
}

// Throws on NaN, on which sorting samplers are undefined.
static llama_token_data_array load_row(ax_sampler * s, const float * logits, int32_t n_vocab,
                                       const int32_t * banned, int32_t n_banned) {
    s->row.resize(n_vocab);
    bool nan = false;
    for (int32_t i = 0; i < n_vocab; ++i) {
        s->row[i] = { i, logits[i], 0.0f };
        nan |= logits[i] != logits[i];
    }
    if (nan) {
        throw std::runtime_error("row of logits contains NaN");
    }
    for (int32_t i = 0; i < n_banned; ++i) {
        s->row[banned[i]].logit = -INFINITY;
    }
    return { s->row.data(), s->row.size(), -1, false };
}

static bool picked(const llama_token_data_array & row) {
    return row.selected >= 0 && row.selected < (int64_t) row.size && row.data[row.selected].logit != -INFINITY;
}

static bool grammar_allows(ax_sampler * s, int32_t token) {
    llama_token_data one = { token, 1.0f, 0.0f };
    llama_token_data_array row = { &one, 1, -1, false };
    llama_sampler_apply(s->grammar, &row);
    return one.logit != -INFINITY;
}

// Few tokens are refused by a grammar, and asking it about a whole vocabulary
// is slow: draw first, and only on refusal mask the row and draw again.
int ax_sampler_sample(ax_sampler * s, const float * logits, int32_t n_vocab,
                      const int32_t * banned, int32_t n_banned, int32_t * token, ax_error * err) {
    return guard(err, [&] {
        llama_token_data_array row = load_row(s, logits, n_vocab, banned, n_banned);
        llama_sampler_apply(s->chain, &row);
        if (!picked(row)) {
            return fail(err, "no token left to sample");
        }
        *token = row.data[row.selected].id;
        if (s->grammar == nullptr || grammar_allows(s, *token)) {
            return 0;
        }
        row = load_row(s, logits, n_vocab, banned, n_banned);
        llama_sampler_apply(s->grammar, &row);
        llama_sampler_apply(s->chain, &row);
        if (!picked(row)) {
            return fail(err, "the grammar allows no token");
        }
        *token = row.data[row.selected].id;
        return 0;
    });
}

// -- ranking -----------------------------------------------------------------------------

int ax_ranking_new(const int32_t * steps, int32_t n, ax_ranking ** out, ax_error * err) {
    return guard(err, [&] {
        auto * r = new ax_ranking{};
        r->chain = llama_sampler_chain_init({ /*.no_perf =*/ true });
        for (int32_t i = 0; i < n; ++i) {
            llama_sampler_chain_add(r->chain, steps[i] > 0 ? llama_sampler_init_top_k(steps[i]) : llama_sampler_init_dist(1));
        }
        ++live_samplers;
        *out = r;
        return 0;
    });
}

void ax_ranking_free(ax_ranking * r) {
    llama_sampler_free(r->chain);
    delete r;
    --live_samplers;
}

// The row becomes candidates as in llama.cpp's common/sampling.cpp (set_logits).
int ax_ranking_apply(ax_ranking * r, const float * logits, int32_t n, ax_error * err) {
    return guard(err, [&] {
        r->row.resize(n);
        for (llama_token id = 0; id < n; ++id) {
            r->row[id] = llama_token_data{ id, logits[id], 0.0f };
        }
        r->left = { r->row.data(), r->row.size(), -1, false };
        llama_sampler_apply(r->chain, &r->left);
        return 0;
    });
}

int32_t ax_ranking_get(const ax_ranking * r, ax_candidate * out, int32_t cap) {
    const int32_t n = std::min((int32_t) r->left.size, cap);
    for (int32_t i = 0; i < n; ++i) {
        const llama_token_data & c = r->left.data[i];
        out[i] = { c.id, c.logit, c.p };
    }
    return n;
}
