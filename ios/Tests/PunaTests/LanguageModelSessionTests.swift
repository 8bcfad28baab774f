import Puna
import XCTest

final class LanguageModelSessionTests: XCTestCase {
    func testItAnswersAsItsChat() async throws {
        let model = try await Model.open(modelURL)
        let plain = try await model.chat("Be kind.", options: short()).ask("Name a colour.")
        let session = try LanguageModelSession(model: model, instructions: "Be kind.", options: short())
        let answer = try await session.respond(to: "Name a colour.")
        XCTAssertEqual(answer.content, plain)
        XCTAssertEqual(try session.transcript.map(\.role), [.system, .user, .assistant])
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
        XCTAssertEqual(try session.transcript.last?.content, snapshots.last)
        let collected = try await session.streamResponse(to: "And another?").collect().content
        XCTAssertEqual(try session.transcript.last?.content, collected)
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
