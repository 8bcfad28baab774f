// swift-tools-version: 6.0
//
// The sample as Xcode opens it: an app that is a package. On Linux the package above compiles `Conversation.swift`.
import AppleProductTypes
import PackageDescription

let package = Package(
    name: "PunaSample",
    platforms: [.iOS(.v16)],
    products: [
        .iOSApplication(
            name: "PunaSample",
            targets: ["Sample"],
            bundleIdentifier: "dev.puna.sample",
            displayVersion: "1.0",
            bundleVersion: "1",
            supportedDeviceFamilies: [.pad, .phone],
            supportedInterfaceOrientations: [
                .portrait, .landscapeLeft, .landscapeRight, .portraitUpsideDown(.when(deviceFamilies: [.pad])),
            ])
    ],
    dependencies: [.package(path: "..")],
    targets: [
        .executableTarget(
            name: "Sample", dependencies: [.product(name: "Puna", package: "ios")], path: ".",
            exclude: ["Package.swift"])
    ],
    swiftLanguageModes: [.v6]
)
