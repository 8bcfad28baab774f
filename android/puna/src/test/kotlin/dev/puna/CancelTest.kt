package dev.puna

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

class CancelTest {
    private val long = "The quick brown fox jumps over the lazy dog. ".repeat(70)

    @Test
    fun `while it reads the question`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null, short())
            // Untouched, it takes much longer than it may take to stop.
            assertNull(withTimeoutOrNull(150) { chat.ask(long) })
            val best = (1..5).minOf {
                val job = launch(Dispatchers.Default) { chat.stream(long).collect() }
                delay(50L + 20 * it)
                millis { job.cancelAndJoin() }
            }
            assertTrue("$best ms", best <= 100)
            assertEquals(0, chat.messages.count { it.role != Role.SYSTEM })
            assertTrue(chat.ask("Hello?").isNotEmpty())
        }
    }

    @Test
    fun `while it answers`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null, short(500))
            val best = (1..5).minOf {
                val begun = CompletableDeferred<Unit>()
                val job = launch(Dispatchers.Default) {
                    chat.stream("Tell me a long story.").collect { begun.complete(Unit) }
                }
                begun.await()
                millis { job.cancelAndJoin() }
            }
            assertTrue("$best ms", best <= 100)
            assertEquals(0, chat.messages.count { it.role != Role.SYSTEM })
            assertEquals(model.chat(null, short()).ask("Hello?"), chat.ask("Hello?") { maxTokens = 16 })
        }
    }

    @Test
    fun `taking one piece ends the answer`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null, short(500))
            val one = chat.stream("Name a colour.").take(1).toList()
            assertEquals(1, one.size)
            // The chat is free at once, and as it was.
            assertEquals(0, chat.messages.count { it.role != Role.SYSTEM })
            assertEquals(one[0].text, chat.stream("Name a colour.").first().text)
        }
    }

    @Test
    fun `an exception of the collector ends the answer`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null, short(500))
            val e = thrown<IllegalStateException> {
                chat.stream("Name a colour.").collect { error("the app's own") }
            }
            assertEquals("the app's own", e.message)
            assertTrue(chat.ask("Hello?") { maxTokens = 4 }.isNotEmpty())
        }
    }

    @Test
    fun `stop keeps what has come`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null, short(500))
            val pieces = mutableListOf<String>()
            chat.stream("Tell me a long story.").collect {
                pieces += it.text
                if (pieces.size == 5) chat.stop()
            }
            assertTrue("${pieces.size}", pieces.size in 5..8)
            assertEquals(End.STOPPED, chat.stats.end)
            assertEquals(pieces.joinToString(""), chat.messages.last().content)
            assertTrue(chat.ask("Go on.") { maxTokens = 4 }.isNotEmpty())
        }
    }

    @Test
    fun `a model that nobody waits for is closed`() = runBlocking<Unit> {
        val files = openFiles()
        repeat(10) {
            val job = launch(Dispatchers.Default) { Model.open(modelPath).close() }
            delay(it.toLong())
            job.cancelAndJoin()
        }
        assertNotNull(withTimeoutOrNull(5_000) { while (openFiles() > files) delay(20) })
    }

    private inline fun millis(work: () -> Unit): Long {
        val start = System.nanoTime()
        work()
        return (System.nanoTime() - start) / 1_000_000
    }
}
