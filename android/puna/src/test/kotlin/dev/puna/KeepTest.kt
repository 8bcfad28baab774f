package dev.puna

import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import java.util.concurrent.TimeUnit

/** What outlives a chat, and its process. */
class KeepTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Test
    fun `a saved chat goes on as if nothing had been`() = runBlocking<Unit> {
        val file = folder.root.resolve("chat.puna")
        val wanted = withModel { model ->
            val chat = model.chat("Answer in one sentence. ".repeat(20), short())
            chat.ask("Name a colour.")
            chat.save(file)
            chat.messages to chat.ask("And another?")
        }
        withModel { model ->
            val chat = model.restoreChat(file, short())
            assertEquals(wanted.first, chat.messages)
            assertEquals(wanted.second, chat.ask("And another?"))
            assertTrue("${chat.stats}", chat.stats.promptTokens < 30)
        }
    }

    @Test
    fun `what is no saved chat says so`() = runBlocking<Unit> {
        withModel { model ->
            thrown<PunaException.Unreadable> { model.restoreChat(File("/nowhere/chat.puna"), short()) }
            val file = folder.newFile().apply { writeText("<html>") }
            thrown<PunaException.InvalidState> { model.restoreChat(file, short()) }
            val chat = model.chat(null, short(4))
            chat.ask("Hello?")
            chat.save(file)
            file.writeBytes(file.readBytes().also { it[it.size / 2] = (it[it.size / 2] + 1).toByte() })
            thrown<PunaException.InvalidState> { model.restoreChat(file, short()) }
            thrown<PunaException.Unwritable> { chat.save(File("/nowhere/chat.puna")) }
            chat.save(file)
            thrown<PunaException.InvalidOption> { model.restoreChat(file, short().apply { contextTokens = 4 }) }
            thrown<PunaException.InvalidOption> { model.restoreChat(file, short().apply { kv = KvStorage.Q8 }) }
        }
    }

    @Test
    fun `a journal has one chat at a time`() = runBlocking<Unit> {
        withModel { model ->
            fun journal() = model.chat(null, short(4).apply { journal = folder.root })
            val chat = journal()
            chat.ask("Hello?")
            val e = thrown<PunaException.InUse> { journal() }
            assertEquals(folder.root.path, e.folder)
            val before = chat.messages
            chat.close()
            journal().use { assertEquals(before, it.messages) }
            thrown<PunaException.InvalidOption> { model.prewarm("Hi.", options = short().apply { journal = folder.root }) }
        }
    }

    @Test
    fun `a killed chat goes on after its last whole turn`() = runBlocking<Unit> {
        val java = File(System.getProperty("java.home"), "bin/java").path
        val command = listOf(
            java, "-Xmx256m", "-cp", System.getProperty("java.class.path"), "dev.puna.KeepTestKt", folder.root.path,
        )
        val process = ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        val lines = process.inputStream.bufferedReader()
        val answer = generateSequence { lines.readLine() }.first { it.startsWith("first: ") }.removePrefix("first: ")
        // It is in the middle of its second answer now.
        assertEquals("answering", generateSequence { lines.readLine() }.first { it == "answering" })
        process.destroyForcibly()
        assertTrue(process.waitFor(20, TimeUnit.SECONDS))
        withModel { model ->
            model.chat(null, short().apply { journal = folder.root }).use { chat ->
                assertEquals(listOf(Role.SYSTEM, Role.USER, Role.ASSISTANT), chat.messages.map { it.role })
                assertEquals("Be brief.", chat.messages.first().content)
                assertEquals(answer, chat.messages.last().content.replace("\n", "\\n"))
                assertTrue(chat.ask("And another?").isNotEmpty())
                // Computed: the new question, and no word of the old turns.
                assertTrue("${chat.stats}", chat.stats.promptTokens < 20)
            }
        }
    }

    @Test
    fun `a prefix is computed once`() = runBlocking<Unit> {
        val system = "Answer in one sentence. ".repeat(30)
        val wanted = withModel { it.chat(system, short()).ask("Name a river.") }
        withModel { model ->
            val prewarmed = model.prewarm(system, folder.root, short())
            val chats = List(2) { prewarmed.chat() }
            prewarmed.close()
            prewarmed.close()
            thrown<PunaException.Closed> { prewarmed.chat() }
            for (chat in chats) {
                assertEquals(wanted, chat.ask("Name a river."))
                assertTrue("${chat.stats}", chat.stats.promptTokens < 20)
            }
        }
        assertEquals(1, folder.root.list()!!.size)
        withModel { model ->
            val kept = model.prewarmBlocking(system, folder.root, short())
            assertEquals(wanted, kept.chat().ask("Name a river."))
            model.close()
            thrown<PunaException.Closed> { kept.chat() }
        }
    }
}

/** Chats into the journal in the folder that is its argument, until it is killed. */
fun main(arguments: Array<String>) = runBlocking<Unit> {
    Model.open(modelPath).use { model ->
        val chat = model.chat("Be brief.", short(500).apply { journal = File(arguments[0]) })
        println("first: " + chat.ask("Name a colour.") { maxTokens = 12 }.replace("\n", "\\n"))
        chat.stream("Tell me a very long story.").collect {
            if (chat.stats.tokens == 3) println("answering")
        }
        Thread.sleep(60_000)
    }
}
