package dev.puna.sample

import android.app.Application
import android.net.Uri
import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.compose.setContent
import androidx.activity.result.contract.ActivityResultContracts.OpenDocument
import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.darkColorScheme
import androidx.compose.material3.lightColorScheme
import androidx.compose.runtime.collectAsState
import androidx.compose.runtime.getValue
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.viewModelScope
import androidx.lifecycle.viewmodel.compose.viewModel
import dev.puna.Background
import dev.puna.Log
import dev.puna.Model
import dev.puna.open
import dev.puna.toLogcat
import dev.puna.trimWithSystem

class SampleApp : Application() {
    /** Whether nobody looks. */
    lateinit var background: Background

    override fun onCreate() {
        super.onCreate()
        background = Background(this)
        Log.toLogcat(Log.Level.INFO)
    }
}

/** Keeps the conversation while the screen turns. */
class ChatViewModel(application: Application) : AndroidViewModel(application) {
    private val app = application as SampleApp

    /** Nothing is computed while nobody looks, and memory is given back when the system is short of it. */
    val conversation =
        Conversation(viewModelScope, app.filesDir, app.background.now, follow = { it.trimWithSystem(app) })

    /** Opens what the user picked, where it lies. */
    fun open(uri: Uri) {
        conversation.open { Model.open(app, uri) }
    }

    override fun onCleared() {
        conversation.close()
    }
}

class MainActivity : ComponentActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContent {
            val chat = viewModel<ChatViewModel>()
            val state by chat.conversation.state.collectAsState()
            val picker = rememberLauncherForActivityResult(OpenDocument()) { uri ->
                if (uri != null) chat.open(uri)
            }
            MaterialTheme(if (isSystemInDarkTheme()) darkColorScheme() else lightColorScheme()) {
                Surface {
                    ChatScreen(state, chat.conversation, onPick = { picker.launch(arrayOf("*/*")) })
                }
            }
        }
    }
}
