package dev.puna

import android.content.ComponentCallbacks2
import android.content.Context
import android.content.res.Configuration
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch

/**
 * Gives memory of this model back when the system is short of it, on a background thread, until the returned handle is
 * closed: buffers when memory is getting short or the app is no longer seen, all when it is critical or the app is in
 * the background. What was given back returns by itself. An answer in the making is not disturbed.
 */
public fun Model.trimWithSystem(context: Context): AutoCloseable {
    val callbacks = TrimCallbacks { level ->
        CoroutineScope(Dispatchers.IO).launch {
            // A full disk, or a model that was closed: there is nothing to be done about either here.
            runCatching { trim(level) }
        }
    }
    val application = context.applicationContext
    application.registerComponentCallbacks(callbacks)
    return AutoCloseable { application.unregisterComponentCallbacks(callbacks) }
}

/** What the system says about memory, as a level. */
internal class TrimCallbacks(private val trim: (TrimLevel) -> Unit) : ComponentCallbacks2 {
    @Suppress("DEPRECATION", "OVERRIDE_DEPRECATION")
    override fun onTrimMemory(level: Int) {
        when {
            level >= ComponentCallbacks2.TRIM_MEMORY_BACKGROUND -> trim(TrimLevel.WEIGHTS)
            level == ComponentCallbacks2.TRIM_MEMORY_RUNNING_CRITICAL -> trim(TrimLevel.WEIGHTS)
            level >= ComponentCallbacks2.TRIM_MEMORY_RUNNING_LOW -> trim(TrimLevel.BUFFERS)
        }
    }

    @Suppress("OVERRIDE_DEPRECATION")
    override fun onLowMemory() {
        trim(TrimLevel.WEIGHTS)
    }

    override fun onConfigurationChanged(configuration: Configuration) {}
}
