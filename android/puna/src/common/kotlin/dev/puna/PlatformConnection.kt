package dev.puna

import dev.puna.ffi.HttpConnection
import dev.puna.ffi.HttpException
import dev.puna.ffi.HttpHead
import dev.puna.ffi.HttpHeader
import java.io.IOException
import java.io.InputStream
import java.net.ConnectException
import java.net.HttpURLConnection
import java.net.MalformedURLException
import java.net.ProtocolException
import java.net.SocketTimeoutException
import java.net.URL
import java.net.UnknownHostException
import java.net.UnknownServiceException
import java.security.cert.CertPathValidatorException
import java.security.cert.CertificateException
import java.util.concurrent.Callable
import java.util.concurrent.CancellationException
import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors
import java.util.concurrent.Future
import java.util.concurrent.RejectedExecutionException
import javax.net.ssl.SSLException
import javax.net.ssl.SSLPeerUnverifiedException
import kotlin.concurrent.thread

/**
 * One download's way to servers, by the platform's own HTTP.
 *
 * Nothing interrupts a thread that waits for a socket, and to close the connection may wait for that thread. So a
 * thread of its own waits, and whoever asks waits for it, until [abort].
 */
internal class PlatformConnection : HttpConnection, AutoCloseable {
    private val worker = Executors.newSingleThreadExecutor { work ->
        Thread(work, "puna-download").apply { isDaemon = true }
    }
    private val lock = Any()
    private var closed = false
    private var waiting: Future<*>? = null

    /** What was asked last, and its body. */
    @Volatile
    private var asked: HttpURLConnection? = null
    private var body: InputStream? = null

    override fun get(url: String, headers: List<HttpHeader>, stallSeconds: Double): HttpHead = waitFor {
        asked?.disconnect()
        val stall = (stallSeconds * 1000).coerceIn(1.0, Int.MAX_VALUE.toDouble()).toInt()
        val connection = URL(url).openConnection() as? HttpURLConnection ?: throw HttpException.Unusable()
        asked = connection
        connection.run {
            connectTimeout = stall
            readTimeout = stall
            instanceFollowRedirects = false
            useCaches = false
            setRequestProperty("Connection", "close")
            for (line in headers) setRequestProperty(line.name, line.value)
        }
        val status = connection.responseCode
        if (status !in 100..999) throw HttpException.Unusable()
        // The body of a refusal is not asked for.
        body = if (status < 400) connection.inputStream else null
        val lines = connection.headerFields.orEmpty().filterKeys { it != null }
        HttpHead(status.toUShort(), lines.flatMap { (name, values) -> values.map { HttpHeader(name, it) } })
    }

    override fun read(length: UInt): ByteArray = waitFor {
        val bytes = ByteArray(length.coerceAtMost(MOST).toInt())
        val count = try {
            body?.read(bytes) ?: -1
        } catch (e: ProtocolException) {
            // As Android says it; elsewhere the body just ends, and the runtime counts.
            throw HttpException.Broken("the server closed too early")
        }
        if (count == bytes.size) bytes else bytes.copyOf(count.coerceAtLeast(0))
    }

    override fun abort() {
        synchronized(lock) {
            if (closed) return
            closed = true
            worker.shutdown()
            waiting?.cancel(true)
        }
        thread(isDaemon = true, name = "puna-disconnect") { asked?.disconnect() }
    }

    override fun close() {
        abort()
    }

    /** Has the worker do [work], and waits for it; its errors become those of the runtime. */
    private fun <T> waitFor(work: () -> T): T {
        try {
            val task = synchronized(lock) { worker.submit(Callable(work)).also { waiting = it } }
            return task.get()
        } catch (e: ExecutionException) {
            throw told(e.cause ?: e)
        } catch (e: CancellationException) {
            throw HttpException.Broken("closed")
        } catch (e: RejectedExecutionException) {
            throw HttpException.Broken("closed")
        }
    }

    private companion object {
        /** The most bytes of one piece. */
        const val MOST = 65_536u
    }
}

/** What the platform threw, in words of ours: its own may hold the address, and that a key. */
private fun told(e: Throwable): HttpException {
    val causes = generateSequence(e) { it.cause }.take(8)
    val isCertificate = causes.any {
        it is CertificateException || it is CertPathValidatorException || it is SSLPeerUnverifiedException
    }
    return when {
        e is HttpException -> e
        isCertificate -> HttpException.Untrusted("its certificate is not trusted")
        e is SecurityException -> HttpException.Untrusted("the app has no permission to use the network")
        e is UnknownServiceException -> HttpException.Untrusted("the app may not connect without encryption")
        e is MalformedURLException || e is ProtocolException -> HttpException.Unusable()
        e is SocketTimeoutException -> HttpException.Broken("nothing came in time")
        e is UnknownHostException -> HttpException.Broken("no network, or no such server")
        e is ConnectException -> HttpException.Broken("the server does not answer")
        e is SSLException -> HttpException.Broken("the encrypted connection failed")
        e is IOException -> HttpException.Broken("the connection broke off")
        else -> HttpException.Broken(e.javaClass.simpleName)
    }
}
