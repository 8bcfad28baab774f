internal import PunaBindings

/// Texts as the tokens of a model. It keeps the model open as any other reference does.
public struct Tokenizer: Sendable {
    let handle: PunaBindings.Model

    /// How many tokens `text` is. A chat adds some for each message.
    ///
    /// - Throws: ``PunaError/closed``.
    public func count(_ text: String) throws(PunaError) -> Int {
        Int(clamping: try runtime { try handle.countTokens(text: text) })
    }

    /// The tokens of `text`, without those that begin or end a text. Names of special tokens in it are plain text.
    ///
    /// - Throws: ``PunaError/closed``.
    public func encode(_ text: String) throws(PunaError) -> [Int] {
        try runtime { try handle.tokenize(text: text) }.map(Int.init)
    }

    /// The text of `tokens`; special tokens have none.
    ///
    /// - Throws: ``PunaError/invalidOption(what:)`` for a number that is no token, ``PunaError/closed``.
    public func decode(_ tokens: [Int]) throws(PunaError) -> String {
        var numbers: [UInt32] = []
        for token in tokens { numbers.append(try unsigned(token, "a token")) }
        let all = numbers
        return try runtime { try handle.detokenize(tokens: all) }
    }
}
