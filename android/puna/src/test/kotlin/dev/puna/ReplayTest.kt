package dev.puna

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import kotlin.system.measureTimeMillis

class ReplayTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val script = """
        { "name": "Twin", "n_ctx": 512, "turns": [
          { "ask": "Where in May?", "prompt_tokens": 31,
            "pieces": [{ "text": "Lis", "after_ms": 200 }, { "text": "bon", "after_ms": 100 }, { "text": ".", "after_ms": 100 }] },
          { "answer": "I do not know." },
          { "ask": "Long", "pieces": [{ "text": "so", "after_ms": 20 }, { "text": " long", "after_ms": 2000 },
            { "text": " indeed", "after_ms": 600000 }] },
          { "ask": "Full", "fault": "context_full" } ] }
    """

    private fun fast() = Model.replay(script, Double.POSITIVE_INFINITY)

    @Test
    fun `it tells what the script says, when it says so`() = runBlocking<Unit> {
        Model.replay(script).use { model ->
            assertEquals("Twin", model.info.name)
            val chat = model.chat("Be brief.")
            val pieces = mutableListOf<String>()
            val took = measureTimeMillis { chat.stream("Where in May?").collect { pieces += it.text } }
            assertEquals(listOf("Lis", "bon", "."), pieces)
            assertTrue("$took ms", took >= 400)
            val stats = chat.stats
            assertTrue("$stats", stats.timeToFirstTokenMillis >= 200 && stats.promptTokens == 31 && stats.tokens == 3)
            assertTrue("$stats", stats.tokensPerSecond > 0 && stats.tokensPerSecond <= 10)
            assertEquals(End.COMPLETE, stats.end)
            assertEquals(listOf(Role.SYSTEM, Role.USER, Role.ASSISTANT), chat.messages.map { it.role })
            assertEquals("Lisbon.", chat.messages.last().content)
        }
        val took = measureTimeMillis { fast().use { assertEquals("Lisbon.", it.chat().ask("Where in May?")) } }
        assertTrue("$took ms", took < 400)
    }

    @Test
    fun `it stops, cancels, edits and fails as a model does`() = runBlocking<Unit> {
        Model.replay(script, 10.0).use { model ->
            val chat = model.chat()
            val job = launch(Dispatchers.Default) { chat.stream("Long").collect() }
            delay(100)
            thrown<PunaException.Busy> { chat.messages }
            assertTrue(measureTimeMillis { job.cancelAndJoin() } < 1000)
            assertEquals(emptyList<Message>(), chat.messages)
            chat.stream("Long").collect { chat.stop() }
            assertEquals(End.STOPPED, chat.stats.end)
            // The piece that was begun is told to its end.
            assertTrue(chat.messages.last().content in listOf("so", "so long"))
            val e = thrown<PunaException.ContextFull> { chat.ask("Full") }
            assertEquals(512, e.contextTokens)
            assertEquals(2, chat.messages.size)
            assertEquals("Lisbon.", chat.editLast("Where in May?").map { it.text }.toList().joinToString(""))
            assertEquals("Lis", chat.regenerate().first().text)
            assertEquals("Lisbon.", chat.messages.last().content)
            assertEquals("I do not", chat.ask("Anything?") { maxTokens = 3 }.trim())
            assertEquals("Lisbon.", chat.fork().use { it.ask("Where in May?") })
            thrown<PunaException.UnsupportedModel> { model.embedder() }
            model.close()
            thrown<PunaException.Closed> { chat.ask("Where in May?") }
        }
        thrown<PunaException.Refused> { Model.replay("""{"name": "", "turns": []}""").use { it.chat().ask("Hello?") } }
        thrown<PunaException.InvalidOption> { Model.replay("{}") }
        thrown<PunaException.InvalidOption> { Model.replay(script, 0.0) }
    }

    @Test
    fun `it saves and restores`() = runBlocking<Unit> {
        val file = folder.root.resolve("chat")
        fast().use { model ->
            val chat = model.chat("Be brief.", ChatOptions().apply { journal = folder.root.resolve("journal") })
            chat.ask("Where in May?")
            chat.save(file)
            chat.ask("And in June?")
            val messages = chat.messages
            chat.close()
            model.chat { journal = folder.root.resolve("journal") }.use { assertEquals(messages, it.messages) }
            model.restoreChat(file).use { assertEquals(messages.take(3), it.messages) }
            thrown<PunaException.InvalidState> { model.restoreChat(folder.newFile()) }
        }
    }

    @Test
    fun `what a model said is told again`() = runBlocking<Unit> {
        val questions = listOf("Name a colour.", "And another?", "Name a colour.")
        val recorded = withModel { model ->
            val chat = model.chat(null, short(12).apply { record = true })
            val answers = questions.map { chat.ask(it) }
            thrown<PunaException.InvalidOption> { model.chat(null, short()).script() }
            Triple(answers, chat.stats.timeToFirstTokenMillis, chat.script())
        }
        Model.replay(recorded.third).use { model ->
            val chat = model.chat()
            assertEquals(recorded.first, questions.map { chat.ask(it) })
            val first = chat.stats.timeToFirstTokenMillis
            assertTrue("$first ms, recorded ${recorded.second}", first >= recorded.second - 2)
            assertEquals(End.LENGTH, chat.stats.end)
        }
    }
}
