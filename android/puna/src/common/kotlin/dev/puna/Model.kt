package dev.puna

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.job
import kotlinx.coroutines.withContext
import java.io.File
import dev.puna.ffi.CancelFlag
import dev.puna.ffi.Model as NativeModel

/**
 * An open model: a mapped GGUF file. Chats on it share the weights.
 *
 * It may be used from any thread. [close] it, or open it in a `use { }` block: that frees it, and its chats, at once.
 */
public class Model private constructor(private val handle: NativeModel) : AutoCloseable {
    /**
     * What it is.
     *
     * @throws PunaException.Closed
     */
    public val info: ModelInfo
        get() = runtime { handle.info() }.run {
            ModelInfo(
                name, architecture, license, nParams.toLong(), weightsBytes.toLong(), nCtxTrain.toInt(), nVocab.toInt(),
            )
        }

    /**
     * Begins a conversation. [system]: standing instructions; `null`: those of the model's own template.
     *
     * @throws PunaException.DoesNotFit
     * @throws PunaException.InvalidOption
     * @throws PunaException.UnsupportedModel if this model cannot chat.
     * @throws PunaException.Closed
     */
    @JvmOverloads
    public fun chat(system: String? = null, options: ChatOptions = ChatOptions()): Chat {
        val native = options.native(system)
        return Chat(runtime { handle.chat(native) }, options.answer.copy())
    }

    /** As the other [chat], with options set in a block. */
    @JvmSynthetic
    public inline fun chat(system: String? = null, configure: ChatOptions.() -> Unit): Chat =
        chat(system, ChatOptions().apply(configure))

    /**
     * Goes on with the conversation that [Chat.save] wrote to [file]; nothing is computed. Its system message is that of
     * the file.
     *
     * @throws PunaException.InvalidState if the file is damaged, or no chat of this model.
     * @throws PunaException.Unreadable
     * @throws PunaException as [chat].
     */
    @JvmOverloads
    public fun restoreChat(file: File, options: ChatOptions = ChatOptions()): Chat {
        val native = options.native(null)
        return Chat(runtime { handle.restoreChat(file.path, native) }, options.answer.copy())
    }

    /** As the other [restoreChat], with options set in a block. */
    @JvmSynthetic
    public inline fun restoreChat(file: File, configure: ChatOptions.() -> Unit): Chat =
        restoreChat(file, ChatOptions().apply(configure))

    /**
     * What a chat with [options] would need, and what the device has at the moment. Allocates nothing.
     *
     * @throws PunaException.InvalidOption
     * @throws PunaException.Closed
     */
    @JvmOverloads
    public fun plan(options: ChatOptions = ChatOptions()): Plan {
        val native = options.native(null)
        return runtime { handle.plan(native) }.run {
            Plan(
                nCtx.toInt(), nThreads.toInt(), weightsBytes.toLong(), kvBytes.toLong(), scratchBytes.toLong(),
                needs.toLong(), has?.toLong(), fits, largestNCtx?.toInt(),
            )
        }
    }

    /** As the other [plan], with options set in a block. */
    @JvmSynthetic
    public inline fun plan(configure: ChatOptions.() -> Unit): Plan = plan(ChatOptions().apply(configure))

    /**
     * Computes the system message once, for any number of chats: their first answers come sooner. [folder]: where it is
     * kept for the next start; `null`: nowhere.
     *
     * @throws PunaException as [chat].
     */
    @JvmSynthetic
    public suspend fun prewarm(system: String?, folder: File? = null, options: ChatOptions = ChatOptions()): Prewarmed {
        var made: Prewarmed? = null
        try {
            return cancellable { cancel -> prewarm(system, folder, options, cancel).also { made = it } }
        } catch (e: CancellationException) {
            made?.close()
            throw e
        }
    }

    /** As [prewarm], on the calling thread. */
    @JvmOverloads
    public fun prewarmBlocking(
        system: String?,
        folder: File? = null,
        options: ChatOptions = ChatOptions(),
    ): Prewarmed = prewarm(system, folder, options, null)

    private fun prewarm(system: String?, folder: File?, options: ChatOptions, cancel: CancelFlag?): Prewarmed {
        val native = options.native(system)
        return Prewarmed(runtime { handle.prefix(native, folder?.path, cancel) }, options.answer.copy())
    }

    /**
     * Reads the weights from storage once, so that the first answer does not wait for them: worth its time where the
     * device has memory for them all. [onProgress] hears of each piece, on a background thread.
     *
     * @throws PunaException.Closed
     */
    @JvmSynthetic
    public suspend fun preload(onProgress: (done: Long, total: Long) -> Unit = { _, _ -> }): Unit =
        cancellable { cancel -> runtime { handle.preload(progress(onProgress), cancel) } }

    /**
     * Makes vectors of texts.
     *
     * @throws PunaException.DoesNotFit
     * @throws PunaException.InvalidOption
     * @throws PunaException.Closed
     */
    @JvmOverloads
    public fun embedder(options: EmbedderOptions = EmbedderOptions()): Embedder {
        val native = options.native()
        return Embedder(runtime { handle.embedder(native) })
    }

    /** Texts as tokens. */
    public val tokenizer: Tokenizer = Tokenizer(handle)

