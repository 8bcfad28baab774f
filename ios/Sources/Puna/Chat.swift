import Foundation
internal import PunaBindings

/// A conversation with a model. Each turn computes only what the conversation does not hold yet.
///
/// It may be used from any thread, and gives one answer at a time. It is freed with its last reference, or at once by
/// ``close()``; closing its ``Model`` closes it too.
public final class Chat: Sendable {
    let handle: PunaBindings.Chat
    private let defaults: AnswerOptions
    /// Held, as the end of the model is the end of its chats.
    private let model: PunaBindings.Model
    /// Where answers are computed.
    let queue = DispatchQueue(label: "dev.puna.chat", qos: .userInitiated)

    init(_ handle: PunaBindings.Chat, of model: PunaBindings.Model, defaults: AnswerOptions) {
        self.model = model
        self.handle = handle
        self.defaults = defaults
    }

    /// Asks, and streams the answer. Each iteration asks anew, at its first piece.
    ///
    /// Cancelling the task that iterates stops the runtime within milliseconds, while it reads the question too, and
    /// takes the turn back: the conversation is as it was before. Leaving the loop early does the same. To keep what
    /// has come, call ``stop()``. A piece is computed when it is asked for: a slow reader loses nothing and fills no
    /// memory.
    ///
    /// Iterating throws `CancellationError` and ``PunaError``: ``PunaError/busy`` while another answer is read,
    /// ``PunaError/contextFull(wanted:used:contextTokens:)`` and others.
    ///
    /// - Parameter options: how this answer is made; `nil`: as the chat's options say.
    public func stream(_ text: String, options: AnswerOptions? = nil) -> AnswerStream {
        AnswerStream(chat: self, question: .new(text), options: options ?? defaults)
    }

    /// Asks, and waits for the whole answer. Cancelling stops the runtime, as in ``stream(_:options:)``.
    ///
    /// - Throws: as iterating a stream.
    public func ask(_ text: String, options: AnswerOptions? = nil) async throws -> String {
        var whole = ""
        for try await piece in stream(text, options: options) { whole += piece.text }
        return whole
    }

    /// Asks in place of the last turn's words, and streams the answer; only what comes after the first word that differs is
    /// computed. Until the new answer is whole the old turn is not gone: it comes back where the new one is cancelled or
    /// fails.
    ///
    /// Iterating throws as of a ``stream(_:options:)``, and ``PunaError/noTurn``.
    public func editLast(_ text: String, options: AnswerOptions? = nil) -> AnswerStream {
        AnswerStream(chat: self, question: .edit(text), options: options ?? defaults)
    }

    /// Answers the last turn's words again, in place of the answer that there is. With the same seed, or a temperature of
    /// 0, it is the same answer. What is said of ``editLast(_:options:)`` holds here too.
    public func regenerate(options: AnswerOptions? = nil) -> AnswerStream {
        AnswerStream(chat: self, question: .again, options: options ?? defaults)
    }

    /// Computes what the next question begins with: the system message, and `text` where its first words are known. The
    /// conversation stays as it is.
    func prewarm(_ text: String) async throws {
        let handle = handle
        try await cancellable(on: queue) { try handle.prewarm(text: text, cancel: $0) }
    }

    /// The options that answers are made with, to be changed for one of them.
    public var answerOptions: AnswerOptions { defaults }

    /// Ends the answer in the making where it is: its stream ends, and the turn is part of the conversation as far as
    /// it has come. Before the first piece it is cancelled (``PunaError/cancelled``). Without one nothing happens.
    public func stop() {
        handle.stop()
    }

    /// How long the newest answer took so far.
    public var stats: Stats { Stats(handle.stats()) }

    /// The messages of all whole turns, the system's first.
    ///
    /// - Throws: ``PunaError/busy`` while an answer is read, ``PunaError/closed``.
    public var messages: [Message] {
        get throws(PunaError) { try runtime { try handle.messages() }.map(Message.init) }
    }

    /// Tokens that the conversation can hold.
    ///
    /// - Throws: ``PunaError/busy`` while an answer is read, ``PunaError/closed``.
    public var contextTokens: Int {
        get throws(PunaError) { Int(clamping: try runtime { try handle.nCtx() }) }
    }

    /// Tokens that it holds.
    ///
    /// - Throws: ``PunaError/busy`` while an answer is read, ``PunaError/closed``.
    public var usedTokens: Int {
        get throws(PunaError) { Int(clamping: try runtime { try handle.nTokens() }) }
    }

    /// Another chat that begins as this one; the two share memory until they differ. It has no journal.
    ///
    /// - Throws: ``PunaError/busy`` while an answer is read, ``PunaError/closed``.
    public func fork() throws(PunaError) -> Chat {
        Chat(try runtime { try handle.fork() }, of: model, defaults: defaults)
    }

    /// Saves the conversation, and all that was computed for it, to a file that replaces `file` whole, or not at all.
    /// ``Model/restoreChat(from:options:)`` goes on from there.
    ///
    /// - Throws: ``PunaError/unwritable(reason:)``, ``PunaError/busy`` while an answer is read, ``PunaError/closed``.
    public func save(to file: URL) async throws {
        let (handle, path) = (handle, file.path)
        try await background(on: queue) { try runtime { try handle.save(path: path) } }
    }

    /// The turns of a chat whose ``ChatOptions/record`` is set, as a script for ``Model/replay(_:speed:)``. It has every word
    /// of them.
    ///
    /// - Throws: ``PunaError/invalidOption(what:)`` if it is not recorded, ``PunaError/busy`` while an answer is read,
    ///   ``PunaError/closed``.
    public var script: String {
        get throws(PunaError) { try runtime { try handle.script() } }
    }

    /// Gives memory back; the next turn is the same without it. A chat that answers gives back nothing. From
    /// ``TrimLevel/cache`` on it takes as long as writing the cache to the disk does.
    ///
    /// - Throws: ``PunaError/unwritable(reason:)`` if the disk is full; the cache is then still in memory, and all else given
    ///   back.
    public func trim(_ level: TrimLevel = .weights) async throws {
        let (handle, level) = (handle, level.native)
        try await background(on: queue) { try runtime { try handle.trim(level: level) } }
    }

    /// Forgets every turn; the system message stays.
    ///
    /// - Throws: ``PunaError/busy`` while an answer is read, ``PunaError/closed``.
    public func reset() throws(PunaError) {
        try runtime { try handle.reset() }
    }

    /// Frees the conversation. An answer in the making ends with ``PunaError/closed``. Later calls throw
    /// ``PunaError/closed``; closing twice is harmless.
    public func close() {
        handle.release()
    }
}

/// Who speaks.
public enum Role: Equatable, Sendable {
    /// Standing instructions.
    case system
    /// The person.
    case user
    /// The model.
    case assistant
    /// What a tool gave back.
    case tool
}

/// One message of a conversation.
public struct Message: Equatable, Sendable {
    /// Who says it.
    public let role: Role
    /// What is said.
    public let content: String

    init(_ native: ChatMessage) {
        role = switch native.role {
        case .system: .system
        case .user: .user
        case .assistant: .assistant
        case .tool: .tool
        }
        content = native.content
    }
}
