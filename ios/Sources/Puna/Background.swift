import Dispatch
internal import PunaBindings

/// Runs work that computes or waits for a disk on a thread of `queue`: the threads of Swift's tasks are few, and must
/// not be held.
func background<T: Sendable>(
    on queue: DispatchQueue, _ work: @escaping @Sendable () throws -> T
) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        queue.async { continuation.resume(with: Result(catching: work)) }
    }
}

/// Runs a call that looks at a flag; cancelling the task sets it.
func cancellable<T: Sendable>(
    on queue: DispatchQueue, _ call: @escaping @Sendable (CancelFlag) throws -> T
) async throws -> T {
    try Task.checkCancellation()
    let flag = CancelFlag()
    do {
        // Whoever cancels the task runs this, on its own thread.
        return try await withTaskCancellationHandler {
            try await background(on: queue) { try runtime { try call(flag) } }
        } onCancel: {
            flag.cancel()
        }
    } catch PunaError.cancelled {
        // The runtime stopped since this task was cancelled: then that is the reason.
        try Task.checkCancellation()
        throw PunaError.cancelled
    }
}

/// Hears how far something is, on the thread that does it.
final class Listener: ProgressListener {
    private let tell: @Sendable (Int64, Int64) -> Void

    init(_ tell: @escaping @Sendable (Int64, Int64) -> Void) {
        self.tell = tell
    }

    func progress(done: UInt64, total: UInt64) {
        tell(Int64(clamping: done), Int64(clamping: total))
    }
}
