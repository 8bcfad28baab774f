/* Every function of puna.h, every way to misuse it that a caller survives: check MODEL.gguf LICENSED.gguf
 * prints "ok". The terms of the second file ask for acceptance. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "puna.h"

#define MUST(what)                                                        \
    do {                                                                  \
        if (!(what)) {                                                    \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #what, puna_error_text()); \
            exit(1);                                                      \
        }                                                                 \
    } while (0)

static char *whole(puna_chat *chat, const char *question, const puna_answer_options *how) {
    puna_answer *answer;
    const char *piece;
    size_t length;
    char *text = calloc(1, 65536);
    MUST(puna_chat_ask(chat, question, how, &answer) == PUNA_OK);
    for (;;) {
        MUST(puna_answer_next(answer, &piece, &length) == PUNA_OK);
        if (!piece) break;
        MUST(length > 0 && piece[length] == 0 && strlen(text) + length < 65536);
        strcat(text, piece);
    }
    MUST(length == 0);
    MUST(puna_answer_next(answer, &piece, &length) == PUNA_OK && !piece);
    puna_answer_close(answer);
    return text;
}

int main(int argc, char **argv) {
    MUST(argc == 3);
    puna_model *model = (puna_model *)1;
    puna_chat *chat = NULL, *other = NULL;
    puna_answer *answer = NULL, *second = (puna_answer *)1;
    const char *piece;
    size_t length;
    puna_chat_options options = {.system = "Be kind.", .n_ctx = 512, .n_threads = 1, .kv_q8 = 1};
    puna_answer_options how = {.max_tokens = 8, .temperature = 0, .seed = 7};

    /* Nothing is left behind where opening fails. */
    MUST(puna_model_open("/no/such.gguf", &model) == PUNA_UNREADABLE && !model);
    MUST(strstr(puna_error_text(), "such.gguf"));
    MUST(puna_model_open(argv[0], &model) == PUNA_INVALID_MODEL && !model);
    MUST(puna_model_open(NULL, &model) == PUNA_INVALID_OPTION && !model);
    MUST(puna_model_open("\xff", &model) == PUNA_INVALID_OPTION && !model);
    MUST(puna_model_open(argv[1], NULL) == PUNA_INVALID_OPTION);
    MUST(puna_chat_open(NULL, NULL, &chat) == PUNA_INVALID_OPTION && !chat);

    /* Terms that ask for acceptance are accepted once. */
    MUST(puna_model_open(argv[2], &model) == PUNA_LICENCE_NOT_ACCEPTED && !model);
    MUST(strstr(puna_error_text(), "llama3.1"));
    MUST(puna_licence_accept(argv[1], "a person") == PUNA_INVALID_OPTION);
    MUST(puna_licence_accept(argv[2], NULL) == PUNA_INVALID_OPTION);
    MUST(puna_licence_accept("/no/such.gguf", "a person") == PUNA_UNREADABLE);
    MUST(puna_licence_accept(argv[2], "a person") == PUNA_OK);
    MUST(puna_model_open(argv[2], &model) == PUNA_OK);
    puna_model_close(model);

    MUST(puna_model_open(argv[1], &model) == PUNA_OK && model);
    options.n_ctx = 1u << 30;
    MUST(puna_chat_open(model, &options, &chat) == PUNA_INVALID_OPTION && !chat);
    options.n_ctx = 512;
    MUST(puna_chat_open(model, &options, &chat) == PUNA_OK);
    MUST(puna_chat_open(model, NULL, &other) == PUNA_OK);

    /* The same question of the same beginning has the same answer. */
    char *first = whole(chat, "Name a colour.", &how);
    puna_chat_close(chat);
    MUST(puna_chat_open(model, &options, &chat) == PUNA_OK);
    MUST(puna_chat_ask(chat, "Name a colour.", &how, &answer) == PUNA_OK);
    MUST(puna_answer_next(answer, &piece, &length) == PUNA_OK && piece);
    MUST(!strncmp(first, piece, length));
    MUST(puna_chat_ask(chat, "And now?", &how, &second) == PUNA_BUSY && !second);
    puna_answer_cancel(answer);
    MUST(puna_answer_next(answer, &piece, &length) == PUNA_CANCELLED && !piece);
    puna_answer_close(answer);
    /* The turn was taken back. */
    char *again = whole(chat, "Name a colour.", &how);
    MUST(!strcmp(first, again) && strlen(first) > 0);

    /* Settings out of range show when the answer is computed. */
    how.temperature = -1;
    MUST(puna_chat_ask(chat, "Hello?", &how, &answer) == PUNA_OK);
    MUST(puna_answer_next(answer, &piece, &length) == PUNA_INVALID_OPTION && !piece);
    MUST(puna_answer_next(answer, NULL, &length) == PUNA_INVALID_OPTION);
    puna_answer_close(answer);

    /* An answer that outlives its model says so. */
    how.temperature = 0;
    MUST(puna_chat_ask(other, "Tell me a story.", &how, &answer) == PUNA_OK);
    MUST(puna_answer_next(answer, &piece, &length) == PUNA_OK && piece);
    puna_model_close(model);
    MUST(puna_answer_next(answer, &piece, &length) == PUNA_CLOSED && !piece);
    MUST(puna_chat_ask(chat, "Hello?", NULL, &second) == PUNA_CLOSED && !second);
    puna_answer_close(answer);
    puna_chat_close(chat);
    puna_chat_close(other);

    puna_model_close(NULL);
    puna_chat_close(NULL);
    puna_answer_cancel(NULL);
    puna_answer_close(NULL);
    free(first);
    free(again);
    puts("ok");
    return 0;
}
