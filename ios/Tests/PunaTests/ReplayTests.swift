import Foundation
import Puna
import XCTest

final class ReplayTests: XCTestCase {
    private let script = """
        { "name": "Twin", "n_ctx": 512, "turns": [
          { "ask": "Where in May?", "prompt_tokens": 31,
            "pieces": [{ "text": "Lis", "after_ms": 200 }, { "text": "bon", "after_ms": 100 }, { "text": ".", "after_ms": 100 }] },
          { "answer": "I do not know." },
          { "ask": "Long", "pieces": [{ "text": "so", "after_ms": 20 }, { "text": " long", "after_ms": 60000 }] },
          { "ask": "Full", "fault": "context_full" } ] }
        """

    func testItTellsWhatTheScriptSaysWhenItSaysSo() async throws {
        let model = try Model.replay(script)
        XCTAssertEqual(try model.info.name, "Twin")
        let chat = try model.chat("Be brief.")
        var pieces: [String] = []
        let took = try await seconds { for try await piece in chat.stream("Where in May?") { pieces.append(piece.text) } }
        XCTAssertEqual(pieces, ["Lis", "bon", "."])
        XCTAssertGreaterThanOrEqual(took, 0.4)
        let stats = chat.stats
        XCTAssertTrue(stats.timeToFirstToken >= 0.2 && stats.promptTokens == 31 && stats.tokens == 3, "\(stats)")
        XCTAssertTrue(stats.tokensPerSecond > 0 && stats.tokensPerSecond <= 10, "\(stats)")
        XCTAssertEqual(stats.end, .complete)
        XCTAssertEqual(try chat.messages.map(\.role), [.system, .user, .assistant])
        let fast = try Model.replay(script, speed: .infinity).chat()
        let quick = try await seconds { _ = try await fast.ask("Where in May?") }
        XCTAssertLessThan(quick, 0.4)
        XCTAssertEqual(try fast.messages.last?.content, "Lisbon.")
    }

    func testItStopsCancelsEditsAndFailsAsAModelDoes() async throws {
        let model = try Model.replay(script, speed: 10)
        let chat = try model.chat()
        let task = Task { for try await _ in chat.stream("Long") {} }
        try await sleep(seconds: 0.1)
        let busy = try await thrown { try chat.messages }
        XCTAssertEqual(busy, .busy)
        let took = await seconds { task.cancel(); _ = await task.result }
        XCTAssertLessThan(took, 1)
        XCTAssertEqual(try chat.messages, [])
        for try await _ in chat.stream("Long") { chat.stop() }
        XCTAssertEqual(chat.stats.end, .stopped)
        XCTAssertEqual(try chat.messages.last?.content, "so")
        let full = try await thrown { try await chat.ask("Full") }
        guard case .contextFull(_, _, 512) = full else { return XCTFail("\(full)") }
        var edited = ""
        for try await piece in chat.editLast("Where in May?") { edited += piece.text }
        XCTAssertEqual(edited, "Lisbon.")
        for try await _ in chat.regenerate() { break }
        XCTAssertEqual(try chat.messages.last?.content, "Lisbon.")
        let other = try await chat.ask("Anything?", options: AnswerOptions(maxTokens: 3))
        XCTAssertEqual(other.trimmingCharacters(in: .whitespaces), "I do not")
        let forked = try await chat.fork().ask("Where in May?")
        XCTAssertEqual(forked, "Lisbon.")
        guard case .unsupportedModel = try await thrown({ try model.embedder() }) else { return XCTFail() }
        model.close()
        let closed = try await thrown { try await chat.ask("Where in May?") }
        XCTAssertEqual(closed, .closed)
        let none = try Model.replay(#"{"name": "", "turns": []}"#).chat()
        guard case .refused = try await thrown({ try await none.ask("Hello?") }) else { return XCTFail() }
        for wrong: @Sendable () throws -> Model in [{ try .replay("{}") }, { [script] in try .replay(script, speed: 0) }] {
            guard case .invalidOption = try await thrown({ try wrong() }) else { return XCTFail() }
        }
    }

    func testWhatAModelSaidIsToldAgain() async throws {
        let model = try await Model.open(modelURL)
        var options = short(12)
        options.record = true
        let chat = try model.chat(options: options)
        let questions = ["Name a colour.", "And another?", "Name a colour."]
        var answers: [String] = []
        for question in questions { answers.append(try await chat.ask(question)) }
        let first = chat.stats.timeToFirstToken
        let plain = try model.chat(options: short())
        guard case .invalidOption = try await thrown({ try plain.script }) else { return XCTFail() }
        let twin = try Model.replay(try chat.script).chat()
        var told: [String] = []
        for question in questions { told.append(try await twin.ask(question)) }
        XCTAssertEqual(told, answers)
        XCTAssertGreaterThanOrEqual(twin.stats.timeToFirstToken, first - 0.002)
        XCTAssertEqual(twin.stats.end, .length)
    }

    func testASessionInAppleShapeOnATwin() async throws {
        let session = try LanguageModelSession(model: try .replay(script, speed: .infinity))
        var snapshots: [String] = []
        for try await snapshot in session.streamResponse(to: "Where in May?") { snapshots.append(snapshot.content) }
        XCTAssertEqual(snapshots, ["Lis", "Lisbon", "Lisbon."])
    }
}
