package dev.puna

/** Sends the log, down to [level], to logcat, under the tag `puna`, in place of an earlier sink. */
public fun Log.toLogcat(level: Log.Level) {
    Native.logcat(level.ordinal)
}

/** What goes through Java's own native interface, since uniffi's bindings cannot go there. */
private object Native {
    init {
        // By the system's loader, which tells the library that it is loaded; the bindings then find it.
        System.loadLibrary("puna_ffi")
    }

    /** Down to the level with this place among the levels, without a detour through Java. */
    @JvmStatic
    external fun logcat(level: Int)
}
