package dev.puna

import android.app.Activity
import android.app.Application
import android.os.Bundle
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow

/**
 * Whether the app is in the background, until this is closed. Make it in `Application.onCreate`.
 *
 * `chat.stream(text).pauseWhile(background.now)` stops computing when nobody looks, and goes on when somebody does.
 */
public class Background(private val application: Application) : AutoCloseable {
    private val mutable = MutableStateFlow(true)
    private val counter = Counter(mutable)

    /** Whether no screen of the app is seen. */
    public val now: StateFlow<Boolean> = mutable.asStateFlow()

    init {
        application.registerActivityLifecycleCallbacks(counter)
    }

    /** From now on [now] stays as it is. */
    override fun close() {
        application.unregisterActivityLifecycleCallbacks(counter)
    }

    /** Counts screens that are seen. */
    private class Counter(private val background: MutableStateFlow<Boolean>) : Application.ActivityLifecycleCallbacks {
        private var seen = 0

        override fun onActivityStarted(activity: Activity) {
            seen += 1
            background.value = false
        }

        override fun onActivityStopped(activity: Activity) {
            seen -= 1
            // A screen that turns is stopped after its successor has started, or says that it turns.
            if (seen == 0 && !activity.isChangingConfigurations) background.value = true
        }

        override fun onActivityCreated(activity: Activity, state: Bundle?) {}

        override fun onActivityResumed(activity: Activity) {}

        override fun onActivityPaused(activity: Activity) {}

        override fun onActivitySaveInstanceState(activity: Activity, state: Bundle) {}

        override fun onActivityDestroyed(activity: Activity) {}
    }
}
