package dev.puna

import dev.puna.Server.Fault
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import java.net.InetAddress
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.KeyStore
import java.security.MessageDigest
import javax.net.ssl.KeyManagerFactory
import javax.net.ssl.SSLContext
import kotlin.time.Duration.Companion.milliseconds

/** The store, on the platform's own connections to a server on this machine. */
class StoreTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val store by lazy { ModelStore(folder.root) }
    private val bytes = tinyModel()
    private val hash = sha256(bytes)

    private fun sha256(bytes: ByteArray) =
        MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }

    /** A whole GGUF file of one tensor, of a megabyte; no model to be run. */
    private fun tinyModel(): ByteArray {
        val numbers = 1 shl 18
        val head = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN)
        fun text(text: String) = head.putLong(text.length.toLong()).put(text.toByteArray())
        head.put("GGUF".toByteArray()).putInt(3).putLong(1).putLong(1)
        text("general.architecture").putInt(8)
        text("llama")
        text("numbers").putInt(1).putLong(numbers.toLong()).putInt(0).putLong(0)
        head.position((head.position() + 31) / 32 * 32)
        return head.array().copyOf(head.position()) + ByteArray(numbers * 4) { (it * 7).toByte() }
    }

    /** What lies in the store but models and locks: parts of downloads. */
    private fun parts() = folder.root.walk().filter { it.isFile && ".partial" in it.path && it.length() > 0 }.toList()

    @Test
    fun `a whole download, once`() = runBlocking<Unit> {
        Server(bytes).use { server ->
            assertEquals(emptyList<StoredModel>(), store.list())
            val seen = mutableListOf<FetchProgress>()
            val model = store.fetch(server.url, hash) {
                seen += it
                error("what a listener throws stops nothing")
            }
            assertEquals(StoredModel("tiny", model.file, bytes.size.toLong(), hash, server.url), model)
            assertArrayEquals(bytes, model.file.readBytes())
            assertEquals(seen.map { it.received }.sorted(), seen.map { it.received })
            assertEquals(FetchPhase.CHECKING, seen.last().phase)
            assertTrue("$seen", seen.last().run { received == total && total == bytes.size.toLong() })
            assertEquals(listOf(model), store.list())
            assertEquals(model, store.fetch(server.url))
            assertEquals(model, store.fetchBlocking(server.url, hash))
            val (request) = server.asked
            assertEquals("the server was asked once", 1, server.asked.size)
            assertTrue("$request", "accept-encoding: identity" in request)
        }
    }

    @Test
    fun `what is there is verified and removed`() = runBlocking<Unit> {
        Server(bytes).use { store.fetch(it.url) }
        assertEquals(hash, store.verify("tiny").sha256)
        val file = store.list().single().file
        file.writeBytes(bytes.copyOf().also { it[5000] = 1 })
        thrown<PunaException.InvalidModel> { store.verify(hash.take(8)) }
        assertEquals("tiny", store.remove(hash).name)
        assertFalse(file.exists())
        assertEquals(emptyList<StoredModel>(), store.list())
        thrown<PunaException.InvalidOption> { store.remove("tiny") }
        thrown<PunaException.InvalidOption> { store.verifyBlocking("tiny") }
    }

    @Test
    fun `a download that breaks off goes on`() = runBlocking<Unit> {
        Server(bytes).use { server ->
            server.answer = { if (it == 0) Fault.Cut(700_001) else null }
            val phases = mutableSetOf<FetchPhase>()
            assertArrayEquals(bytes, store.fetch(server.url, hash) { phases += it.phase }.file.readBytes())
            val (_, second) = server.asked
            assertTrue("$second", "range: bytes=700001-" in second && "if-range: \"one\"" in second)
            assertTrue("$phases", FetchPhase.PAUSING in phases)
        }
    }

    @Test
    fun `cancelling breaks it off, and keeps what has come`() = runBlocking<Unit> {
        Server(bytes).use { server ->
            val stops = List(5) { 100_001 * (it + 1) }
            server.answer = { stops.getOrNull(it)?.let(Fault::Stall) }
            val millis = stops.map { stop ->
                val there = CompletableDeferred<Unit>()
                val job = async(Dispatchers.Default) {
                    store.fetch(server.url) { if (it.received == stop.toLong()) there.complete(Unit) }
                }
                there.await()
                val started = System.nanoTime()
                job.cancelAndJoin()
                val taken = (System.nanoTime() - started) / 1_000_000
                assertEquals(emptyList<StoredModel>(), store.list())
                assertTrue(parts().any { it.length() == stop.toLong() })
                taken
            }
            assertTrue("$millis ms", millis.min() <= 100 && millis.max() < 5000)
            assertArrayEquals(bytes, store.fetch(server.url).file.readBytes())
            for ((stop, request) in stops.zip(server.asked.drop(1))) {
                assertTrue("$request", "range: bytes=$stop-" in request)
            }
        }
    }

    @Test
    fun `what is proved bad is removed`() = runBlocking<Unit> {
        Server(bytes).use { server ->
            val e = thrown<PunaException.InvalidModel> { store.fetch(server.url, sha256(ByteArray(1))) }
            assertTrue(e.message, hash in e.message!! && "secret" !in e.message!!)
        }
        Server("<html>Log in first</html>".toByteArray()).use { server ->
            thrown<PunaException.InvalidModel> { store.fetch(server.url) }
        }
        assertEquals(emptyList<StoredModel>(), store.list())
        assertEquals(emptyList<File>(), parts())
    }

    @Test
    fun `what servers say`() = runBlocking<Unit> {
        Server(bytes).use { server ->
            suspend fun says(text: String): PunaException.DownloadFailed {
                server.answer = { Fault.Says(text) }
                val e = thrown<PunaException.DownloadFailed> { store.fetch(server.url, tries = 1) }
                assertTrue(e.message, "secret" !in e.message!!)
                return e
            }
            assertEquals(404, says("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nGone").status)
            assertNull(says("220 mail.example ESMTP\r\n").status)
            assertNull(says("").status)
            val before = server.asked.size
            server.answer = { if (it == before) Fault.Says("HTTP/1.1 503 Later\r\n\r\n") else null }
            assertEquals(hash, store.fetch(server.url).sha256)
            assertEquals("it asks again", before + 2, server.asked.size)
        }
    }

    @Test
    fun `where it leads, the runtime judges`() = runBlocking<Unit> {
        Server(bytes).use { server ->
            server.answer = { if (it == 0) Fault.Says("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n") else null }
            assertEquals("tiny", store.fetch(server.url).name)
            assertTrue("${server.asked[1]}", server.asked[1].first().startsWith("get /elsewhere"))
            server.answer = { Fault.Says("HTTP/1.1 302 Found\r\nLocation: http://models.example/a.gguf\r\n\r\n") }
            thrown<PunaException.InvalidOption> { store.fetch(server.url.replace("tiny", "other")) }
        }
    }

    @Test
    fun `no answer at all`() = runBlocking<Unit> {
        Server(bytes).use { server ->
            server.answer = { Fault.Stall(0) }
            val e = thrown<PunaException.DownloadFailed> { store.fetch(server.url, stall = 200.milliseconds, tries = 2) }
            assertTrue(e.message, "nothing came in time" in e.message!!)
            assertEquals(2, server.asked.size)
        }
        val nobody = Server(bytes).also { it.close() }.url
        val e = thrown<PunaException.DownloadFailed> { store.fetch(nobody, tries = 1) }
        assertTrue(e.message, "does not answer" in e.message!!)
    }

    @Test
    fun `a certificate that nobody vouches for`() = runBlocking<Unit> {
        val keys = folder.root.resolve("keys")
        val tool = File(System.getProperty("java.home"), "bin/keytool").path
        val make = "$tool -genkeypair -alias a -keyalg EC -dname CN=localhost -storepass secret -keystore $keys"
        assertEquals(0, ProcessBuilder(make.split(" ")).redirectErrorStream(true).start().apply { inputStream.readBytes() }.waitFor())
        val password = "secret".toCharArray()
        val factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm())
        factory.init(KeyStore.getInstance(keys, password), password)
        val context = SSLContext.getInstance("TLS").apply { init(factory.keyManagers, null, null) }
        val socket = context.serverSocketFactory.createServerSocket(0, 50, InetAddress.getByName("127.0.0.1"))
        Server(bytes, socket).use { server ->
            val e = thrown<PunaException.DownloadFailed> { store.fetch(server.url.replace("http:", "https:")) }
            assertTrue(e.message, "certificate" in e.message!! && "secret" !in e.message!!)
            assertEquals(0, server.asked.size)
        }
    }

    @Test
    fun `what is no address and no hash`() = runBlocking<Unit> {
        for (url in listOf("", "tiny.gguf", "ftp://models.example/a.gguf", "http://models.example/a.gguf")) {
            thrown<PunaException.InvalidOption> { store.fetch(url) }
        }
        thrown<PunaException.InvalidOption> { store.fetch("https://models.example/a.gguf", "abc") }
        thrown<PunaException.InvalidOption> { store.fetch("https://models.example/a.gguf", tries = 0) }
    }
}
