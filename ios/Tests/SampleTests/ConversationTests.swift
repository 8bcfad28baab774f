import Foundation
import Puna
import TestServer
import XCTest

@testable import Sample

/// What the sample's screen shows, on the real model.
final class ConversationTests: XCTestCase, @unchecked Sendable {
    private let modelURL = URL(fileURLWithPath: ProcessInfo.processInfo.environment["PUNA_TEST_MODEL"] ?? "")
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)

    override func tearDownWithError() throws {
        try? FileManager.default.removeItem(at: folder)
    }

    @MainActor
    func testItShowsAnAnswerAndWhatItTook() async throws {
        let conversation = Conversation()
        await conversation.open(modelURL)
        XCTAssertNotNil(conversation.title)
        conversation.send("  What is the capital of France? ")
        XCTAssertTrue(conversation.isAnswering)
        conversation.send("Not while it answers")
        try await firstWords(of: conversation)
        conversation.stop()
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
        try await firstWords(of: conversation)
        conversation.stop()
        await conversation.settled()
        XCTAssertEqual(conversation.lines.count, 2)
        conversation.send("Hello?")
        conversation.stop()
        await conversation.settled()
        XCTAssertFalse(conversation.isAnswering)
    }

    /// A whole answer of this model may be long.
    @MainActor
    private func firstWords(of conversation: Conversation) async throws {
        while conversation.lines[1].text.isEmpty { try await Task.sleep(nanoseconds: 5_000_000) }
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

    /// From the address to the answer: a download that is cancelled and goes on, a licence that is declined and accepted.
    @MainActor
    func testADownloadedModelOpensOnceItsLicenceIsAccepted() async throws {
        // The test's model, under another licence: its file says so in as many bytes.
        var bytes = try Data(contentsOf: modelURL)
        let said = try XCTUnwrap(bytes.range(of: Data("apache-2.0".utf8), in: 0..<100_000))
        bytes.replaceSubrange(said, with: Data("llama3.1  ".utf8))
        let server = FileServer(bytes, .stall(30_000_000), .well)
        defer { server.close() }
        let address = server.url("model.gguf").absoluteString

        let library = Library(folder: folder)
        let first = Task { await library.fetch(address) }
        for _ in 1...10_000 where (library.progress?.received ?? 0) < 30_000_000 {
            try await Task.sleep(nanoseconds: 5_000_000)
        }
        XCTAssertEqual(library.progress?.total, Int64(bytes.count))
        let meanwhile = await library.fetch(address)
        XCTAssertNil(meanwhile)
        XCTAssertEqual(library.status, "Downloading…")
        library.cancel()
        let stopped = await first.value
        XCTAssertNil(stopped)
        XCTAssertNil(library.progress)
        XCTAssertTrue(library.status.contains("goes on"), library.status)
        XCTAssertEqual(library.models, [])
        let second = await library.fetch(" \(address) ")
        let model = try XCTUnwrap(second, library.status)
        XCTAssertEqual(library.models, [model])
        XCTAssertTrue(server.requests[1].contains("range: bytes=30000000-"), server.requests[1])

        let conversation = Conversation(licences: folder.appendingPathComponent("licences"))
        await conversation.open(model.file)
        XCTAssertNil(conversation.title)
        XCTAssertEqual(conversation.terms?.id, "llama3.1")
        await conversation.decide(false)
        XCTAssertNil(conversation.terms)
        XCTAssertTrue(conversation.status.contains("Declined"), conversation.status)
        await conversation.open(model.file)
        await conversation.decide(true)
        XCTAssertNil(conversation.terms)
        _ = try XCTUnwrap(conversation.title, conversation.status)
        conversation.send("Tell me a very long story.")
        try await firstWords(of: conversation)
        conversation.stop()
        await conversation.settled()
        XCTAssertEqual(conversation.lines.count, 2)
        // Once is enough.
        await conversation.open(model.file)
        XCTAssertNil(conversation.terms)
        XCTAssertNotNil(conversation.title)

        library.remove(model)
        XCTAssertEqual(library.models, [])
    }

    @MainActor
    func testAnAddressThatIsNoneOrLeadsNowhere() async throws {
        let server = FileServer(Data(), .says(404))
        defer { server.close() }
        let library = Library(folder: folder)
        for (address, status) in [
            ("", "https"), ("model.gguf", "https"), (server.url("model.gguf").absoluteString, "404"),
            ("http://model.invalid/model.gguf", "not encrypted"),
        ] {
            let model = await library.fetch(address)
            XCTAssertNil(model)
            XCTAssertTrue(library.status.contains(status), library.status)
        }
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
