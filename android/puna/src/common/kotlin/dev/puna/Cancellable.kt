package dev.puna

import dev.puna.ffi.CancelFlag
import dev.puna.ffi.ProgressListener
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/** Runs [call] off the calling thread; cancelling the coroutine sets the flag that it is given. */
internal suspend fun <T> cancellable(call: (CancelFlag) -> T): T = CancelFlag().use { flag ->
    withContext(Dispatchers.IO) {
        // Whoever cancels runs this, on its own thread: the one of this coroutine computes.
        val watch = launch(Dispatchers.Unconfined) {
            try {
                awaitCancellation()
            } finally {
                flag.cancel()
            }
        }
        try {
            call(flag)
        } catch (e: PunaException.Cancelled) {
            currentCoroutineContext().ensureActive()
            throw e
        } finally {
            watch.cancel()
        }
    }
}

/** A listener of an app's. */
internal fun progress(onProgress: (done: Long, total: Long) -> Unit) = object : ProgressListener {
    override fun progress(done: ULong, total: ULong) {
        // The runtime has nobody to tell what it throws.
        runCatching { onProgress(done.toLong(), total.toLong()) }
    }
}
