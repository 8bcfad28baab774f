// swift-tools-version: 6.0
//
// `Sources/PunaBindings` and the native library are written by `cargo xtask xcframework` (on a Mac) or
// `cargo xtask swift` (on Linux, where the tests run); neither is in the repository.
import PackageDescription

#if os(Linux)
let native = Target.systemLibrary(name: "PunaFFI")
// The sample app without its views, so that it is compiled and tested here too.
let linuxTargets: [Target] = [
    .target(name: "Sample", dependencies: ["Puna"], path: "Sample.swiftpm", exclude: ["Package.swift"]),
    .testTarget(name: "SampleTests", dependencies: ["Puna", "Sample", "TestServer"]),
    // Killed by a test.
    .executableTarget(name: "Keeper", dependencies: ["Puna"], path: "Tests/Keeper"),
]
#else
let native = Target.binaryTarget(name: "PunaFFI", path: "PunaFFI.xcframework")
let linuxTargets: [Target] = []
#endif

let package = Package(
    name: "Puna",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "Puna", targets: ["Puna"])],
    targets: [
        native,
        // Written by puna-bindgen: what `Puna` stands on, no API.
        .target(name: "PunaBindings", dependencies: ["PunaFFI"]),
        .target(name: "Puna", dependencies: ["PunaBindings"]),
        .target(name: "TestServer", path: "Tests/TestServer"),
        .testTarget(name: "PunaTests", dependencies: ["Puna", "TestServer"]),
    ] + linuxTargets,
    swiftLanguageModes: [.v6]
)