    /**
     * How many tokens [text] is.
     *
     * @throws PunaException.Closed
     */
    public fun countTokens(text: String): Int = tokenizer.count(text)

    /**
     * Gives memory back, of every chat and embedder that nobody uses at the moment; what comes next is the same
     * without it. From [TrimLevel.CACHE] on it takes as long as writing the caches to the disk does: not for the main
     * thread.
     *
     * @throws PunaException.Unwritable if the disk is full; what it did not take is still in memory.
     * @throws PunaException.Closed
     */
    @JvmOverloads
    public fun trim(level: TrimLevel = TrimLevel.WEIGHTS) {
        runtime { handle.trim(level.native()) }
    }

    /**
     * Closes the model, its chats and embedders. An answer in the making ends with [PunaException.Closed], and its memory is
     * freed when it has. Later calls throw [PunaException.Closed]; closing twice is harmless.
     */
    override fun close() {
        handle.release()
    }

    public companion object {
        /**
         * Opens the GGUF file at [path] (of a split model: its first part). [licences]: the folder where
         * [Licence.accept] keeps what was accepted. [onProgress]: where it is given, the weights are read from storage
         * once, as [preload] does, before the model is there.
         *
         * @throws PunaException.Unreadable
         * @throws PunaException.InvalidModel
         * @throws PunaException.UnsupportedModel
         * @throws PunaException.LicenceNotAccepted
         * @throws PunaException.DoesNotFit
         */
        @JvmSynthetic
        public suspend fun open(
            path: String,
            licences: File? = null,
            onProgress: ((done: Long, total: Long) -> Unit)? = null,
        ): Model {
            val model = opening { openBlocking(path, licences) }
            try {
                onProgress?.let { model.preload(it) }
            } catch (e: Throwable) {
                model.close()
                throw e
            }
            return model
        }

        /** As [open], on the calling thread, without [preload]. */
        @JvmStatic
        @JvmOverloads
        public fun openBlocking(path: String, licences: File? = null): Model =
            Model(runtime { NativeModel.open(path, licences?.path) })

        /**
         * Opens [length] bytes (`null`: all) from [offset] of the open file that [descriptor] numbers: a whole file,
         * or one that lies uncompressed inside another. Nothing is copied. The descriptor stays the caller's, who may
         * close it afterwards.
         *
         * @throws PunaException as [open].
         */
        @JvmSynthetic
        public suspend fun openDescriptor(
            descriptor: Int,
            offset: Long = 0,
            length: Long? = null,
            licences: File? = null,
        ): Model = opening { openDescriptorBlocking(descriptor, offset, length, licences) }

        /** As [openDescriptor], on the calling thread. */
        @JvmStatic
        @JvmOverloads
        public fun openDescriptorBlocking(
            descriptor: Int,
            offset: Long = 0,
            length: Long? = null,
            licences: File? = null,
        ): Model {
            if (offset < 0 || (length ?: 0) < 0) {
                throw PunaException.InvalidOption("$length bytes at $offset, wanted at least 0")
            }
            val (from, bytes) = offset.toULong() to length?.toULong()
            return Model(runtime { NativeModel.openDescriptor(descriptor, from, bytes, licences?.path) })
        }

        /**
         * Opens a model whose bytes [source] gives, where there is neither a path nor a descriptor. They are copied,
         * once, into a file without a name in [folder], which is gone with the model: take the app's cache folder.
         * [onProgress] hears of each piece, on a background thread.
         *
         * @throws PunaException as [open]; the cause of a [PunaException.Unreadable] is what the source threw.
         */
        @JvmSynthetic
        public suspend fun open(
            source: ByteSource,
            folder: File,
            licences: File? = null,
            onProgress: (done: Long, total: Long) -> Unit = { _, _ -> },
        ): Model {
            val job = currentCoroutineContext().job
            return opening {
                val adapter = NativeSource(source) { done, total ->
                    job.ensureActive()
                    onProgress(done, total)
                }
                try {
                    Model(runtime { NativeModel.openSource(adapter, folder.path, licences?.path) })
                } catch (e: PunaException.Unreadable) {
                    job.ensureActive()
                    throw PunaException.Unreadable(e.message.orEmpty(), adapter.failure)
                }
            }
        }

        /**
         * The replay twin: a stand-in for a model, for an app's own tests. It answers from [script], which
         * [Chat.script] recorded or somebody wrote, with the recorded timing, [speed] times as fast;
         * `Double.POSITIVE_INFINITY`: without any waiting. It streams, stops, cancels, saves and restores as a model does,
         * and has neither tokens nor vectors.
         *
         * @throws PunaException.InvalidOption if it is no script.
         */
        @JvmStatic
        @JvmOverloads
        public fun replay(script: String, speed: Double = 1.0): Model =
            Model(runtime { NativeModel.openReplay(script, speed) })

        /** Runs [open] off the calling thread. A model that nobody waits for any more is closed. */
        internal suspend fun opening(open: () -> Model): Model {
            var model: Model? = null
            try {
                return withContext(Dispatchers.IO) { open().also { model = it } }
            } catch (e: CancellationException) {
                model?.close()
                throw e
            }
        }
    }
}
