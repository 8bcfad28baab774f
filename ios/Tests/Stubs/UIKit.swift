// What the package uses of Apple's UIKit, and of Foundation on Apple's systems alone: `cargo xtask swift` shows it to the
// compiler in their place, so that the code for phones is compiled on Linux too. Nothing of it ever runs.
import Foundation

public enum UIApplication {
    public static let didReceiveMemoryWarningNotification = Notification.Name("memory")
    public static let didEnterBackgroundNotification = Notification.Name("background")
}

extension ProcessInfo {
    public enum ThermalState: Int, Sendable {
        case nominal, fair, serious, critical
    }

    public var thermalState: ThermalState { .nominal }

    public static let thermalStateDidChangeNotification = Notification.Name("thermal")
}
