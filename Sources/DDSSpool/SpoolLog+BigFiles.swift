// Bodies too long for a segment: a file each, in authenticated chunks. The file is complete and durable under its name
// before any slot names it, and loses its slot before it is overwritten and removed.

import DDSCore

struct BigFile {
    var id: UInt64
    var key: [UInt8]
}

extension SpoolLog {
    private var sealedChunkBytes: Int { parameters.chunkBytes + 16 }

    /// Writes the long bodies among `appends`; by position, nil where the body goes into the segment. The whole result is
    /// nil when the disk is full; what was written by then awaits removal.
    func writeBigFiles(of appends: [PreparedAppend]) throws(DiskError) -> [BigFile?]? {
        var files: [BigFile?] = []
        for append in appends {
            guard case .plain(let body) = append.body else {
                files.append(nil)
                continue
            }
            do { files.append(try writeBigFile(body)) } catch {
                guard error.kind == .full else { throw error }
                bigToErase += files.compactMap { $0 }.map { SpoolFileName.big($0.id, isTemporary: false).text }
                return nil
            }
        }
        return files
    }

    private func writeBigFile(_ body: [UInt8]) throws(DiskError) -> BigFile {
        let id = cipher.random(8).number(at: 0, bytes: 8)
        let key = cipher.random(32)
        let name = SpoolFileName.big(id, isTemporary: true).text
        do {
            let file = try disk.create(name)
            defer { disk.close(file) }
            var start = 0
            var chunkIndex: UInt64 = 0
            while start < body.count {
                let end = min(start + parameters.chunkBytes, body.count)
                let sealed = cipher.sealChunk(
                    key: key, index: chunkIndex, isLast: end == body.count, chunk: Array(body[start..<end]))
                try disk.write(file, at: Int(chunkIndex) * sealedChunkBytes, sealed)
                start = end
                chunkIndex += 1
            }
            try disk.sync(file)
        } catch {
            if error.kind == .full, try disk.list().contains(name) { try disk.remove(name) }
            throw error
        }
        try disk.rename(name, to: SpoolFileName.big(id, isTemporary: false).text)
        try disk.syncFolder()
        return BigFile(id: id, key: key)
    }

    func countBigFile(_ meta: SlotMeta, by number: Int) {
        counters.bigFiles += number
        bigBytes += number * Int(meta.length)
    }

    /// Part of a long body. Nil when a chunk does not authenticate or is missing.
    func readBigFile(_ meta: SlotMeta, key: [UInt8], _ range: Range<Int>) throws(DiskError) -> [UInt8]? {
        guard !range.isEmpty else { return [] }
        let file = try disk.open(SpoolFileName.big(meta.reference, isTemporary: false).text)
        defer { disk.close(file) }
        let length = Int(meta.length)
        let lastChunk = (length - 1) / parameters.chunkBytes
        var bytes: [UInt8] = []
        for chunk in range.lowerBound / parameters.chunkBytes...(range.upperBound - 1) / parameters.chunkBytes {
            let count = min(parameters.chunkBytes, length - chunk * parameters.chunkBytes) + 16
            let sealed = try disk.read(file, at: chunk * sealedChunkBytes, count: count)
            guard sealed.count == count,
                let plain = cipher.openChunk(key: key, index: UInt64(chunk), isLast: chunk == lastChunk, sealed: sealed)
            else { return nil }
            bytes += plain
        }
        let first = range.lowerBound / parameters.chunkBytes * parameters.chunkBytes
        return Array(bytes[range.lowerBound - first..<range.upperBound - first])
    }

    /// Overwrites a big file that no slot names any more, and removes it.
    func eraseBigFile(_ name: String) throws(DiskError) {
        // One that is missing was named when the spool was opened.
        guard try disk.list().contains(name) else { return }
        let file = try disk.open(name)
        do {
            defer { disk.close(file) }
            let size = try disk.size(file)
            var offset = 0
            while offset < size {
                let count = min(1 << 20, size - offset)
                try disk.write(file, at: offset, [UInt8](repeating: 0, count: count))
                offset += count
            }
            if size > 0 { try disk.sync(file) }
        }
        try disk.remove(name)
        try disk.syncFolder()
        counters.syncs += 1
    }
}
