/// A ``Chat`` in the shape of the session of Apple's FoundationModels, so that code written for that moves over with
/// few edits: name the model, and read ``Response/content``.
///
/// ```swift
/// let session = try LanguageModelSession(model: model, instructions: "You are a travel guide.")
/// let answer = try await session.respond(to: "Where in May?").content
/// for try await snapshot in session.streamResponse(to: "And in June?") { show(snapshot.content) }
/// ```
///
/// Tools and guided generation are not here.
public final class LanguageModelSession: Sendable {
    /// The conversation below.
    public let chat: Chat

    /// Begins a conversation with `model`. `instructions`: as the system message of ``Model/chat(_:options:)``.
    ///
    /// - Throws: as that.
    public init(
        model: Model, instructions: String? = nil, options: ChatOptions = ChatOptions()
    ) throws(PunaError) {
        chat = try model.chat(instructions, options: options)
    }

    /// Asks, and waits for the whole answer.
    ///
    /// - Throws: as ``Chat/ask(_:options:)``.
    public func respond(
        to prompt: String, options: GenerationOptions = GenerationOptions()
    ) async throws -> Response<String> {
        Response(content: try await chat.ask(prompt, options: options.answer(chat.answerOptions)))
    }

    /// Asks, and streams the answer: each snapshot is all of it that there is so far.
    ///
    /// Cancelling, leaving early and errors are as in ``Chat/stream(_:options:)``.
    public func streamResponse(
        to prompt: String, options: GenerationOptions = GenerationOptions()
    ) -> ResponseStream {
        ResponseStream(answer: chat.stream(prompt, options: options.answer(chat.answerOptions)))
    }

    /// The messages of all whole turns, the instructions first.
    ///
    /// - Throws: ``PunaError/busy`` while it answers, ``PunaError/closed``.
    public var transcript: [Message] {
        get throws(PunaError) { try chat.messages }
    }

    /// Whether it is answering.
    public var isResponding: Bool {
        do {
            _ = try chat.contextTokens
            return false
        } catch {
            return error == .busy
        }
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

        let answer: AnswerStream

        /// Asks anew.
        public func makeAsyncIterator() -> AsyncIterator {
            AsyncIterator(pieces: answer.makeAsyncIterator())
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
            var pieces: AnswerStream.AsyncIterator
            var content = ""

            /// The answer with one piece more; `nil` when it is whole.
            ///
            /// - Throws: as ``AnswerStream/AsyncIterator/next()``.
            public mutating func next() async throws -> Snapshot? {
                guard let piece = try await pieces.next() else { return nil }
                content += piece.text
                return Snapshot(content: content)
            }
        }
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
