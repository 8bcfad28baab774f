import Puna
import XCTest

final class LanguageModelSessionTests: XCTestCase {
    func testItAnswersAsItsChat() async throws {
        let model = try await Model.open(modelURL)
        let plain = try await model.chat("Be kind.", options: short()).ask("Name a colour.")
        let session = try LanguageModelSession(model: model, instructions: "Be kind.", options: short())
        let answer = try await session.respond(to: "Name a colour.")
        XCTAssertEqual(answer.content, plain)
        XCTAssertEqual(session.transcript.map(\.role), [.system, .user, .assistant])
    }

    func testSnapshotsGrow() async throws {
        let model = try await Model.open(modelURL)
        let session = try LanguageModelSession(model: model, options: short(8))
        var snapshots = [""]
        XCTAssertFalse(session.isResponding)
        for try await snapshot in session.streamResponse(to: "Name a colour.") {
            XCTAssertTrue(session.isResponding)
            XCTAssertTrue(snapshot.content.hasPrefix(snapshots[snapshots.count - 1]))
            snapshots.append(snapshot.content)
        }
        XCTAssertFalse(session.isResponding)
        XCTAssertGreaterThan(snapshots.count, 3)
        XCTAssertEqual(session.transcript.last?.content, snapshots.last)
        let collected = try await session.streamResponse(to: "And another?").collect().content
        XCTAssertEqual(session.transcript.last?.content, collected)
    }

    func testPrewarmComputesTheInstructionsAndTheFirstWords() async throws {
        let model = try await Model.open(modelURL)
        let rules = String(repeating: "Answer in one word. ", count: 40)
        let prefix = "Consider this list: apples, pears, plums, cherries, grapes, figs. "
        var computed: [Int] = []
        for ahead: String? in [nil, "", prefix] {
            let session = try LanguageModelSession(model: model, instructions: rules, options: short(4))
            if let ahead {
                session.prewarm(promptPrefix: ahead.isEmpty ? nil : ahead)
                XCTAssertFalse(session.isResponding)
                XCTAssertEqual(session.transcript.map(\.role), [.system])
            }
            // At once: it waits for what was begun.
            _ = try await session.respond(to: prefix + "Which is red?")
            XCTAssertEqual(session.transcript.map(\.role), [.system, .user, .assistant])
            computed.append(session.chat.stats.promptTokens)
        }
        let (rulesTokens, prefixTokens) = (try model.countTokens(rules), try model.countTokens(prefix))
        XCTAssertGreaterThan(computed[0], rulesTokens + prefixTokens)
        XCTAssertTrue((prefixTokens...computed[0] - rulesTokens).contains(computed[1]), "\(computed)")
        XCTAssertLessThan(computed[2], computed[1] - prefixTokens / 2)
    }

    func testPrewarmInTheMiddleOfAConversationChangesNothing() async throws {
        let model = try await Model.open(modelURL)
        let session = try LanguageModelSession(model: model, options: short(4))
        _ = try await session.respond(to: "Name a colour.")
        let before = session.transcript
        session.prewarm()
        session.prewarm(promptPrefix: "And")
        for try await _ in session.streamResponse(to: "And another?") {
            // While it answers nothing is computed ahead, and the transcript is that of before.
            session.prewarm()
            XCTAssertEqual(session.transcript, before)
        }
        XCTAssertEqual(session.transcript.count, before.count + 2)
        let twin = try LanguageModelSession(model: .replay(#"{ "name": "Twin", "turns": [{ "answer": "Yes." }] }"#))
        twin.prewarm(promptPrefix: "Is")
        let answer = try await twin.respond(to: "Is it?").content
        XCTAssertEqual(answer, "Yes.")
    }

    func testWhoCancelsTheWaitEndsThePrewarm() async throws {
        let model = try await Model.open(modelURL)
        let rules = String(repeating: "The quick brown fox jumps over the lazy dog. ", count: 150)
        let session = try LanguageModelSession(model: model, instructions: rules, options: short(contextTokens: 2048))
        session.prewarm()
        let task = Task { try await session.respond(to: "Hello?") }
        try await sleep(seconds: 0.05)
        let taken = await seconds { task.cancel(); _ = await task.result }
        let result = await task.result
        XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
        XCTAssertLessThan(taken, 0.2)
        XCTAssertEqual(session.transcript.count, 1)
        XCTAssertEqual(try session.chat.messages.count, 1)
    }

    func testOptionsOfOneAnswer() async throws {
        let model = try await Model.open(modelURL)
        let hot = ChatOptions(contextTokens: 512, answer: AnswerOptions(maxTokens: 12, temperature: 2))
        func ask(_ options: GenerationOptions) async throws -> String {
            try await LanguageModelSession(model: model, options: hot).respond(to: "Tell a story.", options: options)
                .content
        }
        let greedy = try await ask(GenerationOptions(sampling: .greedy))
        let cool = try await model.chat(options: short(12, contextTokens: 512)).ask("Tell a story.")
        XCTAssertEqual(greedy, cool)
        let one = try await ask(GenerationOptions(sampling: .random(top: 1)))
        XCTAssertEqual(one, cool)
        let seven = GenerationOptions(sampling: .random(probabilityThreshold: 0.99, seed: 7))
        let (a, b) = (try await ask(seven), try await ask(seven))
        XCTAssertEqual(a, b)
        XCTAssertNotEqual(a, cool)
        let brief = try await ask(GenerationOptions(sampling: .greedy, maximumResponseTokens: 3))
        XCTAssertTrue(cool.hasPrefix(brief) && brief.count < cool.count, "\(brief), \(cool)")
    }
}
