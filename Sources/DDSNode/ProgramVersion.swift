// The number of this version, for --version and the page.

package enum ProgramVersion {
    package static let number = "0.1.0"
}
