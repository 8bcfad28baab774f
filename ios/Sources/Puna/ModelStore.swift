import Dispatch
import Foundation
internal import PunaBindings

/// A folder of downloaded models. Every file in it was whole and right when it was put there.
///
/// ```swift
/// let store = ModelStore(folder: models)
/// let stored = try await store.fetch(url, sha256: hash) { print($0.received, $0.total ?? 0) }
/// let model = try await Model.open(stored.file)
/// ```
///
/// Connections are the system's, by `URLSession`. Several processes may use a folder at once. Models are left out of backups.
public final class ModelStore: Sendable {
    private let handle: PunaBindings.ModelStore
    private static let queue = DispatchQueue(label: "dev.puna.store", qos: .utility, attributes: .concurrent)

    /// The store in `folder`, which need not exist.
    public init(folder: URL) {
        handle = PunaBindings.ModelStore.at(folder: folder.path)
    }

    /// Downloads the model at `url`, unless it is there. `url` is `https://…`, or `http://` of this device itself.
    ///
    /// What an earlier try has left is gone on with; what is proved bad is removed. A connection that breaks off is tried
    /// again. Cancelling the task stops the download at once, and keeps what has arrived.
    ///
    /// - Parameters:
    ///   - sha256: the SHA-256 that the file must have, in hex. Without one, what the encrypted connection brings is
    ///     believed, as far as it is a whole model.
    ///   - stall: seconds after which a connection on which nothing comes is given up.
    ///   - tries: how many in a row may fail without a byte in between.
    ///   - progress: hears of each piece, on a background thread. A slow one slows the download.
    /// - Throws: ``PunaError/downloadFailed(reason:status:)``, ``PunaError/noSpace(wanted:free:)``,
    ///   ``PunaError/invalidModel(what:offset:)`` for a file that is no model or has another hash,
    ///   ``PunaError/invalidOption(what:)`` for an address or a hash that is none, ``PunaError/unreadable(reason:)``,
    ///   `CancellationError`.
    public func fetch(
        _ url: URL, sha256: String? = nil, stall: TimeInterval = 30, tries: Int = 8,
        progress: @escaping @Sendable (FetchProgress) -> Void = { _ in }
    ) async throws -> StoredModel {
        let options = FetchOptions(
            url: url.absoluteString, sha256: sha256, stallSeconds: stall, tries: try unsigned(tries, "tries"))
        let (handle, listener, connection) = (handle, FetchHearer(progress), SystemConnection())
        defer { connection.abort() }
        let stored = try await cancellable(on: Self.queue) {
            StoredModel(
                try handle.fetch(options: options, connection: connection, listener: listener, cancel: $0))
        }
        leaveOutOfBackups(stored)
        return stored
    }

    /// Models can be downloaded again; backups are for what cannot.
    private func leaveOutOfBackups(_ stored: StoredModel) {
        var folder = stored.file.deletingLastPathComponent().deletingLastPathComponent()
        var values = URLResourceValues()
        values.isExcludedFromBackup = true
        // Where that fails a backup is larger, and the model is here all the same.
        try? folder.setResourceValues(values)
    }

    /// What is there, by name.
    ///
    /// - Throws: ``PunaError/unreadable(reason:)``.
    public func list() throws(PunaError) -> [StoredModel] {
        try runtime { try handle.list() }.map(StoredModel.init)
    }

    /// Removes a model. `name`: its name, its SHA-256, or at least eight first digits of that.
    ///
    /// - Throws: ``PunaError/invalidOption(what:)`` if there is none or more than one, ``PunaError/unreadable(reason:)``.
    public func remove(_ name: String) throws(PunaError) {
        _ = try runtime { try handle.remove(name: name) }
    }

    /// Reads a model and compares its hash with what it was. `name`: as for ``remove(_:)``.
    ///
    /// - Throws: as that; ``PunaError/invalidModel(what:offset:)``: remove it, and download it again.
    @discardableResult
    public func verify(_ name: String) async throws -> StoredModel {
        let handle = handle
        return try await background(on: Self.queue) { StoredModel(try runtime { try handle.verify(name: name) }) }
    }
}

/// A model in a ``ModelStore``.
public struct StoredModel: Equatable, Identifiable, Sendable {
    /// What it goes by: the file's name without `.gguf`.
    public let name: String
    /// The file, for ``Model/open(_:licences:progress:)``.
    public let file: URL
    /// Its length.
    public let bytes: Int64
    /// Its SHA-256 when it was put there, in hex.
    public let sha256: String
    /// Where it came from.
    public let url: URL?

    /// Its SHA-256.
    public var id: String { sha256 }

    init(_ native: PunaBindings.StoredModel) {
        name = native.name
        file = URL(fileURLWithPath: native.path)
        bytes = Int64(clamping: native.bytes)
        sha256 = native.sha256
        url = native.url.flatMap(URL.init(string:))
    }
}

/// How far a download is.
public struct FetchProgress: Equatable, Sendable {
    /// What it does.
    public let phase: FetchPhase
    /// Bytes that have arrived, those of earlier tries included.
    public let received: Int64
    /// Bytes of the file, when the server has said it.
    public let total: Int64?

    init(_ native: PunaBindings.FetchProgress) {
        phase = switch native.phase {
        case .waiting: .waiting
        case .asking: .asking
        case .receiving: .receiving
        case .pausing: .pausing
        case .checking: .checking
        }
        received = Int64(clamping: native.received)
        total = native.total.map(Int64.init(clamping:))
    }
}

/// What a download does.
public enum FetchPhase: Equatable, Sendable {
    /// Another process downloads the same file; this one takes what that one gets.
    case waiting
    /// Asks the server.
    case asking
    /// Bytes come.
    case receiving
    /// A try failed; the next one comes after a pause.
    case pausing
    /// All is here and is looked at.
    case checking
}

/// Tells an app how far a download is, on the thread that downloads.
private final class FetchHearer: FetchListener {
    private let tell: @Sendable (FetchProgress) -> Void

    init(_ tell: @escaping @Sendable (FetchProgress) -> Void) {
        self.tell = tell
    }

    func progress(progress: PunaBindings.FetchProgress) {
        tell(FetchProgress(progress))
    }
}
