import Foundation
import Puna

#if canImport(Combine)
import Combine
#endif

/// The models on this device, and the download of one more.
@MainActor
final class Library: ObservableObject {
    @Published private(set) var models: [StoredModel] = []
    /// Of the download, while there is one.
    @Published private(set) var progress: FetchProgress?
    /// What went wrong, or what the download came to.
    @Published private(set) var status = ""

    private let store: ModelStore
    private var download: Task<StoredModel?, Never>?

    init(folder: URL = Library.folder) {
        store = ModelStore(folder: folder)
        refresh()
    }

    /// Where an app keeps what a person need not see: not in the cache, which the system may empty.
    private static var folder: URL {
        let support = FileManager.default.urls(for: .applicationSupportDirectory, in: .userDomainMask)
        return (support.first ?? FileManager.default.temporaryDirectory).appendingPathComponent("models")
    }

    /// Downloads a model, and returns it if it has come. What has arrived of one that was cancelled stays for the next try.
    func fetch(_ address: String) async -> StoredModel? {
        let address = address.trimmingCharacters(in: .whitespacesAndNewlines)
        guard download == nil else { return nil }
        guard let url = URL(string: address), url.scheme != nil else {
            status = "An address begins with https://"
            return nil
        }
        // The newest alone: the screen is slower than the network.
        let (news, tell) = AsyncStream.makeStream(of: FetchProgress.self, bufferingPolicy: .bufferingNewest(1))
        status = "Downloading…"
        let task = Task { await get(url) { tell.yield($0) } }
        download = task
        let watching = Task { for await now in news { progress = now } }
        let model = await task.value
        tell.finish()
        await watching.value
        (download, progress) = (nil, nil)
        refresh()
        return model
    }

    private func get(_ url: URL, progress: @escaping @Sendable (FetchProgress) -> Void) async -> StoredModel? {
        do {
            let model = try await store.fetch(url, progress: progress)
            status = "\(model.name) is here."
            return model
        } catch is CancellationError {
            status = "Stopped. The next try goes on from here."
        } catch {
            status = Conversation.advice(error)
        }
        return nil
    }

    func cancel() {
        download?.cancel()
    }

    func remove(_ model: StoredModel) {
        do {
            try store.remove(model.sha256)
        } catch {
            status = Conversation.advice(error)
        }
        refresh()
    }

    private func refresh() {
        do {
            models = try store.list()
        } catch {
            status = Conversation.advice(error)
        }
    }
}
