import Foundation
internal import PunaBindings

/// What can go wrong, in the kinds that an app can act on. No case holds text of a prompt or an answer.
public enum PunaError: Error, Equatable, Sendable {
    /// The file cannot be opened, read or mapped.
    case unreadable(reason: String)

    /// The file is no whole, valid model: downloading it again may help. `offset` is the byte of the file where it is
    /// wrong, if it is wrong at one.
    case invalidModel(what: String, offset: Int64?)

    /// The file is valid, and of a kind that this version does not run.
    case unsupportedModel(what: String)

    /// The model's terms ask for acceptance, and nobody has accepted them: ``Licence`` has what a sheet shows.
    case licenceNotAccepted(id: String, summary: String)

    /// The memory is not there; nothing was allocated. `needs` and `has` are bytes, `has` is 0 where the system does not
    /// say. `largestContextTokens` is the longest context that would fit, where that is the question and there is one.
    case doesNotFit(needs: Int64, has: Int64, largestContextTokens: Int?)

    /// The conversation has no room for this message: `wanted` tokens were to be added to `used` of `contextTokens`.
    case contextFull(wanted: Int, used: Int, contextTokens: Int)

    /// A setting is out of its range.
    case invalidOption(what: String)

    /// The model's template refuses the conversation, for example its system message.
    case refused(reason: String)

    /// A saved conversation or a journal cannot be written, for example since the storage is full.
    case unwritable(reason: String)

    /// The disk is too full for a download, of which `wanted` bytes are still to come. What has arrived is kept.
    case noSpace(wanted: Int64, free: Int64)

    /// The server or the way to it. What has arrived is kept: the same call goes on with it. `status` is HTTP's number, where
    /// the server answered with another one than was hoped for: 404 for a file that is not there.
    case downloadFailed(reason: String, status: Int?)

    /// What was saved is damaged, or of another model or version: the conversation is lost, begin a new one.
    case invalidState(what: String)

    /// Another chat or process has the journal in `folder`.
    case inUse(folder: String)

    /// There is no turn to be edited, or answered again.
    case noTurn

    /// The answer was cancelled, other than by cancelling the task that reads it (that is a `CancellationError`). The
    /// turn was taken back.
    case cancelled

    /// The time that the answer was given has passed. The turn was taken back.
    case deadlineExceeded

    /// The chat is answering already; a chat gives one answer at a time.
    case busy

    /// The model or the chat was closed.
    case closed

    /// A fault of this library, or of the system below it.
    case `internal`(reason: String)
}

extension PunaError: LocalizedError {
    /// The error in English, for a log or a developer.
    public var errorDescription: String? {
        switch self {
        case .unreadable(let text), .invalidModel(let text, _), .unsupportedModel(let text),
            .invalidOption(let text), .refused(let text), .unwritable(let text), .invalidState(let text),
            .internal(let text):
            text
        case .downloadFailed(let text, _): text
        case .noSpace(let wanted, let free): "\(free) bytes are free, wanted \(wanted)"
        case .licenceNotAccepted(let id, let summary): "the licence \(id) is not accepted: \(summary)"
        case .doesNotFit(let needs, let has, _):
            "needs \(needs) bytes, and \(has) are to be had"
        case .contextFull(let wanted, let used, let contextTokens):
            "\(wanted) more tokens do not fit: \(used) of a context of \(contextTokens) are used"
        case .inUse(let folder): "the journal \(folder) is in use"
        case .noTurn: "no turn yet"
        case .cancelled: "cancelled"
        case .deadlineExceeded: "the deadline has passed"
        case .busy: "the chat is answering already"
        case .closed: "closed"
        }
    }
}

/// Calls the runtime; its errors become those of this module.
func runtime<T>(_ call: () throws -> T) throws(PunaError) -> T {
    do {
        return try call()
    } catch let error as PunaBindings.PunaError {
        throw PunaError(error)
    } catch {
        throw .internal(reason: "a panic in the runtime; please report it")
    }
}

extension PunaError {
    init(_ error: PunaBindings.PunaError) {
        self = switch error {
        case .Unreadable(let reason): .unreadable(reason: reason)
        case .InvalidModel(let what, let offset): .invalidModel(what: what, offset: offset.map(Int64.init(clamping:)))
        case .UnsupportedModel(let what): .unsupportedModel(what: what)
        case .LicenceNotAccepted(let id, let summary): .licenceNotAccepted(id: id, summary: summary)
        case .DoesNotFit(let needs, let has, let largest):
            .doesNotFit(
                needs: Int64(clamping: needs), has: Int64(clamping: has),
                largestContextTokens: largest.map(Int.init(clamping:)))
        case .ContextFull(let wanted, let used, let nCtx):
            .contextFull(
                wanted: Int(clamping: wanted), used: Int(clamping: used), contextTokens: Int(clamping: nCtx))
        case .InvalidOption(let what): .invalidOption(what: what)
        case .Refused(let reason): .refused(reason: reason)
        case .Unwritable(let reason): .unwritable(reason: reason)
        case .NoSpace(let wanted, let free): .noSpace(wanted: Int64(clamping: wanted), free: Int64(clamping: free))
        case .DownloadFailed(let reason, let status): .downloadFailed(reason: reason, status: status.map(Int.init))
        case .InvalidState(let what): .invalidState(what: what)
        case .InUse(let folder): .inUse(folder: folder)
        case .NoTurn: .noTurn
        case .Cancelled: .cancelled
        case .DeadlineExceeded: .deadlineExceeded
        case .Busy: .busy
        case .Closed: .closed
        case .Internal(let reason): .internal(reason: reason)
        }
    }
}
