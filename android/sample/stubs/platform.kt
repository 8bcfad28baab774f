// A stand-in for what the sample uses of Compose and androidx, as far as a compiler must see it. It is in no app.
package androidx.compose.ui.platform

import androidx.compose.runtime.CompositionLocal

interface UriHandler {
    fun openUri(uri: String)
}

val LocalUriHandler: CompositionLocal<UriHandler> = TODO()
