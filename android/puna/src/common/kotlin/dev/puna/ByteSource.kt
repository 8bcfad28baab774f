package dev.puna

import dev.puna.ffi.SourceException
import dev.puna.ffi.ByteSource as Native

/** Gives the bytes of a model, on a background thread. */
public interface ByteSource {
    /** How many there are. */
    public val length: Long

    /** At most [length] bytes from [offset] on, and at least one. What it throws ends the opening. */
    public fun read(offset: Long, length: Int): ByteArray
}

/** An app's source, as the runtime sees it. */
internal class NativeSource(
    private val source: ByteSource,
    private val onProgress: (done: Long, total: Long) -> Unit,
) : Native {
    /** What the source threw. */
    @Volatile
    var failure: Throwable? = null
        private set

    override fun length(): ULong = source.length.toULong()

    override fun read(offset: ULong, length: UInt): ByteArray =
        try {
            val bytes = source.read(offset.toLong(), length.toInt())
            onProgress(offset.toLong() + bytes.size, source.length)
            bytes
        } catch (e: Throwable) {
            failure = e
            throw SourceException.Failed(e.toString())
        }
}
