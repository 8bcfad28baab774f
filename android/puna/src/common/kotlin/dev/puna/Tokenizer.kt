package dev.puna

import dev.puna.ffi.Model as NativeModel

/** Texts as the tokens of a model. It lives as long as the model. */
public class Tokenizer internal constructor(private val handle: NativeModel) {
    /**
     * How many tokens [text] is. A chat adds some for each message.
     *
     * @throws PunaException.Closed
     */
    public fun count(text: String): Int = runtime { handle.countTokens(text) }.toInt()

    /**
     * The tokens of [text], without those that begin or end a text. Names of special tokens in it are plain text.
     *
     * @throws PunaException.Closed
     */
    public fun encode(text: String): IntArray =
        runtime { handle.tokenize(text) }.let { tokens -> IntArray(tokens.size) { tokens[it].toInt() } }

    /**
     * The text of [tokens]; special tokens have none.
     *
     * @throws PunaException.InvalidOption for a number that is no token.
     * @throws PunaException.Closed
     */
    public fun decode(tokens: IntArray): String = runtime { handle.detokenize(tokens.map { it.toUInt() }) }
}
