package dev.puna

import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.ByteArrayOutputStream
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

class ErrorTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Test
    fun `a file that is not there`() = runBlocking<Unit> {
        val e = thrown<PunaException.Unreadable> { Model.open("/nowhere/model.gguf") }
        assertTrue(e.message, "/nowhere/model.gguf" in e.message!!)
    }

    @Test
    fun `a file that is no model`() = runBlocking<Unit> {
        val e = thrown<PunaException.InvalidModel> { Model.open(file("<html>not found</html>".toByteArray())) }
        assertEquals(0L, e.offset)
        assertTrue(e.message, "GGUF" in e.message!!)
    }

    @Test
    fun `a download that broke off`() = runBlocking<Unit> {
        val part = File(modelPath).inputStream().use { it.readNBytes(10_000) }
        val e = thrown<PunaException.InvalidModel> { Model.open(file(part)) }
        assertTrue("${e.offset}", e.offset!! in 1..10_000)
    }

    @Test
    fun `a model of another kind`() = runBlocking<Unit> {
        val e = thrown<PunaException.UnsupportedModel> { Model.open(file(gguf("general.architecture", "mamba"))) }
        assertTrue(e.message, "mamba" in e.message!!)
    }

    @Test
    fun `a model whose terms nobody has accepted`() = runBlocking<Unit> {
        val model = file(underLlamasLicence())
        val licences = folder.newFolder()
        val e = thrown<PunaException.LicenceNotAccepted> { Model.open(model, licences) }
        assertEquals("llama3.1", e.id)
        val licence = Licence.of(e.id)!!
        assertTrue("$licence", licence.terms!!.startsWith("https://") && licence.usePolicy != null)
        licence.accept("a person", licences)
        Model.open(model, licences).use { assertTrue(it.countTokens("Hello?") > 0) }
        thrown<PunaException.LicenceNotAccepted> { Model.open(model, folder.newFolder()) }
        assertEquals(null, Licence.of("apache-2.0"))
    }

    @Test
    fun `a message that does not fit`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null, short().apply { contextTokens = 64 })
            val e = thrown<PunaException.ContextFull> { chat.ask("word ".repeat(200)) }
            assertEquals(64, e.contextTokens)
            assertTrue("${e.wanted}", e.wanted > 200 && e.used == 0)
            assertTrue(chat.ask("Hi") { maxTokens = 4 }.isNotEmpty())
        }
    }

    @Test
    fun `an answer that fills the context ends there`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null, short(500).apply { contextTokens = 64 })
            chat.ask("Tell me a long story.")
            assertEquals(End.CONTEXT_FULL, chat.stats.end)
        }
    }

    @Test
    fun `settings out of range`() = runBlocking<Unit> {
        withModel { model ->
            thrown<PunaException.InvalidOption> { model.chat(null) { contextTokens = 0 } }
            thrown<PunaException.InvalidOption> { model.chat(null) { contextTokens = 1_000_000_000 } }
            thrown<PunaException.InvalidOption> { model.chat(null) { threads = -1 } }
            val chat = model.chat(null, short())
            val e = thrown<PunaException.InvalidOption> { chat.ask("Hello?") { temperature = -1f } }
            assertTrue(e.message, "temperature" in e.message!!)
            thrown<PunaException.InvalidOption> { chat.ask("Hello?") { topP = 2f } }
            thrown<PunaException.InvalidOption> { chat.ask("Hello?") { topK = -1 } }
            assertEquals(0, chat.messages.count { it.role != Role.SYSTEM })
        }
    }

    @Test
    fun `one answer at a time`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null, short())
            var pieces = 0
            chat.stream("Name a colour.").collect {
                pieces += 1
                // The runtime is ahead of the collector: at the last pieces it may be done.
                if (pieces == 1) {
                    thrown<PunaException.Busy> { chat.stream("And now?").first() }
                    thrown<PunaException.Busy> { chat.messages }
                    thrown<PunaException.Busy> { chat.reset() }
                }
            }
            assertEquals(2, chat.messages.count { it.role != Role.SYSTEM })
        }
    }

    @Test
    fun `no error shows what was said`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null, short().apply { contextTokens = 64 })
            val e = thrown<PunaException> { chat.ask("Pfannkuchen ".repeat(100)) }
            assertFalse(e.toString(), "Pfannkuchen" in e.stackTraceToString())
        }
    }

    private fun file(bytes: ByteArray): String = folder.newFile().apply { writeBytes(bytes) }.path

    /** A GGUF file without tensors that says one thing. */
    private fun gguf(key: String, text: String): ByteArray {
        val out = ByteArrayOutputStream()
        fun put(size: Int, fill: ByteBuffer.() -> Unit) =
            out.write(ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN).apply(fill).array())
        fun put(text: String) {
            put(8) { putLong(text.length.toLong()) }
            out.write(text.toByteArray())
        }
        out.write("GGUF".toByteArray())
        put(20) { putInt(3).putLong(0).putLong(1) }
        put(key)
        put(4) { putInt(8) }
        put(text)
        return out.toByteArray()
    }
}
