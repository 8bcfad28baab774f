package dev.puna

import dev.puna.ffi.AnswerOptions as NativeAnswerOptions
import dev.puna.ffi.ChatOptions as NativeChatOptions
import dev.puna.ffi.KvStorage as NativeKvStorage
import dev.puna.ffi.SamplerSettings
import dev.puna.ffi.TrimLevel as NativeTrimLevel
import dev.puna.ffi.WhenFull as NativeWhenFull
import java.io.File
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.toJavaDuration

/** How a chat computes and how much it remembers. */
public class ChatOptions {
    /** Tokens that the conversation can hold; `null`: what the model was trained for, at most 4,096. */
    public var contextTokens: Int? = null

    /** How the cache of keys and values is stored. */
    public var kv: KvStorage = KvStorage.F16

    /** Threads that compute; `null`: one for each fast core. */
    public var threads: Int? = null

    /** Whether a chat is refused ([PunaException.DoesNotFit]) that the [Plan] says does not fit this device. */
    public var checkFit: Boolean = true

    /** The folder of the file that [TrimLevel.CACHE] writes: on Android that is the app's cache folder. */
    public var trimFolder: File? = System.getProperty("java.io.tmpdir")?.let(::File)

    /**
     * A folder that keeps every turn from now on. Whatever happens to the process, the next chat with this folder goes
     * on after the last whole turn, its system message included, and computes nothing again. One chat has it at a time.
     */
    public var journal: File? = null

    /** Records every turn, with the time of each piece, for [Chat.script]. */
    public var record: Boolean = false

    /** How answers are made, where a message does not say otherwise. */
    public var answer: AnswerOptions = AnswerOptions()

    /** Changes [answer]. */
    @JvmSynthetic
    public inline fun answer(configure: AnswerOptions.() -> Unit) {
        answer.configure()
    }

    internal fun native(system: String?) = NativeChatOptions(
        system = system,
        nCtx = contextTokens?.unsigned("contextTokens"),
        kv = when (kv) {
            KvStorage.F16 -> NativeKvStorage.F16
            KvStorage.Q8 -> NativeKvStorage.Q8
            KvStorage.Q4 -> NativeKvStorage.Q4
        },
        nThreads = threads?.unsigned("threads"),
        checkFit = checkFit,
        trimFolder = trimFolder?.path,
        journal = journal?.path,
        record = record,
        answer = answer.native(),
    )
}

/** How keys and values are stored. */
public enum class KvStorage {
    /** 16 bits a number. */
    F16,

    /** 8.5 bits a number: half the memory, for a little accuracy. */
    Q8,

    /** 4.5 bits a number: a quarter of the memory, for more of it. */
    Q4,
}

/** What happens when the conversation no longer fits its context. */
public enum class WhenFull {
    /** A question that does not fit throws [PunaException.ContextFull]; an answer ends with [End.CONTEXT_FULL]. */
    STOP,

    /** The oldest turns leave the conversation, [Chat.messages] included; the system message stays. */
    DROP_OLDEST,
}

/** How much memory is given back. Each level gives back what those before it do, and all of it returns by itself. */
public enum class TrimLevel {
    /** The buffers of the computation: they are back in less than a millisecond. */
    BUFFERS,

    /** The cache of keys and values too: it is written to a file, and read where it lies in that. */
    CACHE,

    /** The pages of the mapped weights too: they are read again, from the system's cache or from storage. */
    WEIGHTS;

    internal fun native() = when (this) {
        BUFFERS -> NativeTrimLevel.BUFFERS
        CACHE -> NativeTrimLevel.CACHE
        WEIGHTS -> NativeTrimLevel.WEIGHTS
    }
}

/** How one answer is made. */
public class AnswerOptions {
    /** Tokens at most; `null`: until the model ends or the context is full. */
    public var maxTokens: Int? = null

    /** Texts that end the answer and are not part of it. */
    public var stops: List<String> = emptyList()

    /**
     * Time for the whole answer, the question included; `null`: no limit. When it has passed, the turn is taken back
     * with [PunaException.DeadlineExceeded].
     */
    @get:JvmSynthetic
    @set:JvmSynthetic
    public var timeout: Duration? = null

    /** [timeout] in milliseconds. */
    public var timeoutMillis: Long?
        get() = timeout?.inWholeMilliseconds
        set(value) {
            timeout = value?.milliseconds
        }

    /** What happens when the conversation no longer fits. */
    public var whenFull: WhenFull = WhenFull.STOP

    /** The same seed gives the same answer; `null`: another one each time. */
    public var seed: Long? = null

    /** 0 picks the most likely token; higher is more varied. */
    public var temperature: Float = 0.8f

    /** Keeps this many of the most likely tokens; 0: all. */
    public var topK: Int = 40

    /** Keeps the most likely tokens up to this probability mass; 1: all. */
    public var topP: Float = 0.95f

    /** Keeps tokens at least this many times as likely as the best; 0: all. */
    public var minP: Float = 0.05f

    /** Locally typical sampling; 1: off. */
    public var typicalP: Float = 1f

    /** How many of the last tokens the penalties look at. */
    public var repeatLastN: Int = 64

    /** Makes tokens seen less likely; 1: off. */
    public var repeatPenalty: Float = 1f

    /** Makes tokens less likely for each time that they were seen; 0: off. */
    public var frequencyPenalty: Float = 0f

    /** Makes tokens seen less likely, once; 0: off. */
    public var presencePenalty: Float = 0f

    /** Makes tokens less likely that would repeat a sequence (DRY); 0: off. */
    public var dryMultiplier: Float = 0f

    /** The same settings, to be changed apart from these. */
    public fun copy(): AnswerOptions = AnswerOptions().also {
        it.maxTokens = maxTokens
        it.stops = stops
        it.timeout = timeout
        it.whenFull = whenFull
        it.seed = seed
        it.temperature = temperature
        it.topK = topK
        it.topP = topP
        it.minP = minP
        it.typicalP = typicalP
        it.repeatLastN = repeatLastN
        it.repeatPenalty = repeatPenalty
        it.frequencyPenalty = frequencyPenalty
        it.presencePenalty = presencePenalty
        it.dryMultiplier = dryMultiplier
    }

    internal fun native() = NativeAnswerOptions(
        maxTokens = maxTokens?.unsigned("maxTokens"),
        stops = stops,
        timeout = timeout?.coerceAtLeast(Duration.ZERO)?.toJavaDuration(),
        whenFull = when (whenFull) {
            WhenFull.STOP -> NativeWhenFull.STOP
            WhenFull.DROP_OLDEST -> NativeWhenFull.DROP_OLDEST
        },
        sampler = SamplerSettings(
            seed = seed?.toULong(),
            temperature = temperature,
            topK = topK.unsigned("topK"),
            topP = topP,
            minP = minP,
            typicalP = typicalP,
            repeatLastN = repeatLastN.unsigned("repeatLastN"),
            repeatPenalty = repeatPenalty,
            frequencyPenalty = frequencyPenalty,
            presencePenalty = presencePenalty,
            dryMultiplier = dryMultiplier,
        ),
    )
}

/** A number that may not be negative. */
internal fun Int.unsigned(name: String): UInt {
    if (this < 0) throw PunaException.InvalidOption("$name is $this, wanted at least 0")
    return toUInt()
}
