package dev.puna

import android.app.Activity
import android.app.Application
import android.content.ComponentCallbacks2
import android.content.ContentProvider
import android.content.ContentValues
import android.content.res.AssetFileDescriptor
import android.content.res.AssetManager
import android.net.Uri
import android.os.Build
import android.os.ParcelFileDescriptor
import android.os.PowerManager
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.util.ReflectionHelpers
import java.io.File
import java.io.FileNotFoundException
import java.io.OutputStream
import java.util.zip.CRC32
import java.util.zip.CheckedInputStream
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream

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
    }

    @Test
    fun `a licence is accepted once in an app`() = runBlocking<Unit> {
        val file = folder.newFile("model.gguf").apply { writeBytes(underLlamasLicence()) }
        val e = thrown<PunaException.LicenceNotAccepted> { Model.open(application, Uri.fromFile(file)) }
        Licence.of(e.id)!!.accept(application, "a person")
        answers(Model.open(application, Uri.fromFile(file)))
        answers(Model.open(file.path, application.filesDir.resolve("licences")))
        thrown<PunaException.LicenceNotAccepted> { Model.open(file.path) }
    }

    @Test
    fun `an asset, where it lies in the APK`() = runBlocking<Unit> {
        thrown<PunaException.Unreadable> { Model.openAsset(application, "model.gguf") }
        val apk = folder.newFile("app.apk")
        ZipOutputStream(apk.outputStream()).use { zip ->
            zip.putNextEntry(ZipEntry("assets/packed.gguf"))
            File(modelPath).inputStream().use { it.copyTo(zip) }
            zip.putNextEntry(stored("assets/model.gguf", File(modelPath)))
            File(modelPath).inputStream().use { it.copyTo(zip) }
        }
        // As the system does with the app's own APK; the method is hidden from apps.
        val add = AssetManager::class.java.getMethod("addAssetPath", String::class.java)
        assertTrue(add.invoke(application.assets, apk.path) as Int > 0)
        application.assets.openFd("model.gguf").use { assertTrue("${it.startOffset}", it.startOffset > 0) }
        answers(Model.openAsset(application, "model.gguf"))
        val e = thrown<PunaException.Unreadable> { Model.openAsset(application, "packed.gguf") }
        assertTrue(e.message, "compressed" in e.message!!)
    }

    /** The entry of a file that is put into an archive as it is. */
    private fun stored(name: String, file: File) = ZipEntry(name).apply {
        method = ZipEntry.STORED
        size = file.length()
        val sum = CheckedInputStream(file.inputStream(), CRC32())
        sum.use { it.copyTo(OutputStream.nullOutputStream()) }
        crc = sum.checksum.value
    }

    @Test
    fun `an answer waits until the device has cooled down`() = runBlocking<Unit> {
        val power = shadowOf(application.getSystemService(PowerManager::class.java))
        power.setCurrentThermalStatus(PowerManager.THERMAL_STATUS_LIGHT)
        val thermal = Thermal(application)
        assertEquals(ThermalStatus.LIGHT, thermal.now.value)
        val names = ThermalStatus.entries.map { it.name }
        for ((status, name) in names.withIndex()) {
            assertEquals(status, PowerManager::class.java.getField("THERMAL_STATUS_$name").getInt(null))
        }
        power.setCurrentThermalStatus(PowerManager.THERMAL_STATUS_SEVERE)
        assertEquals(ThermalStatus.SEVERE, thermal.now.value)
        val twin = """{ "name": "Twin", "turns": [{ "answer": "One two three four." }] }"""
        Model.replay(twin, Double.POSITIVE_INFINITY).use { model ->
            var text = ""
            val hot = thermal.now.map { it >= ThermalStatus.SEVERE }
            val answer = launch(Dispatchers.Default) { model.chat().stream("?").pauseWhile(hot).collect { text += it.text } }
            delay(200)
            assertEquals("", text)
            power.setCurrentThermalStatus(PowerManager.THERMAL_STATUS_MODERATE)
            answer.join()
            assertEquals("One two three four.", text)
        }
        thermal.close()
        assertTrue(power.thermalStatusListeners.isEmpty())
        power.setCurrentThermalStatus(PowerManager.THERMAL_STATUS_SHUTDOWN)
        assertEquals(ThermalStatus.MODERATE, thermal.now.value)
    }

    @Test
    fun `a system that does not tell how hot it is`() {
        val power = shadowOf(application.getSystemService(PowerManager::class.java))
        power.setCurrentThermalStatus(PowerManager.THERMAL_STATUS_SEVERE)
        val version = Build.VERSION.SDK_INT
        ReflectionHelpers.setStaticField(Build.VERSION::class.java, "SDK_INT", 28)
        try {
            Thermal(application).use {
                assertEquals(ThermalStatus.NONE, it.now.value)
                assertNull(it.headroom())
                assertTrue(power.thermalStatusListeners.isEmpty())
            }
        } finally {
            ReflectionHelpers.setStaticField(Build.VERSION::class.java, "SDK_INT", version)
        }
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
