// libuv requests: the C memory, the bytes in flight and the completion live in one box that the request itself retains.

import CUV
import Glibc

/// A request without payload (`uv_connect_t`, `uv_shutdown_t`, `uv_getaddrinfo_t`), retained from `submit` to completion.
@safe @LoopActor
final class UVRequest {
    let cell: UnsafeMutableRawPointer
    private let completion: (Int32, [sockaddr_storage]) -> Void

    private init(_ type: uv_req_type, _ completion: @escaping (Int32, [sockaddr_storage]) -> Void) {
        unsafe cell = .allocate(byteCount: uv_req_size(type), alignment: 16)
        self.completion = completion
    }

    /// Has `start` hand the C request to libuv. A negative status means that no callback will come: it is returned and
    /// `completion` is dropped.
    static func submit(
        _ type: uv_req_type, completion: @escaping (Int32) -> Void, start: (UnsafeMutableRawPointer) -> Int32
    ) -> Int32 {
        unsafe submit(type, resolved: { status, _ in completion(status) }, start: start)
    }

    /// As above for name look-ups, whose completion is handed the addresses found.
    static func submit(
        _ type: uv_req_type, resolved completion: @escaping (Int32, [sockaddr_storage]) -> Void,
        start: (UnsafeMutableRawPointer) -> Int32
    ) -> Int32 {
        let request = UVRequest(type, completion)
        let header = unsafe request.cell.assumingMemoryBound(to: uv_req_t.self)
        let reference = unsafe Unmanaged.passRetained(request)
        unsafe header.pointee.data = reference.toOpaque()
        let status = unsafe start(request.cell)
        if status < 0 {
            unsafe reference.release()
            unsafe request.cell.deallocate()
        }
        return status
    }

    /// From the C callback: takes the reference back, frees the C memory, completes.
    static func complete(
        _ data: UnsafeMutableRawPointer?, status: Int32, addresses: UnsafeMutablePointer<addrinfo>? = nil
    ) {
        guard let data = unsafe data else { return }
        let request = unsafe Unmanaged<UVRequest>.fromOpaque(data).takeRetainedValue()
        unsafe request.cell.deallocate()
        request.completion(status, unsafe copy(addresses))
    }

    private static func copy(_ list: UnsafeMutablePointer<addrinfo>?) -> [sockaddr_storage] {
        var addresses: [sockaddr_storage] = []
        var next = unsafe list
        while let entry = unsafe next {
            var storage = sockaddr_storage()
            let length = unsafe min(Int(entry.pointee.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
            if let address = unsafe entry.pointee.ai_addr {
                unsafe withUnsafeMutableBytes(of: &storage) {
                    unsafe $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: length))
                }
                addresses.append(storage)
            }
            unsafe next = entry.pointee.ai_next
        }
        return addresses
    }
}

/// A write with the bytes it sends. Boxes are recycled in a bounded list; their buffers are not.
@safe @LoopActor
final class WriteRequest {
    private static let freeMax = 64
    private static var free: [WriteRequest] = []

    private let cell = UnsafeMutablePointer<uv_write_t>.allocate(capacity: 1)
    private var stream: ByteStream?

    private init() {}

    isolated deinit {
        unsafe cell.deallocate()
    }

    /// Sends a copy of `bytes` on `handle` and reports to `stream`. A negative status means that nothing was sent.
    static func submit(
        _ bytes: ArraySlice<UInt8>, on handle: UnsafeMutablePointer<uv_stream_t>, for stream: ByteStream
    ) -> Int32 {
        let request = free.popLast() ?? WriteRequest()
        let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        _ = unsafe memory.initialize(from: bytes)
        let base = unsafe UnsafeMutableRawPointer(memory.baseAddress)?.assumingMemoryBound(to: CChar.self)
        unsafe request.buffer = memory
        request.stream = stream
        let reference = unsafe Unmanaged.passRetained(request)
        unsafe request.cell.pointee.data = reference.toOpaque()
        var description = unsafe uv_buf_init(base, UInt32(bytes.count))
        let status = unsafe uv_write(request.cell, handle, &description, 1) { cell, status in
            guard let data = unsafe cell?.pointee.data else { return }
            let request = unsafe Unmanaged<WriteRequest>.fromOpaque(data).takeRetainedValue()
            let stream = request.stream
            request.recycle()
            stream?.writeCompleted(status)
        }
        if status < 0 {
            unsafe reference.release()
            request.recycle()
        }
        return status
    }

    private var buffer: UnsafeMutableBufferPointer<UInt8>?

    private func recycle() {
        unsafe buffer?.deallocate()
        unsafe buffer = nil
        stream = nil
        if Self.free.count < Self.freeMax { Self.free.append(self) }
    }
}

/// The type number of the file system that `path` is on, as statfs(2) gives it; Glibc's module lacks that call.
func fileSystemMagic(of path: String) -> UInt64? {
    let request = UnsafeMutablePointer<uv_fs_t>.allocate(capacity: 1)
    defer { unsafe request.deallocate() }
    guard unsafe uv_fs_statfs(nil, request, path, nil) == 0 else { return nil }
    defer { unsafe uv_fs_req_cleanup(request) }
    return unsafe request.pointee.ptr?.assumingMemoryBound(to: uv_statfs_t.self).pointee.f_type
}
