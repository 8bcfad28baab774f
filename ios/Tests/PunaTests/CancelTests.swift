import Foundation
import Puna
import XCTest

final class CancelTests: XCTestCase {
    private let long = String(repeating: "The quick brown fox jumps over the lazy dog. ", count: 150)

    func testWhileItReadsTheQuestion() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(contextTokens: 2048))
        let long = long
        // Untouched, it takes much longer than it may take to stop.
        let untouched = try await seconds { for try await _ in try model.chat(options: short(1, contextTokens: 2048)).stream(long) {} }
        var best = 1.0
        for i in 1...5 {
            let task = Task { for try await _ in chat.stream(long) {} }
            try await sleep(seconds: 0.03 + 0.01 * Double(i))
            best = min(best, await seconds { task.cancel(); _ = await task.result })
            guard case .failure(let error) = await task.result else { return XCTFail("it was not stopped") }
            XCTAssertTrue(error is CancellationError, "\(error)")
        }
        XCTAssertGreaterThan(untouched, 0.2)
        XCTAssertLessThanOrEqual(best, 0.1)
        XCTAssertEqual(try turns(chat).count, 0)
        let next = try await chat.ask("Hello?")
        XCTAssertFalse(next.isEmpty)
    }

    func testWhileItAnswers() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(500))
        var best = 1.0
        for _ in 1...5 {
            let (begun, begin) = AsyncStream.makeStream(of: Void.self)
            let task = Task {
                for try await _ in chat.stream("Tell me a long story.") { begin.yield() }
            }
            for await _ in begun { break }
            best = min(best, await seconds { task.cancel(); _ = await task.result })
            guard case .failure(let error) = await task.result else { return XCTFail("it was not stopped") }
            XCTAssertTrue(error is CancellationError, "\(error)")
        }
        XCTAssertLessThanOrEqual(best, 0.1)
        XCTAssertEqual(try turns(chat).count, 0)
        let other = try await model.chat(options: short()).ask("Hello?")
        let next = try await chat.ask("Hello?", options: answer(16))
        XCTAssertEqual(next, other)
    }

    func testATaskThatIsCancelledAlreadyAsksNothing() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short())
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await chat.ask("Hello?")
        }
        let result = await task.result
        XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
        XCTAssertEqual(chat.stats.promptTokens, 0)
        XCTAssertEqual(try turns(chat).count, 0)
    }

    func testLeavingTheLoopEndsTheAnswer() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(500))
        var first: [String] = []
        for _ in 1...20 {
            for try await piece in chat.stream("Name a colour.") {
                first.append(piece.text)
                break
            }
            // The chat is free at once, and as it was.
            XCTAssertEqual(try turns(chat).count, 0)
        }
        XCTAssertEqual(Set(first).count, 1)
    }

    func testAnErrorOfTheReaderEndsTheAnswer() async throws {
        struct Own: Error {}
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(500))
        _ = try await thrown(of: Own.self) {
            for try await _ in chat.stream("Name a colour.") { throw Own() }
        }
        let next = try await chat.ask("Hello?", options: answer(4))
        XCTAssertFalse(next.isEmpty)
    }

    func testStopKeepsWhatHasCome() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(500))
        var pieces: [String] = []
        for try await piece in chat.stream("Tell me a long story.") {
            pieces.append(piece.text)
            if pieces.count == 5 { chat.stop() }
        }
        XCTAssertEqual(pieces.count, 5)
        XCTAssertEqual(chat.stats.end, .stopped)
        XCTAssertEqual(try chat.messages.last?.content, pieces.joined())
        let next = try await chat.ask("Go on.", options: answer(4))
        XCTAssertFalse(next.isEmpty)
    }

    func testStopBeforeTheFirstPieceIsACancel() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(contextTokens: 2048))
        let long = long
        let task = Task { try await chat.ask(long) }
        try await sleep(seconds: 0.05)
        chat.stop()
        let error = try await thrown { try await task.value }
        XCTAssertEqual(error, .cancelled)
        XCTAssertEqual(try turns(chat).count, 0)
    }

    func testAModelThatNobodyWaitsForIsClosed() async throws {
        let files = Held().files
        for i in 0..<10 {
            let task = Task { try await Model.open(modelURL) }
            try await sleep(seconds: 0.002 * Double(i))
            task.cancel()
            _ = await task.result
        }
        for _ in 1...100 where Held().files > files { try await sleep(seconds: 0.05) }
        XCTAssertLessThanOrEqual(Held().files, files)
    }
}
