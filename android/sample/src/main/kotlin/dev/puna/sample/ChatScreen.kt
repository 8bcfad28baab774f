package dev.puna.sample

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.Button
import androidx.compose.material3.Card
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
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp

/** The one screen. */
@Composable
fun ChatScreen(state: ScreenState, conversation: Conversation, onPick: () -> Unit) {
    Column(Modifier.fillMaxSize().padding(16.dp), verticalArrangement = Arrangement.spacedBy(8.dp)) {
        Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
            Text(state.modelName ?: "No model is open", Modifier.weight(1f), style = MaterialTheme.typography.titleMedium)
            if (state.modelName != null) TextButton(conversation::leave) { Text("Another model") }
        }
        if (state.opening) LinearProgressIndicator(Modifier.fillMaxWidth().semantics { contentDescription = "Opening" })
        state.problem?.let { Text(it, color = MaterialTheme.colorScheme.error) }
        if (state.modelName == null) Models(state, conversation, onPick)
        Lines(state.lines, Modifier.weight(1f))
        Text(state.stats, style = MaterialTheme.typography.labelSmall)
        if (state.modelName != null) Question(state, conversation)
    }
    state.licence?.let { LicenceSheet(it, onAccept = { conversation.accept() }, onDecline = conversation::decline) }
}

@Composable
private fun Lines(lines: List<Line>, modifier: Modifier) {
    LazyColumn(modifier.fillMaxWidth(), verticalArrangement = Arrangement.spacedBy(8.dp)) {
        items(lines) { line ->
            val speaker = if (line.byUser) "You" else "Model"
            Card(Modifier.fillMaxWidth().semantics { contentDescription = "$speaker: ${line.text}" }) {
                Text(line.text, Modifier.padding(12.dp).semantics { liveRegion = LiveRegionMode.Polite })
            }
        }
    }
}

@Composable
private fun Question(state: ScreenState, conversation: Conversation) {
    var text by remember { mutableStateOf("") }
    Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        OutlinedTextField(text, { text = it }, Modifier.weight(1f), label = { Text("Ask something") })
        if (state.answering) {
            Button(conversation::stop) { Text("Stop") }
        } else {
            Button({ conversation.ask(text); text = "" }, enabled = text.isNotBlank()) { Text("Send") }
            TextButton({ conversation.again() }, enabled = state.lines.isNotEmpty()) { Text("Again") }
        }
    }
}
