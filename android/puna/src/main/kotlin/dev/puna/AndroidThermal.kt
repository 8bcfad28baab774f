package dev.puna

import android.annotation.TargetApi
import android.content.Context
import android.os.Build
import android.os.PowerManager
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow

/** How hot a device is, as its system judges it: from the coolest to the hottest. */
public enum class ThermalStatus {
    /** Nothing is slowed down. */
    NONE,

    /** Slowed down so little that nobody notices. */
    LIGHT,

    /** Slowed down, and mostly not noticed. */
    MODERATE,

    /** Slowed down so much that everybody notices. */
    SEVERE,

    /** All that can be done was done. */
    CRITICAL,

    /** Parts of the device are being switched off. */
    EMERGENCY,

    /** The device is about to switch itself off. */
    SHUTDOWN,
}

/**
 * How hot the device is, until this is closed.
 *
 * `chat.stream(text).pauseWhile(thermal.now.map { it >= ThermalStatus.SEVERE })` computes nothing until it has cooled down.
 */
public class Thermal(context: Context) : AutoCloseable {
    private val power = context.applicationContext.getSystemService(PowerManager::class.java)
    private val mutable = MutableStateFlow(ThermalStatus.NONE)
    private val listener = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) Listener(power, mutable) else null

    /** How hot it is. Before Android 10, which does not tell, it stays [ThermalStatus.NONE]. */
    public val now: StateFlow<ThermalStatus> = mutable.asStateFlow()

    /**
     * How near the device will be in [seconds], at most 60, to [ThermalStatus.SEVERE], which is 1: at the heat and the
     * work of now. `null` where nobody knows: before Android 11, on devices without the sensors, and if it is asked for
     * more than once a second.
     */
    @JvmOverloads
    public fun headroom(seconds: Int = 0): Float? =
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) power.headroom(seconds) else null

    /** From now on [now] stays as it is. */
    override fun close() {
        listener?.close()
    }

    /** Hears of each change. */
    @TargetApi(Build.VERSION_CODES.Q)
    private class Listener(
        private val power: PowerManager,
        private val now: MutableStateFlow<ThermalStatus>,
    ) : PowerManager.OnThermalStatusChangedListener, AutoCloseable {
        init {
            onThermalStatusChanged(power.currentThermalStatus)
            power.addThermalStatusListener(this)
        }

        override fun onThermalStatusChanged(status: Int) {
            // The system counts as this enum does.
            now.value = ThermalStatus.entries[status.coerceIn(0, ThermalStatus.entries.lastIndex)]
        }

        override fun close() {
            power.removeThermalStatusListener(this)
        }
    }
}

@TargetApi(Build.VERSION_CODES.R)
private fun PowerManager.headroom(seconds: Int): Float? = getThermalHeadroom(seconds).takeUnless { it.isNaN() }
