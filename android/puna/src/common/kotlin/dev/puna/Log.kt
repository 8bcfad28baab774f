package dev.puna

import dev.puna.ffi.setLogSink
import dev.puna.ffi.LogLevel as NativeLevel
import dev.puna.ffi.LogSink as NativeSink

/** What the runtime logs. It never is text of a prompt or an answer. */
public object Log {
    /** How much a line matters. */
    public enum class Level {
        /** Something failed. */
        ERROR,

        /** Something is not as it should be. */
        WARN,

        /** What happens. */
        INFO,

        /** For those who work on this library. */
        DEBUG,

        /** All there is. */
        TRACE,
    }

    /** Takes lines of the log. */
    public fun interface Sink {
        /** Takes one line, on any thread; [target] is the part of the runtime that says it. What it throws is dropped. */
        public fun log(level: Level, target: String, message: String)
    }

    /** Sends the log, down to [level], to [sink], in place of an earlier one; `null` ends it. */
    @JvmStatic
    public fun send(level: Level, sink: Sink?) {
        val native = sink?.let {
            object : NativeSink {
                override fun log(level: NativeLevel, target: String, message: String) {
                    // The runtime has nobody to tell.
                    runCatching { it.log(Level.entries[level.ordinal], target, message) }
                }
            }
        }
        setLogSink(native, NativeLevel.entries[level.ordinal])
    }
}
