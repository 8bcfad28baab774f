import Foundation
import Puna
import XCTest

final class TurnTests: XCTestCase {
    private let system = String(repeating: "Answer in one sentence. ", count: 20)

    private func text(_ answer: AnswerStream) async throws -> String {
        try await answer.reduce(into: "") { $0 += $1.text }
    }

    func testTheLastTurnAgainAndWithOtherWords() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(system, options: short())
        let errors = [
            try await thrown { try await text(chat.regenerate()) },
            try await thrown { try await text(chat.editLast("Hello?")) },
        ]
        XCTAssertEqual(errors, [.noTurn, .noTurn])
        let first = try await chat.ask("Name a colour.")
        let again = try await text(chat.regenerate())
        XCTAssertEqual(again, first)
        XCTAssertLessThanOrEqual(chat.stats.promptTokens, 1)
        let other = try await text(chat.editLast("Name an animal."))
        XCTAssertTrue((1...20).contains(chat.stats.promptTokens), "\(chat.stats)")
        XCTAssertEqual(try turns(chat).map(\.content), ["Name an animal.", other])
    }

    func testATurnThatIsEditedComesBackWhenTheEditIsCancelled() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(100))
        _ = try await chat.ask("Name a colour.", options: answer(8))
        let before = try chat.messages
        for again in [chat.editLast("Tell me a long story."), chat.regenerate()] {
            for try await _ in again { break }
            XCTAssertEqual(try chat.messages, before)
        }
    }

    func testAForkGoesItsOwnWay() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short())
        _ = try await chat.ask("Name a colour.")
        let fork = try chat.fork()
        let there = try await fork.ask("Another one?")
        XCTAssertEqual(try turns(chat).count, 2)
        let here = try await chat.ask("Another one?")
        XCTAssertEqual(here, there)
        chat.close()
        let next = try await fork.ask("And one more?")
        XCTAssertFalse(next.isEmpty)
        model.close()
        let error = try await thrown { try fork.messages }
        XCTAssertEqual(error, .closed)
    }

    func testADeadlineTakesTheTurnBack() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(1000, contextTokens: 2048))
        let question = String(repeating: "The quick brown fox jumps over the lazy dog. ", count: 100)
        var hurry = answer(1000)
        hurry.timeout = 0.06
        let first = try await thrown { [hurry] in try await chat.ask(question, options: hurry) }
        XCTAssertEqual(first, .deadlineExceeded)
        hurry.timeout = 0.4
        var pieces = 0
        let second = try await thrown { [hurry] in
            for try await _ in chat.stream("Tell me a long story.", options: hurry) {
                pieces += 1
                try await sleep(seconds: 0.03)
            }
        }
        XCTAssertEqual(second, .deadlineExceeded)
        XCTAssertEqual(try turns(chat).count, 0)
        hurry.timeout = -1
        guard case .invalidOption = try await thrown({ [hurry] in try await chat.ask("Hello?", options: hurry) })
        else { return XCTFail() }
        let next = try await chat.ask("Hello?", options: answer(4))
        XCTAssertFalse(next.isEmpty)
    }

    func testAFullChatGoesOnWithoutItsOldestTurns() async throws {
        let model = try await Model.open(modelURL)
        var options = short(24, contextTokens: 160)
        let strict = try model.chat("Be brief.", options: options)
        options.answer.whenFull = .dropOldest
        let chat = try model.chat("Be brief.", options: options)
        func question(_ turn: Int) -> String { "This is question number \(turn). What is \(turn) and \(turn)?" }
        for turn in 1...8 { _ = try await chat.ask(question(turn)) }
        let messages = try chat.messages
        XCTAssertEqual(messages.first?.role, .system)
        XCTAssertLessThan(messages.count, 1 + 2 * 8)
        XCTAssertEqual(messages[messages.count - 2].content, question(8))
        XCTAssertTrue((1...160).contains(try chat.usedTokens))
        // The same turns with the other setting.
        let error = try await thrown { for turn in 1...8 { _ = try await strict.ask(question(turn)) } }
        guard case .contextFull = error else { return XCTFail("\(error)") }
    }

    func testMemoryThatWasGivenBackChangesNothing() async throws {
        let model = try await Model.open(modelURL)
        let (trimmed, other) = (try model.chat(options: short()), try model.chat(options: short()))
        for question in ["Name a fruit.", "Another one?"] {
            for level in TrimLevel.allCases { try await trimmed.trim(level) }
            try await model.trim()
            let (a, b) = (try await trimmed.ask(question), try await other.ask(question))
            XCTAssertEqual(a, b)
        }
        let wanted = try await model.chat(options: short()).ask("Name three animals.")
        let chat = try model.chat(options: short())
        var got = ""
        for try await piece in chat.stream("Name three animals.") {
            try await model.trim()
            try await chat.trim()
            got += piece.text
        }
        XCTAssertEqual(got, wanted)
        var nowhere = short()
        // A file is no folder.
        nowhere.trimFolder = modelURL.appendingPathComponent("folder")
        let full = try model.chat(options: nowhere)
        let first = try await full.ask("Hello?")
        guard case .unwritable = try await thrown({ try await full.trim(.cache) }) else { return XCTFail() }
        var again = ""
        for try await piece in full.regenerate() { again += piece.text }
        XCTAssertEqual(again, first)
        model.close()
        let error = try await thrown { try await model.trim() }
        XCTAssertEqual(error, .closed)
    }
}
