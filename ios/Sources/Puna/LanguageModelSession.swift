import Foundation

/// A ``Chat`` in the shape of the session of Apple's FoundationModels, so that code written for that moves over with
/// few edits: name the model, and read ``Response/content``.
///
/// ```swift
/// let session = try LanguageModelSession(model: model, instructions: "You are a travel guide.")
/// let answer = try await session.respond(to: "Where in May?").content
/// for try await snapshot in session.streamResponse(to: "And in June?") { show(snapshot.content) }
/// ```
///
/// Tools and guided generation are not here: what needs them stays with Apple's framework.
public final class LanguageModelSession: Sendable {
    /// The conversation below. While ``prewarm(promptPrefix:)`` computes, it is ``PunaError/busy``.
    public let chat: Chat
    private let warming = Warming()
    private let known: Known

    /// Begins a conversation with `model`. `instructions`: as the system message of ``Model/chat(_:options:)``.
    ///
    /// - Throws: as that.
    public init(
        model: Model, instructions: String? = nil, options: ChatOptions = ChatOptions()
    ) throws(PunaError) {
        chat = try model.chat(instructions, options: options)
        known = Known(try chat.messages)
    }

    deinit {
        warming.cancel()
    }

    /// Computes the instructions now, and the first words of the next prompt where they are known, so that the next
    /// answer comes sooner: call it when a person is about to ask. It returns at once. An answer that is asked for
    /// meanwhile waits, and computes nothing again. While it answers nothing happens.
    public func prewarm(promptPrefix: String? = nil) {
        guard !isResponding else { return }
        _ = transcript
        let chat = chat
        warming.begin { try? await chat.prewarm(promptPrefix ?? "") }
    }

    /// Asks, and waits for the whole answer.
    ///
    /// - Throws: as ``Chat/ask(_:options:)``.
    public func respond(
        to prompt: String, options: GenerationOptions = GenerationOptions()
    ) async throws -> Response<String> {
        try await streamResponse(to: prompt, options: options).collect()
    }

    /// Asks, and streams the answer: each snapshot is all of it that there is so far.
    ///
    /// Cancelling, leaving early and errors are as in ``Chat/stream(_:options:)``.
    public func streamResponse(
        to prompt: String, options: GenerationOptions = GenerationOptions()
    ) -> ResponseStream {
        ResponseStream(session: self, answer: chat.stream(prompt, options: options.answer(chat.answerOptions)))
    }

    /// The messages of all whole turns, the instructions first. While it answers, and when its model is closed, those
    /// that there were before.
    public var transcript: [Message] {
        known.renewed(from: chat)
    }

    /// Whether it is answering.
    public var isResponding: Bool {
        if warming.isRunning { return false }
        do {
            _ = try chat.contextTokens
            return false
        } catch {
            return error == .busy
        }
    }

    /// Waits for what ``prewarm(promptPrefix:)`` began; whoever cancels this wait ends that too.
    fileprivate func settle() async {
        await warming.ended()
        _ = transcript
    }

    /// A whole answer.
    public struct Response<Content: Sendable>: Sendable {
        /// What the model says.
        public let content: Content
    }

    /// An answer that grows.
    public struct ResponseStream: AsyncSequence, Sendable {
        /// The answer so far.
        public struct Snapshot: Equatable, Sendable {
            /// All text from the beginning.
            public let content: String
        }

        public typealias Element = Snapshot

        let session: LanguageModelSession
        let answer: AnswerStream

        /// Asks anew.
        public func makeAsyncIterator() -> AsyncIterator {
            AsyncIterator(session: session, pieces: answer.makeAsyncIterator())
        }

        /// Waits for the whole answer.
        ///
        /// - Throws: as iterating.
        public func collect() async throws -> Response<String> {
            var whole = ""
            for try await snapshot in self { whole = snapshot.content }
            return Response(content: whole)
        }

