import Foundation
import Puna
import XCTest

final class EmbedderTests: XCTestCase {
    private func likeness(_ a: [Float], _ b: [Float]) -> Float {
        zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
    }

    func testLikeTextsPointTheSameWay() async throws {
        let model = try await Model.open(modelURL)
        let embedder = try model.embedder(EmbedderOptions(contextTokens: 256))
        let cat = try await embedder.embed("The cat sleeps on the sofa.")
        let kitten = try await embedder.embed("A kitten naps on the couch.")
        let tax = try await embedder.embed("Quarterly tax forms are due in April.")
        XCTAssertEqual(likeness(cat, cat), 1, accuracy: 1e-3)
        XCTAssertGreaterThan(likeness(cat, kitten), likeness(cat, tax))
        let again = try await embedder.embed("The cat sleeps on the sofa.")
        XCTAssertEqual(again, cat)
        let last = try model.embedder(EmbedderOptions(pooling: .last, normalize: false, contextTokens: 256))
        let other = try await last.embed("The cat sleeps on the sofa.")
        XCTAssertEqual(other.count, cat.count)
        XCTAssertGreaterThan(likeness(other, other), 2)
    }

    func testItsErrors() async throws {
        let model = try await Model.open(modelURL)
        let embedder = try model.embedder(EmbedderOptions(contextTokens: 16))
        let long = try await thrown { try await embedder.embed(String(repeating: "word ", count: 100)) }
        guard case .contextFull(_, _, 16) = long else { return XCTFail("\(long)") }
        guard case .invalidOption = try await thrown({ try await embedder.embed("") }) else { return XCTFail() }
        embedder.close()
        embedder.close()
        let second = try model.embedder()
        model.close()
        let errors = [
            try await thrown { try await embedder.embed("Hello?") }, try await thrown { try await second.embed("Hello?") },
            try await thrown { try model.embedder() },
        ]
        XCTAssertEqual(errors, [.closed, .closed, .closed])
    }

    func testCancelling() async throws {
        let model = try await Model.open(modelURL)
        let embedder = try model.embedder(EmbedderOptions(contextTokens: 2048, threads: 1))
        let long = String(repeating: "The quick brown fox jumps over the lazy dog. ", count: 150)
        let task = Task { try await embedder.embed(long) }
        try await sleep(seconds: 0.05)
        let took = await seconds { task.cancel(); _ = await task.result }
        let result = await task.result
        XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
        XCTAssertLessThan(took, 1)
        let next = try await embedder.embed("Hello?")
        XCTAssertFalse(next.isEmpty)
    }

    func testTextsAsTokens() async throws {
        let model = try await Model.open(modelURL)
        let tokenizer = model.tokenizer
        for text in ["Hello world", "🦜 你好，世界", "<|im_end|>", ""] {
            let tokens = try tokenizer.encode(text)
            XCTAssertEqual(try tokenizer.decode(tokens), text)
            XCTAssertEqual(try tokenizer.count(text), tokens.count)
        }
        XCTAssertGreaterThan(try tokenizer.count("<|im_end|>"), 1)
        for wrong in [-1, 10_000_000] {
            guard case .invalidOption = try await thrown({ try tokenizer.decode([wrong]) }) else { return XCTFail() }
        }
        model.close()
        let error = try await thrown { try tokenizer.encode("") }
        XCTAssertEqual(error, .closed)
    }
}
