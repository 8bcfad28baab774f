package dev.puna

import dev.puna.sample.Conversation
import dev.puna.sample.Line
import dev.puna.sample.ScreenState
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File

/** The sample app's logic, as its screen calls it. */
class SampleTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Test
    fun `a chat comes back, and answers again`() = runBlocking<Unit> {
        val twin = """{ "name": "Twin", "turns": [{ "ask": "Hello?", "answer": "Hello to you." }] }"""
        suspend fun sample(test: suspend (Conversation) -> Unit) =
            Conversation(CoroutineScope(Dispatchers.Default), folder.root).use {
                it.open { Model.replay(twin, Double.POSITIVE_INFINITY) }.join()
                test(it)
            }
        val lines = listOf(Line("Hello?", true), Line("Hello to you.", false))
        sample {
            it.ask("Hello?")!!.join()
            assertEquals(lines, it.state.value.lines)
            it.again()!!.join()
            assertEquals(lines, it.state.value.lines)
            it.ask("What the script does not know")!!.join()
            assertEquals(lines, it.state.value.lines)
            assertNotNull(it.state.value.problem)
        }
        sample { assertEquals(lines, it.state.value.lines) }
    }

    @Test
    fun `ask, stop, and a file that is no model`() = runBlocking<Unit> {
        Conversation(CoroutineScope(Dispatchers.Default), folder.root).use { conversation ->
            assertNull(conversation.ask("too early"))
            conversation.open { Model.open(modelPath) }.join()
            assertNotNull(conversation.state.value.modelName)
            val job = conversation.ask("Tell me a long story.")!!
            assertNull("one at a time", conversation.ask("And now?"))
            while (conversation.state.value.lines.last().text.isEmpty()) delay(5)
            conversation.stop()
            job.join()
            val state = conversation.state.value
            assertFalse(state.answering)
            assertTrue("$state", state.lines.size == 2 && state.stats.isNotEmpty() && state.problem == null)
            conversation.open { Model.open("/nowhere.gguf") }.join()
            assertNotNull(conversation.state.value.problem)
            assertEquals(emptyList<Any>(), conversation.state.value.lines)
        }
    }

    @Test
    fun `a model is downloaded, its licence read, declined, and accepted`() = runBlocking<Unit> {
        var followed = 0
        val scope = CoroutineScope(Dispatchers.Default)
        val follow = { _: Model -> AutoCloseable { followed += 1 } }
        Server(underLlamasLicence()).use { server ->
            Conversation(scope, folder.root, follow = follow).use { conversation ->
                fun state() = conversation.state.value
                val received = mutableSetOf<Long>()
                val watch = launch(Dispatchers.Default) {
                    conversation.state.collect { now -> now.download?.let { received += it.received } }
                }
                conversation.download(" ${server.url} ")!!.join()
                watch.cancelAndJoin()
                assertTrue("$received", received.size > 1)
                val licence = state().licence!!
                assertTrue("$licence", licence.name.isNotEmpty() && licence.terms != null && licence.usePolicy != null)
                assertTrue("${state()}", state().modelName == null && state().download == null && !state().opening)
                val stored = state().stored.single()
                conversation.decline()
                assertNull(state().licence)
                assertNull("nothing is to be accepted", conversation.accept())
                conversation.open(stored).join()
                conversation.accept()!!.join()
                assertNotNull("${state()}", state().modelName)
                conversation.leave()
                assertEquals(1, followed)
                // A file that the user picked is asked for once, too.
                conversation.open { Model.open(stored.file.path, folder.newFolder()) }.join()
                assertNotNull(state().licence)
                conversation.remove(stored).join()
                assertEquals(emptyList<StoredModel>(), state().stored)
            }
        }
    }

    @Test
    fun `a download that is cancelled goes on, and one that fails says so`() = runBlocking<Unit> {
        Server(File(modelPath).readBytes()).use { server ->
            server.answer = { if (it == 0) Server.Fault.Stall(5_000_000) else null }
            var opened = 0
            val follow = { _: Model -> opened += 1; null }
            Conversation(CoroutineScope(Dispatchers.Default), folder.root, follow = follow).use { conversation ->
                val job = conversation.download(server.url)!!
                assertNull("one at a time", conversation.download(server.url))
                conversation.state.first { it.download?.received == 5_000_000L }
                conversation.cancelDownload()
                job.join()
                assertEquals(ScreenState(), conversation.state.value)
                conversation.download(server.url)!!.join()
                assertTrue("${server.asked}", "range: bytes=5000000-" in server.asked[1])
                assertNotNull(conversation.state.value.modelName)
                conversation.download(server.url)!!.join()
                assertEquals("the one that is open stays", 1, opened)
                server.answer = { Server.Fault.Says("HTTP/1.1 404 Not Found\r\n\r\n") }
                conversation.download(server.url.replace("tiny", "other"))!!.join()
                assertTrue("${conversation.state.value}", "404" in conversation.state.value.problem!!)
            }
        }
    }
}
