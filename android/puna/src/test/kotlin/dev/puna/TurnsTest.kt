package dev.puna

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import kotlin.time.Duration.Companion.milliseconds

class TurnsTest {
    private suspend fun text(answer: kotlinx.coroutines.flow.Flow<Piece>) = answer.map { it.text }.toList().joinToString("")

    @Test
    fun `the last turn again, and with other words`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat("Answer in one sentence. ".repeat(20), short())
            thrown<PunaException.NoTurn> { chat.regenerate().collect() }
            thrown<PunaException.NoTurn> { chat.editLast("Hello?").collect() }
            val first = chat.ask("Name a colour.")
            assertEquals(first, text(chat.regenerate()))
            assertTrue("${chat.stats}", chat.stats.promptTokens <= 1)
            val other = text(chat.editLast("Name an animal."))
            assertTrue("${chat.stats}", chat.stats.promptTokens in 1..20)
            assertEquals(listOf("Name an animal.", other), chat.messages.drop(1).map { it.content })
            assertEquals(model.chat("Answer in one sentence. ".repeat(20), short()).ask("Name an animal."), other)
        }
    }

    @Test
    fun `a turn that is edited comes back when the edit is cancelled`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null, short(100))
            chat.ask("Name a colour.") { maxTokens = 8 }
            val before = chat.messages
            chat.editLast("Tell me a long story.").first()
            assertEquals(before, chat.messages)
            chat.regenerate().first()
            assertEquals(before, chat.messages)
        }
    }

    @Test
    fun `a fork goes its own way`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null, short())
            chat.ask("Name a colour.")
            val fork = chat.fork()
            val there = fork.ask("Another one?")
            assertEquals(2, chat.messages.count { it.role != Role.SYSTEM })
            assertEquals(there, chat.ask("Another one?"))
            chat.close()
            assertTrue(fork.ask("And one more?").isNotEmpty())
            model.close()
            thrown<PunaException.Closed> { fork.messages }
        }
    }

    @Test
    fun `a deadline takes the turn back`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null, short(1000))
            val question = "The quick brown fox jumps over the lazy dog. ".repeat(70)
            thrown<PunaException.DeadlineExceeded> { chat.ask(question) { timeout = 60.milliseconds } }
            assertEquals(0, chat.messages.count { it.role != Role.SYSTEM })
            var pieces = 0
            thrown<PunaException.DeadlineExceeded> {
                chat.stream("Tell me a long story.") { timeoutMillis = 3000 }.collect {
                    pieces += 1
                    delay(50)
                }
            }
            assertTrue("$pieces", pieces > 0)
            assertEquals(0, chat.messages.count { it.role != Role.SYSTEM })
            assertTrue(chat.ask("Hello?") { maxTokens = 4 }.isNotEmpty())
        }
    }

    @Test
    fun `a full chat goes on without its oldest turns`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat("Be brief.", short(24).apply {
                contextTokens = 128
                answer.whenFull = WhenFull.DROP_OLDEST
            })
            for (turn in 1..5) chat.ask("This is question number $turn. What is $turn and $turn?")
            val messages = chat.messages
            assertEquals(Role.SYSTEM, messages.first().role)
            assertTrue("${messages.size} messages", messages.size < 1 + 2 * 5)
            assertTrue("question number 5" in messages[messages.size - 2].content)
            assertTrue("${chat.usedTokens}", chat.usedTokens in 1..128)
            // The same turns with the other setting.
            val strict = model.chat("Be brief.", short(24).apply { contextTokens = 128 })
            thrown<PunaException.ContextFull> {
                for (turn in 1..5) strict.ask("This is question number $turn. What is $turn and $turn?")
            }
        }
    }

    @Test
    fun `memory that was given back changes nothing`() = runBlocking<Unit> {
        withModel { model ->
            val (trimmed, other) = List(2) { model.chat(null, short()) }
            for (question in listOf("Name a fruit.", "Another one?", "And one more?")) {
                for (level in TrimLevel.entries) trimmed.trim(level)
                model.trim()
                assertEquals(other.ask(question), trimmed.ask(question))
            }
        }
    }

    @Test
    fun `a disk that takes no cache loses nothing`() = runBlocking<Unit> {
        withModel { model ->
            val wanted = model.chat(null, short()).run { ask("Name a fruit."); ask("Another one?") }
            val chat = model.chat(null, short().apply { trimFolder = java.io.File("/proc/nowhere") })
            chat.ask("Name a fruit.")
            chat.trim(TrimLevel.BUFFERS)
            thrown<PunaException.Unwritable> { chat.trim(TrimLevel.CACHE) }
            thrown<PunaException.Unwritable> { model.trim() }
            assertEquals(wanted, chat.ask("Another one?"))
        }
    }

    @Test
    fun `trimming while it answers disturbs nothing`() = runBlocking<Unit> {
        withModel { model ->
            val wanted = model.chat(null, short()).ask("Name three animals.")
            val chat = model.chat(null, short())
            val got = StringBuilder()
            chat.stream("Name three animals.").collect {
                model.trim()
                chat.trim()
                got.append(it.text)
            }
            assertEquals(wanted, got.toString())
        }
    }

    @Test
    fun `a pause computes nothing and loses nothing`() = runBlocking<Unit> {
        withModel { model ->
            val wanted = model.chat(null, short(24)).ask("Name three animals.")
            val chat = model.chat(null, short(24))
            val paused = MutableStateFlow(false)
            val got = StringBuilder()
            val job = launch(Dispatchers.Default) {
                chat.stream("Name three animals.").pauseWhile(paused).collect {
                    got.append(it.text)
                    if (chat.stats.tokens == 5) paused.value = true
                }
            }
            paused.first { it }
            delay(2000)
            // One piece waits, and one was begun.
            assertTrue("${chat.stats}", chat.stats.tokens <= 7)
            assertNotEquals(wanted, got.toString())
            paused.value = false
            job.join()
            assertEquals(wanted, got.toString())
        }
    }
}
