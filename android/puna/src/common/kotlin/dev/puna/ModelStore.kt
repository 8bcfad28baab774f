package dev.puna

import dev.puna.ffi.CancelFlag
import dev.puna.ffi.FetchListener
import dev.puna.ffi.FetchOptions
import java.io.File
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlin.time.DurationUnit
import dev.puna.ffi.FetchPhase as NativePhase
import dev.puna.ffi.FetchProgress as NativeProgress
import dev.puna.ffi.ModelStore as NativeStore
import dev.puna.ffi.StoredModel as NativeModel

/**
 * Downloaded models, in [folder], which need not exist. Every file in it was whole and right when it was put there. It may
 * be used from any thread; several processes share a store, and a download.
 *
 * The connections are the platform's (`HttpURLConnection`): its certificates, its proxies, its rules. The native library
 * opens none.
 */
public class ModelStore(public val folder: File) {
    private val handle = NativeStore.at(folder.path)

    /**
     * Downloads a model, unless it is there. What an earlier try has left is gone on with; what is proved bad is removed.
     * Cancelling breaks the download off, and keeps what has arrived. On Android the app needs the permission `INTERNET`.
     *
     * @param url `https://…`, or `http://` of the device itself.
     * @param sha256 what the file must have, in hex; `null`: what the encrypted connection brings is believed, as far as it
     * is a whole model.
     * @param stall a connection on which nothing comes for so long is given up.
     * @param tries how many in a row may fail without a byte in between.
     * @param onProgress hears of each step, on a background thread.
     * @throws PunaException.DownloadFailed
     * @throws PunaException.NoSpace
     * @throws PunaException.InvalidModel if it is no model, or has another hash.
     * @throws PunaException.InvalidOption if [url] or [sha256] is none.
     * @throws PunaException.Unwritable
     */
    @JvmSynthetic
    public suspend fun fetch(
        url: String,
        sha256: String? = null,
        stall: Duration = 30.seconds,
        tries: Int = 8,
        onProgress: (FetchProgress) -> Unit = {},
    ): StoredModel = cancellable { cancel -> fetch(options(url, sha256, stall, tries), onProgress, cancel) }

    /** As [fetch], on the calling thread. */
    @JvmOverloads
    public fun fetchBlocking(
        url: String,
        sha256: String? = null,
        onProgress: (FetchProgress) -> Unit = {},
    ): StoredModel = fetch(options(url, sha256, 30.seconds, 8), onProgress, null)

    private fun options(url: String, sha256: String?, stall: Duration, tries: Int): FetchOptions {
        if (tries < 1) throw PunaException.InvalidOption("$tries tries, wanted at least 1")
        return FetchOptions(url, sha256, stall.toDouble(DurationUnit.SECONDS), tries.toUInt())
    }

    private fun fetch(options: FetchOptions, onProgress: (FetchProgress) -> Unit, cancel: CancelFlag?): StoredModel {
        val listener = object : FetchListener {
            override fun progress(progress: NativeProgress) {
                // The runtime has nobody to tell what it throws.
                runCatching { onProgress(progress.published()) }
            }
        }
        return PlatformConnection().use { connection ->
            runtime { handle.fetch(options, connection, listener, cancel) }.published()
        }
    }

    /**
     * What is there, by name. No file is read.
     *
     * @throws PunaException.Unwritable
     */
    public fun list(): List<StoredModel> = runtime { handle.list() }.map { it.published() }

    /**
     * Removes the model of a [name], of a SHA-256, or of at least eight first digits of one.
     *
     * @throws PunaException.InvalidOption if there is none, or more than one.
     */
    public fun remove(name: String): StoredModel = runtime { handle.remove(name) }.published()

    /**
     * Reads the model of a [name], as for [remove], and compares its hash with what it was.
     *
     * @throws PunaException.InvalidModel if it is another: remove it, and download it again.
     * @throws PunaException.InvalidOption if there is none, or more than one.
     */
    @JvmSynthetic
    public suspend fun verify(name: String): StoredModel = cancellable { verifyBlocking(name) }

    /** As [verify], on the calling thread. */
    public fun verifyBlocking(name: String): StoredModel = runtime { handle.verify(name) }.published()
}

/**
 * A model in a [ModelStore].
 *
 * @property name what it goes by: the file's name without `.gguf`.
 * @property file for [Model.Companion.open], by its path.
 * @property bytes its length.
 * @property sha256 what it had when it was put there, in hex.
 * @property url where it came from.
 */
public data class StoredModel(
    val name: String,
    val file: File,
    val bytes: Long,
    val sha256: String,
    val url: String?,
)

/**
 * How far a download is.
 *
 * @property phase what it does.
 * @property received bytes that have arrived, those of earlier tries included.
 * @property total bytes of the file, when the server has said it.
 */
public data class FetchProgress(val phase: FetchPhase, val received: Long, val total: Long?)

/** What a download does. */
public enum class FetchPhase {
    /** Another process downloads the same file; this one takes what that one gets. */
    WAITING,

    /** Asks the server. */
    ASKING,

    /** Bytes come. */
    RECEIVING,

    /** A try failed; the next one comes after a pause. */
    PAUSING,

    /** All is here and is looked at. */
    CHECKING,
}

private fun NativeModel.published() = StoredModel(name, File(path), bytes.toLong(), sha256, url)

private fun NativeProgress.published(): FetchProgress {
    val phase = when (phase) {
        NativePhase.WAITING -> FetchPhase.WAITING
        NativePhase.ASKING -> FetchPhase.ASKING
        NativePhase.RECEIVING -> FetchPhase.RECEIVING
        NativePhase.PAUSING -> FetchPhase.PAUSING
        NativePhase.CHECKING -> FetchPhase.CHECKING
    }
    return FetchProgress(phase, received.toLong(), total?.toLong())
}
