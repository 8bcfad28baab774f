internal import PunaBindings

/// A system message that is computed. Chats that begin with it share its memory.
///
/// It may be used from any thread. It is freed with its last reference, or at once by ``close()``; chats that have begun
/// stay.
public final class Prewarmed: Sendable {
    private let handle: PunaBindings.Prefix
    private let model: PunaBindings.Model
    private let defaults: AnswerOptions

    init(_ handle: PunaBindings.Prefix, of model: PunaBindings.Model, defaults: AnswerOptions) {
        self.handle = handle
        self.model = model
        self.defaults = defaults
    }

    /// Begins a conversation, with the options that ``Model/prewarm(_:in:options:)`` was given.
    ///
    /// - Throws: as ``Model/chat(_:options:)``.
    public func chat() throws(PunaError) -> Chat {
        Chat(try runtime { try handle.chat() }, of: model, defaults: defaults)
    }

    /// Frees it. Closing twice is harmless.
    public func close() {
        handle.release()
    }
}
