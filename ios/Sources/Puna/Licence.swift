import Foundation
internal import PunaBindings

/// A licence that asks for acceptance before its models are used, for a sheet that a person reads.
///
/// ```swift
/// do {
///     model = try await Model.open(url)
/// } catch PunaError.licenceNotAccepted(let id, _) {
///     sheet = Licence(id: id)       // then sheet.accept(who: "the user of this device"), and open again
/// }
/// ```
public struct Licence: Equatable, Identifiable, Sendable {
    /// What it goes by, such as `llama2`.
    public let id: String
    /// Its name.
    public let name: String
    /// Where its terms are to be read.
    public let terms: URL?
    /// Where the acceptable-use policy is to be read that comes with it.
    public let usePolicy: URL?
    /// What one must know before use: a summary, not the terms.
    public let notice: String?

    /// The licence that ``PunaError/licenceNotAccepted(id:summary:)`` names; `nil` for one that is not known here.
    public init?(id: String) {
        guard let known = knownLicence(id: id) else { return nil }
        self.id = known.id
        name = known.name
        terms = known.terms.flatMap(URL.init(string:))
        usePolicy = known.usePolicy.flatMap(URL.init(string:))
        notice = known.notice
    }

    /// Records in `folder` that `who` accepts it: for every model under it that is opened with this folder, until its
    /// terms change.
    ///
    /// - Throws: ``PunaError/unwritable(reason:)``.
    public func accept(who: String, folder: URL = Licence.folder) throws(PunaError) {
        let (id, path) = (id, folder.path)
        try runtime { try acceptLicence(id: id, who: who, folder: path) }
    }

    /// Where acceptances are kept, unless an app says otherwise: in its own part of Application Support.
    public static var folder: URL {
        let files = FileManager.default
        // The system always tells it; an app without one has its temporary files.
        let support = files.urls(for: .applicationSupportDirectory, in: .userDomainMask).first
        return (support ?? files.temporaryDirectory)
            .appendingPathComponent(Bundle.main.bundleIdentifier ?? "dev.puna")
            .appendingPathComponent("licences")
    }
}
