import Foundation
import Puna
import XCTest

/// The model's file, piece by piece, and what a reader of a network would do wrong.
struct Source: ByteSource {
    struct Broken: Error {}

    let data: Data
    var breaksAt = Int64.max
    var length: Int64 { Int64(data.count) }

    func read(at offset: Int64, count: Int) throws -> Data {
        if offset >= breaksAt { throw Broken() }
        let begin = Int(offset)
        return data[begin..<min(begin + count, data.count)]
    }
}

final class SourceTests: XCTestCase {
    private let folder = FileManager.default.temporaryDirectory

    func testAModelWhoseBytesTheAppGives() async throws {
        let heard = Shared<[Int64]>([])
        let source = Source(data: try Data(contentsOf: modelURL))
        let total = source.length
        let model = try await Model.open(source, in: folder) { done, of in
            XCTAssertEqual(of, total)
            heard.with { $0.append(done) }
        }
        XCTAssertEqual(heard.with { $0.last }, total)
        let (here, there) = (try model.chat(options: short(8)), try await Model.open(modelURL).chat(options: short(8)))
        let (a, b) = (try await here.ask("Hello?"), try await there.ask("Hello?"))
        XCTAssertEqual(a, b)
    }

    func testASourceThatFailsSaysWhy() async throws {
        let source = Source(data: try Data(contentsOf: modelURL), breaksAt: 1)
        let error = try await thrown { try await Model.open(source, in: folder) }
        guard case .unreadable(let reason) = error else { return XCTFail("\(error)") }
        XCTAssertTrue(reason.contains("Broken"), reason)
    }

    func testCancellingStopsTheCopy() async throws {
        let source = Source(data: try Data(contentsOf: modelURL))
        let heard = Shared(Int64(0))
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let task = Task { [folder] in
            try await Model.open(source, in: folder) { done, _ in
                heard.with { $0 = done }
                begin.yield()
                // As slow as a network.
                Thread.sleep(forTimeInterval: 0.02)
            }
        }
        for await _ in begun { break }
        task.cancel()
        let result = await task.result
        XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
        XCTAssertLessThan(heard.with { $0 }, source.length)
    }
}
