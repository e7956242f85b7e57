// A simulated disk with something of a test's own in between.

package import DDSCore
package import DDSTorture

package final class WrappedDisk: Disk {
    package let inner: SimDisk
    /// What becomes of bytes that are written.
    package var written: ([UInt8]) -> [UInt8] = { $0 }
    /// Called before a file of that name is removed.
    package var willRemove: (String) -> Void = { _ in }

    package init(_ inner: SimDisk = SimDisk()) { self.inner = inner }

    package func list() throws(DiskError) -> [String] { try inner.list() }
    package func open(_ name: String) throws(DiskError) -> DiskFile { try inner.open(name) }
    package func create(_ name: String) throws(DiskError) -> DiskFile { try inner.create(name) }
    package func close(_ file: DiskFile) { inner.close(file) }
    package func size(_ file: DiskFile) throws(DiskError) -> Int { try inner.size(file) }
    package func read(_ file: DiskFile, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        try inner.read(file, at: offset, count: count)
    }
    package func write(_ file: DiskFile, at offset: Int, _ bytes: [UInt8]) throws(DiskError) {
        try inner.write(file, at: offset, written(bytes))
    }
    package func sync(_ file: DiskFile) throws(DiskError) { try inner.sync(file) }
    package func syncFolder() throws(DiskError) { try inner.syncFolder() }
    package func rename(_ name: String, to newName: String) throws(DiskError) { try inner.rename(name, to: newName) }
    package func remove(_ name: String) throws(DiskError) {
        willRemove(name)
        try inner.remove(name)
    }
    package func lock() throws(DiskError) { try inner.lock() }
    package func unlock() { inner.unlock() }
    package func freeBytes() throws(DiskError) -> Int { try inner.freeBytes() }
}
