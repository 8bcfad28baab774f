import Foundation
internal import PunaBindings

/// Gives the bytes of a model, where there is neither a file nor a descriptor. See ``Model/open(_:in:licences:progress:)``.
public protocol ByteSource: Sendable {
    /// How many there are.
    var length: Int64 { get }

    /// At most `count` bytes from `offset` on, and at least one; called on a background thread. What it throws ends
    /// the opening.
    func read(at offset: Int64, count: Int) throws -> Data
}

/// An app's source, as the runtime sees it.
final class NativeSource: PunaBindings.ByteSource {
    private let source: any ByteSource
    private let tell: @Sendable (Int64, Int64) -> Void
    private let stopped: Stopped

    init(
        _ source: any ByteSource, until stopped: Stopped, _ tell: @escaping @Sendable (Int64, Int64) -> Void
    ) {
        self.source = source
        self.stopped = stopped
        self.tell = tell
    }

    func length() -> UInt64 {
        UInt64(clamping: source.length)
    }

    func read(offset: UInt64, length: UInt32) throws -> Data {
        do {
            if stopped.isSet { throw CancellationError() }
            let bytes = try source.read(at: Int64(clamping: offset), count: Int(length))
            tell(Int64(clamping: offset) + Int64(bytes.count), source.length)
            return bytes
        } catch {
            throw SourceError.Failed(reason: "\(error)")
        }
    }
}

/// Whether the task that opens a source was cancelled.
final class Stopped: @unchecked Sendable {
    private let lock = NSLock()
    private var set = false

    var isSet: Bool {
        lock.lock()
        defer { lock.unlock() }
        return set
    }

    func stop() {
        lock.lock()
        defer { lock.unlock() }
        set = true
    }
}