        /// Pulls one answer; dropping it cancels the answer.
        public struct AsyncIterator: AsyncIteratorProtocol, Sendable {
            /// Until the first piece is asked for.
            var session: LanguageModelSession?
            var pieces: AnswerStream.AsyncIterator
            var content = ""

            /// The answer with one piece more; `nil` when it is whole.
            ///
            /// - Throws: as ``AnswerStream/AsyncIterator/next()``.
            public mutating func next() async throws -> Snapshot? {
                await session?.settle()
                session = nil
                guard let piece = try await pieces.next() else { return nil }
                content += piece.text
                return Snapshot(content: content)
            }
        }
    }
}

/// The computing ahead of a session, one after the other.
private final class Warming: @unchecked Sendable {
    private let lock = NSLock()
    private var newest: Task<Void, Never>?
    private var running = 0

    var isRunning: Bool { locked { running > 0 } }

    func begin(_ work: @escaping @Sendable () async -> Void) {
        locked {
            running += 1
            newest = Task { [before = newest] in
                await before?.value
                await work()
                locked { running -= 1 }
            }
        }
    }

    func ended() async {
        guard let task = locked({ newest }) else { return }
        await withTaskCancellationHandler { await task.value } onCancel: { task.cancel() }
    }

    func cancel() {
        locked { newest }?.cancel()
    }

    private func locked<T>(_ work: () -> T) -> T {
        lock.lock()
        defer { lock.unlock() }
        return work()
    }
}

/// The messages that a chat had when they could last be read.
private final class Known: @unchecked Sendable {
    private let lock = NSLock()
    private var messages: [Message]

    init(_ messages: [Message]) {
        self.messages = messages
    }

    func renewed(from chat: Chat) -> [Message] {
        lock.lock()
        defer { lock.unlock() }
        if let now = try? chat.messages { messages = now }
        return messages
    }
}

/// How one answer of a ``LanguageModelSession`` is made.
public struct GenerationOptions: Equatable, Sendable {
    /// How each token is picked.
    public struct SamplingMode: Equatable, Sendable {
        let change: Change

        enum Change: Equatable, Sendable {
            case greedy
            case top(Int, seed: UInt64?)
            case mass(Double, seed: UInt64?)
        }

        /// The most likely token.
        public static let greedy = SamplingMode(change: .greedy)

        /// One of the `top` most likely tokens.
        public static func random(top: Int, seed: UInt64? = nil) -> SamplingMode {
            SamplingMode(change: .top(top, seed: seed))
        }

        /// One of the most likely tokens that together have this probability.
        public static func random(probabilityThreshold: Double, seed: UInt64? = nil) -> SamplingMode {
            SamplingMode(change: .mass(probabilityThreshold, seed: seed))
        }
    }

    /// How each token is picked; `nil`: as the chat's options say.
    public var sampling: SamplingMode?

    /// Higher is more varied; `nil`: as the chat's options say.
    public var temperature: Double?

    /// Tokens at most; `nil`: as the chat's options say.
    public var maximumResponseTokens: Int?

    /// Options; those that are not named are the chat's.
    public init(
        sampling: SamplingMode? = nil, temperature: Double? = nil, maximumResponseTokens: Int? = nil
    ) {
        self.sampling = sampling
        self.temperature = temperature
        self.maximumResponseTokens = maximumResponseTokens
    }

    func answer(_ defaults: AnswerOptions) -> AnswerOptions {
        var options = defaults
        if let temperature { options.temperature = Float(temperature) }
        if let maximumResponseTokens { options.maxTokens = maximumResponseTokens }
        switch sampling?.change {
        case nil: break
        case .greedy: options.temperature = 0
        case .top(let top, let seed):
            (options.topK, options.topP, options.seed) = (top, 1, seed)
        case .mass(let mass, let seed):
            (options.topK, options.topP, options.seed) = (0, Float(mass), seed)
        }
        return options
    }
}
