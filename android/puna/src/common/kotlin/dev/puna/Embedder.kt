package dev.puna

import dev.puna.ffi.Embedder as NativeEmbedder
import dev.puna.ffi.EmbedderOptions as NativeOptions
import dev.puna.ffi.VectorPooling

/**
 * Makes vectors of texts: texts of like meaning get vectors that point the same way.
 *
 * It may be used from any thread; one text is computed at a time. [close] it, or its model, when it is done with.
 */
public class Embedder internal constructor(private val handle: NativeEmbedder) : AutoCloseable {
    /**
     * The vector of [text]. Cancelling stops the runtime within milliseconds.
     *
     * @throws PunaException.ContextFull if the text is too long.
     * @throws PunaException.InvalidOption if it has no token.
     * @throws PunaException.Closed
     */
    @JvmSynthetic
    public suspend fun embed(text: String): FloatArray =
        cancellable { cancel -> runtime { handle.embed(text, cancel) }.toFloatArray() }

    /** As [embed], on the calling thread. */
    public fun embedBlocking(text: String): FloatArray = runtime { handle.embed(text, null) }.toFloatArray()

    /** Frees it. Later calls throw [PunaException.Closed]; closing twice is harmless. */
    override fun close() {
        handle.release()
    }
}

/** How texts become vectors. */
public class EmbedderOptions {
    /** How the tokens of a text become one vector; `null`: as the model was trained, else their mean. */
    public var pooling: Pooling? = null

    /** Scales vectors to length 1, so that the sum of their products is their likeness. */
    public var normalize: Boolean = true

    /** Tokens that a text may have; `null`: what the model was trained for, at most 4,096. */
    public var contextTokens: Int? = null

    /** Threads that compute; `null`: one for each fast core. */
    public var threads: Int? = null

    internal fun native() = NativeOptions(
        pooling = when (pooling) {
            null -> null
            Pooling.MEAN -> VectorPooling.MEAN
            Pooling.FIRST -> VectorPooling.FIRST
            Pooling.LAST -> VectorPooling.LAST
        },
        normalize = normalize,
        nCtx = contextTokens?.unsigned("contextTokens"),
        nThreads = threads?.unsigned("threads"),
    )
}

/** How the tokens of a text become one vector. */
public enum class Pooling {
    /** Their mean. */
    MEAN,

    /** The first. */
    FIRST,

    /** The last. */
    LAST,
}
