import Foundation
import Puna
import XCTest

final class LicenceTests: XCTestCase {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)

    override func setUpWithError() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: folder)
    }

    func testAModelWhoseTermsNobodyHasAccepted() async throws {
        let (model, licences) = (try licensed(in: folder), folder.appendingPathComponent("licences"))
        let error = try await thrown { try await Model.open(model, licences: licences) }
        guard case .licenceNotAccepted(let id, let summary) = error else { return XCTFail("\(error)") }
        XCTAssertEqual(id, "llama3.1")
        XCTAssertTrue(error.localizedDescription.contains(summary) && !summary.isEmpty, "\(error)")

        let licence = try XCTUnwrap(Licence(id: id))
        XCTAssertTrue(licence.name.contains("Llama 3.1"), licence.name)
        XCTAssertEqual(licence.terms?.scheme, "https")
        XCTAssertEqual(licence.usePolicy?.scheme, "https")
        try licence.accept(who: "a person", folder: licences)
        let opened = try await Model.open(model, licences: licences)
        XCTAssertTrue(try opened.info.license?.hasPrefix("llama3.1") == true)

        // Every way in asks, and only this folder says yes.
        let file = try FileHandle(forReadingFrom: model)
        _ = try await Model.open(descriptor: file.fileDescriptor, licences: licences)
        let source = Source(data: try Data(contentsOf: model))
        _ = try await Model.open(source, in: folder, licences: licences)
        let elsewhere = folder.appendingPathComponent("elsewhere")
        for error in [
            try await thrown { try await Model.open(model, licences: elsewhere) },
            try await thrown { try await Model.open(descriptor: file.fileDescriptor, licences: elsewhere) },
            try await thrown { try await Model.open(source, in: folder, licences: elsewhere) },
        ] {
            guard case .licenceNotAccepted = error else { return XCTFail("\(error)") }
        }
    }

    func testALicenceThatAsksForNothingIsNone() {
        XCTAssertNil(Licence(id: "apache-2.0"))
        XCTAssertNil(Licence(id: "a licence that nobody knows"))
    }

    func testAnAcceptanceThatCannotBeKept() async throws {
        let licence = try XCTUnwrap(Licence(id: "llama2"))
        let error = try await thrown { try licence.accept(who: "a person", folder: modelURL) }
        guard case .unwritable = error else { return XCTFail("\(error)") }
    }

    func testAnAppHasAFolderOfItsOwn() {
        XCTAssertEqual(Licence.folder.lastPathComponent, "licences")
        XCTAssertTrue(Licence.folder.isFileURL)
    }
}
