// A stand-in for what the sample uses of Compose and androidx, as far as a compiler must see it. It is in no app.
package androidx.lifecycle

import android.app.Application
import kotlinx.coroutines.CoroutineScope

open class ViewModel {
    protected open fun onCleared() {}
}

open class AndroidViewModel(private val application: Application) : ViewModel()

val ViewModel.viewModelScope: CoroutineScope
    get() = TODO()
