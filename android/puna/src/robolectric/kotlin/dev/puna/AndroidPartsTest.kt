package dev.puna

import android.app.Activity
import android.app.Application
import android.content.ComponentCallbacks2
import android.content.ContentProvider
import android.content.ContentValues
import android.content.res.AssetFileDescriptor
import android.net.Uri
import android.os.ParcelFileDescriptor
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import java.io.File
import java.io.FileNotFoundException

/** What is for Android alone, on Android's own classes, which Robolectric runs on a JVM. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], manifest = Config.NONE)
class AndroidPartsTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val application: Application = RuntimeEnvironment.getApplication()

    /** An app that has documents. */
    class Documents : ContentProvider() {
        var open: (Uri) -> AssetFileDescriptor = { throw FileNotFoundException("$it") }

        override fun openAssetFile(uri: Uri, mode: String): AssetFileDescriptor = open(uri)

        override fun onCreate() = true

        override fun getType(uri: Uri): String? = null

        override fun query(uri: Uri, p: Array<String>?, s: String?, a: Array<String>?, o: String?) = null

        override fun insert(uri: Uri, values: ContentValues?): Uri? = null

        override fun delete(uri: Uri, selection: String?, arguments: Array<String>?) = 0

        override fun update(uri: Uri, values: ContentValues?, selection: String?, arguments: Array<String>?) = 0
    }

    private fun descriptor(file: File) = ParcelFileDescriptor.open(file, ParcelFileDescriptor.MODE_READ_ONLY)

    private suspend fun answers(model: Model) = model.use { assertTrue(it.chat(null, short(4)).ask("Hello?").isNotEmpty()) }

    @Test
    fun `a file and its descriptor`() = runBlocking<Unit> {
        answers(Model.open(application, Uri.fromFile(File(modelPath))))
        answers(descriptor(File(modelPath)).use { Model.open(it) })
    }

    @Test
    fun `documents, whole and inside another file`() = runBlocking<Unit> {
        val documents = Robolectric.setupContentProvider(Documents::class.java, "documents")
        val uri = Uri.parse("content://documents/model")
        documents.open = { AssetFileDescriptor(descriptor(File(modelPath)), 0, AssetFileDescriptor.UNKNOWN_LENGTH) }
        answers(Model.open(application, uri))
        val archive = folder.newFile()
        archive.outputStream().use { out ->
            out.write(ByteArray(4096))
            File(modelPath).inputStream().use { it.copyTo(out) }
            out.write(ByteArray(99))
        }
        documents.open = { AssetFileDescriptor(descriptor(archive), 4096, File(modelPath).length()) }
        answers(Model.open(application, uri))
        documents.open = { throw SecurityException("not yours") }
        val e = thrown<PunaException.Unreadable> { Model.open(application, uri) }
        assertTrue(e.message, "not yours" in e.message!! && e.cause is SecurityException)
        documents.open = { throw FileNotFoundException("gone") }
        thrown<PunaException.Unreadable> { Model.open(application, uri) }
        thrown<PunaException.Unreadable> { Model.openAsset(application, "no such asset.gguf") }
    }

    @Test
    fun `what the system says about memory`() {
        val said = mutableListOf<TrimLevel>()
        val callbacks = TrimCallbacks { said += it }
        application.registerComponentCallbacks(callbacks)
        @Suppress("DEPRECATION")
        for (level in listOf(
            ComponentCallbacks2.TRIM_MEMORY_RUNNING_MODERATE, ComponentCallbacks2.TRIM_MEMORY_RUNNING_LOW,
            ComponentCallbacks2.TRIM_MEMORY_RUNNING_CRITICAL, ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN,
            ComponentCallbacks2.TRIM_MEMORY_COMPLETE,
        )) application.onTrimMemory(level)
        application.onLowMemory()
        val (buffers, all) = TrimLevel.BUFFERS to TrimLevel.WEIGHTS
        assertEquals(listOf(buffers, all, buffers, all, all), said)
    }

    @Test
    fun `a model trims with the system until its handle is closed`() = runBlocking<Unit> {
        Model.open(modelPath).use { model ->
            val wanted = model.chat(null, short(8)).run { ask("Name a fruit."); ask("Another one?") }
            val chat = model.chat(null, short(8))
            chat.ask("Name a fruit.")
            model.trimWithSystem(application).use { application.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_COMPLETE) }
            assertEquals(wanted, chat.ask("Another one?"))
        }
    }

    @Test
    fun `in the background is where no screen is seen`() {
        Background(application).use { background ->
            assertTrue(background.now.value)
            val first = Robolectric.buildActivity(Activity::class.java).create().start()
            assertFalse(background.now.value)
            val second = Robolectric.buildActivity(Activity::class.java).create().start()
            first.stop()
            assertFalse(background.now.value)
            second.stop()
            assertTrue(background.now.value)
        }
    }
}
