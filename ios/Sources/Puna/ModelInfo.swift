internal import PunaBindings

/// What a model is.
public struct ModelInfo: Equatable, Sendable {
    /// What its file calls it.
    public let name: String?
    /// For example `llama`.
    public let architecture: String
    /// The licence, as its file has it.
    public let license: String?
    /// Numbers that it was trained to.
    public let parameters: Int64
    /// Bytes of its weights, mapped from the file.
    public let weightsBytes: Int64
    /// Tokens that it was trained to look back.
    public let trainedContextTokens: Int
    /// Tokens that it knows.
    public let vocabularyTokens: Int

    init(_ native: PunaBindings.ModelInfo) {
        name = native.name
        architecture = native.architecture
        license = native.license
        parameters = Int64(clamping: native.nParams)
        weightsBytes = Int64(clamping: native.weightsBytes)
        trainedContextTokens = Int(clamping: native.nCtxTrain)
        vocabularyTokens = Int(clamping: native.nVocab)
    }
}

/// What a chat would need, and what the device has, in bytes. See ``Model/plan(_:)``.
public struct Plan: Equatable, Sendable {
    /// Tokens that the chat can hold.
    public let contextTokens: Int
    /// Threads that compute.
    public let threads: Int
    /// The weights, mapped from the file.
    public let weightsBytes: Int64
    /// The cache of keys and values, when full.
    public let kvBytes: Int64
    /// Every other buffer.
    public let scratchBytes: Int64
    /// All of it.
    public let needs: Int64
    /// What the process may come to hold; `nil` where the system does not tell.
    public let has: Int64?
    /// Whether it fits; where the system does not tell, it is said to.
    public let fits: Bool
    /// The longest context that fits, with everything else as asked, if one does.
    public let largestContextTokens: Int?

    init(_ native: PunaBindings.Plan) {
        contextTokens = Int(clamping: native.nCtx)
        threads = Int(clamping: native.nThreads)
        weightsBytes = Int64(clamping: native.weightsBytes)
        kvBytes = Int64(clamping: native.kvBytes)
        scratchBytes = Int64(clamping: native.scratchBytes)
        needs = Int64(clamping: native.needs)
        has = native.has.map(Int64.init(clamping:))
        fits = native.fits
        largestContextTokens = native.largestNCtx.map(Int.init(clamping:))
    }
}
