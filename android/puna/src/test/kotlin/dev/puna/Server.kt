package dev.puna

import java.io.OutputStream
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import kotlin.concurrent.thread

/** A server on this machine, which has [file] at each address, and does wrong what a test tells it. */
internal class Server(
    private val file: ByteArray,
    private val socket: ServerSocket = ServerSocket(0, 50, InetAddress.getByName("127.0.0.1")),
) : AutoCloseable {
    /** Where the file is; what follows the question mark is to be told to nobody. */
    val url = "http://127.0.0.1:${socket.localPort}/tiny.gguf?key=secret"

    /** The requests, line by line, with names in lower case. */
    val asked = CopyOnWriteArrayList<List<String>>()

    /** In place of the usual answer to the request with this number, from 0. */
    @Volatile
    var answer: (Int) -> Fault? = { null }

    /** What goes wrong. */
    sealed interface Fault {
        /** The body ends after so many bytes of the file. */
        class Cut(val at: Int) : Fault

        /** After so many bytes of the file nothing comes any more, until the server is closed. */
        class Stall(val at: Int) : Fault

        /** Something else is said. */
        class Says(val text: String) : Fault
    }

    private val closed = CountDownLatch(1)

    init {
        thread(isDaemon = true) {
            while (true) {
                val client = runCatching { socket.accept() }.getOrNull() ?: break
                // One that goes away in the middle is no fault of the server's.
                thread(isDaemon = true) { runCatching { client.use { serve(it) } } }
            }
        }
    }

    private fun serve(client: Socket) {
        val reader = client.getInputStream().bufferedReader()
        val lines = generateSequence { reader.readLine()?.takeIf { it.isNotEmpty() } }.toList()
        val number = synchronized(asked) {
            asked += lines.map { line -> line.substringBefore(':').let { it.lowercase() + line.removePrefix(it) } }
            asked.size - 1
        }
        val from = lines.firstOrNull { it.startsWith("range: bytes=", ignoreCase = true) }
            ?.substringAfter('=')?.removeSuffix("-")?.toInt() ?: 0
        val out = client.getOutputStream()
        val fault = answer(number)
        if (fault is Fault.Says) return out.write(fault.text.toByteArray())
        val status = if (from == 0) "200 OK" else "206 Partial Content\r\nContent-Range: bytes $from-${file.lastIndex}/${file.size}"
        out.write("HTTP/1.1 $status\r\nETag: \"one\"\r\nContent-Length: ${file.size - from}\r\n\r\n".toByteArray())
        when (fault) {
            is Fault.Cut -> out.part(from, fault.at)
            is Fault.Stall -> {
                out.part(from, fault.at)
                closed.await()
            }
            else -> out.part(from, file.size)
        }
    }

    private fun OutputStream.part(from: Int, to: Int) {
        write(file, from, to - from)
        flush()
    }

    override fun close() {
        closed.countDown()
        socket.close()
    }
}
