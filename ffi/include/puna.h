/* Puna for C, and for all that can call C: open a model, chat, read the answer piece by piece.
 *
 * Link libpuna_ffi.a (or the shared library): cargo build --release -p puna-ffi.
 * Every handle may be used from any thread, but for its own close, which must be the last call with it. Strings are
 * UTF-8 and end with a zero. Functions that can fail return a status; puna_error_text() says more.
 * tests/tests/c_api.rs compiles and runs ffi/examples/c/chat.c, and holds this file to ffi/src/c_api.rs. */
#ifndef PUNA_H
#define PUNA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum puna_status {
    PUNA_OK = 0,
    PUNA_UNREADABLE = 1,         /* the file cannot be opened, read or mapped */
    PUNA_INVALID_MODEL = 2,      /* the file is no whole, valid model */
    PUNA_UNSUPPORTED_MODEL = 3,  /* the file is of a kind that this version does not run */
    PUNA_DOES_NOT_FIT = 4,       /* the memory is not there; nothing was allocated */
    PUNA_CONTEXT_FULL = 5,       /* the conversation has no room for this */
    PUNA_INVALID_OPTION = 6,     /* a setting is out of its range, or an argument is null or not UTF-8 */
    PUNA_REFUSED = 7,            /* the model's template refuses the conversation */
    PUNA_UNWRITABLE = 8,         /* what is to be kept cannot be written */
    PUNA_INVALID_STATE = 9,      /* what was kept is damaged, or of another model */
    PUNA_IN_USE = 10,            /* another chat or process has the journal */
    PUNA_NO_TURN = 11,           /* there is no turn yet */
    PUNA_CANCELLED = 12,         /* cancelled; the turn was taken back */
    PUNA_DEADLINE_EXCEEDED = 13, /* the time is over; the turn was taken back */
    PUNA_BUSY = 14,              /* a chat gives one answer at a time */
    PUNA_CLOSED = 15,            /* the model was closed */
    PUNA_INTERNAL = 16,          /* a fault of the library */
    PUNA_LICENCE_NOT_ACCEPTED = 17 /* its terms ask for it: see puna_licence_accept */
} puna_status;

typedef struct puna_model puna_model;
typedef struct puna_chat puna_chat;
typedef struct puna_answer puna_answer;

/* How a chat computes. Zero is the default of each. */
typedef struct puna_chat_options {
    const char *system; /* standing instructions; null: those of the model's own template */
    uint32_t n_ctx;     /* tokens that the conversation can hold */
    uint32_t n_threads;
    uint32_t kv_q8;     /* not zero: the cache takes half the memory, for a little accuracy */
} puna_chat_options;

/* How an answer is made. */
typedef struct puna_answer_options {
    uint32_t max_tokens; /* 0: until the model ends or the context is full */
    float temperature;   /* 0 picks the most likely token; 0.8 is the default elsewhere */
    uint64_t seed;       /* the same seed gives the same answer */
} puna_answer_options;

/* Opens a GGUF file. The weights stay in the file, mapped. */
puna_status puna_model_open(const char *path, puna_model **model);

/* Records beside the file that `who`, in the app's words, accepts its licence, which the text of PUNA_LICENCE_NOT_ACCEPTED
 * names: show that to a person first. A file whose terms ask for nothing is PUNA_INVALID_OPTION. */
puna_status puna_licence_accept(const char *path, const char *who);

/* Closes a model and ends its chats, whose handles must still be closed. Null is harmless, here and below. */
void puna_model_close(puna_model *model);

/* Begins a conversation. Null options are the defaults. */
puna_status puna_chat_open(const puna_model *model, const puna_chat_options *options, puna_chat **chat);
void puna_chat_close(puna_chat *chat);

/* Asks. The answer is computed as it is read. Null options are the defaults. */
puna_status puna_chat_ask(const puna_chat *chat, const char *text, const puna_answer_options *options,
                          puna_answer **answer);

/* Computes the next piece of the answer: whole characters, `*length` bytes and a zero, at least one. It is good until the
 * next call with this answer. After the last piece `*piece` is null, and the turn is part of the conversation. After an error
 * the turn is taken back. */
puna_status puna_answer_next(puna_answer *answer, const char **piece, size_t *length);

/* Stops the answer and takes the turn back, from any thread, while it reads the question too. */
void puna_answer_cancel(const puna_answer *answer);

/* Frees the answer; one that is not whole is cancelled. */
void puna_answer_close(puna_answer *answer);

/* What the last call of this thread that failed says: in English, for a log. Good until this thread's next call. */
const char *puna_error_text(void);

#ifdef __cplusplus
}
#endif
#endif
