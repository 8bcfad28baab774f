package dev.puna

import org.junit.runner.Description
import org.junit.runner.JUnitCore
import org.junit.runner.notification.Failure
import org.junit.runner.notification.RunListener
import java.io.PrintWriter
import java.io.StringWriter
import kotlin.system.exitProcess

/** Runs the test classes named by the arguments; the last line has the counts as cargo's tests print them. */
fun main(classes: Array<String>) {
    val core = JUnitCore()
    core.addListener(Progress())
    val result = core.run(*classes.map { Class.forName(it) }.toTypedArray())
    val passed = result.runCount - result.failureCount
    val word = if (result.wasSuccessful()) "ok" else "FAILED"
    println("test result: $word. $passed passed; ${result.failureCount} failed; ${result.ignoreCount} ignored")
    exitProcess(if (result.wasSuccessful() && passed > 0) 0 else 1)
}

private class Progress : RunListener() {
    private var failed = false
    private var started = 0L

    override fun testStarted(description: Description) {
        failed = false
        started = System.nanoTime()
    }

    override fun testFailure(failure: Failure) {
        failed = true
        val trace = StringWriter()
        failure.exception.printStackTrace(PrintWriter(trace))
        println("${failure.description}:\n$trace")
    }

    override fun testFinished(description: Description) {
        val millis = (System.nanoTime() - started) / 1_000_000
        println("test ${description.testClass?.simpleName}.${description.methodName} ... ${if (failed) "FAILED" else "ok"} ($millis ms)")
    }
}
