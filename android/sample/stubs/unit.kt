// A stand-in for what the sample uses of Compose and androidx, as far as a compiler must see it. It is in no app.
package androidx.compose.ui.unit

class Dp

val Int.dp: Dp
    get() = TODO()
