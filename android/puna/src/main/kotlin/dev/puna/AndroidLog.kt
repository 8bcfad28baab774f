package dev.puna

import android.util.Log as Logcat

/** Sends the log, down to [level], to logcat, under the tag `puna`. */
public fun Log.toLogcat(level: Log.Level) {
    send(level) { of, target, message ->
        val priority = when (of) {
            Log.Level.ERROR -> Logcat.ERROR
            Log.Level.WARN -> Logcat.WARN
            Log.Level.INFO -> Logcat.INFO
            Log.Level.DEBUG -> Logcat.DEBUG
            Log.Level.TRACE -> Logcat.VERBOSE
        }
        Logcat.println(priority, "puna", "$target: $message")
    }
}
