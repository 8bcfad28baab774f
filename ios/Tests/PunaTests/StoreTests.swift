import Foundation
import Puna
import TestServer
import XCTest

final class StoreTests: XCTestCase, @unchecked Sendable {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    private var store: ModelStore { ModelStore(folder: folder) }
    /// A file that is read as a model, of 400 KB.
    private let file = gguf("general.name", String(repeating: "a model of a test ", count: 22_000))

    override func tearDownWithError() throws {
        try? FileManager.default.removeItem(at: folder)
    }

    func testAModelIsDownloadedOnce() async throws {
        let server = FileServer(file, .well)
        defer { server.close() }
        let heard = Shared<[FetchProgress]>([])
        let stored = try await store.fetch(server.url("tiny.gguf?key=1")) { now in heard.with { $0.append(now) } }
        XCTAssertEqual(stored.name, "tiny")
        XCTAssertEqual(try Data(contentsOf: stored.file), file)
        XCTAssertEqual(stored.bytes, Int64(file.count))
        XCTAssertEqual(stored.url, server.url("tiny.gguf?key=1"))
        let last = try XCTUnwrap(heard.with { $0.last })
        XCTAssertEqual([last.received, last.total], [stored.bytes, stored.bytes])
        XCTAssertEqual(last.phase, .checking)
        XCTAssertTrue(heard.with { $0.contains { $0.phase == .receiving } })

        let again = try await store.fetch(server.url("tiny.gguf?key=1"))
        XCTAssertEqual(again, stored)
        XCTAssertEqual(server.requests.count, 1)
        XCTAssertTrue(server.requests[0].contains("accept-encoding: identity\r\n"), server.requests[0])
        XCTAssertFalse(server.requests[0].contains("cookie"))

        XCTAssertEqual(try store.list(), [stored])
        let verified = try await store.verify("tiny")
        XCTAssertEqual(verified, stored)
        try Data("other bytes".utf8).write(to: stored.file)
        let damaged = try await thrown { try await self.store.verify(stored.sha256) }
        guard case .invalidModel = damaged else { return XCTFail("\(damaged)") }
        try store.remove("tiny")
        XCTAssertEqual(try store.list(), [])
        let gone = try await thrown { try self.store.remove("tiny") }
        guard case .invalidOption = gone else { return XCTFail("\(gone)") }
    }

    func testAConnectionThatBreaksOffIsGoneOnWith() async throws {
        let server = FileServer(file, .cut(150_000), .says(503), .well)
        defer { server.close() }
        let stored = try await store.fetch(server.url("tiny.gguf"))
        XCTAssertEqual(try Data(contentsOf: stored.file), file)
        XCTAssertEqual(server.requests.count, 3)
        for request in server.requests.dropFirst() {
            XCTAssertTrue(request.contains("range: bytes=150000-\r\n"), request)
            XCTAssertTrue(request.contains("if-range: \"one\"\r\n"), request)
        }
    }

    func testCancellingStopsAtOnceAndKeepsWhatHasArrived() async throws {
        let server = FileServer(file, .stall(150_000), .well)
        defer { server.close() }
        let (arrived, tell) = AsyncStream.makeStream(of: Int64.self)
        let (store, url) = (store, server.url("tiny.gguf"))
        let task = Task { try await store.fetch(url) { tell.yield($0.received) } }
        for await received in arrived where received == 150_000 { break }
        let taken = await seconds { task.cancel(); _ = await task.result }
        let result = await task.result
        XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
        XCTAssertLessThan(taken, 0.5)
        XCTAssertEqual(try store.list(), [])
        let stored = try await store.fetch(url)
        XCTAssertEqual(try Data(contentsOf: stored.file), file)
        XCTAssertTrue(server.requests[1].contains("range: bytes=150000-\r\n"), server.requests[1])
    }

