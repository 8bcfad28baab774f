// A stand-in for what the sample uses of Compose and androidx, as far as a compiler must see it. It is in no app.
package androidx.activity.compose

import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContract
import androidx.compose.runtime.Composable

class ManagedActivityResultLauncher<I, O> {
    fun launch(input: I): Unit = TODO("$input")
}

@Composable
fun <I, O> rememberLauncherForActivityResult(
    contract: ActivityResultContract<I, O>,
    onResult: (O) -> Unit,
): ManagedActivityResultLauncher<I, O> = TODO()

fun ComponentActivity.setContent(content: @Composable () -> Unit): Unit = TODO()
