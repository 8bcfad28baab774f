package dev.puna

import dev.puna.ffi.Prefix

/**
 * A system message that is computed. Chats that begin with it share its memory.
 *
 * It may be used from any thread. [close] it when no more chats are to begin; those that have begun stay.
 */
public class Prewarmed internal constructor(
    private val handle: Prefix,
    private val defaults: AnswerOptions,
) : AutoCloseable {
    /**
     * Begins a conversation, with the options that [Model.prewarm] was given.
     *
     * @throws PunaException.Closed
     */
    public fun chat(): Chat = Chat(runtime { handle.chat() }, defaults.copy())

    /** Frees it. Closing twice is harmless. */
    override fun close() {
        handle.release()
    }
}
