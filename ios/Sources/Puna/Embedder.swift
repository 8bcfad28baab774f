import Dispatch
internal import PunaBindings

/// Makes vectors of texts: texts of like meaning get vectors that point the same way.
///
/// It may be used from any thread; one text is computed at a time. It is freed with its last reference, or at once by
/// ``close()``; closing its ``Model`` closes it too.
public final class Embedder: Sendable {
    private let handle: PunaBindings.Embedder
    /// Held, as the end of the model is the end of its embedders.
    private let model: PunaBindings.Model
    private let queue = DispatchQueue(label: "dev.puna.embed", qos: .userInitiated)

    init(_ handle: PunaBindings.Embedder, of model: PunaBindings.Model) {
        self.handle = handle
        self.model = model
    }

    /// The vector of `text`. Cancelling the task stops the runtime within milliseconds.
    ///
    /// - Throws: ``PunaError/contextFull(wanted:used:contextTokens:)`` if the text is too long,
    ///   ``PunaError/invalidOption(what:)`` if it has no token, ``PunaError/closed``, `CancellationError`.
    public func embed(_ text: String) async throws -> [Float] {
        let handle = handle
        return try await cancellable(on: queue) { try handle.embed(text: text, cancel: $0) }
    }

    /// Frees it. Later calls throw ``PunaError/closed``; closing twice is harmless.
    public func close() {
        handle.release()
    }
}

/// How texts become vectors.
public struct EmbedderOptions: Equatable, Sendable {
    /// How the tokens of a text become one vector; `nil`: as the model was trained, else their mean.
    public var pooling: Pooling?

    /// Scales vectors to length 1, so that the sum of their products is their likeness.
    public var normalize: Bool

    /// Tokens that a text may have; `nil`: what the model was trained for, at most 4,096.
    public var contextTokens: Int?

    /// Threads that compute; `nil`: one for each fast core.
    public var threads: Int?

    /// Options; those that are not named have their defaults.
    public init(pooling: Pooling? = nil, normalize: Bool = true, contextTokens: Int? = nil, threads: Int? = nil) {
        self.pooling = pooling
        self.normalize = normalize
        self.contextTokens = contextTokens
        self.threads = threads
    }

    func native() throws(PunaError) -> PunaBindings.EmbedderOptions {
        PunaBindings.EmbedderOptions(
            pooling: pooling.map(\.native),
            normalize: normalize,
            nCtx: try unsignedOrNil(contextTokens, "contextTokens"),
            nThreads: try unsignedOrNil(threads, "threads"))
    }
}

/// How the tokens of a text become one vector.
public enum Pooling: Equatable, Sendable {
    /// Their mean.
    case mean
    /// The first.
    case first
    /// The last.
    case last

    var native: VectorPooling {
        switch self {
        case .mean: .mean
        case .first: .first
        case .last: .last
        }
    }
}
