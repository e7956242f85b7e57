// One small file of secrets in a folder: how it is replaced without a moment in which no content is on the disk, and how former
// content is destroyed. What is in it, and under which key, its owners say.

package import DDSCore

/// Used by one thread at a time.
package struct ErasingFile {
    private let name: String
    private let disk: any Disk
    private var temporaryName: String { name + ".tmp" }
    /// The former content on its way to be destroyed.
    private var formerName: String { name + ".old" }

    package init(_ name: String, on disk: any Disk) {
        self.name = name
        self.disk = disk
    }

    /// The valid content; an error of kind `.notFound` without any. Changes nothing.
    package func contents() throws(DiskError) -> [UInt8] {
        let names = try disk.list()
        // Between two renames only the former content has a name, and it is the valid one.
        guard let place = [name, formerName].first(where: names.contains) else {
            throw DiskError(.notFound, operation: "open \(name)", detail: "no such file")
        }
        return try disk.contents(of: place)
    }

    /// Finishes what a stop has interrupted: destroys former content and parts of new content.
    package func tidy() throws(DiskError) {
        let names = try disk.list()
        if !names.contains(name), names.contains(formerName) {
            try disk.rename(formerName, to: name)
            try disk.syncFolder()
        }
        for name in [formerName, temporaryName] where try disk.list().contains(name) { try destroy(name) }
    }

    /// Writes `bytes` durably and destroys what was there. When it throws the valid content is the old or the new one.
    package func store(_ bytes: [UInt8]) throws(DiskError) {
        try tidy()
        let file = try disk.create(temporaryName)
        do {
            defer { disk.close(file) }
            try disk.write(file, at: 0, bytes)
            try disk.sync(file)
        }
        let isReplacing = try disk.list().contains(name)
        if isReplacing {
            try disk.rename(name, to: formerName)
            try disk.syncFolder()
        }
        try disk.rename(temporaryName, to: name)
        try disk.syncFolder()
        if isReplacing { try destroy(formerName) }
    }

    /// Overwrites in place before the name goes: what removes a file leaves its bytes where they were.
    private func destroy(_ name: String) throws(DiskError) {
        let file = try disk.open(name)
        do {
            defer { disk.close(file) }
            let size = try disk.size(file)
            if size > 0 {
                try disk.write(file, at: 0, [UInt8](repeating: 0, count: size))
                try disk.sync(file)
            }
        }
        try disk.remove(name)
        try disk.syncFolder()
    }
}
