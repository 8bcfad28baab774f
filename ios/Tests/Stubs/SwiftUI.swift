// What the sample app uses of SwiftUI, as declarations without a body: `cargo xtask swift` shows it to the compiler in the
// place of Apple's, so that the screen is compiled on Linux too. Whether Apple's compiler agrees, nobody has tried.
import Foundation
import UniformTypeIdentifiers

@MainActor @preconcurrency public protocol App {
    associatedtype Body: Scene
    init()
    var body: Body { get }
}
extension App { public static func main() { fatalError() } }
@MainActor @preconcurrency public protocol Scene {}
public struct WindowGroup: Scene {
    public init<C: View>(@ViewBuilder content: () -> C) { fatalError() }
}

@MainActor @preconcurrency public protocol View {
    associatedtype Body: View
    @ViewBuilder var body: Body { get }
}
extension Never: View { public typealias Body = Never }
extension View where Body == Never { public var body: Never { fatalError() } }
public struct Some: View { public typealias Body = Never }

@resultBuilder public enum ViewBuilder {
    public static func buildExpression<V: View>(_ view: V) -> Some { fatalError() }
    public static func buildBlock(_ views: Some...) -> Some { fatalError() }
    public static func buildOptional(_ view: Some?) -> Some { fatalError() }
    public static func buildEither(first: Some) -> Some { fatalError() }
    public static func buildEither(second: Some) -> Some { fatalError() }
}

@propertyWrapper public struct State<T> {
    public init(wrappedValue: T) { fatalError() }
    public var wrappedValue: T { get { fatalError() } nonmutating set {} }
    public var projectedValue: Binding<T> { fatalError() }
}
@MainActor @preconcurrency @propertyWrapper public struct StateObject<T: AnyObject> {
    public init(wrappedValue: @autoclosure @escaping () -> T) { fatalError() }
    public var wrappedValue: T { fatalError() }
    public var projectedValue: Observed<T> { fatalError() }
}
@MainActor @preconcurrency @propertyWrapper public struct ObservedObject<T: AnyObject> {
    public init(wrappedValue: T) { fatalError() }
    public var wrappedValue: T { get { fatalError() } set {} }
    public var projectedValue: Observed<T> { fatalError() }
}
@dynamicMemberLookup public struct Observed<T: AnyObject> {
    public subscript<V>(dynamicMember path: ReferenceWritableKeyPath<T, V>) -> Binding<V> { fatalError() }
}
@propertyWrapper public struct Environment<T> {
    public init(_ path: KeyPath<EnvironmentValues, T>) { fatalError() }
    public var wrappedValue: T { fatalError() }
}
public struct Binding<T> {}
public struct EnvironmentValues { public var scenePhase: ScenePhase { fatalError() } }
public enum ScenePhase: Equatable, Sendable { case active, inactive, background }

