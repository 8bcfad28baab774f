package dev.puna

import dev.puna.ffi.TokenStream
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.channels.Channel.Factory.RENDEZVOUS
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.future.future
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import java.io.File
import java.util.concurrent.CompletableFuture
import java.util.function.Consumer
import dev.puna.ffi.AnswerOptions as NativeOptions
import dev.puna.ffi.Chat as NativeChat
import dev.puna.ffi.MessageRole as NativeRole

/**
 * A conversation with a model. Each turn computes only what the conversation does not hold yet.
 *
 * It may be used from any thread, and gives one answer at a time. [close] it when the conversation is over; closing
 * its [Model] closes it too.
 */
public class Chat internal constructor(
    private val handle: NativeChat,
    private val defaults: AnswerOptions,
) : AutoCloseable {
    /**
     * Asks, and streams the answer. The flow is cold: each collection asks anew.
     *
     * Cancelling the collector stops the runtime within milliseconds, while it reads the question too, and takes the
     * turn back: the conversation is as it was before. To keep what has come, call [stop]. The answer is computed as
     * it is collected, at most one piece ahead: a slow collector loses nothing and fills no memory.
     *
     * Collecting throws [PunaException]: [PunaException.Busy] while another answer is collected,
     * [PunaException.ContextFull] and others.
     */
    @JvmSynthetic
    public fun stream(text: String, options: AnswerOptions = defaults): Flow<Piece> =
        answer(options) { handle.send(text, it) }

    /** As the other [stream], with the chat's options changed in a block for this answer. */
    @JvmSynthetic
    public inline fun stream(text: String, configure: AnswerOptions.() -> Unit): Flow<Piece> =
        stream(text, options().apply(configure))

    /**
     * Asks, and waits for the whole answer. Cancelling stops the runtime, as in [stream].
     *
     * @throws PunaException as [stream].
     */
    @JvmSynthetic
    public suspend fun ask(text: String, options: AnswerOptions = defaults): String {
        val whole = StringBuilder()
        stream(text, options).collect { whole.append(it.text) }
        return whole.toString()
    }

    /** As the other [ask], with the chat's options changed in a block for this answer. */
    @JvmSynthetic
    public suspend inline fun ask(text: String, configure: AnswerOptions.() -> Unit): String =
        ask(text, options().apply(configure))

    /**
     * Asks in place of the last turn's words, and streams the answer; only what comes after the first word that differs
     * is computed. Until the new answer is whole the old turn is not gone: it comes back where the new one is cancelled
     * or fails. Collecting throws as [stream] does, and [PunaException.NoTurn].
     */
    @JvmSynthetic
    public fun editLast(text: String, options: AnswerOptions = defaults): Flow<Piece> =
        answer(options) { handle.editLast(text, it) }

    /**
     * Answers the last turn's words again, in place of the answer that there is. With the same seed, or a temperature
     * of 0, it is the same answer. What is said of [editLast] holds here too.
     */
    @JvmSynthetic
    public fun regenerate(options: AnswerOptions = defaults): Flow<Piece> =
        answer(options) { handle.regenerate(it) }

    private fun answer(options: AnswerOptions, ask: (NativeOptions) -> TokenStream): Flow<Piece> {
        val native = options.native()
        return flow {
            runtime { ask(native) }.use { answer -> pull(answer) }
        }.buffer(RENDEZVOUS).flowOn(Dispatchers.IO)
    }

    /** As [ask], on the calling thread; [onPiece] sees each piece as it comes. An interrupt stops the runtime. */
    @JvmOverloads
    @Throws(InterruptedException::class)
    public fun askBlocking(
        text: String,
        options: AnswerOptions = defaults,
        onPiece: Consumer<Piece> = Consumer { },
    ): String = blocking(stream(text, options), onPiece)

    /** As [editLast], on the calling thread; see [askBlocking]. */
    @JvmOverloads
    @Throws(InterruptedException::class)
    public fun editLastBlocking(
        text: String,
        options: AnswerOptions = defaults,
        onPiece: Consumer<Piece> = Consumer { },
    ): String = blocking(editLast(text, options), onPiece)

    /** As [regenerate], on the calling thread; see [askBlocking]. */
    @JvmOverloads
    @Throws(InterruptedException::class)
    public fun regenerateBlocking(
        options: AnswerOptions = defaults,
        onPiece: Consumer<Piece> = Consumer { },
    ): String = blocking(regenerate(options), onPiece)

    private fun blocking(answer: Flow<Piece>, onPiece: Consumer<Piece>): String = runBlocking {
        val whole = StringBuilder()
        answer.collect {
            whole.append(it.text)
            onPiece.accept(it)
        }
        whole.toString()
    }

    /** As [ask], for callers without coroutines. Cancelling the future stops the runtime. */
    @JvmOverloads
    public fun askAsync(text: String, options: AnswerOptions = defaults): CompletableFuture<String> =
        CoroutineScope(Dispatchers.IO).future { ask(text, options) }

    /** The options that answers are made with, to be changed for one of them. */
    public fun options(): AnswerOptions = defaults.copy()

    /**
     * Ends the answer in the making where it is: its flow completes, and the turn is part of the conversation as far
     * as it has come. Before the first piece it is cancelled ([PunaException.Cancelled]). Without one nothing happens.
     */
    public fun stop() {
        handle.stop()
    }

    /** How long the newest answer took so far. */
    public val stats: Stats
        get() = Stats(handle.stats())

    /**
     * The messages of all whole turns, the system's first.
     *
     * @throws PunaException.Busy while an answer is collected.
     * @throws PunaException.Closed
     */
    public val messages: List<Message>
        get() = runtime { handle.messages() }.map {
            val role = when (it.role) {
                NativeRole.SYSTEM -> Role.SYSTEM
                NativeRole.USER -> Role.USER
                NativeRole.ASSISTANT -> Role.ASSISTANT
                NativeRole.TOOL -> Role.TOOL
            }
            Message(role, it.content)
        }

    /**
     * Tokens that the conversation can hold.
     *
     * @throws PunaException.Busy while an answer is collected.
     * @throws PunaException.Closed
     */
    public val contextTokens: Int
        get() = runtime { handle.nCtx() }.toInt()

    /**
     * Tokens that it holds.
     *
     * @throws PunaException.Busy while an answer is collected.
     * @throws PunaException.Closed
     */
    public val usedTokens: Int
        get() = runtime { handle.nTokens() }.toInt()

    /**
     * Another chat that begins as this one; the two share memory until they differ. It has no journal.
     *
     * @throws PunaException.Busy while an answer is collected.
     * @throws PunaException.Closed
     */
    public fun fork(): Chat = Chat(runtime { handle.fork() }, defaults.copy())

    /**
     * Saves the conversation, and all that was computed for it, to a file that replaces [file] whole, or not at all.
     * [Model.restoreChat] goes on from there.
     *
     * @throws PunaException.Unwritable
     * @throws PunaException.Busy while an answer is collected.
     * @throws PunaException.Closed
     */
    @JvmSynthetic
    public suspend fun save(file: File): Unit = withContext(Dispatchers.IO) { saveBlocking(file) }

    /** As [save], on the calling thread. */
    public fun saveBlocking(file: File) {
        runtime { handle.save(file.path) }
    }

    /**
     * The turns so far as a script for [Model.Companion.replay]. It has every word of them.
     *
     * @throws PunaException.InvalidOption unless [ChatOptions.record] was set.
     * @throws PunaException.Busy while an answer is collected.
     * @throws PunaException.Closed
     */
    public fun script(): String = runtime { handle.script() }

    /**
     * Gives memory back; the next turn is the same without it. A chat that answers gives back nothing. From
     * [TrimLevel.CACHE] on it takes as long as writing the cache to the disk does: not for the main thread.
     *
     * @throws PunaException.Unwritable if the disk is full; the cache is then still in memory, and all else given back.
     */
    @JvmOverloads
    public fun trim(level: TrimLevel = TrimLevel.WEIGHTS) {
        runtime { handle.trim(level.native()) }
    }

    /**
     * Forgets every turn; the system message stays.
     *
     * @throws PunaException.Busy while an answer is collected.
     * @throws PunaException.Closed
     */
    public fun reset() {
        runtime { handle.reset() }
    }

    /**
     * Frees the conversation. An answer in the making ends with [PunaException.Closed]. Later calls throw
     * [PunaException.Closed]; closing twice is harmless.
     */
    override fun close() {
        handle.release()
    }
}

/** Emits the answer piece by piece. */
private suspend fun FlowCollector<Piece>.pull(answer: TokenStream): Unit = coroutineScope {
    // Whoever cancels runs this, on its own thread: the one of this coroutine may be computing.
    val watch = launch(Dispatchers.Unconfined) {
        try {
            awaitCancellation()
        } finally {
            answer.cancel()
        }
    }
    try {
        while (true) emit(Piece(runtime { answer.next() } ?: break))
    } catch (e: PunaException.Cancelled) {
        // The runtime stopped since this coroutine was cancelled: then that is the reason.
        currentCoroutineContext().ensureActive()
        throw e
    }
    watch.cancel()
}
