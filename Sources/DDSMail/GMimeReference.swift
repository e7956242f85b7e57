// The one way in which GMime's objects are owned, and the few conversions everybody needs. Getters of GMime lend what they
// return; constructors hand over a reference, which goes in here.

import CGMime

/// Sets GMime up on first use, from whichever thread comes first.
enum GMimeLibrary {
    private static let isReady: Bool = {
        g_mime_init()
        return true
    }()

    static func prepare() {
        precondition(isReady)
    }
}

/// An owned reference to a GObject, given back when the value ends.
@safe struct GMimeReference<Object>: ~Copyable {
    private let object: UnsafeMutablePointer<Object>

    /// Takes over the reference that a constructor returned; nil stays nil.
    init?(owning object: UnsafeMutablePointer<Object>?) {
        guard let object = unsafe object else { return nil }
        unsafe self.object = object
    }

    deinit {
        unsafe g_object_unref(object)
    }

    /// The object, valid as long as this value: for arguments of one call.
    var pointer: UnsafeMutablePointer<Object> { unsafe object }
}

extension String {
    /// A lent C string; octets that are not UTF-8 become U+FFFD.
    init?(lent text: UnsafePointer<CChar>?) {
        guard let text = unsafe text else { return nil }
        unsafe self.init(cString: text)
    }

    /// A C string that is the caller's to free.
    init?(freeing text: UnsafeMutablePointer<CChar>?) {
        guard let text = unsafe text else { return nil }
        unsafe self.init(cString: text)
        unsafe g_free(text)
    }
}

enum NormalizationFormC {
    /// The text in Unicode normalization form C.
    static func of(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        var octets = Array(text.utf8.map { CChar(bitPattern: $0) })
        // A NUL is an end to GLib; such text stays as it is, and loses the NUL later.
        guard !octets.contains(0) else { return text }
        octets.append(0)
        return unsafe String(freeing: g_utf8_normalize(octets, -1, G_NORMALIZE_NFC)) ?? text
    }
}

/// Takes over what a constructor of GMime returned. GLib ends the process where memory ends, so there is always something.
func made<Object>(_ object: UnsafeMutablePointer<Object>?) -> GMimeReference<Object> {
    guard let reference = unsafe GMimeReference(owning: object) else {
        preconditionFailure("GLib ends the process when there is no memory")
    }
    return reference
}

/// A memory stream over a copy of `bytes`.
func makeStream(_ bytes: [UInt8]) -> GMimeReference<GMimeStream> {
    let stream = unsafe bytes.withUnsafeBytes { buffer in
        unsafe g_mime_stream_mem_new_with_buffer(buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
    }
    return unsafe made(stream)
}

/// What was written to a memory stream.
func contents(of stream: borrowing GMimeReference<GMimeStream>) -> [UInt8] {
    guard let array = unsafe g_mime_stream_mem_get_byte_array(dds_mime_stream_as_mem(stream.pointer)) else { return [] }
    guard let start = unsafe array.pointee.data else { return [] }
    return unsafe Array(UnsafeBufferPointer(start: start, count: Int(array.pointee.len)))
}
