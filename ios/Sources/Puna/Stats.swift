import Foundation
internal import PunaBindings

/// How long an answer took.
public struct Stats: Equatable, Sendable {
    /// Tokens of the prompt that had to be computed; what the chat held already is not among them.
    public let promptTokens: Int

    /// Tokens of the answer.
    public let tokens: Int

    /// Seconds from the question to the first token.
    public let timeToFirstToken: TimeInterval

    /// Tokens a second of the prompt; 0 before there is one.
    public let promptTokensPerSecond: Double

    /// Tokens a second after the first; 0 before there is a second.
    public let tokensPerSecond: Double

    /// Why the answer ended; `nil` while it is in the making, and if it failed.
    public let end: AnswerEnd?

    init(_ native: AnswerStats) {
        promptTokens = Int(clamping: native.promptTokens)
        tokens = Int(clamping: native.tokens)
        timeToFirstToken = native.timeToFirstToken
        promptTokensPerSecond = native.promptTokensPerSecond
        tokensPerSecond = native.tokensPerSecond
        end = native.end.map(AnswerEnd.init)
    }
}

/// Why an answer ended.
public enum AnswerEnd: Equatable, Sendable {
    /// The model ended it.
    case complete
    /// The most tokens that were asked for were made.
    case length
    /// One of the texts that end an answer was reached.
    case stopText
    /// No token more fits the context.
    case contextFull
    /// The app ended it with ``Chat/stop()``.
    case stopped

    init(_ native: PunaBindings.AnswerEnd) {
        self = switch native {
        case .complete: .complete
        case .length: .length
        case .stopText: .stopText
        case .contextFull: .contextFull
        case .stopped: .stopped
        }
    }
}
