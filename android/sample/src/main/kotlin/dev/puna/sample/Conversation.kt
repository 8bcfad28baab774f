package dev.puna.sample

import dev.puna.Chat
import dev.puna.FetchPhase
import dev.puna.FetchProgress
import dev.puna.Licence
import dev.puna.Model
import dev.puna.ModelStore
import dev.puna.Piece
import dev.puna.PunaException
import dev.puna.Role
import dev.puna.StoredModel
import dev.puna.WhenFull
import dev.puna.pauseWhile
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.flowOf
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import java.io.File

/** One line on the screen. */
data class Line(val text: String, val byUser: Boolean)

/** All that the screen shows. */
data class ScreenState(
    val modelName: String? = null,
    val opening: Boolean = false,
    /** What is being downloaded. */
    val download: FetchProgress? = null,
    /** What was. */
    val stored: List<StoredModel> = emptyList(),
    /** What the user is asked to accept. */
    val licence: Licence? = null,
    val lines: List<Line> = emptyList(),
    val answering: Boolean = false,
    val stats: String = "",
    val problem: String? = null,
)

/**
 * What the screen does: no Android in here, so that tests on a JVM run it.
 *
 * In [folder] are turns, so that a killed app goes on where it was, models that were downloaded, and licences that were
 * accepted. While [paused] nothing is computed. [follow] is called with each model that is opened; what it returns is
 * closed with the model.
 */
class Conversation(
    private val scope: CoroutineScope,
    private val folder: File,
    private val paused: Flow<Boolean> = flowOf(false),
    private val follow: (Model) -> AutoCloseable? = { null },
) : AutoCloseable {
    private val mutable = MutableStateFlow(ScreenState())
    val state: StateFlow<ScreenState> = mutable.asStateFlow()

    private val store = ModelStore(folder)
    private val licences = folder.resolve("licences")
    private var downloading: Job? = null
    private var model: Model? = null
    private var following: AutoCloseable? = null
    private var chat: Chat? = null

    /** What was to be opened when a licence stood in the way. */
    private var refused: (suspend () -> Model)? = null

    init {
        scope.launch { showStored() }
    }

    /** Opens a model in place of the one before. */
    fun open(open: suspend () -> Model): Job = scope.launch {
        leave()
        mutable.update { it.copy(opening = true, problem = null) }
        try {
            val opened = open().also { model = it }
            following = follow(opened)
            val name = opened.info.name ?: opened.info.architecture
            val begun = opened.chat("You are a helpful assistant. Answer briefly.") {
                journal = folder.resolve("chats").resolve(name.filter { it.isLetterOrDigit() })
                answer { whenFull = WhenFull.DROP_OLDEST }
            }
            chat = begun
            mutable.update { it.copy(modelName = name, lines = lines(begun)) }
        } catch (e: PunaException.LicenceNotAccepted) {
            refused = open
            mutable.update { it.copy(licence = Licence.of(e.id), problem = advice(e)) }
        } catch (e: PunaException) {
            leave()
            mutable.update { it.copy(problem = advice(e)) }
        } finally {
            mutable.update { it.copy(opening = false) }
        }
    }

    /** Opens what was downloaded. */
    fun open(stored: StoredModel): Job = open { Model.open(stored.file.path, licences) }

    /** The user accepts the licence that stood in the way. */
    fun accept(): Job? {
        val (licence, open) = (state.value.licence ?: return null) to (refused ?: return null)
        return open {
            withContext(Dispatchers.IO) { licence.accept("the user of this device", licences) }
            open()
        }
    }

    /** The user does not. */
    fun decline() {
        refused = null
        mutable.update { it.copy(licence = null, problem = null) }
    }

    /** Downloads a model, or what is still to come of it, and opens it, unless another one is open by then. */
    fun download(url: String): Job? {
        if (downloading?.isActive == true) return null
        return scope.launch {
            mutable.update { it.copy(download = FetchProgress(FetchPhase.ASKING, 0, null), problem = null) }
            val stored = try {
                store.fetch(url.trim()) { now -> mutable.update { it.copy(download = now) } }
            } catch (e: PunaException) {
                return@launch mutable.update { it.copy(problem = advice(e)) }
            } finally {
                mutable.update { it.copy(download = null) }
            }
            showStored()
            if (model == null) open(stored).join()
        }.also { downloading = it }
    }

    /** Ends the download; what has come is kept for the next try. */
    fun cancelDownload() {
        downloading?.cancel()
    }

    /** Removes what was downloaded. */
    fun remove(stored: StoredModel): Job = scope.launch {
        try {
            withContext(Dispatchers.IO) { store.remove(stored.sha256) }
        } catch (e: PunaException) {
            mutable.update { it.copy(problem = advice(e)) }
        }
        showStored()
    }

    private suspend fun showStored() {
        val stored = withContext(Dispatchers.IO) { runCatching { store.list() }.getOrDefault(emptyList()) }
        mutable.update { it.copy(stored = stored) }
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

    /** Closes the model, for another one. */
    fun leave() {
        close()
        mutable.update { ScreenState(download = it.download, stored = it.stored) }
    }

    override fun close() {
        following?.close()
        model?.close()
        following = null
        model = null
        chat = null
        refused = null
    }

    private fun ScreenState.append(text: String): ScreenState {
        val last = lines.last()
        return copy(lines = lines.dropLast(1) + last.copy(text = last.text + text))
    }

    private fun advice(e: PunaException): String = when (e) {
        is PunaException.Unreadable -> "The file cannot be read. ${e.message}"
        is PunaException.InvalidModel -> "The file is not a whole model; download it again. ${e.message}"
        is PunaException.UnsupportedModel -> "This model cannot be run. ${e.message}"
        is PunaException.LicenceNotAccepted -> "The model's terms ask for acceptance."
        is PunaException.DownloadFailed -> "The download broke off; the next try goes on with it. ${e.message}"
        is PunaException.NoSpace -> "There is no room for the model: ${e.message}."
        is PunaException.DoesNotFit -> "The model is too large for this device: it ${e.message}."
        is PunaException.ContextFull -> "The conversation is full; open the model anew."
        is PunaException.Cancelled -> "Cancelled."
        else -> e.message.orEmpty()
    }
}
