package dev.puna

import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.util.concurrent.TimeUnit

class PlanTest {
    @Test
    fun `a plan says what a chat needs`() = runBlocking<Unit> {
        withModel { model ->
            val plan = model.plan { contextTokens = 1024 }
            assertEquals(plan.weightsBytes + plan.kvBytes + plan.scratchBytes, plan.needs)
            assertEquals(1024, plan.contextTokens)
            assertEquals(model.info.weightsBytes, plan.weightsBytes)
            assertTrue("$plan", plan.threads > 0)
            val quarter = model.plan { contextTokens = 1024; kv = KvStorage.Q4 }
            assertTrue("$plan, $quarter", quarter.kvBytes * 3 < plan.kvBytes)
            thrown<PunaException.InvalidOption> { model.plan { contextTokens = 0 } }
        }
    }

    @Test
    fun `a chat that does not fit is refused`() {
        // In a process that may have little: its own limit of address space stands for a small phone's memory.
        val java = File(System.getProperty("java.home"), "bin/java").path
        val call = listOf(
            java, "-Xmx64m", "-XX:ReservedCodeCacheSize=32m", "-XX:+UseSerialGC", "-XX:CompressedClassSpaceSize=32m",
            "-cp", System.getProperty("java.class.path"), "dev.puna.PlanTestKt",
        ).joinToString(" ") { "'$it'" }
        val process = ProcessBuilder("sh", "-c", "ulimit -d 700000; exec $call").redirectErrorStream(true).start()
        val output = process.inputStream.bufferedReader().readText()
        assertTrue(output, process.waitFor(60, TimeUnit.SECONDS) && process.exitValue() == 0)
        assertTrue(output, "and not when they were closed" in output)
    }
}

/** Opens chats until this process has no room for another. */
fun main() = runBlocking<Unit> {
    withModel { model ->
        val most = ChatOptions().apply { contextTokens = model.info.trainedContextTokens; threads = 1 }
        val chats = mutableListOf<Chat>()
        var refused: PunaException.DoesNotFit? = null
        while (refused == null && chats.size < 50) {
            val plan = model.plan(most)
            try {
                chats += model.chat(null, most)
                check(plan.fits) { "opened in spite of $plan" }
            } catch (e: PunaException.DoesNotFit) {
                check(!plan.fits) { "refused in spite of $plan" }
                refused = e
            }
        }
        checkNotNull(refused) { "${chats.size} chats fit: ${model.plan(most)}" }
        check(refused.needs > refused.has && refused.has > 0) { "$refused" }
        chats.forEach { it.close() }
        model.chat(null, most).use { it.ask("Hello?") { maxTokens = 1 } }
        println("refused after ${chats.size} chats, and not when they were closed: $refused")
    }
}
