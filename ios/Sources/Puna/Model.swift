import Dispatch
import Foundation
internal import PunaBindings

/// An open model: a mapped GGUF file. Chats on it share the weights.
///
/// It may be used from any thread. It is freed with the last reference to it and its chats, or at once by ``close()``.
///
/// ```swift
/// let model = try await Model.open(url)
/// let chat = try model.chat("You are a travel guide.")
/// for try await piece in chat.stream("Where in May?") { print(piece.text, terminator: "") }
/// ```
public final class Model: Sendable {
    private let handle: PunaBindings.Model

    /// Where models are opened, and what takes long and is no answer.
    private static let queue = DispatchQueue(label: "dev.puna.model", qos: .userInitiated, attributes: .concurrent)

    private init(_ handle: PunaBindings.Model) {
        self.handle = handle
    }

    /// Opens the GGUF file at `url` (of a split model: its first part). The weights stay in the file, mapped. `licences`:
    /// the folder where ``Licence/accept(who:folder:)`` keeps what was accepted.
    ///
    /// A URL from a file picker is opened within its security scope. With `progress` the weights are read from storage once, as
    /// ``preload(progress:)`` does.
    ///
    /// - Throws: ``PunaError/unreadable(reason:)``, ``PunaError/invalidModel(what:offset:)``,
    ///   ``PunaError/unsupportedModel(what:)``, ``PunaError/licenceNotAccepted(id:summary:)``,
    ///   ``PunaError/doesNotFit(needs:has:largestContextTokens:)``; `CancellationError` if the task was cancelled, when the
    ///   model is closed again.
    public static func open(
        _ url: URL, licences: URL = Licence.folder,
        progress: (@Sendable (_ done: Int64, _ total: Int64) -> Void)? = nil
    ) async throws -> Model {
        guard url.isFileURL else {
            throw PunaError.unreadable(reason: "a URL that is not of a file; download it first")
        }
        let model = try await opening {
            #if canImport(Darwin)
            let scoped = url.startAccessingSecurityScopedResource()
            defer { if scoped { url.stopAccessingSecurityScopedResource() } }
            #endif
            return try PunaBindings.Model.open(path: url.path, licences: licences.path)
        }
        if let progress { try await model.preload(progress: progress) }
        return model
    }

    /// Opens `length` bytes (`nil`: all) from `offset` of the open file that `descriptor` numbers: a whole file, or one
    /// that lies uncompressed inside another. Nothing is copied. The descriptor stays the caller's, who may close it
    /// afterwards.
    ///
    /// - Throws: as ``open(_:licences:progress:)``.
    public static func open(
        descriptor: Int32, offset: Int64 = 0, length: Int64? = nil, licences: URL = Licence.folder
    ) async throws -> Model {
        guard let from = UInt64(exactly: offset), length ?? 0 >= 0 else {
            throw PunaError.invalidOption(what: "\(length ?? 0) bytes at \(offset), wanted at least 0")
        }
        let bytes = length.map(UInt64.init)
        return try await opening {
            try PunaBindings.Model.openDescriptor(
                descriptor: descriptor, offset: from, length: bytes, licences: licences.path)
        }
    }

    /// Opens a model whose bytes `source` gives, where there is neither a file nor a descriptor. They are copied, once,
    /// into a file without a name in `folder`, which is gone with the model: take the app's cache folder. `progress` hears
    /// of each piece, on a background thread.
    ///
    /// - Throws: as ``open(_:licences:progress:)``; ``PunaError/unreadable(reason:)`` with what the source threw.
    public static func open(
        _ source: any ByteSource, in folder: URL, licences: URL = Licence.folder,
        progress: @escaping @Sendable (_ done: Int64, _ total: Int64) -> Void = { _, _ in }
    ) async throws -> Model {
        let path = folder.path
        let stopped = Stopped()
        return try await withTaskCancellationHandler {
            do {
                return try await opening {
                    let native = NativeSource(source, until: stopped, progress)
                    return try PunaBindings.Model.openSource(source: native, folder: path, licences: licences.path)
                }
            } catch PunaError.unreadable(let reason) {
                try Task.checkCancellation()
                throw PunaError.unreadable(reason: reason)
            }
        } onCancel: {
            stopped.stop()
        }
    }

    /// The replay twin: a stand-in that answers from a script, without a model, for an app's own tests in simulators and
    /// CI. `speed`: how many times as fast as it was recorded; `.infinity`: without waiting. A script is JSON, recorded by
    /// ``Chat/script`` or written by hand; docs/sdk/testing.md has an example.
    ///
    /// - Throws: ``PunaError/invalidOption(what:)`` if the script or the speed is none.
    public static func replay(_ script: String, speed: Double = 1) throws(PunaError) -> Model {
        Model(try runtime { try PunaBindings.Model.openReplay(script: script, speed: speed) })
    }

