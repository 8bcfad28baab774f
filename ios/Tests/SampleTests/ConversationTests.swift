import Foundation
import Puna
import XCTest

@testable import Sample

/// What the sample's screen shows, on the real model.
final class ConversationTests: XCTestCase, @unchecked Sendable {
    private let modelURL = URL(fileURLWithPath: ProcessInfo.processInfo.environment["PUNA_TEST_MODEL"] ?? "")

    @MainActor
    func testItShowsAnAnswerAndWhatItTook() async throws {
        let conversation = Conversation()
        await conversation.open(modelURL)
        XCTAssertNotNil(conversation.title)
        conversation.send("  What is the capital of France? ")
        XCTAssertTrue(conversation.isAnswering)
        conversation.send("Not while it answers")
        await conversation.settled()
        XCTAssertEqual(conversation.lines.map(\.isUser), [true, false])
        XCTAssertEqual(conversation.lines.first?.text, "What is the capital of France?")
        XCTAssertFalse(conversation.lines[1].text.isEmpty)
        XCTAssertTrue(conversation.status.contains("tokens/s"), conversation.status)
        XCTAssertFalse(conversation.isAnswering)
    }

    @MainActor
    func testStopKeepsWhatHasCome() async throws {
        let conversation = Conversation()
        await conversation.open(modelURL)
        conversation.send("Tell me a very long story.")
        while conversation.lines[1].text.isEmpty { await Task.yield() }
        conversation.stop()
        await conversation.settled()
        XCTAssertEqual(conversation.lines.count, 2)
        conversation.send("Hello?")
        conversation.stop()
        await conversation.settled()
        XCTAssertFalse(conversation.isAnswering)
    }

    @MainActor
    func testAFileThatIsNoModelIsSaidSo() async throws {
        let conversation = Conversation()
        await conversation.open(URL(fileURLWithPath: "/no/such.gguf"))
        XCTAssertNil(conversation.title)
        XCTAssertTrue(conversation.status.contains("such.gguf"), conversation.status)
        conversation.send("Hello?")
        XCTAssertEqual(conversation.lines, [])
    }

    /// The same without a model, as an app's own tests would be.
    @MainActor
    func testAnotherAnswerComesInThePlaceOfTheLast() async throws {
        let script = """
            { "name": "Twin", "turns": [
              { "ask": "Where in May?", "answer": "Lisbon, before the heat." },
              { "ask": "Too long", "fault": "context_full" } ] }
            """
        let conversation = Conversation()
        try conversation.begin(try Model.replay(script, speed: .infinity), named: "twin")
        XCTAssertEqual(conversation.title, "Twin")
        conversation.send("Where in May?")
        await conversation.settled()
        conversation.again()
        XCTAssertEqual(conversation.lines.map(\.text), ["Where in May?", ""])
        await conversation.settled()
        let whole = ["Where in May?", "Lisbon, before the heat."]
        XCTAssertEqual(conversation.lines.map(\.text), whole)
        conversation.again()
        conversation.stop()
        await conversation.settled()
        XCTAssertEqual(conversation.lines.count, 2)
        conversation.send("Too long")
        await conversation.settled()
        XCTAssertEqual(conversation.lines.count, 2)
        XCTAssertTrue(conversation.status.contains("full"), conversation.status)
    }
}
