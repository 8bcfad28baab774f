// A stand-in for what the sample uses of Compose and androidx, as far as a compiler must see it. It is in no app.
package androidx.activity.result.contract

import android.net.Uri

open class ActivityResultContract<I, O>

class ActivityResultContracts {
    class OpenDocument : ActivityResultContract<Array<String>, Uri?>()
}
