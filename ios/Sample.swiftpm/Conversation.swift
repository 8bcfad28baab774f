import Foundation
import Puna

#if canImport(Combine)
import Combine
#else
/// On Linux, where this file is tested, nobody observes.
@propertyWrapper struct Published<Value> { var wrappedValue: Value }
protocol ObservableObject: AnyObject {}
#endif

/// What the screen shows and does, without the screen.
@MainActor
final class Conversation: ObservableObject {
    /// One bubble.
    struct Line: Identifiable, Equatable {
        let id: Int
        let isUser: Bool
        var text: String
    }

    @Published private(set) var lines: [Line] = []
    /// The model's name, once one is open.
    @Published private(set) var title: String?
    /// What the newest answer took, or what went wrong.
    @Published private(set) var status = "Choose a GGUF file to begin."
    @Published private(set) var isOpening = false
    @Published private(set) var isAnswering = false
    /// The licence that a model waits for, while it does: the screen shows it.
    @Published var terms: Licence?

    private let licences: URL
    private var waiting: URL?
    private var model: Model?
    private var chat: Chat?
    private var answer: Task<Void, Never>?

    init(licences: URL = Licence.folder) {
        self.licences = licences
    }

    /// Opens a model that was picked or downloaded, in the place of the one before.
    func open(_ url: URL) async {
        await leave()
        isOpening = true
        status = "Opening \(url.lastPathComponent)…"
        defer { isOpening = false }
        do {
            try begin(try await Model.open(url, licences: licences), named: url.lastPathComponent)
        } catch PunaError.licenceNotAccepted(let id, let summary) {
            status = summary
            (terms, waiting) = (Licence(id: id), url)
        } catch {
            status = Self.advice(error)
        }
    }

    /// What the person says to the ``terms``. With yes the model opens, now and in future.
    func decide(_ accepts: Bool) async {
        guard let licence = terms, let url = waiting else { return }
        (terms, waiting) = (nil, nil)
        guard accepts else {
            status = "Declined: \(url.lastPathComponent) stays closed."
            return
        }
        do {
            try licence.accept(who: "the user of this device", folder: licences)
            await open(url)
        } catch {
            status = Self.advice(error)
        }
    }

    /// Begins a conversation with a model: that of a file; in tests also a twin, which answers from a script.
    func begin(_ model: Model, named name: String) throws {
        let info = try model.info
        chat = try model.chat("You are a helpful assistant.", options: ChatOptions(kv: .q8))
        self.model = model
        #if canImport(UIKit)
        model.trimOnMemoryWarnings()
        #endif
        lines = []
        title = info.name ?? name
        status = "\(info.parameters / 1_000_000) million parameters. Nothing leaves this device."
    }

    /// Asks, and shows the answer as it comes.
    func send(_ text: String) {
        let text = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let chat, !isAnswering, !text.isEmpty else { return }
        lines.append(Line(id: lines.count, isUser: true, text: text))
        lines.append(Line(id: lines.count, isUser: false, text: ""))
        show(chat.stream(text)) { $0.removeLast(2) }
    }

    /// Another answer to the last question.
    func again() {
        guard let chat, !isAnswering, let last = lines.last else { return }
        lines[last.id].text = ""
        show(chat.regenerate()) { $0[last.id] = last }
    }

    /// Shows an answer in the last line. Where it fails, the runtime takes the turn back, and so does the screen.
    private func show(_ pieces: AnswerStream, takeBack: @escaping @MainActor (inout [Line]) -> Void) {
        guard let chat else { return }
        isAnswering = true
        answer = Task {
            do {
                for try await piece in pieces {
                    lines[lines.count - 1].text += piece.text
                    status = Self.line(chat.stats)
                }
                status = Self.line(chat.stats)
            } catch {
                takeBack(&lines)
                status = Self.advice(error)
            }
            isAnswering = false
        }
    }

    /// The stop button: what has come stays.
    func stop() {
        chat?.stop()
    }

    /// Waits until the answer in the making has ended.
    func settled() async {
        await answer?.value
    }

    /// Takes the answer in the making back, and frees the model.
    private func leave() async {
        answer?.cancel()
        await settled()
        model?.close()
        (model, chat, title) = (nil, nil, nil)
    }

    private static func line(_ stats: Stats) -> String {
        let first = String(format: "%.2f", stats.timeToFirstToken)
        let speed = String(format: "%.1f", stats.tokensPerSecond)
        let full = stats.end == .contextFull ? " · no room for more" : ""
        return "first token after \(first) s · \(speed) tokens/s\(full)"
    }

    static func advice(_ error: Error) -> String {
        switch error {
        case PunaError.doesNotFit: "This model is too large for this device."
        case PunaError.invalidModel: "This file is no whole model. Download it again."
        case PunaError.noSpace(let wanted, _): "Free \(wanted / 1_000_000) MB first."
        case PunaError.downloadFailed(_, let status?): "The server answers \(status) in place of the file."
        case PunaError.downloadFailed: "No connection. The next try goes on from here."
        case PunaError.contextFull: "The conversation is full. Open the model again for a new one."
        case PunaError.cancelled, PunaError.closed, is CancellationError: "Stopped."
        default: error.localizedDescription
        }
    }
}
