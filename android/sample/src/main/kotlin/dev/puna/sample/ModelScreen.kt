package dev.puna.sample

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.material3.AlertDialog
import androidx.compose.material3.Button
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalUriHandler
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import dev.puna.FetchPhase
import dev.puna.FetchProgress
import dev.puna.Licence
import dev.puna.StoredModel

/** Where models come from: files of the user's, and downloads. */
@Composable
fun Models(state: ScreenState, conversation: Conversation, onPick: () -> Unit) {
    Column(verticalArrangement = Arrangement.spacedBy(8.dp)) {
        Button(onPick, enabled = !state.opening) { Text("Open a file") }
        state.download?.let { Download(it, conversation::cancelDownload) } ?: Address { conversation.download(it) }
        for (stored in state.stored) Stored(stored, { conversation.open(stored) }, { conversation.remove(stored) })
    }
}

@Composable
private fun Address(onDownload: (String) -> Unit) {
    var url by remember { mutableStateOf("") }
    Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        OutlinedTextField(url, { url = it }, Modifier.weight(1f), label = { Text("https://… of a GGUF file") })
        Button({ onDownload(url) }, enabled = url.isNotBlank()) { Text("Download") }
    }
}

@Composable
private fun Download(progress: FetchProgress, onCancel: () -> Unit) {
    val said = progress.inWords()
    val bar = Modifier.fillMaxWidth().semantics { contentDescription = said }
    val total = progress.total
    if (total == null) LinearProgressIndicator(bar) else LinearProgressIndicator({ progress.received.toFloat() / total }, bar)
    Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        Text(said, Modifier.weight(1f))
        TextButton(onCancel) { Text("Cancel") }
    }
}

@Composable
private fun Stored(stored: StoredModel, onOpen: () -> Unit, onRemove: () -> Unit) {
    Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        TextButton(onOpen, Modifier.weight(1f)) { Text("${stored.name}, ${stored.bytes / MB} MB") }
        TextButton(onRemove, Modifier.semantics { contentDescription = "Remove ${stored.name}" }) { Text("Remove") }
    }
}

/** What must be accepted before the model is used. */
@Composable
fun LicenceSheet(licence: Licence, onAccept: () -> Unit, onDecline: () -> Unit) {
    val browser = LocalUriHandler.current
    AlertDialog(
        onDismissRequest = onDecline,
        confirmButton = { Button(onAccept) { Text("Accept") } },
        dismissButton = { TextButton(onDecline) { Text("Decline") } },
        title = { Text(licence.name, style = MaterialTheme.typography.titleMedium) },
        text = {
            Column(verticalArrangement = Arrangement.spacedBy(8.dp)) {
                Text(licence.notice ?: "This model's terms ask for acceptance.")
                licence.terms?.let { TextButton({ browser.openUri(it) }) { Text("Read the terms") } }
                licence.usePolicy?.let { TextButton({ browser.openUri(it) }) { Text("Read the acceptable-use policy") } }
            }
        },
    )
}

private const val MB = 1_000_000

private fun FetchProgress.inWords(): String = when (phase) {
    FetchPhase.WAITING -> "Another download of this file is under way"
    FetchPhase.ASKING -> "Asking the server"
    FetchPhase.RECEIVING -> "${received / MB} of ${total?.let { "${it / MB}" } ?: "?"} MB"
    FetchPhase.PAUSING -> "The connection broke off; trying again"
    FetchPhase.CHECKING -> "Checking the file"
}
