package dev.puna

import org.junit.Assert.fail
import java.io.File

/** The model that tests run on. */
internal val modelPath: String = System.getenv("PUNA_TEST_MODEL") ?: error("PUNA_TEST_MODEL names no model")

/** Runs [test] on the open model. */
internal suspend fun <T> withModel(test: suspend (Model) -> T): T = Model.open(modelPath).use { test(it) }

/** Always the same answers, as short as a test needs. */
internal fun short(tokens: Int = 16): ChatOptions = ChatOptions().apply {
    contextTokens = 1024
    answer {
        temperature = 0f
        maxTokens = tokens
    }
}

/** The file of the default model, under another licence: it says so in as many bytes. */
internal fun underLlamasLicence(): ByteArray {
    val had = "apache-2.0".toByteArray()
    val bytes = File(modelPath).readBytes()
    val at = (0..100_000).first { i -> had.indices.all { bytes[i + it] == had[it] } }
    "llama3.1  ".toByteArray().copyInto(bytes, at)
    return bytes
}

/** What [work] throws, which must be an [E]. */
internal inline fun <reified E : Throwable> thrown(work: () -> Unit): E {
    try {
        work()
    } catch (e: Throwable) {
        if (e is E) return e
        throw AssertionError("${E::class.simpleName} was expected", e)
    }
    fail("${E::class.simpleName} was expected")
    error("unreachable")
}

/** Some field of this process's status, in the unit that the system uses. */
private fun status(field: String): Long =
    File("/proc/self/status").readLines().first { it.startsWith("$field:") }.filter { it.isDigit() }.toLong()

/** Memory of this process that nobody else can use, in KiB: without the pages of mapped files. */
internal fun ownKiB(): Long = status("RssAnon")

/** Threads of this process. */
internal fun threads(): Long = status("Threads")

/** Files of this process. */
internal fun openFiles(): Int = File("/proc/self/fd").list()!!.size
