package dev.puna.sample

import dev.puna.Chat
import dev.puna.Model
import dev.puna.Piece
import dev.puna.PunaException
import dev.puna.Role
import dev.puna.WhenFull
import dev.puna.pauseWhile
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.flowOf
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import java.io.File

/** One line on the screen. */
data class Line(val text: String, val byUser: Boolean)

/** All that the screen shows. */
data class ScreenState(
    val modelName: String? = null,
    val opening: Boolean = false,
    val lines: List<Line> = emptyList(),
    val answering: Boolean = false,
    val stats: String = "",
    val problem: String? = null,
)

/**
 * What the screen does: no Android in here, so that tests on a JVM run it.
 *
 * Turns are kept below [folder], so that a killed app goes on where it was; while [paused] nothing is computed.
 */
class Conversation(
    private val scope: CoroutineScope,
    private val folder: File? = null,
    private val paused: Flow<Boolean> = flowOf(false),
) : AutoCloseable {
    private val mutable = MutableStateFlow(ScreenState())
    val state: StateFlow<ScreenState> = mutable.asStateFlow()

    private var model: Model? = null
    private var chat: Chat? = null

    /** Opens a model in place of the one before. */
    fun open(open: suspend () -> Model): Job = scope.launch {
        close()
        mutable.value = ScreenState(opening = true)
        try {
            val opened = open().also { model = it }
            val name = opened.info.name ?: opened.info.architecture
            val begun = opened.chat("You are a helpful assistant. Answer briefly.") {
                journal = folder?.resolve(name.filter { it.isLetterOrDigit() })
                answer { whenFull = WhenFull.DROP_OLDEST }
            }
            chat = begun
            mutable.value = ScreenState(modelName = name, lines = lines(begun))
        } catch (e: PunaException) {
            close()
            mutable.value = ScreenState(problem = advice(e))
        }
    }

    /** Asks, and shows the answer as it comes. */
    fun ask(text: String): Job? {
        val chat = chat?.takeIf { text.isNotBlank() } ?: return null
        return show(chat, chat.stream(text)) { it + Line(text, true) }
    }

    /** Answers the last question again. */
    fun again(): Job? {
        val chat = chat?.takeIf { state.value.lines.isNotEmpty() } ?: return null
        return show(chat, chat.regenerate()) { it.dropLast(1) }
    }

    private fun show(chat: Chat, answer: Flow<Piece>, before: (List<Line>) -> List<Line>): Job? {
        if (state.value.answering) return null
        mutable.update { it.copy(lines = before(it.lines) + Line("", false), answering = true, problem = null) }
        return scope.launch {
            try {
                answer.pauseWhile(paused).collect { piece -> mutable.update { it.append(piece.text) } }
                val stats = chat.stats
                val rate = "%.1f".format(stats.tokensPerSecond)
                mutable.update { it.copy(stats = "${stats.timeToFirstTokenMillis} ms to the first token, $rate tokens/s") }
            } catch (e: PunaException) {
                mutable.update { it.copy(lines = lines(chat), problem = advice(e)) }
            } finally {
                mutable.update { it.copy(answering = false) }
            }
        }
    }

    /** The turns that the chat has, whatever the screen showed. */
    private fun lines(chat: Chat): List<Line> =
        runCatching { chat.messages }.getOrDefault(emptyList())
            .filter { it.role != Role.SYSTEM }
            .map { Line(it.content, it.role == Role.USER) }

    /** Ends the answer; what has come stays. */
    fun stop() {
        chat?.stop()
    }

    override fun close() {
        model?.close()
        model = null
        chat = null
    }

    private fun ScreenState.append(text: String): ScreenState {
        val last = lines.last()
        return copy(lines = lines.dropLast(1) + last.copy(text = last.text + text))
    }

    private fun advice(e: PunaException): String = when (e) {
        is PunaException.Unreadable -> "The file cannot be read. ${e.message}"
        is PunaException.InvalidModel -> "The file is not a whole model; download it again. ${e.message}"
        is PunaException.UnsupportedModel -> "This model cannot be run. ${e.message}"
        is PunaException.DoesNotFit -> "The model is too large for this device: it ${e.message}."
        is PunaException.ContextFull -> "The conversation is full; open the model anew."
        is PunaException.Cancelled -> "Cancelled."
        else -> e.message.orEmpty()
    }
}
