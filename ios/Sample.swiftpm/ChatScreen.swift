#if canImport(SwiftUI)
import SwiftUI

@main
struct SampleApp: App {
    var body: some Scene {
        WindowGroup { ChatScreen() }
    }
}

/// The one screen: bubbles, a line of numbers, a field. Its colours are the system's, light and dark.
struct ChatScreen: View {
    @StateObject private var conversation = Conversation()
    @StateObject private var library = Library()
    @Environment(\.scenePhase) private var phase
    @State private var draft = ""
    @State private var isChoosing = false

    var body: some View {
        NavigationStack {
            VStack(spacing: 0) {
                bubbles
                Text(conversation.status)
                    .font(.caption)
                    .foregroundStyle(.secondary)
                    .padding(6)
                    .accessibilityLabel("Status: \(conversation.status)")
                composer
            }
            .navigationTitle(conversation.title ?? "Puna")
            .toolbar {
                Button("Answer again", systemImage: "arrow.clockwise") { conversation.again() }
                    .disabled(conversation.lines.isEmpty || conversation.isAnswering)
                Button("Choose a model", systemImage: "folder") { isChoosing = true }
                    .disabled(conversation.isOpening)
            }
        }
        .sheet(isPresented: $isChoosing) {
            ModelsScreen(library: library) { url in
                isChoosing = false
                Task { await conversation.open(url) }
            }
        }
        .sheet(item: $conversation.terms) { licence in
            LicenceSheet(licence: licence) { accepts in
                Task { await conversation.decide(accepts) }
            }
        }
        // The system may suspend the app: what has come is kept.
        .onChange(of: phase) { phase in
            if phase == .background { conversation.stop() }
        }
    }

    private var bubbles: some View {
        ScrollViewReader { reader in
            ScrollView {
                LazyVStack(spacing: 8) {
                    ForEach(conversation.lines) { line in
                        Bubble(line: line).id(line.id)
                    }
                }
                .padding()
            }
            .onChange(of: conversation.lines) { lines in
                if let last = lines.last { reader.scrollTo(last.id, anchor: .bottom) }
            }
        }
    }

    private var composer: some View {
        HStack {
            TextField("Message", text: $draft, axis: .vertical)
                .textFieldStyle(.roundedBorder)
                .lineLimit(1...5)
                .accessibilityLabel("Message")
            if conversation.isAnswering {
                Button("Stop", systemImage: "stop.fill") { conversation.stop() }
                    .labelStyle(.iconOnly)
            } else {
                Button("Send", systemImage: "arrow.up.circle.fill") {
                    conversation.send(draft)
                    draft = ""
                }
                .labelStyle(.iconOnly)
                .disabled(conversation.title == nil || draft.isEmpty)
            }
        }
        .padding()
    }
}

private struct Bubble: View {
    let line: Conversation.Line

    var body: some View {
        HStack {
            if line.isUser { Spacer(minLength: 40) }
            Text(line.text.isEmpty ? "…" : line.text)
                .textSelection(.enabled)
                .padding(10)
                .background(line.isUser ? Color.accentColor.opacity(0.2) : Color.secondary.opacity(0.12))
                .clipShape(RoundedRectangle(cornerRadius: 14))
                .accessibilityLabel("\(line.isUser ? "You" : "Model"): \(line.text)")
            if !line.isUser { Spacer(minLength: 40) }
        }
    }
}
#endif
