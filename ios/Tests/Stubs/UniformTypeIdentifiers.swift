// What the sample app uses of Apple's UniformTypeIdentifiers: see SwiftUI.swift.
public struct UTType: Sendable {
    public static let data = UTType()
    private init() {}
    public init?(filenameExtension: String) {}
}
