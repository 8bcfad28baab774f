internal import PunaBindings

/// What the runtime logs. It never is text of a prompt or an answer.
public enum Log {
    /// How much a line matters.
    public enum Level: Equatable, Sendable {
        /// Something failed.
        case error
        /// Something is not as it should be.
        case warn
        /// What happens.
        case info
        /// For those who work on this library.
        case debug
        /// All there is.
        case trace
    }

    /// Sends the log, down to `level`, to `sink`, on whichever thread a line comes up; `nil` ends it. Another sink takes
    /// the place of the first. `target` is the part of the runtime that says the line.
    public static func send(
        _ level: Level, to sink: (@Sendable (_ level: Level, _ target: String, _ message: String) -> Void)?
    ) {
        setLogSink(sink: sink.map(Sink.init), level: level.native)
    }
}

private final class Sink: LogSink {
    let take: @Sendable (Log.Level, String, String) -> Void

    init(_ take: @escaping @Sendable (Log.Level, String, String) -> Void) {
        self.take = take
    }

    func log(level: LogLevel, target: String, message: String) {
        take(Log.Level(level), target, message)
    }
}

extension Log.Level {
    fileprivate init(_ native: LogLevel) {
        self = switch native {
        case .error: .error
        case .warn: .warn
        case .info: .info
        case .debug: .debug
        case .trace: .trace
        }
    }

    fileprivate var native: LogLevel {
        switch self {
        case .error: .error
        case .warn: .warn
        case .info: .info
        case .debug: .debug
        case .trace: .trace
        }
    }
}
