package dev.puna

import dev.puna.sample.Conversation
import dev.puna.sample.Line
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

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
        Conversation(CoroutineScope(Dispatchers.Default)).use { conversation ->
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
}
