// Old charsets of mail, converted to Unicode. It guesses only where nothing usable is declared.

import CGMime

/// Text without a declared charset.
package enum PlainDecoding {
    /// UTF-8, and where it is none, windows-1252; never fails.
    package static func text(_ bytes: [UInt8]) -> String { LegacyCharset.text(bytes, charset: nil) }
}

/// Text of the charsets that mail uses, as Unicode.
enum LegacyCharset {
    /// Never fails: octets that mean nothing in the charset become a replacement character. Where no charset or an unknown one
    /// is declared, UTF-8 is tried and then windows-1252, which is what such mail nearly always is.
    static func text(_ bytes: [UInt8], charset: String?) -> String {
        let name = charset?.lowercased() ?? ""
        guard !["", "utf-8", "utf8", "us-ascii", "ascii"].contains(name) else { return unlabelled(bytes) }
        return converted(bytes, from: name) ?? unlabelled(bytes)
    }

    private static func unlabelled(_ bytes: [UInt8]) -> String {
        String(validating: bytes, as: UTF8.self) ?? converted(bytes, from: "windows-1252")
            ?? String(decoding: bytes, as: UTF8.self)
    }

    /// Nil when the system knows no such charset.
    private static func converted(_ bytes: [UInt8], from charset: String) -> String? {
        guard let filter = unsafe GMimeReference(owning: g_mime_filter_charset_new(charset, "utf-8")) else { return nil }
        let target = unsafe made(g_mime_stream_mem_new())
        let stream = unsafe made(g_mime_stream_filter_new(target.pointer))
        unsafe g_mime_stream_filter_add(dds_mime_stream_as_filter(stream.pointer), filter.pointer)
        _ = unsafe bytes.withUnsafeBytes { buffer in
            unsafe g_mime_stream_write(
                stream.pointer, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        }
        unsafe g_mime_stream_flush(stream.pointer)
        return unsafe String(decoding: contents(of: target), as: UTF8.self)
    }
}
