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

/// That model in `folder`, under another licence: its file says so in as many bytes.
func licensed(in folder: URL) throws -> URL {
    var bytes = try Data(contentsOf: modelURL)
    let said = try XCTUnwrap(bytes.range(of: Data("apache-2.0".utf8), in: 0..<100_000))
    bytes.replaceSubrange(said, with: Data("llama3.1  ".utf8))
    let file = folder.appendingPathComponent("licensed.gguf")
    try bytes.write(to: file)
    return file
}

/// A GGUF file without tensors that says one thing.
func gguf(_ key: String, _ text: String) -> Data {
    var data = Data("GGUF".utf8)
    func put<T: FixedWidthInteger>(_ number: T) {
        withUnsafeBytes(of: number.littleEndian) { data.append(contentsOf: $0) }
    }
    func put(_ text: String) {
        put(UInt64(text.utf8.count))
        data.append(contentsOf: text.utf8)
    }
    put(UInt32(3))
    put(UInt64(0))
    put(UInt64(1))
    put(key)
    put(UInt32(8))
    put(text)
    return data
}

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
