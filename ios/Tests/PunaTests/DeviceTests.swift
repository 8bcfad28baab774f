import Foundation
import XCTest

@testable import Puna

/// What is below the hooks for phones, which need a phone.
final class DeviceTests: XCTestCase {
    private let warning = Notification.Name("a warning of a test")

    func testNotificationsArriveUntilNobodyListens() async throws {
        let values = Shared(0)
        let name = warning
        let stream = Device.notifications(name) { values.with { $0 += 1; return $0 } }
        NotificationCenter.default.post(name: name, object: nil)
        var iterator = stream.makeAsyncIterator()
        let first = await iterator.next()
        XCTAssertEqual(first, 1)
        // Only the newest is kept.
        for _ in 1...5 { NotificationCenter.default.post(name: name, object: nil) }
        let newest = await iterator.next()
        XCTAssertEqual(newest, 6)
        let task = Task { for await _ in stream {} }
        task.cancel()
        await task.value
        NotificationCenter.default.post(name: name, object: nil)
        XCTAssertEqual(values.with { $0 }, 6)
    }

    func testAModelThatIsTrimmedAtWarningsAnswersAsBefore() async throws {
        let model = try await Model.open(modelURL)
        let chat = try model.chat(options: short(8))
        let trimmed = Shared(0)
        let (warnings, warn) = AsyncStream.makeStream(of: Void.self)
        let task = model.trim(.weights, at: warnings)
        warn.onTermination = { _ in trimmed.with { $0 += 1 } }
        let wanted = try await model.chat(options: short(8)).ask("Hello?")
        warn.yield()
        let answer = try await chat.ask("Hello?")
        XCTAssertEqual(answer, wanted)
        task.cancel()
        await task.value
        XCTAssertEqual(trimmed.with { $0 }, 1)
    }
}
