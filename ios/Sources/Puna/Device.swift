import Foundation

/// What the system says that an app with a model should hear.
public enum Device {
    /// Each notification of a kind, as a value.
    static func notifications<T: Sendable>(
        _ name: Notification.Name, _ value: @escaping @Sendable () -> T
    ) -> AsyncStream<T> {
        // The newest alone: an older state of the device says nothing.
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let observer = Observer(
                NotificationCenter.default.addObserver(forName: name, object: nil, queue: nil) { _ in
                    continuation.yield(value())
                })
            continuation.onTermination = { _ in NotificationCenter.default.removeObserver(observer.token) }
        }
    }

    /// What stands for an observer: only ever handed back.
    private struct Observer: @unchecked Sendable {
        let token: any NSObjectProtocol

        init(_ token: any NSObjectProtocol) {
            self.token = token
        }
    }
}

extension Model {
    /// Gives memory back at each of the events, until the task is cancelled or the model is gone.
    func trim(_ level: TrimLevel, at events: AsyncStream<Void>) -> Task<Void, Never> {
        Task { [weak self] in
            for await _ in events {
                guard let self else { return }
                // A disk that is full leaves the cache in memory; all else is given back.
                try? await self.trim(level)
            }
        }
    }
}

// For phones and tablets alone: tests compile this part against declarations of ours, and cannot run it.
#if canImport(UIKit) && !os(watchOS)
import UIKit

extension Device {
    /// The system is short of memory: ``Model/trimOnMemoryWarnings()`` is the answer.
    public static var memoryWarnings: AsyncStream<Void> {
        notifications(UIApplication.didReceiveMemoryWarningNotification) {}
    }

    /// How warm the device is, at every change. From `.serious` on the system slows it down: a shorter answer, or
    /// waiting, is kinder.
    public static var thermalStates: AsyncStream<ProcessInfo.ThermalState> {
        notifications(ProcessInfo.thermalStateDidChangeNotification) { ProcessInfo.processInfo.thermalState }
    }

    /// The app goes to the background, where it may be suspended at any time. ``Chat/stop()`` keeps what has come.
    public static var backgroundings: AsyncStream<Void> {
        notifications(UIApplication.didEnterBackgroundNotification) {}
    }
}

extension Model {
    /// Gives memory back at each memory warning: buffers, caches and the pages of the weights. What was given back returns by
    /// itself, and an answer in the making is not disturbed. It ends with the model, or when the task is cancelled.
    @discardableResult
    public func trimOnMemoryWarnings() -> Task<Void, Never> {
        trim(.weights, at: Device.memoryWarnings)
    }
}
#endif
