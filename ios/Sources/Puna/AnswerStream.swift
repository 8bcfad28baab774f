internal import PunaBindings

/// A piece of an answer: whole characters, never empty.
public struct Piece: Equatable, Sendable {
    /// What to append to the pieces before.
    public let text: String
}

/// An answer, piece by piece. See ``Chat/stream(_:options:)``, ``Chat/editLast(_:options:)`` and
/// ``Chat/regenerate(options:)``.
public struct AnswerStream: AsyncSequence, Sendable {
    public typealias Element = Piece

    /// What the chat is asked.
    enum Question: Sendable {
        case new(String)
        case edit(String)
        case again
    }

    let chat: Chat
    let question: Question
    let options: AnswerOptions

    /// Asks anew.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(stage: .asked(self))
    }

    /// Pulls one answer out of the runtime. Dropping it cancels the answer, if it is not whole.
    public struct AsyncIterator: AsyncIteratorProtocol, Sendable {
        enum Stage: Sendable {
            case asked(AnswerStream)
            case answering(Answer)
            case over
        }

        var stage: Stage

        /// The next piece, computed by this call; `nil` after the last, when the turn is part of the conversation.
        ///
        /// - Throws: `CancellationError` if the task was cancelled, else ``PunaError``. The turn is then taken back.
        public mutating func next() async throws -> Piece? {
            let answer: Answer
            switch stage {
            case .over: return nil
            case .answering(let begun): answer = begun
            case .asked(let stream):
                stage = .over
                try Task.checkCancellation()
                answer = try Answer(stream)
                stage = .answering(answer)
            }
            do {
                if let piece = try await answer.next() { return piece }
                stage = .over
                return nil
            } catch {
                stage = .over
                throw error
            }
        }
    }
}

/// One answer in the making. Freeing it cancels it.
final class Answer: Sendable {
    private let chat: Chat
    private let stream: TokenStream

    init(_ asked: AnswerStream) throws(PunaError) {
        chat = asked.chat
        let options = try asked.options.native()
        let handle = asked.chat.handle
        stream = try runtime {
            switch asked.question {
            case .new(let text): try handle.send(text: text, options: options)
            case .edit(let text): try handle.editLast(text: text, options: options)
            case .again: try handle.regenerate(options: options)
            }
        }
    }

    deinit {
        // The closure below may hold the stream a moment longer than this. The chat must be free now.
        stream.cancel()
    }

    func next() async throws -> Piece? {
        let stream = stream
        do {
            // Whoever cancels the task runs this, on its own thread.
            return try await withTaskCancellationHandler {
                let text = try await background(on: chat.queue) { try runtime { try stream.next() } }
                return text.map(Piece.init)
            } onCancel: {
                stream.cancel()
            }
        } catch PunaError.cancelled {
            // The runtime stopped since this task was cancelled: then that is the reason.
            try Task.checkCancellation()
            throw PunaError.cancelled
        }
    }
}
