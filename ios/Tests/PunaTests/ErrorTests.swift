import Foundation
import Puna
import XCTest

final class ErrorTests: XCTestCase {
    func testAFileThatIsNotThere() async throws {
        let error = try await thrown { try await Model.open(URL(fileURLWithPath: "/no/such.gguf")) }
        guard case .unreadable(let reason) = error else { return XCTFail("\(error)") }
        XCTAssertTrue(reason.contains("such.gguf"), reason)
        XCTAssertEqual(error.localizedDescription, reason)
    }

    func testAnAddressOfTheWeb() async throws {
        let error = try await thrown { try await Model.open(URL(string: "https://model.invalid/a.gguf")!) }
        guard case .unreadable = error else { return XCTFail("\(error)") }
    }

    func testAFileThatIsNoModel() async throws {
        let error = try await opening(Data("<html>not found</html>".utf8))
        guard case .invalidModel(let what, let offset) = error else { return XCTFail("\(error)") }
        XCTAssertTrue(what.contains("GGUF"), what)
        XCTAssertEqual(offset, 0)
    }

    func testADownloadThatBrokeOff() async throws {
        let file = try FileHandle(forReadingFrom: modelURL)
        let error = try await opening(try XCTUnwrap(file.read(upToCount: 10_000)))
        guard case .invalidModel(_, let offset) = error else { return XCTFail("\(error)") }
        XCTAssertTrue((1...10_000).contains(try XCTUnwrap(offset)), "\(error)")
    }

    func testAModelOfAnotherKind() async throws {
        let error = try await opening(gguf("general.architecture", "mamba"))
        guard case .unsupportedModel(let what) = error else { return XCTFail("\(error)") }
        XCTAssertTrue(what.contains("mamba"), what)
    }

    func testAMessageThatDoesNotFit() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(contextTokens: 64))
        let error = try await thrown { try await chat.ask(String(repeating: "word ", count: 200)) }
        guard case .contextFull(let wanted, let used, let contextTokens) = error else { return XCTFail("\(error)") }
        XCTAssertEqual(contextTokens, 64)
        XCTAssertTrue(wanted > 200 && used == 0, "\(error)")
        let next = try await chat.ask("Hi", options: answer(4))
        XCTAssertFalse(next.isEmpty)
    }

    func testAnAnswerThatFillsTheContextEndsThere() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(500, contextTokens: 64))
        _ = try await chat.ask("Tell me a long story.")
        XCTAssertEqual(chat.stats.end, .contextFull)
    }

    func testSettingsOutOfRange() async throws {
        let model = try await Model.open(modelURL)
        let wrong = [
            ChatOptions(contextTokens: 0), ChatOptions(contextTokens: 1_000_000_000), ChatOptions(threads: -1),
        ]
        for options in wrong {
            let error = try await thrown { try model.chat(options: options) }
            guard case .invalidOption = error else { return XCTFail("\(error)") }
        }
        let chat = try model.chat(options: short())
        for change: @Sendable (inout AnswerOptions) -> Void in [
            { $0.temperature = -1 }, { $0.topP = 2 }, { $0.topK = -1 }, { $0.maxTokens = -1 },
        ] {
            var options = answer(4)
            change(&options)
            let error = try await thrown { try await chat.ask("Hello?", options: options) }
            guard case .invalidOption = error else { return XCTFail("\(error)") }
        }
        XCTAssertEqual(try turns(chat).count, 0)
    }

    func testOneAnswerAtATime() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short())
        for try await _ in chat.stream("Name a colour.") {
            let errors = [
                try await thrown { try await chat.ask("And now?") },
                try await thrown { try chat.messages },
                try await thrown { try chat.reset() },
            ]
            XCTAssertEqual(errors, [.busy, .busy, .busy])
        }
        XCTAssertEqual(try turns(chat).count, 2)
    }

    func testNoErrorShowsWhatWasSaid() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(contextTokens: 64))
        let error = try await thrown { try await chat.ask(String(repeating: "Pfannkuchen ", count: 100)) }
        XCTAssertFalse("\(error) \(error.localizedDescription)".contains("Pfannkuchen"))
    }

    /// What opening a file of these bytes throws.
    private func opening(_ bytes: Data) async throws -> PunaError {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try bytes.write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try await thrown { try await Model.open(file) }
    }
}
