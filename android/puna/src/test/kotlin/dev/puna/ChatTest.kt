package dev.puna

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class ChatTest {
    @Test
    fun `hello world`() = runBlocking<Unit> {
        Model.open(modelPath).use { model ->
            val chat = model.chat("You are a helpful AI assistant.", short(24))
            val answer = chat.ask("What is the capital of France?")
            assertTrue(answer, "Paris" in answer)
            val stats = chat.stats
            assertTrue("$stats", stats.promptTokens > 10 && stats.tokens > 3 && stats.tokensPerSecond > 0)
            assertTrue("$stats", stats.timeToFirstToken.inWholeMicroseconds > 0)
            assertEquals(End.COMPLETE, stats.end)
            val roles = chat.messages.map { it.role }
            assertEquals(listOf(Role.SYSTEM, Role.USER, Role.ASSISTANT), roles)
            assertEquals(answer, chat.messages.last().content)
        }
    }

    @Test
    fun `a stream is the answer in pieces`() = runBlocking<Unit> {
        withModel { model ->
            val whole = model.chat(null, short()).ask("Name three colours.")
            val chat = model.chat(null, short())
            val pieces = chat.stream("Name three colours.").map { it.text }.toList()
            assertTrue("${pieces.size} pieces", pieces.size > 4)
            assertFalse(pieces.any { it.isEmpty() })
            assertEquals(whole, pieces.joinToString(""))
            assertEquals(End.LENGTH, chat.stats.end)
        }
    }

    @Test
    fun `the second turn computes only what is new`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat("Answer in one word. ".repeat(20), short(8))
            chat.ask("Hello?")
            val first = chat.stats.promptTokens
            chat.ask("And now?")
            assertTrue("$first, ${chat.stats}", chat.stats.promptTokens * 3 < first)
            assertEquals(5, chat.messages.size)
            chat.reset()
            assertEquals(listOf(Role.SYSTEM), chat.messages.map { it.role })
        }
    }

    @Test
    fun `a flow is cold`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null, short(4))
            val flow = chat.stream("Hello?")
            assertEquals(0, chat.messages.count { it.role == Role.USER })
            flow.collect()
            flow.collect()
            assertEquals(2, chat.messages.count { it.role == Role.USER })
        }
    }

    @Test
    fun `a slow collector loses nothing and holds the computation back`() = runBlocking<Unit> {
        withModel { model ->
            val fast = model.chat(null, short()).ask("Name three animals.")
            val chat = model.chat(null, short())
            val slow = StringBuilder()
            var collected = 0
            chat.stream("Name three animals.").collect {
                delay(60)
                slow.append(it.text)
                collected += 1
                // A piece may be more than one token, but here none is; one waits, one is computed.
                assertTrue("$collected: ${chat.stats}", chat.stats.tokens <= collected + 2)
            }
            assertEquals(fast, slow.toString())
        }
    }

    @Test
    fun `sessions at once give the answers that they give alone`() = runBlocking<Unit> {
        withModel { model ->
            val questions = listOf("Name a fruit.", "Name a river.", "Name a planet.", "Name a bird.")
            val alone = questions.map { model.chat(null, short(8)).use { chat -> chat.ask(it) } }
            val together = questions.map { question ->
                async(Dispatchers.Default) { model.chat(null, short(8)).use { it.ask(question) } }
            }.awaitAll()
            assertEquals(alone, together)
        }
    }

    @Test
    fun `settings of one answer`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null) { contextTokens = 512 }
            assertEquals(512, chat.contextTokens)
            val answers = listOf(7L, 7L, 8L).map { seed ->
                chat.reset()
                chat.ask("Tell me a story.") {
                    this.seed = seed
                    temperature = 1.5f
                    maxTokens = 12
                }
            }
            assertEquals(answers[0], answers[1])
            assertNotEquals(answers[0], answers[2])
            val cut = chat.ask("Count from 1 to 9.") {
                temperature = 0f
                maxTokens = 40
                stops = listOf("3")
            }
            assertFalse(cut, "3" in cut)
        }
    }

    @Test
    fun `text of any script arrives in whole characters`() = runBlocking<Unit> {
        withModel { model ->
            val question = "Repeat: 🦜👩‍👩‍👧 你好，世界 ďábel नमस्ते"
            val chat = model.chat(null, short(24))
            val asked = chat.stream(question).toList()
            assertEquals(question, chat.messages.first { it.role == Role.USER }.content)
            // So hot that any token may follow any other: characters are cut at the edges of tokens.
            val hot = chat.stream(question) {
                temperature = 100f
                topK = 0
                topP = 1f
                minP = 0f
                seed = 5
                maxTokens = 200
            }.toList()
            for (piece in asked + hot) {
                for ((i, c) in piece.text.withIndex()) {
                    val pair = when {
                        c.isHighSurrogate() -> piece.text.getOrNull(i + 1)?.isLowSurrogate() == true
                        c.isLowSurrogate() -> piece.text.getOrNull(i - 1)?.isHighSurrogate() == true
                        else -> true
                    }
                    assertTrue("half a character: ${piece.text}", pair)
                }
            }
            assertEquals(hot.joinToString(""), chat.messages.last().content)
            assertTrue("no character of several tokens", hot.joinToString("").any { it.code > 0x7ff })
        }
    }

    @Test
    fun `what the model is`() = runBlocking<Unit> {
        withModel { model ->
            val info = model.info
            assertEquals("llama", info.architecture)
            assertTrue("$info", info.parameters in 100_000_000..200_000_000 && info.weightsBytes < info.parameters)
            assertTrue("$info", info.trainedContextTokens >= 2048 && info.vocabularyTokens > 40_000)
            assertEquals(0, model.countTokens(""))
            assertEquals(2, model.countTokens("Hello world"))
        }
    }

    @Test
    fun `the log has lines and no text of the chat`() = runBlocking<Unit> {
        val lines = java.util.Collections.synchronizedList(mutableListOf<String>())
        Log.send(Log.Level.TRACE) { level, target, message ->
            lines += "$level $target $message"
            error("a sink that throws stops nothing")
        }
        withModel { it.chat(null, short(4)).ask("Pfannkuchen?") }
        Log.send(Log.Level.ERROR, null)
        val count = lines.size
        assertTrue("no lines", count > 0)
        assertFalse(lines.any { "Pfannkuchen" in it })
        withModel { }
        assertEquals(count, lines.size)
    }
}
