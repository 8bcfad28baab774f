package dev.puna

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class LifetimeTest {
    @Test
    fun `memory, files and threads come back after 200 cycles`() = runBlocking<Unit> {
        suspend fun cycle() = withModel { model ->
            val chat = model.chat(null, short(2).apply { threads = 2 })
            assertTrue(chat.ask("Hello?").isNotEmpty())
        }
        repeat(20) { cycle() }
        val before = settled()
        repeat(200) { cycle() }
        val after = settled()
        println("after 20 cycles: $before; after 220: $after")
        // A leak of one chat's cache (23 MB) in ten cycles would be 460 MB.
        assertTrue("$before → $after", after.ownKiB <= before.ownKiB * 105 / 100 + 8 * 1024)
        assertEquals(before.files, after.files)
        assertTrue("$before → $after", after.threads <= before.threads + 4)
    }

    @Test
    fun `what is never closed goes with the garbage`() = runBlocking<Unit> {
        settled()
        val files = openFiles()
        val threads = threads()
        repeat(8) {
            val model = Model.openBlocking(modelPath)
            repeat(3) { model.chat(null, short().apply { this.threads = 2 }) }
        }
        assertTrue("${openFiles()} files", openFiles() >= files + 8)
        assertTrue("${threads()} threads", threads() >= threads + 24)
        for (i in 1..100) {
            System.gc()
            delay(50)
            if (openFiles() <= files && threads() <= threads + 4) return@runBlocking
        }
        assertEquals("files", files, openFiles())
        assertEquals("threads", threads, threads())
    }

    @Test
    fun `closing twice is harmless, and later calls say so`() = runBlocking<Unit> {
        val model = Model.open(modelPath)
        val chat = model.chat(null, short())
        val other = model.chat(null, short())
        chat.close()
        chat.close()
        thrown<PunaException.Closed> { chat.ask("Hello?") }
        thrown<PunaException.Closed> { chat.messages }
        thrown<PunaException.Closed> { chat.reset() }
        assertTrue(other.ask("Hello?") { maxTokens = 2 }.isNotEmpty())
        model.close()
        model.close()
        thrown<PunaException.Closed> { other.ask("Hello?") }
        thrown<PunaException.Closed> { model.chat() }
        thrown<PunaException.Closed> { model.info }
        thrown<PunaException.Closed> { model.countTokens("") }
        chat.stop()
    }

    @Test
    fun `closing a model ends its answers`() = runBlocking<Unit> {
        val model = Model.open(modelPath)
        val chat = model.chat(null, short(500))
        var pieces = 0
        thrown<PunaException.Closed> {
            chat.stream("Tell me a long story.").collect {
                pieces += 1
                if (pieces == 3) model.close()
            }
        }
        assertTrue("$pieces", pieces in 3..5)
    }

    @Test
    fun `use from many threads at once`() = runBlocking<Unit> {
        withModel { model ->
            val chat = model.chat(null, short(6))
            val results = List(8) {
                async(Dispatchers.IO) {
                    runCatching { repeat(20) { chat.stats; chat.stop(); model.info }; chat.ask("Hello?") }
                }
            }.map { it.await() }
            for (failure in results.mapNotNull { it.exceptionOrNull() }) {
                assertTrue("$failure", failure is PunaException.Busy || failure is PunaException.Cancelled)
            }
            assertTrue(chat.ask("Hello?").isNotEmpty())
        }
    }

    private data class Held(val ownKiB: Long, val files: Int, val threads: Long)

    /** What this process holds, once it has had time to let go. */
    private suspend fun settled(): Held {
        repeat(5) {
            System.gc()
            delay(100)
        }
        return Held(ownKiB(), openFiles(), threads())
    }
}
