package dev.puna

import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File

/** What is called through Java's native interface, in a virtual machine that checks every such call. */
class NativeTest {
    @Test
    fun `lines of the log are written natively, and the interface is used as it should be`() {
        val java = File(System.getProperty("java.home"), "bin/java").path
        val library = System.getProperty("puna.natives")
        val process = ProcessBuilder(
            java, "-Xmx256m", "-Xcheck:jni", "-Djava.library.path=$library", "-Djna.library.path=$library",
            "-cp", System.getProperty("java.class.path"), "dev.puna.NativeTestKt",
        ).redirectErrorStream(true).start()
        val lines = process.inputStream.bufferedReader().readLines()
        val text = lines.joinToString("\n")
        assertEquals(text, 0, process.waitFor())
        // As a phone's log numbers levels: 3 is for debugging, 2 is all there is.
        assertTrue(text, lines.any { it.startsWith("3 puna: puna") })
        assertTrue(text, lines.none { it.startsWith("2 puna: ") })
        assertTrue(text, "a sink in its place: true" in lines)
        // JNA's own calls are remarked upon too; those are not ours to mend. A remark is followed by who called.
        assertTrue(text, lines.none { "FATAL ERROR in native method" in it })
        assertTrue(text, lines.zipWithNext().none { (what, who) -> "WARNING" in what && "dev.puna.Native." in who })
    }
}

/** Runs in a process of its own. */
fun main(): Unit = runBlocking {
    Log.toLogcat(Log.Level.DEBUG)
    Model.open(modelPath).use { model -> model.chat(null, short(2)).use { it.ask("Hello?") } }
    // A sink of the app's takes the place of the phone's log.
    val seen = mutableListOf<String>()
    Log.send(Log.Level.DEBUG) { _, target, _ -> synchronized(seen) { seen += target } }
    Model.open(modelPath).close()
    println("a sink in its place: ${synchronized(seen) { seen.isNotEmpty() }}")
    Log.send(Log.Level.ERROR, null)
}
