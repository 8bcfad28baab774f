import Foundation
import Puna
import XCTest

/// The model that tests run on.
let modelURL: URL = {
    guard let path = ProcessInfo.processInfo.environment["PUNA_TEST_MODEL"] else {
        fatalError("PUNA_TEST_MODEL names no model")
    }
    return URL(fileURLWithPath: path)
}()

/// Always the same answers, as short as a test needs.
func short(_ tokens: Int = 16, contextTokens: Int = 1024) -> ChatOptions {
    ChatOptions(contextTokens: contextTokens, answer: answer(tokens))
}

func answer(_ tokens: Int) -> AnswerOptions {
    AnswerOptions(maxTokens: tokens, temperature: 0)
}

/// What `work` throws, which must be an `E`.
func thrown<E: Error, T>(
    of kind: E.Type = PunaError.self, line: UInt = #line, _ work: () async throws -> T
) async throws -> E {
    do {
        _ = try await work()
    } catch let error as E {
        return error
    }
    XCTFail("nothing was thrown", line: line)
    throw CancellationError()
}

/// The messages but for the system's.
func turns(_ chat: Chat) throws -> [Message] {
    try chat.messages.filter { $0.role != .system }
}

/// Seconds that `work` takes.
func seconds(_ work: () async throws -> Void) async rethrows -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    try await work()
    return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
}

func sleep(seconds: Double) async throws {
    try await Task.sleep(nanoseconds: UInt64(seconds * 1e9))
}

/// Some field of this process's status, in the unit that the system uses.
private func status(_ field: String) -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("\(field):") }
    return Int(line?.filter(\.isNumber) ?? "") ?? -1
}

/// What this process holds.
struct Held {
    /// Memory that nobody else can use, in KiB: without the pages of mapped files.
    let ownKiB = status("RssAnon")
    let threads = status("Threads")
    let files = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? -1
}

/// A value that several tasks write.
final class Shared<T: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: T

    init(_ value: T) { self.value = value }

    func with<R>(_ work: (inout T) -> R) -> R {
        lock.lock()
        defer { lock.unlock() }
        return work(&value)
    }
}
