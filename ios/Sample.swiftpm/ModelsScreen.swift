#if canImport(SwiftUI)
import Foundation
import Puna
import SwiftUI
import UniformTypeIdentifiers

/// Where a model comes from: this device, a file, a download.
struct ModelsScreen: View {
    @ObservedObject var library: Library
    /// Opens the model of a file.
    let open: @MainActor (URL) -> Void

    @State private var address = ""
    @State private var isPicking = false

    var body: some View {
        NavigationStack {
            List {
                Section("On this device") {
                    ForEach(library.models) { model in
                        Button("\(model.name), \(megabytes(model.bytes))", systemImage: "cpu") { open(model.file) }
                            .swipeActions {
                                Button("Delete", systemImage: "trash") { library.remove(model) }
                            }
                    }
                    Button("Choose a file", systemImage: "folder") { isPicking = true }
                }
                Section("Download") {
                    TextField("https://… .gguf", text: $address, axis: .horizontal)
                        .autocorrectionDisabled()
                        .textInputAutocapitalization(.never)
                        .accessibilityLabel("Address of a model")
                    if let progress = library.progress {
                        download(progress)
                    } else {
                        Button("Download", systemImage: "arrow.down.circle") {
                            Task { if let model = await library.fetch(address) { open(model.file) } }
                        }
                        .disabled(address.isEmpty)
                    }
                    Text(library.status)
                        .font(.caption)
                        .foregroundStyle(.secondary)
                        .accessibilityLabel("Status: \(library.status)")
                }
            }
            .navigationTitle("Models")
        }
        .fileImporter(isPresented: $isPicking, allowedContentTypes: [UTType(filenameExtension: "gguf") ?? .data]) {
            if case .success(let url) = $0 { open(url) }
        }
    }

    @ViewBuilder
    private func download(_ progress: FetchProgress) -> some View {
        let (had, all) = (Double(progress.received), progress.total.map(Double.init))
        ProgressView(value: all == nil ? nil : had, total: max(all ?? 1, 1))
            .accessibilityLabel("Download")
            .accessibilityValue(megabytes(progress.received))
        Text(megabytes(progress.received) + (progress.total.map { " of \(megabytes($0))" } ?? ""))
            .font(.caption)
        Button("Cancel", systemImage: "xmark.circle") { library.cancel() }
    }

    private func megabytes(_ bytes: Int64) -> String { "\(bytes / 1_000_000) MB" }
}

/// What a person agrees to before a model opens whose terms ask for it.
struct LicenceSheet: View {
    let licence: Licence
    let decide: @MainActor (_ accepts: Bool) -> Void

    var body: some View {
        NavigationStack {
            List {
                Section(licence.name) {
                    Text(licence.notice ?? "This model asks you to accept its licence.")
                    if let terms = licence.terms { Link("Read the licence", destination: terms) }
                    if let policy = licence.usePolicy { Link("Read the acceptable-use policy", destination: policy) }
                }
                Section("Your choice") {
                    Button("Accept", systemImage: "checkmark") { decide(true) }
                    Button("Decline", systemImage: "xmark") { decide(false) }
                }
            }
            .navigationTitle("Licence")
        }
        .interactiveDismissDisabled()
    }
}
#endif
