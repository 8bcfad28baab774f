import Foundation
internal import PunaBindings

/// How a chat computes and how much it remembers.
public struct ChatOptions: Equatable, Sendable {
    /// Tokens that the conversation can hold; `nil`: what the model was trained for, at most 4,096.
    public var contextTokens: Int?

    /// How the cache of keys and values is stored.
    public var kv: KVStorage

    /// Threads that compute; `nil`: one for each fast core.
    public var threads: Int?

    /// Whether a chat is refused (``PunaError/doesNotFit(needs:has:largestContextTokens:)``) that the ``Plan`` says does
    /// not fit this device.
    public var checkFit = true

    /// The folder of the file that ``TrimLevel/cache`` writes; `nil`: the system's for temporary files.
    public var trimFolder: URL?

    /// A folder that keeps every turn from now on. Whatever happens to the process, the next chat with this folder goes
    /// on after the last whole turn, its system message included, and computes nothing again. One chat has it at a time.
    public var journal: URL?

    /// Records every turn, with the time of each piece, for ``Chat/script``.
    public var record = false

    /// How answers are made, where a message does not say otherwise.
    public var answer: AnswerOptions

    /// The options that are changed most often; the rest are properties.
    public init(
        contextTokens: Int? = nil, kv: KVStorage = .f16, threads: Int? = nil, journal: URL? = nil,
        answer: AnswerOptions = AnswerOptions()
    ) {
        self.contextTokens = contextTokens
        self.kv = kv
        self.threads = threads
        self.journal = journal
        self.answer = answer
    }

    func native(system: String?) throws(PunaError) -> PunaBindings.ChatOptions {
        PunaBindings.ChatOptions(
            system: system,
            nCtx: try unsignedOrNil(contextTokens, "contextTokens"),
            kv: kv.native,
            nThreads: try unsignedOrNil(threads, "threads"),
            checkFit: checkFit,
            trimFolder: trimFolder?.path,
            journal: journal?.path,
            record: record,
            answer: try answer.native())
    }
}

/// How keys and values are stored.
public enum KVStorage: Equatable, Sendable {
    /// 16 bits a number.
    case f16

    /// 8.5 bits a number: half the memory, for a little accuracy.
    case q8

    /// 4.5 bits a number: a quarter of the memory, for more of it.
    case q4

    var native: KvStorage {
        switch self {
        case .f16: .f16
        case .q8: .q8
        case .q4: .q4
        }
    }
}

/// What happens when the conversation no longer fits its context.
public enum WhenFull: Equatable, Sendable {
    /// A question that does not fit throws ``PunaError/contextFull(wanted:used:contextTokens:)``; an answer ends with
    /// ``AnswerEnd/contextFull``.
    case stop

    /// The oldest turns leave the conversation, ``Chat/messages`` included; the system message stays.
    case dropOldest
}

/// How much memory is given back. Each level gives back what those before it do, and all of it returns by itself.
public enum TrimLevel: Equatable, Sendable, CaseIterable {
    /// The buffers of the computation: they are back in less than a millisecond.
    case buffers

    /// The cache of keys and values too: it is written to a file without a name, and read where it lies in that.
    case cache

    /// The pages of the mapped weights too: they are read again, from the system's cache or from storage.
    case weights

    var native: PunaBindings.TrimLevel {
        switch self {
        case .buffers: .buffers
        case .cache: .cache
        case .weights: .weights
        }
    }
}

/// How one answer is made.
public struct AnswerOptions: Equatable, Sendable {
    /// Tokens at most; `nil`: until the model ends or the context is full.
    public var maxTokens: Int?

    /// Texts that end the answer and are not part of it.
    public var stops: [String] = []

    /// Seconds for the whole answer, the question included; `nil`: no limit. When they have passed, the turn is taken
    /// back with ``PunaError/deadlineExceeded``.
    public var timeout: TimeInterval?

    /// What happens when the conversation no longer fits.
    public var whenFull = WhenFull.stop

    /// The same seed gives the same answer; `nil`: another one each time.
    public var seed: UInt64?

    /// 0 picks the most likely token; higher is more varied.
    public var temperature: Float = 0.8

    /// Keeps this many of the most likely tokens; 0: all.
    public var topK: Int = 40

    /// Keeps the most likely tokens up to this probability mass; 1: all.
    public var topP: Float = 0.95

    /// Keeps tokens at least this many times as likely as the best; 0: all.
    public var minP: Float = 0.05

    /// Locally typical sampling; 1: off.
    public var typicalP: Float = 1

    /// How many of the last tokens the penalties look at.
    public var repeatLastN: Int = 64

    /// Makes tokens seen less likely; 1: off.
    public var repeatPenalty: Float = 1

    /// Makes tokens less likely for each time that they were seen; 0: off.
    public var frequencyPenalty: Float = 0

    /// Makes tokens seen less likely, once; 0: off.
    public var presencePenalty: Float = 0

    /// Makes tokens less likely that would repeat a sequence (DRY); 0: off.
    public var dryMultiplier: Float = 0

    /// The options that are changed most often; the rest are properties.
    public init(maxTokens: Int? = nil, temperature: Float = 0.8, seed: UInt64? = nil, stops: [String] = []) {
        self.maxTokens = maxTokens
        self.temperature = temperature
        self.seed = seed
        self.stops = stops
    }

    func native() throws(PunaError) -> PunaBindings.AnswerOptions {
        PunaBindings.AnswerOptions(
            maxTokens: try unsignedOrNil(maxTokens, "maxTokens"),
            stops: stops,
            timeout: try duration(timeout),
            whenFull: whenFull == .dropOldest ? .dropOldest : .stop,
            sampler: SamplerSettings(
                seed: seed,
                temperature: temperature,
                topK: try unsigned(topK, "topK"),
                topP: topP,
                minP: minP,
                typicalP: typicalP,
                repeatLastN: try unsigned(repeatLastN, "repeatLastN"),
                repeatPenalty: repeatPenalty,
                frequencyPenalty: frequencyPenalty,
                presencePenalty: presencePenalty,
                dryMultiplier: dryMultiplier))
    }
}

/// A number that may not be negative.
func unsigned(_ number: Int, _ name: String) throws(PunaError) -> UInt32 {
    guard let unsigned = UInt32(exactly: number) else {
        throw .invalidOption(what: "\(name) is \(number), wanted 0 to \(UInt32.max)")
    }
    return unsigned
}

func unsignedOrNil(_ number: Int?, _ name: String) throws(PunaError) -> UInt32? {
    guard let number else { return nil }
    return try unsigned(number, name)
}

/// Seconds, as the runtime takes them: not negative, and not more than it can count.
private func duration(_ seconds: TimeInterval?) throws(PunaError) -> TimeInterval? {
    guard let seconds else { return nil }
    guard seconds >= 0 else {
        throw .invalidOption(what: "timeout is \(seconds) seconds, wanted at least 0")
    }
    return min(seconds, 1e9)
}
