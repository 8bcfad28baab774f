package dev.puna

import dev.puna.ffi.AnswerEnd
import dev.puna.ffi.AnswerStats
import kotlin.time.Duration
import kotlin.time.toKotlinDuration

/** How long an answer took. */
public class Stats internal constructor(native: AnswerStats) {
    /** Tokens of the prompt that had to be computed; what the chat held already is not among them. */
    public val promptTokens: Int = native.promptTokens.toInt()

    /** Tokens of the answer. */
    public val tokens: Int = native.tokens.toInt()

    /** From the question to the first token. */
    @get:JvmSynthetic
    public val timeToFirstToken: Duration = native.timeToFirstToken.toKotlinDuration()

    /** [timeToFirstToken] in milliseconds. */
    public val timeToFirstTokenMillis: Long = native.timeToFirstToken.toMillis()

    /** Tokens a second of the prompt; 0 before there is one. */
    public val promptTokensPerSecond: Double = native.promptTokensPerSecond

    /** Tokens a second after the first; 0 before there is a second. */
    public val tokensPerSecond: Double = native.tokensPerSecond

    /** Why the answer ended; `null` while it is in the making, and if it failed. */
    public val end: End? = when (native.end) {
        null -> null
        AnswerEnd.COMPLETE -> End.COMPLETE
        AnswerEnd.LENGTH -> End.LENGTH
        AnswerEnd.STOP_TEXT -> End.STOP_TEXT
        AnswerEnd.CONTEXT_FULL -> End.CONTEXT_FULL
        AnswerEnd.STOPPED -> End.STOPPED
    }

    override fun toString(): String =
        "Stats(promptTokens=$promptTokens, tokens=$tokens, timeToFirstToken=$timeToFirstToken, " +
            "tokensPerSecond=$tokensPerSecond, end=$end)"
}

/** Why an answer ended. */
public enum class End {
    /** The model ended it. */
    COMPLETE,

    /** The most tokens that were asked for were made. */
    LENGTH,

    /** One of the texts that end an answer was reached. */
    STOP_TEXT,

    /** No token more fits the context. */
    CONTEXT_FULL,

    /** The app ended it. */
    STOPPED,
}
