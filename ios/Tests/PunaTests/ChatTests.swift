import Foundation
import Puna
import XCTest

final class ChatTests: XCTestCase, @unchecked Sendable {
    func testHelloWorld() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat("You are a helpful AI assistant.", options: short(24))
        let answer = try await chat.ask("What is the capital of France?")
        XCTAssertTrue(answer.contains("Paris"), answer)
        let stats = chat.stats
        XCTAssertTrue(stats.promptTokens > 10 && stats.tokens > 3 && stats.tokensPerSecond > 0, "\(stats)")
        XCTAssertTrue(stats.timeToFirstToken > 0 && stats.timeToFirstToken < 60, "\(stats)")
        XCTAssertEqual(stats.end, .complete)
        XCTAssertEqual(try chat.messages.map(\.role), [.system, .user, .assistant])
        XCTAssertEqual(try chat.messages.last?.content, answer)
    }

    func testAStreamIsTheAnswerInPieces() async throws {
        let model = try await Model.open(modelURL)
        let whole = try await model.chat(options: short()).ask("Name three colours.")
        let chat = try model.chat(options: short())
        var pieces: [String] = []
        for try await piece in chat.stream("Name three colours.") { pieces.append(piece.text) }
        XCTAssertGreaterThan(pieces.count, 4)
        XCTAssertFalse(pieces.contains(""))
        XCTAssertEqual(pieces.joined(), whole)
        XCTAssertEqual(chat.stats.end, .length)
    }

    func testAfterTheLastPieceThereIsNone() async throws {
        let model = try await Model.open(modelURL)
        var iterator = try model.chat(options: short(2)).stream("Hello?").makeAsyncIterator()
        while try await iterator.next() != nil {}
        let more = try await iterator.next()
        XCTAssertNil(more)
    }

    func testTheSecondTurnComputesOnlyWhatIsNew() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(String(repeating: "Answer in one word. ", count: 20), options: short(8))
        _ = try await chat.ask("Hello?")
        let first = chat.stats.promptTokens
        _ = try await chat.ask("And now?")
        XCTAssertLessThan(chat.stats.promptTokens * 3, first)
        XCTAssertEqual(try chat.messages.count, 5)
        try chat.reset()
        XCTAssertEqual(try chat.messages.map(\.role), [.system])
    }

    func testAStreamAsksWhenItIsRead() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(4))
        let stream = chat.stream("Hello?")
        XCTAssertEqual(try turns(chat).count, 0)
        for try await _ in stream {}
        for try await _ in stream {}
        XCTAssertEqual(try turns(chat).count, 4)
    }

    func testASlowReaderLosesNothingAndHoldsTheComputationBack() async throws {
        let model = try await Model.open(modelURL)
        let fast = try await model.chat(options: short()).ask("Name three animals.")
        let chat = try model.chat(options: short())
        var slow = ""
        var read = 0
        for try await piece in chat.stream("Name three animals.") {
            try await sleep(seconds: 0.06)
            slow += piece.text
            read += 1
            // A piece may be more than one token, but here none is.
            XCTAssertLessThanOrEqual(chat.stats.tokens, read + 1)
        }
        XCTAssertEqual(slow, fast)
    }

    func testSessionsAtOnceGiveTheAnswersThatTheyGiveAlone() async throws {
        let model = try await Model.open(modelURL)
        let questions = ["Name a fruit.", "Name a river.", "Name a planet.", "Name a bird."]
        var alone: [String: String] = [:]
        for question in questions {
            alone[question] = try await model.chat(options: short(8)).ask(question)
        }
        let together = try await withThrowingTaskGroup(of: (String, String).self) { group in
            for question in questions {
                group.addTask { (question, try await model.chat(options: short(8)).ask(question)) }
            }
            return try await group.reduce(into: [String: String]()) { $0[$1.0] = $1.1 }
        }
        XCTAssertEqual(together, alone)
    }

    @MainActor
    func testAViewModelOfTheMainActorReadsAStream() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(4))
        var shown = ""
        for try await piece in chat.stream("Hello?") {
            MainActor.assertIsolated()
            shown += piece.text
        }
        XCTAssertEqual(try chat.messages.last?.content, shown)
    }

    func testSettingsOfOneAnswer() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: ChatOptions(contextTokens: 512, kv: .q8, threads: 1))
        XCTAssertEqual(try chat.contextTokens, 512)
        var answers: [String] = []
        for seed: UInt64 in [7, 7, 7, 8] {
            try chat.reset()
            let options = AnswerOptions(maxTokens: 12, temperature: 1.5, seed: seed)
            answers.append(try await chat.ask("Tell me a story.", options: options))
            XCTAssertEqual(answers.count == 1, chat.stats.promptTokens > 1)
        }
        // The first computed the question as a batch, whose last bits are others on a CPU with tiles of bfloat16 (the
        // default there); the rest computed one token.
        XCTAssertEqual(answers[1], answers[2])
        XCTAssertNotEqual(answers[1], answers[3])
        let until3 = AnswerOptions(maxTokens: 40, temperature: 0, stops: ["3"])
        let cut = try await chat.ask("Count from 1 to 9.", options: until3)
        XCTAssertFalse(cut.contains("3"), cut)
    }

    func testTextOfAnyScriptArrivesInWholeCharacters() async throws {
        let model = try await Model.open(modelURL)
        let question = "Repeat: 🦜👩‍👩‍👧 你好，世界 ďábel नमस्ते"
        let chat = try model.chat(options: short(24))
        _ = try await chat.ask(question)
        XCTAssertEqual(try turns(chat).first?.content, question)
        // So hot that any token may follow any other: characters are cut at the edges of tokens.
        var hot = AnswerOptions(maxTokens: 200, temperature: 100, seed: 5)
        (hot.topK, hot.topP, hot.minP) = (0, 1, 0)
        var whole = ""
        for try await piece in chat.stream(question, options: hot) {
            XCTAssertFalse(piece.text.isEmpty)
            whole += piece.text
        }
        XCTAssertEqual(try chat.messages.last?.content, whole)
        XCTAssertTrue(whole.unicodeScalars.contains { $0.value > 0x7ff }, "no character of several tokens")
    }

    func testWhatTheModelIs() async throws {
        let model = try await Model.open(modelURL)
        let info = try model.info
        XCTAssertEqual(info.architecture, "llama")
        XCTAssertTrue((100_000_000...200_000_000).contains(info.parameters), "\(info)")
        XCTAssertLessThan(info.weightsBytes, info.parameters)
        XCTAssertTrue(info.trainedContextTokens >= 2048 && info.vocabularyTokens > 40_000, "\(info)")
        XCTAssertEqual(try model.countTokens(""), 0)
        XCTAssertEqual(try model.countTokens("Hello world"), 2)
    }

    func testTheLogHasLinesAndNoTextOfTheChat() async throws {
        let lines = Shared<[String]>([])
        Log.send(.trace) { level, target, message in
            lines.with { $0.append("\(level) \(target) \(message)") }
        }
        let model = try await Model.open(modelURL)
        _ = try await model.chat(options: short(4)).ask("Pfannkuchen?")
        Log.send(.error, to: nil)
        let seen = lines.with { $0 }
        XCTAssertFalse(seen.isEmpty)
        XCTAssertFalse(seen.contains { $0.contains("Pfannkuchen") })
        _ = try await Model.open(modelURL)
        XCTAssertEqual(lines.with { $0.count }, seen.count)
    }
}