    private static func opening(_ open: @escaping @Sendable () throws -> PunaBindings.Model) async throws -> Model {
        try Task.checkCancellation()
        let model = try await background(on: queue) { Model(try runtime(open)) }
        do {
            try Task.checkCancellation()
        } catch {
            model.close()
            throw error
        }
        return model
    }

    /// What it is.
    ///
    /// - Throws: ``PunaError/closed``.
    public var info: ModelInfo {
        get throws(PunaError) { ModelInfo(try runtime { try handle.info() }) }
    }

    /// Begins a conversation. `system`: standing instructions; `nil`: those of the model's own template.
    ///
    /// - Throws: ``PunaError/doesNotFit(needs:has:largestContextTokens:)``, ``PunaError/invalidOption(what:)``,
    ///   ``PunaError/unsupportedModel(what:)`` if this model cannot chat, ``PunaError/closed``.
    public func chat(_ system: String? = nil, options: ChatOptions = ChatOptions()) throws(PunaError) -> Chat {
        let native = try options.native(system: system)
        return Chat(try runtime { try handle.chat(options: native) }, of: handle, defaults: options.answer)
    }

    /// Goes on with the conversation that ``Chat/save(to:)`` wrote to `file`; nothing is computed. Its system message is
    /// that of the file.
    ///
    /// - Throws: ``PunaError/invalidState(what:)`` if the file is damaged or no chat of this model,
    ///   ``PunaError/unreadable(reason:)``; and as ``chat(_:options:)``.
    public func restoreChat(from file: URL, options: ChatOptions = ChatOptions()) throws(PunaError) -> Chat {
        let (native, path) = (try options.native(system: nil), file.path)
        let chat = try runtime { try handle.restoreChat(path: path, options: native) }
        return Chat(chat, of: handle, defaults: options.answer)
    }

    /// What a chat with `options` would need, and what the device has at the moment. Allocates nothing.
    ///
    /// - Throws: ``PunaError/invalidOption(what:)``, ``PunaError/closed``.
    public func plan(_ options: ChatOptions = ChatOptions()) throws(PunaError) -> Plan {
        let native = try options.native(system: nil)
        return Plan(try runtime { try handle.plan(options: native) })
    }

    /// Computes the system message once, for any number of chats: their first answers come sooner. `folder`: where it is
    /// kept for the next start; `nil`: nowhere.
    ///
    /// - Throws: as ``chat(_:options:)``; `CancellationError` if the task was cancelled.
    public func prewarm(
        _ system: String?, in folder: URL? = nil, options: ChatOptions = ChatOptions()
    ) async throws -> Prewarmed {
        let (native, path, handle) = (try options.native(system: system), folder?.path, handle)
        let prefix = try await cancellable(on: Self.queue) {
            try handle.prefix(options: native, folder: path, cancel: $0)
        }
        return Prewarmed(prefix, of: handle, defaults: options.answer)
    }

    /// Reads the weights from storage once, so that the first answer does not wait for them: worth its time where the
    /// device has memory for them all. `progress` hears of each piece, on a background thread.
    ///
    /// - Throws: ``PunaError/closed``, `CancellationError`.
    public func preload(
        progress: @escaping @Sendable (_ done: Int64, _ total: Int64) -> Void = { _, _ in }
    ) async throws {
        let handle = handle
        try await cancellable(on: Self.queue) { try handle.preload(progress: Listener(progress), cancel: $0) }
    }

    /// Makes vectors of texts.
    ///
    /// - Throws: ``PunaError/doesNotFit(needs:has:largestContextTokens:)``, ``PunaError/invalidOption(what:)``,
    ///   ``PunaError/closed``.
    public func embedder(_ options: EmbedderOptions = EmbedderOptions()) throws(PunaError) -> Embedder {
        let native = try options.native()
        return Embedder(try runtime { try handle.embedder(options: native) }, of: handle)
    }

    /// Texts as tokens.
    public var tokenizer: Tokenizer { Tokenizer(handle: handle) }

    /// How many tokens `text` is.
    ///
    /// - Throws: ``PunaError/closed``.
    public func countTokens(_ text: String) throws(PunaError) -> Int {
        try tokenizer.count(text)
    }

    /// Gives memory back, of every chat and embedder that nobody uses at the moment; what comes next is the same without
    /// it. On phones ``trimOnMemoryWarnings()`` does it. From ``TrimLevel/cache`` on it takes as long as writing the caches to
    /// the disk does.
    ///
    /// - Throws: ``PunaError/unwritable(reason:)`` if the disk is full; what could not be written is then still in memory,
    ///   and all else given back. ``PunaError/closed``.
    public func trim(_ level: TrimLevel = .weights) async throws {
        let (handle, level) = (handle, level.native)
        try await background(on: Self.queue) { try runtime { try handle.trim(level: level) } }
    }

    /// Closes the model, its chats and embedders. An answer in the making ends with ``PunaError/closed``, and its memory is freed
    /// when it has. Later calls throw ``PunaError/closed``; closing twice is harmless.
    public func close() {
        handle.release()
    }
}
