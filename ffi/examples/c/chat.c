/* One question to a model: chat MODEL.gguf "What is the capital of France?" */
#include <stdio.h>

#include "puna.h"

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, puna_error_text());
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s MODEL.gguf QUESTION\n", argv[0]);
        return 2;
    }
    puna_model *model = NULL;
    puna_chat *chat = NULL;
    puna_answer *answer = NULL;
    puna_chat_options options = {.n_ctx = 1024};
    puna_answer_options how = {.max_tokens = 48, .temperature = 0};
    int code = 0;
    if (puna_model_open(argv[1], &model) != PUNA_OK) {
        code = failed("opening the model");
    } else if (puna_chat_open(model, &options, &chat) != PUNA_OK) {
        code = failed("beginning the chat");
    } else if (puna_chat_ask(chat, argv[2], &how, &answer) != PUNA_OK) {
        code = failed("asking");
    } else {
        const char *piece;
        size_t length;
        puna_status status;
        while ((status = puna_answer_next(answer, &piece, &length)) == PUNA_OK && piece) {
            fwrite(piece, 1, length, stdout);
            fflush(stdout);
        }
        putchar('\n');
        if (status != PUNA_OK) code = failed("answering");
    }
    puna_answer_close(answer);
    puna_chat_close(chat);
    puna_model_close(model);
    return code;
}
