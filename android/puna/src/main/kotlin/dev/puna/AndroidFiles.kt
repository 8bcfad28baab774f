package dev.puna

import android.content.Context
import android.content.res.AssetFileDescriptor
import android.net.Uri
import android.os.ParcelFileDescriptor
import java.io.File
import java.io.IOException

/**
 * Opens the model that [uri] names: a document that the user picked, a file of another app, a file of this one. It is
 * mapped where it lies, not copied; a provider that streams its documents (a cloud) is refused.
 *
 * @throws PunaException as [Model.Companion.open] of a path.
 */
public suspend fun Model.Companion.open(context: Context, uri: Uri): Model = opening {
    val file = readable("$uri") { context.contentResolver.openAssetFileDescriptor(uri, "r") }
        ?: throw PunaException.Unreadable("$uri: its provider has crashed")
    openBlocking(file, licences(context))
}

/**
 * Opens the model that is packed in the app as an asset. It must be stored uncompressed:
 * `androidResources { noCompress += "gguf" }`. It is mapped where it lies in the APK.
 *
 * @throws PunaException as [Model.Companion.open] of a path.
 */
public suspend fun Model.Companion.openAsset(context: Context, name: String): Model = opening {
    openBlocking(readable("asset $name") { context.assets.openFd(name) }, licences(context))
}

/**
 * Opens the model in [file], which may be closed afterwards.
 *
 * @throws PunaException as [Model.Companion.open] of a path.
 */
public suspend fun Model.Companion.open(file: ParcelFileDescriptor, licences: File? = null): Model =
    openDescriptor(file.fd, licences = licences)

/**
 * Records that [who] accepts the licence, for every model that is opened with a [context] of this app: in the folder
 * `licences` of its files, for those that are opened by their path.
 *
 * @throws PunaException.Unwritable
 */
public fun Licence.accept(context: Context, who: String) {
    accept(who, licences(context))
}

/** Where an app's acceptances are. */
private fun licences(context: Context) = context.filesDir.resolve("licences")

/** Opens the part of a file that the descriptor stands for, and closes it. */
private fun Model.Companion.openBlocking(file: AssetFileDescriptor, licences: File): Model = file.use {
    val length = it.declaredLength.takeIf { length -> length != AssetFileDescriptor.UNKNOWN_LENGTH }
    openDescriptorBlocking(it.parcelFileDescriptor.fd, it.startOffset, length, licences)
}

/** Opens something of the platform's; what it throws becomes an error of this package. */
private inline fun <T> readable(what: String, open: () -> T): T =
    try {
        open()
    } catch (e: IOException) {
        throw PunaException.Unreadable("$what: ${e.message}", e)
    } catch (e: SecurityException) {
        throw PunaException.Unreadable("$what: ${e.message}", e)
    }
