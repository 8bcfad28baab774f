package dev.puna

import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import java.io.FileDescriptor
import java.io.RandomAccessFile

class DescriptorTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Test
    fun `a whole file`() = runBlocking<Unit> {
        val model = RandomAccessFile(modelPath, "r").use { Model.openDescriptor(it.number) }
        // The descriptor is closed by now.
        model.use { assertEquals(answer(modelPath), it.chat(null, short(6)).ask("Hello?")) }
    }

    @Test
    fun `a file inside another`() = runBlocking<Unit> {
        val length = File(modelPath).length()
        val archive = folder.newFile()
        archive.outputStream().use { out ->
            out.write(ByteArray(12_345))
            File(modelPath).inputStream().use { it.copyTo(out) }
            out.write(ByteArray(777))
        }
        RandomAccessFile(archive, "r").use { file ->
            val files = openFiles()
            Model.openDescriptor(file.number, 12_345, length).use {
                assertEquals(answer(modelPath), it.chat(null, short(6)).ask("Hello?"))
            }
            assertEquals(files, openFiles())
            thrown<PunaException.InvalidModel> { Model.openDescriptor(file.number, 0, length) }
            thrown<PunaException.InvalidModel> { Model.openDescriptor(file.number, 12_345, length * 2) }
            thrown<PunaException.InvalidOption> { Model.openDescriptor(file.number, -1) }
        }
    }

    @Test
    fun `numbers that are no descriptor`() = runBlocking<Unit> {
        thrown<PunaException.Unreadable> { Model.openDescriptor(-1) }
        thrown<PunaException.Unreadable> { Model.openDescriptor(999_999) }
    }

    private suspend fun answer(path: String) = Model.open(path).use { it.chat(null, short(6)).ask("Hello?") }

    /** The system's number for an open file, as Android's `ParcelFileDescriptor.getFd` has it. */
    private val RandomAccessFile.number: Int
        get() = FileDescriptor::class.java.getDeclaredField("fd").apply { isAccessible = true }.getInt(fd)
}
