import Foundation
import Puna
import XCTest

final class LifetimeTests: XCTestCase {
    /// Nothing is closed by hand: what goes out of scope is freed.
    func testMemoryFilesAndThreadsComeBackAfter200Cycles() async throws {
        func cycle() async throws {
            var options = short(2)
            options.threads = 2
            let chat = try await Model.open(modelURL).chat(options: options)
            let answer = try await chat.ask("Hello?")
            XCTAssertFalse(answer.isEmpty)
        }
        for _ in 1...20 { try await cycle() }
        try await sleep(seconds: 0.5)
        let before = Held()
        for _ in 1...200 { try await cycle() }
        try await sleep(seconds: 0.5)
        let after = Held()
        print("after 20 cycles: \(before); after 220: \(after)")
        // A leak of one chat's cache (23 MB) in ten cycles would be 460 MB.
        XCTAssertLessThanOrEqual(after.ownKiB, before.ownKiB * 105 / 100 + 8 * 1024)
        XCTAssertEqual(after.files, before.files)
        XCTAssertLessThanOrEqual(after.threads, before.threads + 4)
    }

    func testAChatKeepsWhatItNeedsOfItsModel() async throws {
        let files = Held().files
        var chat: Chat? = try await Model.open(modelURL).chat(options: short(4))
        XCTAssertGreaterThan(Held().files, files)
        _ = try await chat?.ask("Hello?")
        chat = nil
        XCTAssertEqual(Held().files, files)
    }

    func testClosingTwiceIsHarmlessAndLaterCallsSaySo() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short())
        let other = try model.chat(options: short())
        chat.close()
        chat.close()
        var errors = [
            try await thrown { try await chat.ask("Hello?") },
            try await thrown { try chat.messages },
            try await thrown { try chat.reset() },
        ]
        let answer = try await other.ask("Hello?", options: answer(2))
        XCTAssertFalse(answer.isEmpty)
        model.close()
        model.close()
        errors += [
            try await thrown { try await other.ask("Hello?") },
            try await thrown { try model.chat() },
            try await thrown { try model.info },
            try await thrown { try model.countTokens("") },
        ]
        XCTAssertEqual(errors, Array(repeating: .closed, count: 7))
        chat.stop()
    }

    func testClosingAModelEndsItsAnswers() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(500))
        var pieces = 0
        let error = try await thrown {
            for try await _ in chat.stream("Tell me a long story.") {
                pieces += 1
                if pieces == 3 { model.close() }
            }
        }
        XCTAssertEqual(error, .closed)
        XCTAssertEqual(pieces, 3)
    }

    func testUseFromManyTasksAtOnce() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(6))
        let answers = await withTaskGroup(of: Result<String, Error>.self) { group in
            for _ in 1...8 {
                group.addTask {
                    do {
                        for _ in 1...20 {
                            _ = chat.stats
                            chat.stop()
                            _ = try model.info
                        }
                        return .success(try await chat.ask("Hello?"))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            var answers: [Result<String, Error>] = []
            for await answer in group { answers.append(answer) }
            return answers
        }
        for case .failure(let error) in answers {
            XCTAssertTrue([.busy, .cancelled].contains(error as? PunaError), "\(error)")
        }
        let next = try await chat.ask("Hello?")
        XCTAssertFalse(next.isEmpty)
    }

    func testADescriptorStaysTheCallers() async throws {
        let bytes = try Data(contentsOf: modelURL)
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try (Data(count: 4096) + bytes + Data(count: 100)).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let handle = try FileHandle(forReadingFrom: file)
        let model = try await Model.open(
            descriptor: handle.fileDescriptor, offset: 4096, length: Int64(bytes.count))
        try handle.close()
        let inside = try await model.chat(options: short(8)).ask("Hello?")
        let plain = try await Model.open(modelURL).chat(options: short(8)).ask("Hello?")
        XCTAssertEqual(inside, plain)
        let error = try await thrown { try await Model.open(descriptor: -1) }
        guard case .unreadable = error else { return XCTFail("\(error)") }
    }
}