public struct VStack: View {
    public typealias Body = Never
    public init<C: View>(spacing: Double? = nil, @ViewBuilder content: () -> C) { fatalError() }
}
public struct HStack: View {
    public typealias Body = Never
    public init<C: View>(spacing: Double? = nil, @ViewBuilder content: () -> C) { fatalError() }
}
public struct LazyVStack: View {
    public typealias Body = Never
    public init<C: View>(spacing: Double? = nil, @ViewBuilder content: () -> C) { fatalError() }
}
public struct List: View {
    public typealias Body = Never
    public init<C: View>(@ViewBuilder content: () -> C) { fatalError() }
}
public struct Section: View {
    public typealias Body = Never
    public init<C: View>(_ title: String, @ViewBuilder content: () -> C) { fatalError() }
}
public struct ProgressView: View {
    public typealias Body = Never
    public init(value: Double?, total: Double = 1) { fatalError() }
}
public struct Link: View {
    public typealias Body = Never
    public init(_ title: String, destination: URL) { fatalError() }
}
public struct NavigationStack: View {
    public typealias Body = Never
    public init<C: View>(@ViewBuilder root: () -> C) { fatalError() }
}
public struct ScrollView: View {
    public typealias Body = Never
    public init<C: View>(@ViewBuilder content: () -> C) { fatalError() }
}
public struct ScrollViewReader: View {
    public typealias Body = Never
    public init<C: View>(@ViewBuilder content: (ScrollViewProxy) -> C) { fatalError() }
}
public struct ScrollViewProxy { public func scrollTo<I: Hashable>(_ id: I, anchor: UnitPoint? = nil) {} }
public struct UnitPoint { public static var bottom: UnitPoint { fatalError() } }
public struct ForEach: View {
    public typealias Body = Never
    public init<D: RandomAccessCollection, C: View>(_ data: D, @ViewBuilder content: (D.Element) -> C)
    where D.Element: Identifiable { fatalError() }
}
public struct Spacer: View {
    public typealias Body = Never
    public init(minLength: Double? = nil) { fatalError() }
}
public struct Text: View {
    public typealias Body = Never
    public init(_ text: String) { fatalError() }
}
public struct TextField: View {
    public typealias Body = Never
    public init(_ title: String, text: Binding<String>, axis: Axis) { fatalError() }
}
public enum Axis { case horizontal, vertical }
public struct Button: View {
    public typealias Body = Never
    public init(_ title: String, systemImage: String, action: @escaping @MainActor () -> Void) { fatalError() }
}
public struct RoundedRectangle: Shape { public init(cornerRadius: Double) { fatalError() } }
public protocol Shape {}
public protocol ShapeStyle {}
public struct Color: ShapeStyle, Sendable {
    public static var accentColor: Color { fatalError() }
    public static var secondary: Color { fatalError() }
    public func opacity(_ opacity: Double) -> Color { fatalError() }
}
extension ShapeStyle where Self == Color { public static var secondary: Color { fatalError() } }
public struct Font { public static var caption: Font { fatalError() } }
public struct RoundedBorder { public static var roundedBorder: RoundedBorder { fatalError() } }
public struct IconOnly { public static var iconOnly: IconOnly { fatalError() } }
public struct TextInputAutocapitalization { public static var never: TextInputAutocapitalization { fatalError() } }
public struct Selectable { public static var enabled: Selectable { fatalError() } }

extension View {
    public func font(_ font: Font?) -> Some { fatalError() }
    public func foregroundStyle<S: ShapeStyle>(_ style: S) -> Some { fatalError() }
    public func padding(_ length: Double? = nil) -> Some { fatalError() }
    public func background<S: ShapeStyle>(_ style: S) -> Some { fatalError() }
    public func clipShape<S: Shape>(_ shape: S) -> Some { fatalError() }
    public func accessibilityLabel(_ label: String) -> Some { fatalError() }
    public func navigationTitle(_ title: String) -> Some { fatalError() }
    public func toolbar<C: View>(@ViewBuilder content: () -> C) -> Some { fatalError() }
    public func disabled(_ disabled: Bool) -> Some { fatalError() }
    public func fileImporter(
        isPresented: Binding<Bool>, allowedContentTypes: [UTType],
        onCompletion: @escaping @MainActor (Result<URL, any Error>) -> Void
    ) -> Some { fatalError() }
    public func sheet<C: View>(isPresented: Binding<Bool>, @ViewBuilder content: @escaping () -> C) -> Some { fatalError() }
    public func sheet<I: Identifiable, C: View>(
        item: Binding<I?>, @ViewBuilder content: @escaping (I) -> C
    ) -> Some { fatalError() }
    public func interactiveDismissDisabled(_ disabled: Bool = true) -> Some { fatalError() }
    public func swipeActions<C: View>(@ViewBuilder content: () -> C) -> Some { fatalError() }
    public func autocorrectionDisabled(_ disabled: Bool = true) -> Some { fatalError() }
    public func textInputAutocapitalization(_ how: TextInputAutocapitalization?) -> Some { fatalError() }
    public func accessibilityValue(_ value: String) -> Some { fatalError() }
    public func onChange<V: Equatable>(of value: V, perform: @escaping @MainActor (V) -> Void) -> Some { fatalError() }
    public func id<I: Hashable>(_ id: I) -> Some { fatalError() }
    public func textFieldStyle(_ style: RoundedBorder) -> Some { fatalError() }
    public func labelStyle(_ style: IconOnly) -> Some { fatalError() }
    public func textSelection(_ selection: Selectable) -> Some { fatalError() }
    public func lineLimit(_ limit: ClosedRange<Int>) -> Some { fatalError() }
}
