package dev.puna

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import java.io.IOException
import java.io.RandomAccessFile

class SourceTest {
    @get:Rule
    val folder = TemporaryFolder()

    private open class FromFile(path: String) : ByteSource {
        private val file = RandomAccessFile(path, "r")
        override val length = file.length()

        override fun read(offset: Long, length: Int): ByteArray {
            file.seek(offset)
            return ByteArray(length).also { file.readFully(it) }
        }
    }

    @Test
    fun `a model that the app reads`() = runBlocking<Unit> {
        val seen = mutableListOf<Long>()
        val length = File(modelPath).length()
        Model.open(FromFile(modelPath), folder.root) { done, total ->
            seen += done
            assertEquals(length, total)
        }.use { model ->
            assertEquals(seen.sorted(), seen)
            assertEquals(length, seen.last())
            assertEquals("a file without a name", 0, folder.root.list()!!.size)
            val wanted = Model.open(modelPath).use { it.chat(null, short(6)).ask("Hello?") }
            assertEquals(wanted, model.chat(null, short(6)).ask("Hello?"))
        }
    }

    @Test
    fun `a source that fails is the cause`() = runBlocking<Unit> {
        val gone = IOException("the network is gone")
        val source = object : FromFile(modelPath) {
            override fun read(offset: Long, length: Int) =
                if (offset > 5_000_000) throw gone else super.read(offset, length)
        }
        val e = thrown<PunaException.Unreadable> { Model.open(source, folder.root) }
        assertSame(gone, e.cause)
        assertTrue(e.message, "the network is gone" in e.message!!)
        val short = object : FromFile(modelPath) {
            override fun read(offset: Long, length: Int) = ByteArray(0)
        }
        thrown<PunaException.Unreadable> { Model.open(short, folder.root) }
    }

    @Test
    fun `cancelling ends the copy`() = runBlocking<Unit> {
        val begun = CompletableDeferred<Unit>()
        val seen = mutableListOf<Long>()
        val job = async(Dispatchers.Default) {
            Model.open(FromFile(modelPath), folder.root) { done, _ ->
                seen += done
                begun.complete(Unit)
                Thread.sleep(5)
            }
        }
        begun.await()
        job.cancelAndJoin()
        assertFalse(seen.last() == File(modelPath).length())
        assertTrue("${job.isCancelled}", job.isCancelled)
        assertEquals(0, folder.root.list()!!.size)
    }
}
