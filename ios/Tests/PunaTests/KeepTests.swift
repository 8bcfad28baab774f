import Foundation
import Puna
import XCTest

final class KeepTests: XCTestCase {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    private let system = String(repeating: "Answer in one sentence. ", count: 20)

    override func setUpWithError() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: folder)
    }

    func testASavedChatGoesOnAsIfNothingHadBeen() async throws {
        let file = folder.appendingPathComponent("chat.puna")
        let chat = try await Model.open(modelURL).chat(system, options: short())
        _ = try await chat.ask("Name a colour.")
        try await chat.save(to: file)
        let (messages, wanted) = (try chat.messages, try await chat.ask("And another?"))
        let restored = try await Model.open(modelURL).restoreChat(from: file, options: short())
        XCTAssertEqual(try restored.messages, messages)
        let next = try await restored.ask("And another?")
        XCTAssertEqual(next, wanted)
        XCTAssertLessThan(restored.stats.promptTokens, 30)
    }

    func testWhatIsNoSavedChatSaysSo() async throws {
        let model = try await Model.open(modelURL)
        // A file is no folder.
        let nowhere = modelURL.appendingPathComponent("chat.puna")
        guard case .unreadable = try await thrown({ try model.restoreChat(from: nowhere) }) else { return XCTFail() }
        let file = folder.appendingPathComponent("chat.puna")
        try Data("<html>".utf8).write(to: file)
        func isInvalid() async throws -> Bool {
            if case .invalidState = try await thrown({ try model.restoreChat(from: file, options: short()) }) { true } else { false }
        }
        let page = try await isInvalid()
        XCTAssertTrue(page)
        let chat = try model.chat(options: short(4))
        _ = try await chat.ask("Hello?")
        try await chat.save(to: file)
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: file)
        let damaged = try await isInvalid()
        XCTAssertTrue(damaged)
        guard case .unwritable = try await thrown({ try await chat.save(to: nowhere) }) else { return XCTFail() }
        try await chat.save(to: file)
        for wrong in [ChatOptions(contextTokens: 4), ChatOptions(contextTokens: 1024, kv: .q8)] {
            guard case .invalidOption = try await thrown({ try model.restoreChat(from: file, options: wrong) }) else {
                return XCTFail()
            }
        }
    }

    func testAJournalHasOneChatAtATime() async throws {
        let model = try await Model.open(modelURL)
        var options = short(4)
        options.journal = folder
        let chat = try model.chat(options: options)
        _ = try await chat.ask("Hello?")
        let (messages, path) = (try chat.messages, folder.path)
        let error = try await thrown { [options] in try model.chat(options: options) }
        XCTAssertEqual(error, .inUse(folder: path))
        chat.close()
        XCTAssertEqual(try model.chat(options: options).messages, messages)
        guard case .invalidOption = try await thrown({ [options] in try await model.prewarm("Hi.", options: options) })
        else { return XCTFail() }
    }

    #if os(Linux)
    func testAKilledChatGoesOnAfterItsLastWholeTurn() async throws {
        let keeper = Process()
        let here = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        keeper.executableURL = URL(fileURLWithPath: here).deletingLastPathComponent().appendingPathComponent("Keeper")
        keeper.arguments = [modelURL.path, folder.path]
        let output = Pipe()
        keeper.standardOutput = output
        try keeper.run()
        var said = ""
        // It is in the middle of its second answer when it says so.
        while !said.contains("answering") {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { return XCTFail("it ended by itself: \(said)") }
            said += String(decoding: data, as: UTF8.self)
        }
        kill(keeper.processIdentifier, SIGKILL)
        keeper.waitUntilExit()
        let first = said.split(separator: "\n").first.map { $0.dropFirst("first: ".count) }
        let answer = Data(base64Encoded: String(first ?? "")).map { String(decoding: $0, as: UTF8.self) }

        var options = short()
        options.journal = folder
        let chat = try await Model.open(modelURL).chat(options: options)
        XCTAssertEqual(try chat.messages.map(\.role), [.system, .user, .assistant])
        XCTAssertEqual(try chat.messages.first?.content, "Be brief.")
        XCTAssertEqual(try chat.messages.last?.content, answer)
        let next = try await chat.ask("And another?")
        XCTAssertFalse(next.isEmpty)
        // Computed: the new question, and no word of the old turns.
        XCTAssertLessThan(chat.stats.promptTokens, 20)
    }
    #endif

    func testASystemMessageIsComputedOnce() async throws {
        let wanted = try await Model.open(modelURL).chat(system, options: short()).ask("Name a river.")
        let model = try await Model.open(modelURL)
        let prewarmed = try await model.prewarm(system, in: folder, options: short())
        let chats = [try prewarmed.chat(), try prewarmed.chat()]
        prewarmed.close()
        prewarmed.close()
        let error = try await thrown { try prewarmed.chat() }
        XCTAssertEqual(error, .closed)
        for chat in chats {
            let answer = try await chat.ask("Name a river.")
            XCTAssertEqual(answer, wanted)
            XCTAssertLessThan(chat.stats.promptTokens, 20)
        }
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path).count, 1)
        let kept = try await Model.open(modelURL).prewarm(system, in: folder, options: short())
        let again = try await kept.chat().ask("Name a river.")
        XCTAssertEqual(again, wanted)
    }
}
