// Secrets that must pass through ordinary values (a password in a command) cannot be printed by accident.

/// A value that prints as `<redacted>` wherever it is described, dumped or interpolated.
package struct Redacted<Value: Sendable>: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The secret itself; every use of this property is a place to look at.
    package var exposed: Value

    package init(_ value: Value) {
        exposed = value
    }

    package var description: String { "<redacted>" }
    package var debugDescription: String { "<redacted>" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension Redacted: Equatable where Value: Equatable {}
extension Redacted: Hashable where Value: Hashable {}
