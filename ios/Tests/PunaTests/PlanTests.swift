import Foundation
import Puna
import XCTest

final class PlanTests: XCTestCase {
    func testAPlanSaysWhatAChatNeeds() async throws {
        let model = try await Model.open(modelURL)
        let plan = try model.plan(ChatOptions(contextTokens: 1024))
        XCTAssertEqual(plan.needs, plan.weightsBytes + plan.kvBytes + plan.scratchBytes)
        XCTAssertEqual(plan.contextTokens, 1024)
        XCTAssertEqual(plan.weightsBytes, try model.info.weightsBytes)
        XCTAssertTrue(plan.threads > 0 && plan.fits, "\(plan)")
        let quarter = try model.plan(ChatOptions(contextTokens: 1024, kv: .q4))
        XCTAssertLessThan(quarter.kvBytes * 3, plan.kvBytes)
        guard case .invalidOption = try await thrown({ try model.plan(ChatOptions(contextTokens: 0)) }) else {
            return XCTFail()
        }
    }

    func testWeightsAreReadWithProgress() async throws {
        let model = try await Model.open(modelURL)
        let heard = Shared<[(Int64, Int64)]>([])
        try await model.preload { done, total in heard.with { $0.append((done, total)) } }
        let all = heard.with { $0 }
        let last = try XCTUnwrap(all.last)
        XCTAssertEqual(last.0, last.1)
        XCTAssertGreaterThan(last.1, try model.info.weightsBytes / 2)
        XCTAssertTrue(zip(all, all.dropFirst()).allSatisfy { $0.0 <= $1.0 })
        let heardOpening = Shared<Int64>(0)
        _ = try await Model.open(modelURL) { done, _ in heardOpening.with { $0 = done } }
        XCTAssertEqual(heardOpening.with { $0 }, last.1)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await model.preload()
        }
        let result = await task.result
        XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
    }
}
