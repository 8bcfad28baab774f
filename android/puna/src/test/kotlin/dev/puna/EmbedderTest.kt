package dev.puna

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import kotlin.math.abs
import kotlin.math.sqrt

class EmbedderTest {
    private infix fun FloatArray.dot(other: FloatArray) = indices.sumOf { (this[it] * other[it]).toDouble() }

    @Test
    fun `texts of like meaning point the same way`() = runBlocking<Unit> {
        withModel { model ->
            val embedder = model.embedder(EmbedderOptions().apply { contextTokens = 128 })
            val cat = embedder.embed("A cat sits on the mat.")
            assertTrue("${cat dot cat}", abs(sqrt(cat dot cat) - 1) < 1e-3)
            val kitten = embedder.embedBlocking("A kitten lies on the rug.")
            val tax = embedder.embed("Taxes are due in April.")
            assertTrue("${cat dot kitten} ${cat dot tax}", (cat dot kitten) > (cat dot tax))
            assertArrayEquals(cat, embedder.embed("A cat sits on the mat."), 0f)
            model.trim()
            assertArrayEquals(cat, embedder.embed("A cat sits on the mat."), 0f)
            thrown<PunaException.ContextFull> { embedder.embed("word ".repeat(500)) }
            thrown<PunaException.InvalidOption> { embedder.embed("") }
            val last = model.embedder(EmbedderOptions().apply { pooling = Pooling.LAST; normalize = false })
            assertTrue(abs(last.embed("A cat.").let { it dot it } - 1) > 1e-3)
            embedder.close()
            embedder.close()
            thrown<PunaException.Closed> { embedder.embed("A cat.") }
        }
    }

    @Test
    fun `cancelling and closing stop it`() = runBlocking<Unit> {
        val model = Model.open(modelPath)
        val embedder = model.embedder()
        val long = "The quick brown fox jumps over the lazy dog. ".repeat(180)
        val job = async(Dispatchers.Default) { embedder.embed(long) }
        delay(100)
        job.cancel()
        job.join()
        assertTrue(job.isCancelled)
        val other = async(Dispatchers.Default) { runCatching { embedder.embed(long) } }
        delay(100)
        model.close()
        assertTrue("${other.await()}", other.await().exceptionOrNull() is PunaException.Closed)
    }

    @Test
    fun `tokens and back`() = runBlocking<Unit> {
        withModel { model ->
            val text = "Grüße, 世界! 🦜 <|im_end|>"
            val tokens = model.tokenizer.encode(text)
            assertEquals(tokens.size, model.tokenizer.count(text))
            assertEquals(text, model.tokenizer.decode(tokens))
            thrown<PunaException.InvalidOption> { model.tokenizer.decode(intArrayOf(-1)) }
        }
    }

    @Test
    fun `preloading tells how far it is`() = runBlocking<Unit> {
        withModel { model ->
            val seen = mutableListOf<Long>()
            model.preload { done, total ->
                seen += done
                assertEquals(model.info.weightsBytes, total)
                error("what a listener throws stops nothing")
            }
            assertEquals(seen.sorted(), seen)
            assertEquals(model.info.weightsBytes, seen.last())
        }
    }

    @Test
    fun `opening tells how far it is, and can be cancelled`() = runBlocking<Unit> {
        val seen = mutableListOf<Long>()
        Model.open(modelPath) { done, _ -> seen += done }.use {
            assertEquals(it.info.weightsBytes, seen.last())
            assertTrue("$seen", seen.size > 2)
        }
        val maps = maps()
        val begun = CompletableDeferred<Unit>()
        val job = async(Dispatchers.Default) {
            Model.open(modelPath) { done, _ ->
                seen += done
                begun.complete(Unit)
                Thread.sleep(20)
            }
        }
        begun.await()
        job.cancelAndJoin()
        assertTrue("it stopped in the middle", seen.last() < File(modelPath).length() / 2)
        assertTrue("the model is closed", maps() <= maps)
    }

    /** How often the model's file is mapped. */
    private fun maps() = File("/proc/self/maps").readLines().count { File(modelPath).name in it }
}