    func testAFileOfAnotherHashIsNotKept() async throws {
        let server = FileServer(file, .well)
        defer { server.close() }
        let wrong = String(repeating: "0", count: 64)
        let error = try await thrown { try await self.store.fetch(server.url("tiny.gguf"), sha256: wrong) }
        guard case .invalidModel(let what, _) = error else { return XCTFail("\(error)") }
        XCTAssertTrue(what.contains(wrong), what)
        XCTAssertEqual(try store.list(), [])
        let right = try await store.fetch(server.url("tiny.gguf")).sha256
        let known = try await store.fetch(server.url("tiny.gguf"), sha256: right)
        XCTAssertEqual(known.sha256, right)
        let none = try await thrown { try await self.store.fetch(server.url("tiny.gguf"), sha256: "abc") }
        guard case .invalidOption = none else { return XCTFail("\(none)") }
    }

    func testAPageInPlaceOfTheFileIsNotKept() async throws {
        let server = FileServer(Data("<html>not found</html>".utf8), .well)
        defer { server.close() }
        let error = try await thrown { try await self.store.fetch(server.url("tiny.gguf")) }
        guard case .invalidModel = error else { return XCTFail("\(error)") }
        XCTAssertEqual(try store.list(), [])
    }

    func testAServerWithoutTheFile() async throws {
        let server = FileServer(file, .says(404))
        defer { server.close() }
        let error = try await thrown { try await self.store.fetch(server.url("tiny.gguf?key=secret")) }
        guard case .downloadFailed(let reason, let status) = error else { return XCTFail("\(error)") }
        XCTAssertEqual(status, 404)
        XCTAssertEqual(error.localizedDescription, reason)
        XCTAssertFalse(reason.contains("secret"), reason)
        XCTAssertEqual(server.requests.count, 1)
    }

    func testAServerThatIsSilentOrGoneIsGivenUp() async throws {
        let server = FileServer(file, .stall(0))
        let url = server.url("tiny.gguf")
        let silent = try await thrown { try await self.store.fetch(url, stall: 0.2, tries: 1) }
        guard case .downloadFailed(_, nil) = silent else { return XCTFail("\(silent)") }
        // It speaks no TLS.
        let secure = try XCTUnwrap(URL(string: url.absoluteString.replacingOccurrences(of: "http:", with: "https:")))
        let plain = try await thrown { try await self.store.fetch(secure, stall: 5, tries: 1) }
        guard case .downloadFailed(_, nil) = plain else { return XCTFail("\(plain)") }
        server.close()
        let gone = try await thrown { try await self.store.fetch(url, tries: 1) }
        guard case .downloadFailed(_, nil) = gone else { return XCTFail("\(gone)") }
    }

    func testTheStoreGoesWhereAServerLeadsIfThatIsSafe() async throws {
        let server = FileServer(file, .leadsTo("/elsewhere/tiny.gguf"), .well)
        defer { server.close() }
        _ = try await store.fetch(server.url("latest.gguf"))
        XCTAssertTrue(server.requests[1].hasPrefix("get /elsewhere/tiny.gguf "), server.requests[1])
        let bad = FileServer(file, .leadsTo("http://model.invalid/tiny.gguf"))
        defer { bad.close() }
        for url in [bad.url("other.gguf"), URL(string: "http://model.invalid/tiny.gguf")!] {
            let error = try await thrown { try await self.store.fetch(url) }
            XCTAssertTrue(error.localizedDescription.contains("not encrypted"), "\(error)")
        }
        XCTAssertEqual(bad.requests.count, 1)
    }

    func testASlowDiskSlowsTheNetworkAndFillsNoMemory() async throws {
        let server = FileServer(Data(count: 256 << 20), .well)
        defer { server.close() }
        let (store, url) = (store, server.url("big.gguf"))
        let ahead = Shared<[Int]>([])
        let task = Task {
            try await store.fetch(url) { now in
                Thread.sleep(forTimeInterval: 0.05)
                ahead.with { $0.append(server.sent - Int(now.received)) }
            }
        }
        while ahead.with({ $0.count }) < 20 { try await sleep(seconds: 0.02) }
        task.cancel()
        _ = await task.result
        // What the system's sockets hold, tens of megabytes at most, and one piece here.
        XCTAssertLessThan(try XCTUnwrap(ahead.with { $0.max() }), 64 << 20)
    }
}
